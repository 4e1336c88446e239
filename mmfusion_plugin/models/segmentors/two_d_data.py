"""2DDATA (Lee, arXiv 2309.11755): 2D boxes teach a LiDAR segmentor beside the images, and are gone at inference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Optional

from mmdet3d.registry import MODELS
from mmdet3d.structures.det3d_data_sample import SampleList
from torch import Tensor

from mmfusion_plugin.models.backbones.spv_encoder import SPVFeatures
from mmfusion_plugin.models.fusion.seen_points import SeenPoints
from mmfusion_plugin.structures import Boxes2D

from .two_d_pass import TwoDPASS


@MODELS.register_module()
class TwoDDATA(TwoDPASS):
    """:class:`TwoDPASS` with a branch for the points in 2D boxes.

    The paper replaces 2DPASS's fusion by the branch, and counts 4.4 M more parameters, which is twice the size of that
    fusion. Both beside each other have just that size and are the default; ``fusion=None`` leaves the branch alone, and
    ``object_branch=None`` is 2DPASS.

    Args:
        backbone: Config of the 3D encoder.
        decode_head: Config of the head.
        image_backbone: Config of the image network.
        fusion: Config of the fusion of the whole image, or None.
        object_branch: Config of the branch (``LocalObjectBranch``), or None; sizes follow the encoder and the head
            where they are not given.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: Of mmengine's ``BaseModule``.
    """

    TRAINING_ONLY = (*TwoDPASS.TRAINING_ONLY, 'object_branch')

    def __init__(
        self,
        backbone: Dict[str, Any],
        decode_head: Dict[str, Any],
        image_backbone: Dict[str, Any],
        fusion: Optional[Dict[str, Any]],
        object_branch: Optional[Dict[str, Any]],
        data_preprocessor: Optional[Dict[str, Any]] = None,
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(backbone, decode_head, image_backbone, fusion, data_preprocessor, init_cfg)
        if fusion is None and object_branch is None:
            raise ValueError('TwoDDATA needs a fusion or an object_branch: without both, use PointVoxelSegmentor')
        self.object_branch = self._build_branch(object_branch)

    def branch_losses(
        self,
        features: SPVFeatures,
        image_features: List[Tensor],
        labels: Tensor,
        seen: SeenPoints,
        batch_data_samples: SampleList,
    ) -> Dict[str, Tensor]:
        """Losses of the fusion and of the branch, which needs ``gt_boxes_2d`` in each sample.

        Raises:
            ValueError: A sample has no ``gt_boxes_2d``.
        """
        losses = super().branch_losses(features, image_features, labels, seen, batch_data_samples)
        if self.object_branch is None:
            return losses
        points = [level.voxel_features.index_select(0, level.voxel_inverse[seen.point]) for level in features.levels]
        boxes = boxes_of_batch(batch_data_samples, seen.num_views).to(seen.pixels.device)
        seen_labels = labels[seen.point]
        losses.update(self.object_branch.loss(points, image_features, seen_labels, seen.pixels, seen.image, boxes))
        return losses


def boxes_of_batch(samples: SampleList, num_views: int) -> Boxes2D:
    """2D boxes of all samples, with ``view`` counting the images of the batch: V per sample.

    Raises:
        ValueError: A sample has no boxes, not even none of them.
    """
    parts = []
    for number, sample in enumerate(samples):
        if 'gt_boxes_2d' not in sample:
            raise ValueError(
                'a training sample has no gt_boxes_2d: the pipeline needs LoadBoxes2D after LoadCameraImages, and the '
                'dataset modality=dict(use_camera=True)'
            )
        boxes = sample.gt_boxes_2d
        parts.append(replace(boxes, view=boxes.view + number * num_views))
    return Boxes2D.concatenate(parts)
