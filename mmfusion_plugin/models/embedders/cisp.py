"""CISP (Sbrolli et al., IJCNN 2024, arXiv 2402.01241): images and shapes in one space."""

from __future__ import annotations

import hashlib
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Union

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModel
from torch import Tensor

from mmfusion_plugin.structures import ShapeSample

Config = Dict[str, Any]
Samples = List[ShapeSample]
# Pixels to [-1, 1], red first, as in the released code.
PREPROCESSOR = dict(type='FusionDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True)


class Embeddings(NamedTuple):
    """Embeddings of a batch, not normalised; None for what was not given.

    Attributes:
        image: (B, C) of the images.
        shape: (B, C) of the shapes.
    """

    image: Optional[Tensor]
    shape: Optional[Tensor]


@MODELS.register_module()
class CISP(BaseModel):
    """Contrastive image-shape pre-training: two encoders and a loss that brings an image near its own shape.

    Shapes are voxels: ``voxels`` of the inputs where they are given, else ``gt_voxels`` of the data samples, where
    ``PackShapeInputs`` puts them. Embeddings are handed over as they come out of the projection, as in the released
    code; what compares them by the cosine normalises them itself. Names in the configs have no prefix.

    Args:
        image_encoder: Config; ``type`` is ``CISPImageEncoder`` if it is not given.
        shape_encoder: Config; ``type`` is ``CISPShapeEncoder`` if it is not given.
        loss: Config; ``type`` is ``ContrastiveLoss`` if it is not given. Its temperature is a parameter of the model.
        data_preprocessor: Config; by default ``FusionDataPreprocessor`` to RGB in [-1, 1].
        init_cfg: Of mmengine's ``BaseModule``.

    Raises:
        ValueError: The encoders' embeddings are not equally wide.
    """

    def __init__(
        self,
        image_encoder: Optional[Config] = None,
        shape_encoder: Optional[Config] = None,
        loss: Optional[Config] = None,
        data_preprocessor: Optional[Config] = None,
        init_cfg: Optional[Config] = None,
    ) -> None:
        super().__init__(_build('FusionDataPreprocessor', data_preprocessor or PREPROCESSOR), init_cfg)
        self.image_encoder = _build('CISPImageEncoder', image_encoder)
        self.shape_encoder = _build('CISPShapeEncoder', shape_encoder)
        self.loss_contrastive = _build('ContrastiveLoss', loss)
        widths = self.image_encoder.out_channels, self.shape_encoder.out_channels
        if widths[0] != widths[1]:
            raise ValueError(f'images are embedded in {widths[0]} dimensions and shapes in {widths[1]}: give both '
                             'encoders the same embed_channels')

    def extract_image_embedding(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) images, as the data preprocessor leaves them, to (B, C), not normalised."""
        return self.image_encoder(images)[0]

    def extract_shape_embedding(self, voxels: Union[Tensor, Sequence[Tensor]]) -> Tensor:
        """Embeddings of shapes.

        Args:
            voxels: (B, 1, R, R, R), or B times (R, R, R) or (1, R, R, R), of any dtype; 0 is empty, 1 occupied.

        Returns:
            (B, C), not normalised.

        Raises:
            ValueError: The shapes do not have one resolution, or not the encoder's.
        """
        if not isinstance(voxels, Tensor):
            sizes = {tuple(one.shape[-3:]) for one in voxels}
            if len(sizes) != 1:
                raise ValueError(f'shapes of a batch must have one resolution, got {sorted(sizes)}')
            voxels = torch.stack([torch.as_tensor(one).reshape(-1, *one.shape[-3:]) for one in voxels])
        return self.shape_encoder(voxels)[0]

    def extract_feat(self, inputs: Dict[str, Any], data_samples: Optional[Samples] = None) -> Embeddings:
        """Embeddings of what is there: ``img`` of the inputs, ``voxels`` of the inputs or ``gt_voxels`` of the samples.

        Raises:
            KeyError: There is neither.
        """
        voxels = inputs.get('voxels')
        if voxels is None and data_samples and all('gt_voxels' in sample for sample in data_samples):
            voxels = [sample.gt_voxels for sample in data_samples]
        images = inputs.get('img')
        if images is None and voxels is None:
            raise KeyError(f"the inputs have {sorted(inputs)}, but neither 'img' nor 'voxels', and not every sample "
                           'has gt_voxels: load images or voxels in the pipeline')
        return Embeddings(None if images is None else self.extract_image_embedding(images),
                          None if voxels is None else self.extract_shape_embedding(voxels))

    def forward(
        self, inputs: Dict[str, Any], data_samples: Optional[Samples] = None, mode: str = 'tensor'
    ) -> Union[Embeddings, Dict[str, Tensor], Samples]:
        """Losses, predictions or embeddings.

        Args:
            inputs: ``img`` (B, 3, H, W), normalised; ``voxels`` as for :meth:`extract_shape_embedding`.
            data_samples: One per pair, with ``gt_voxels`` (R, R, R) where the inputs have no voxels.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            What :meth:`loss`, :meth:`predict` or, for ``'tensor'``, :meth:`extract_feat` return.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.extract_feat(inputs, data_samples)
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def loss(self, inputs: Dict[str, Any], data_samples: Optional[Samples] = None) -> Dict[str, Tensor]:
        """``loss_contrastive``, and ``scale``, the inverse temperature, for the log.

        Raises:
            ValueError: Images or shapes are missing, or the loss needs to know a sample's model.
        """
        found = self.extract_feat(inputs, data_samples)
        if found.image is None or found.shape is None:
            lack = "images: load them as 'img'" if found.image is None else 'shapes: load the voxels of every sample'
            raise ValueError(f'CISP is trained on pairs, but the batch has no {lack} in the training pipeline')
        by_model = self.loss_contrastive.positives == 'model'
        keys = _model_keys(data_samples or [], found.image.device) if by_model else None
        value = self.loss_contrastive(found.image, found.shape, keys)
        return dict(loss_contrastive=value, scale=self.loss_contrastive.scale.detach())

    def predict(self, inputs: Dict[str, Any], data_samples: Optional[Samples] = None) -> Samples:
        """Set ``pred_image_embedding`` (C,) and ``pred_shape_embedding`` (C,) of each sample, as far as they are known.

        None makes new samples.
        """
        found = self.extract_feat(inputs, data_samples)
        if data_samples is None:
            data_samples = [ShapeSample() for _ in (found.shape if found.image is None else found.image)]
        for name, rows in found._asdict().items():
            for sample, row in zip(data_samples, [] if rows is None else rows):
                setattr(sample, f'pred_{name}_embedding', row)
        return data_samples


def _build(default: str, cfg: Optional[Config]) -> Any:
    """Build a part; names without a prefix are MMDetection3D's, whichever library the config belongs to."""
    return MODELS.build({'_scope_': 'mmdet3d', 'type': default, **(cfg or {})})


def _model_keys(samples: Samples, device: torch.device) -> Tensor:
    """(B,) int64, equal where synset and model are."""
    keys = []
    for number, sample in enumerate(samples):
        if sample.get('model_id') is None:
            raise ValueError(f"{sample.get('img_path') or f'sample {number}'} does not name its model, which "
                             "positives='model' needs: pack model_id, or take positives='pair'")
        name = f"{sample.get('synset')}/{sample.model_id}".encode()
        keys.append(int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), 'big', signed=True))
    return torch.tensor(keys, dtype=torch.int64, device=device)
