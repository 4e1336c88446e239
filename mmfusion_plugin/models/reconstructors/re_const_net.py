"""3D-ReConstNet (Li et al., IEEE Access 8, 2020): one image to a point cloud."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Union

from mmdet3d.registry import MODELS
from mmengine.model import BaseModel
from torch import Tensor

from mmfusion_plugin.structures import ShapeSample

Config = Dict[str, Any]
Samples = List[ShapeSample]


@MODELS.register_module()
class ReConstNet(BaseModel):
    """An image network and a :class:`~mmfusion_plugin.models.heads.ReConstNetHead`.

    With ResNet-50 it has 29,483,056 parameters for 1024 points and 32,631,856 for 2048, as released. The released code
    feeds pixels of 0..255 (RGB, 128 x 128) to an ImageNet network as they are; so does the default data preprocessor,
    which takes BGR as it is packed.

    Names in ``backbone`` are looked up in MMPreTrain, those in ``head`` and ``data_preprocessor`` in MMDetection3D,
    where they have no prefix.

    Args:
        backbone: Config of the image network: ``ResNet`` with ``depth=50`` by default.
        head: Config of the head; ``type`` is ``ReConstNetHead`` if it is not given, and ``in_channels`` follows the
            backbone.
        data_preprocessor: Config of the data preprocessor (``FusionDataPreprocessor``).
        init_cfg: Of mmengine's ``BaseModule``.

    Raises:
        ValueError: The backbone does not say how wide its features are, and neither does the head.
    """

    def __init__(
        self,
        backbone: Optional[Config] = None,
        head: Optional[Config] = None,
        data_preprocessor: Optional[Config] = None,
        init_cfg: Optional[Config] = None,
    ) -> None:
        preprocessor = data_preprocessor or {'type': 'FusionDataPreprocessor', 'bgr_to_rgb': True}
        super().__init__(MODELS.build({'_scope_': 'mmdet3d', **preprocessor}), init_cfg)
        self.backbone = MODELS.build({'_scope_': 'mmpretrain', **(backbone or dict(type='ResNet', depth=50))})
        own = {'type': 'ReConstNetHead', 'in_channels': getattr(self.backbone, 'feat_dim', None), **(head or {})}
        if own['in_channels'] is None:
            raise ValueError(f'{type(self.backbone).__name__} does not say how wide its last features are: give '
                             'in_channels in head')
        self.head = MODELS.build({'_scope_': 'mmdet3d', **own})

    def extract_feat(self, inputs: Dict[str, Any]) -> Sequence[Tensor]:
        """Features of the backbone for ``img`` (B, 3, H, W).

        Raises:
            KeyError: There is no ``img``.
        """
        if 'img' not in inputs:
            raise KeyError(f"the inputs have {sorted(inputs)}, but no 'img': load and pack the image in the pipeline")
        return self.backbone(inputs['img'])

    def forward(
        self, inputs: Dict[str, Any], data_samples: Optional[Samples] = None, mode: str = 'tensor'
    ) -> Union[Tensor, Dict[str, Tensor], Samples]:
        """Losses, predictions or clouds.

        Args:
            inputs: As for :meth:`extract_feat`.
            data_samples: One per image.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            What :meth:`loss` or :meth:`predict` return; clouds (B, N, 3) of the means for ``'tensor'``.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.head(self.extract_feat(inputs))
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def loss(self, inputs: Dict[str, Any], data_samples: Samples) -> Dict[str, Tensor]:
        """The head's losses over samples with ``gt_points``."""
        return self.head.loss(self.extract_feat(inputs), data_samples)

    def predict(self, inputs: Dict[str, Any], data_samples: Optional[Samples] = None) -> Samples:
        """Set ``pred_points`` (N, 3) of each sample, and ``pred_samples`` (S, N, 3) where several are drawn.

        None makes new samples.
        """
        features = self.extract_feat(inputs)
        return self.head.predict(features, data_samples or [ShapeSample() for _ in inputs['img']])
