"""Segmentation of the views of a sample alone, to train an image network before it joins points."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from mmdet3d.models.segmentors.base import Base3DSegmentor
from mmdet3d.registry import MODELS
from mmdet3d.structures.det3d_data_sample import SampleList
from mmengine.structures import PixelData
from torch import Tensor

from mmfusion_plugin.models.fusion.view_pixels import images_of

from .mvpnet import pixel_labels
from .point_set import Part, build_part


@MODELS.register_module()
class ViewSegmentor(Base3DSegmentor):
    """An image network and the cross entropy of its logits.

    Its parameters have the names that they have in :class:`MVPNet` and :class:`SAFNet`, so that ``load_from`` its
    checkpoint gives those their image network; or, for that part alone, ``init_cfg=dict(type='Pretrained',
    checkpoint=..., prefix='image_backbone.')`` of the ``image_backbone``.

    Args:
        image_backbone: Config of the image network (``UNetResNet34``).
        ignore_index: Label of pixels that do not count.
        loss_image: Further arguments of the ``PointCrossEntropyLoss``.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: Of mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        image_backbone: Part,
        ignore_index: int = 20,
        loss_image: Optional[Dict[str, Any]] = None,
        data_preprocessor: Optional[Dict[str, Any]] = None,
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        # Built here, so that the model also builds where no default scope is set.
        super().__init__(MODELS.build(data_preprocessor or {'type': 'FusionDataPreprocessor'}), init_cfg)
        self.image_backbone = build_part(image_backbone)
        self.loss_image = build_part({'type': 'PointCrossEntropyLoss', **(loss_image or {})}, ignore_index=ignore_index)

    def extract_feat(self, batch_inputs: Dict[str, Any]) -> Tensor:
        """(B * V, C, H, W) features of all images of the batch (``imgs`` (B, V, 3, H, W), normalised)."""
        return self.image_backbone(images_of(batch_inputs))[0]

    def loss(self, batch_inputs: Dict[str, Any], batch_data_samples: SampleList) -> Dict[str, Tensor]:
        """``loss_image``: mean cross entropy of all pixels that count, zero with a graph where none does.

        Args:
            batch_inputs: ``imgs``.
            batch_data_samples: With ``gt_sem_seg.sem_seg`` (V, H, W).

        Raises:
            ValueError: Labels are missing or of another size.
        """
        logits = self.image_backbone(images_of(batch_inputs))[1]
        rows = logits.movedim(1, -1).flatten(0, -2)
        return {'loss_image': self.loss_image(rows, pixel_labels(logits, batch_data_samples))}

    def encode_decode(self, batch_inputs: Dict[str, Any], batch_data_samples: Optional[SampleList]) -> List[Tensor]:
        """(V, num_classes, H, W) logits of each sample."""
        logits = self.image_backbone(images_of(batch_inputs))[1]
        return list(logits.unflatten(0, batch_inputs['imgs'].shape[:2]))

    def predict(self, batch_inputs: Dict[str, Any], batch_data_samples: SampleList) -> SampleList:
        """Set ``pred_sem_seg.sem_seg`` (V, H, W) int64 of each sample."""
        for sample, logits in zip(batch_data_samples, self.encode_decode(batch_inputs, batch_data_samples)):
            sample.pred_sem_seg = PixelData(sem_seg=logits.argmax(1))
        return batch_data_samples

    def _forward(self, batch_inputs: Dict[str, Any], batch_data_samples: Optional[SampleList] = None) -> List[Tensor]:
        """(V, num_classes, H, W) logits of each sample, without post-processing."""
        return self.encode_decode(batch_inputs, batch_data_samples)
