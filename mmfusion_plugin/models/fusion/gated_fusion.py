"""Multi-scale fusion-to-single knowledge distillation of 2DPASS (arXiv 2207.04397), as its published code has it."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmfusion_plugin.ops.scatter import majority_vote

from .gated_unit import GatedFusionUnit, classifier


@MODELS.register_module()
class GatedFusion(BaseModule):
    """2DPASS's MSFSKD: at each scale the image joins the points, and the joint prediction teaches the points' own.

    For training only. At each scale a head labels the voxels from their 3D features (``loss_fusion_voxel``, against the
    majority vote of their points), another labels the seen points from the fused features (``loss_fusion_image``), and
    the first learns from the second (``loss_fusion_kl``; the teacher gets no gradient from it). One more head labels
    the seen points from the fused features of all scales (``loss_fusion_all``).

    At 2DPASS's nuScenes setting (6 levels, 256 channels, 17 outputs) it has 2,197,469 parameters, as the original.

    Args:
        channels: C of 3D and image features.
        num_levels: Scales L.
        num_classes: Classes; a label of ``ignore_index`` counts nowhere and has no vote.
        hidden: Width of the heads (2DPASS: 128).
        ignore_index: Label that counts nowhere.
        image_skip: See :class:`GatedFusionUnit`; False is the published code, True the paper's equation.
        seg_weight: Weight of the fused heads' mean over scales (2DPASS's ``lambda_seg2d``: 1).
        kl_weight: Weight of the distillation's mean over scales (2DPASS's ``lambda_xm``: 0.05).
        kl_reduction: See ``KLDistillationLoss``.
        loss_seg: Further arguments of ``PointSegmentationLoss``.
        init_cfg: Of mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        channels: int = 256,
        num_levels: int = 6,
        num_classes: int = 16,
        hidden: int = 128,
        ignore_index: int = 16,
        image_skip: bool = False,
        seg_weight: float = 1.0,
        kl_weight: float = 0.05,
        kl_reduction: str = 'mean',
        loss_seg: Optional[Dict[str, Any]] = None,
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes, self.ignore_index = num_classes, ignore_index
        self.seg_weight, self.kl_weight = seg_weight, kl_weight
        levels = range(num_levels)
        self.units = nn.ModuleList(GatedFusionUnit(channels, image_skip) for _ in levels)
        self.voxel_heads = nn.ModuleList(classifier(channels, hidden, num_classes) for _ in levels)
        self.fused_heads = nn.ModuleList(classifier(channels, hidden, num_classes) for _ in levels)
        self.all_head = classifier(num_levels * channels, hidden, num_classes)
        seg = {'type': 'PointSegmentationLoss', 'ignore_index': ignore_index}
        self.loss_seg = MODELS.build({**seg, **(loss_seg or {})})
        self.loss_kl = MODELS.build({'type': 'KLDistillationLoss', 'reduction': kl_reduction})

    def loss(
        self,
        voxel_features: Sequence[Tensor],
        voxel_inverse: Sequence[Tensor],
        image_features: Sequence[Tensor],
        labels: Tensor,
        seen: Tensor,
    ) -> Dict[str, Tensor]:
        """Losses of a batch of N points, M of which (counted once per image) are seen.

        Args:
            voxel_features: Per scale (V, C) features of voxels.
            voxel_inverse: Per scale (N,) int64 voxel of each point.
            image_features: Per scale (M, C) features at the pixels of the seen points.
            labels: (N,) int64 label of each point.
            seen: (M,) int64 point of each seen pixel.

        Returns:
            ``loss_fusion_voxel``, ``loss_fusion_image``, ``loss_fusion_kl`` and ``loss_fusion_all``: finite, with a
            gradient for every parameter, also without points, voxels, labels or pixels.
        """
        counts = {len(self.units), len(voxel_features), len(voxel_inverse), len(image_features)}
        if len(counts) > 1:
            raise ValueError(
                f'{len(self.units)} levels need as many features, got {len(voxel_features)} of voxels, '
                f'{len(voxel_inverse)} indices and {len(image_features)} of images'
            )
        seen_labels, fused = labels[seen], []
        voxel_losses: List[Tensor] = []
        image_losses: List[Tensor] = []
        kl_losses: List[Tensor] = []
        for level, (voxels, inverse, image) in enumerate(zip(voxel_features, voxel_inverse, image_features)):
            logits = self.voxel_heads[level](voxels)
            votes = majority_vote(labels, inverse, len(voxels), self.num_classes, self.ignore_index)
            rows = inverse[seen]
            fused.append(self.units[level](voxels.index_select(0, rows), image))
            teacher = self.fused_heads[level](fused[-1])
            voxel_losses.append(self.loss_seg(logits, votes))
            image_losses.append(self.loss_seg(teacher, seen_labels))
            kl_losses.append(self.loss_kl(logits.index_select(0, rows), teacher))
        return {
            'loss_fusion_voxel': sum(voxel_losses),
            'loss_fusion_image': self.seg_weight * sum(image_losses) / len(self.units),
            'loss_fusion_kl': self.kl_weight * sum(kl_losses) / len(self.units),
            'loss_fusion_all': self.loss_seg(self.all_head(torch.cat(fused, 1)), seen_labels),
        }
