"""2DPASS (Yan et al., ECCV 2022, arXiv 2207.04397): images teach a LiDAR segmentor and are gone at inference."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures.det3d_data_sample import SampleList
from torch import Tensor

from mmfusion_plugin.models.backbones.spv_encoder import SPVFeatures
from mmfusion_plugin.models.fusion.seen_points import SeenPoints

from .point_voxel import PointVoxelSegmentor

COARSEST_STRIDE = 16  # of the image maps (2DPASS: the last three 3D scales share it)


@MODELS.register_module()
class TwoDPASS(PointVoxelSegmentor):
    """A :class:`PointVoxelSegmentor` with an image network and a fusion module that exist in training only.

    ``predict`` is the parent's, so it opens no image and gives the same bits as the parent with the same weights.
    ``tools/model_converters/strip_training_branches.py`` takes the branches of ``TRAINING_ONLY`` out of a checkpoint.

    Args:
        backbone: Config of the 3D encoder.
        decode_head: Config of the head.
        image_backbone: Config of the image network (``ResNetFCN``). Each 3D scale is joined by the map of its own
            stride, scales beyond 16 by that of 16; ``channels`` and ``strides`` follow the encoder.
        fusion: Config of the fusion (``GatedFusion``); ``channels``, ``num_levels``, ``num_classes`` and
            ``ignore_index`` follow the encoder and the head where they are not given. None: for subclasses with a
            branch of their own.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: Of mmengine's ``BaseModule``.
    """

    TRAINING_ONLY: Tuple[str, ...] = ('image_backbone', 'fusion')

    def __init__(
        self,
        backbone: Dict[str, Any],
        decode_head: Dict[str, Any],
        image_backbone: Dict[str, Any],
        fusion: Optional[Dict[str, Any]],
        data_preprocessor: Optional[Dict[str, Any]] = None,
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(backbone, decode_head, data_preprocessor, init_cfg)
        if fusion is None and type(self) is TwoDPASS:
            raise ValueError('TwoDPASS without fusion trains an image network for nobody: use PointVoxelSegmentor')
        wanted = [min(scale, COARSEST_STRIDE) for scale in self.backbone.scales]
        follow = {'channels': self.backbone.hidden, 'strides': sorted(set(wanted))}
        self.image_backbone = MODELS.build({**follow, **image_backbone})
        if set(wanted) != set(self.image_backbone.strides):
            raise ValueError(
                f'3D scales {self.backbone.scales} read image maps of strides {sorted(set(wanted))}, but the image '
                f'backbone makes {self.image_backbone.strides}: leave its strides out, they follow the scales'
            )
        self.image_levels = [self.image_backbone.strides.index(stride) for stride in wanted]
        self.fusion = self._build_branch(fusion)

    def _build_branch(self, cfg: Optional[Dict[str, Any]]) -> Optional[torch.nn.Module]:
        """A branch on the encoder's levels; None stays None."""
        if cfg is None:
            return None
        follow = {
            'channels': self.backbone.hidden,
            'num_levels': len(self.backbone.scales),
            'num_classes': self.decode_head.num_classes,
            'ignore_index': self.decode_head.ignore_index,
        }
        return MODELS.build({**follow, **cfg})

    def loss(self, batch_inputs: Dict[str, Any], batch_data_samples: SampleList) -> Dict[str, Tensor]:
        """Losses of the 3D network and of the branches that exist in training only.

        Args:
            batch_inputs: ``points``: list of (N_i, C); ``imgs`` (B, V, 3, H, W), normalised; ``pixels``: list of
                (N_i, V, 2) ``[u, v]`` in these images, -1 where unseen.
            batch_data_samples: With ``gt_pts_seg.pts_semantic_mask`` (N_i,).

        Returns:
            Scalar losses, finite and with a gradient for every parameter whatever the batch holds.

        Raises:
            ValueError: The batch has no images or no matches.
        """
        missing = [key for key in ('imgs', 'pixels') if key not in batch_inputs]
        if missing:
            raise ValueError(
                f'{type(self).__name__} is trained with images, and the batch lacks {missing}: the training pipeline '
                'needs LoadCameraImages and MatchPointsToPixels before PackFusionInputs'
            )
        features, inside = self.extract_feat(batch_inputs)
        labels = self.labels_inside(batch_data_samples, inside)
        losses = self.decode_head.loss(self.decode_head(features), labels)
        seen = SeenPoints.of_batch([rows[mask] for rows, mask in zip(batch_inputs['pixels'], inside)])
        maps = self.image_backbone(batch_inputs['imgs'].flatten(0, 1), seen.pixels, seen.image)
        image_features = [maps[level] for level in self.image_levels]
        losses.update(self.branch_losses(features, image_features, labels, seen, batch_data_samples))
        return losses

    def branch_losses(
        self,
        features: SPVFeatures,
        image_features: List[Tensor],
        labels: Tensor,
        seen: SeenPoints,
        batch_data_samples: SampleList,
    ) -> Dict[str, Tensor]:
        """Losses of the branches that exist in training only.

        Args:
            features: Of the N points inside the volume.
            image_features: Per level (M, C) features at the pixels of the seen points.
            labels: (N,) int64 labels.
            seen: The M seen points.
            batch_data_samples: The samples.
        """
        if self.fusion is None:
            return {}
        voxels = [level.voxel_features for level in features.levels]
        inverse = [level.voxel_inverse for level in features.levels]
        return self.fusion.loss(voxels, inverse, image_features, labels, seen.point)
