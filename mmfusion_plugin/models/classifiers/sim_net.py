"""SIM-Net (arXiv 2506.18683): an image and the cloud inferred from it are classified together."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

Config = Dict[str, Any]
Samples = List[BaseDataElement]
# The paper prints one MLP without sizes; these are ours. RowBatchNorm1d is BN1d that also takes a batch of one.
HEAD = dict(
    type='StackedLinearClsHead',
    mid_channels=[512, 256],
    dropout_rate=0.3,
    norm_cfg=dict(type='mmdet3d.RowBatchNorm1d'),
)


@MODELS.register_module()
class SIMNet(BaseModel):
    """Image branch, point branch, fusion, and a classifier of MMPreTrain.

    With ResNet-101 and PointNet, 2048 and 1024 channels are concatenated to 3072. Either branch is left away by giving
    None: the head is then that of the baseline. It follows the conventions of ``mmpretrain.ImageClassifier``: data
    samples with ``gt_label``, predictions ``pred_score`` and ``pred_label`` (what ``mmpretrain.Accuracy`` and
    ``SingleLabelMetric`` read).

    Names in ``image_backbone`` and ``head`` are looked up in MMPreTrain, those in ``point_backbone``, ``fusion`` and
    ``data_preprocessor`` in MMDetection3D, where they have no prefix.

    Args:
        head: Config of the classifier. Without ``type`` it is ``StackedLinearClsHead`` with layers of 512 and 256,
            dropout 0.3 and batch normalisation, and ``dict(num_classes=C)`` is enough; ``in_channels`` follows the
            branches if it is not given.
        image_backbone: Config of the image network, whose last map is used (``ResNet`` with ``depth=101``).
        point_backbone: Config of the point network (``PointNet``, ``PointNet2Cls``).
        fusion: ``'concat'`` of both pooled features, or a ``direction`` of ``CrossModalAttention``
            (``'image-to-point'``, ``'point-to-image'``, ``'both'``), or its config.
        image_channels: Width of the image network's last map, for networks that do not say it themselves.
        data_preprocessor: Config of the data preprocessor (``FusionDataPreprocessor``).
        init_cfg: Of mmengine's ``BaseModule``.

    Raises:
        ValueError: There is no branch, an attention with one alone, or a width that is not known.
    """

    def __init__(
        self,
        head: Config,
        image_backbone: Optional[Config] = None,
        point_backbone: Optional[Config] = None,
        fusion: Union[str, Config] = 'concat',
        image_channels: Optional[int] = None,
        data_preprocessor: Optional[Config] = None,
        init_cfg: Optional[Config] = None,
    ) -> None:
        super().__init__(_build(data_preprocessor or {'type': 'FusionDataPreprocessor'}, 'mmdet3d'), init_cfg)
        if image_backbone is None and point_backbone is None:
            raise ValueError('SIMNet has no branch: give image_backbone, point_backbone or both')
        self.image_backbone = None if image_backbone is None else _build(image_backbone, 'mmpretrain')
        self.point_backbone = None if point_backbone is None else _build(point_backbone, 'mmdet3d')
        widths = []
        if self.image_backbone is not None:
            widths.append(image_channels or _width_of(self.image_backbone))
        if self.point_backbone is not None:
            widths.append(self.point_backbone.out_channels)
        self.fusion = None if fusion == 'concat' else _attention(fusion, widths)
        channels = sum(widths) if self.fusion is None else self.fusion.out_channels
        defaults = {} if 'type' in head else HEAD
        self.head = _build({'in_channels': channels, **defaults, **head}, 'mmpretrain')

    def extract_feat(self, inputs: Dict[str, Any]) -> Tuple[Tensor, Dict[str, Tensor]]:
        """What the head classifies.

        Args:
            inputs: ``img`` (B, 3, H, W), normalised, for the image branch; ``points``, a list of (N_i, C), for the
                other.

        Returns:
            (B, C) fused features, and the losses of the branches.

        Raises:
            KeyError: The inputs lack what a branch needs.
        """
        parts: List[Tensor] = []
        losses: Dict[str, Tensor] = {}
        if self.image_backbone is not None:
            image_map = self.image_backbone(_input(inputs, 'img'))[-1]
            parts.append(image_map.mean((2, 3)))
        if self.point_backbone is not None:
            cloud = self.point_backbone(_input(inputs, 'points'))
            parts.append(cloud.pooled)
            losses = cloud.losses
        fused = torch.cat(parts, 1) if self.fusion is None else self.fusion(image_map, cloud.tokens)
        return fused, losses

    def forward(
        self, inputs: Dict[str, Any], data_samples: Optional[Samples] = None, mode: str = 'tensor'
    ) -> Union[Tensor, Dict[str, Tensor], Samples]:
        """Losses, predictions or logits.

        Args:
            inputs: As for :meth:`extract_feat`.
            data_samples: mmpretrain's, one per image.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            What :meth:`loss` or :meth:`predict` return; (B, num_classes) logits for ``'tensor'``.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.head((self.extract_feat(inputs)[0],))
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def loss(self, inputs: Dict[str, Any], data_samples: Samples) -> Dict[str, Tensor]:
        """``loss_cls`` of the head, and ``loss_orthogonality`` of a PointNet with a feature transform.

        Raises:
            ValueError: A sample has no label.
        """
        for number, sample in enumerate(data_samples):
            if 'gt_label' not in sample and 'gt_score' not in sample:
                raise ValueError(f"{sample.get('img_path', f'sample {number}')} has no gt_label, but is trained on: "
                                 'leave it out of the training set, or pack its label')
        fused, losses = self.extract_feat(inputs)
        own = self.head.loss((fused,), data_samples)
        # The head's own name for it, 'loss', is also that of the sum of all losses in the log.
        return {'loss_cls' if key == 'loss' else key: value for key, value in {**own, **losses}.items()}

    def predict(self, inputs: Dict[str, Any], data_samples: Optional[Samples] = None) -> Samples:
        """Set ``pred_score`` (num_classes,) and ``pred_label`` (1,) of each sample; None makes new samples."""
        return self.head.predict((self.extract_feat(inputs)[0],), data_samples)


def _build(cfg: Config, scope: str) -> nn.Module:
    """Build a part; names without a prefix are ``scope``'s, whichever library the config belongs to."""
    return MODELS.build({'_scope_': scope, **cfg})


def _attention(fusion: Union[str, Config], widths: Sequence[int]) -> nn.Module:
    """The module between both branches, which have these widths."""
    if len(widths) != 2:
        raise ValueError(f"fusion={fusion!r} needs image_backbone and point_backbone: with one alone say 'concat'")
    options = {'direction': fusion} if isinstance(fusion, str) else fusion
    follow = dict(type='CrossModalAttention', image_channels=widths[0], point_channels=widths[1])
    return _build({**follow, **options}, 'mmdet3d')


def _width_of(backbone: nn.Module) -> int:
    """Channels of the last map of an image network of MMPreTrain."""
    width = getattr(backbone, 'feat_dim', None)
    if width is None:
        raise ValueError(f'{type(backbone).__name__} does not say how wide its last map is: give image_channels')
    return width


def _input(inputs: Dict[str, Any], key: str) -> Any:
    """A part of the inputs."""
    if key not in inputs:
        made_by = {'img': 'LoadImageAndMask', 'points': 'PixelToPoint'}[key]
        raise KeyError(f'the inputs have {sorted(inputs)}, but no {key!r}: put {made_by} into the pipeline before '
                       'PackImageInputs, or leave that branch of the model away')
    return inputs[key]
