"""LiDAR segmentation with a point-voxel encoder."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

import torch
from mmdet3d.models.segmentors.base import Base3DSegmentor
from mmdet3d.registry import MODELS
from mmdet3d.structures.det3d_data_sample import SampleList
from torch import Tensor

from mmfusion_plugin.models.backbones.spv_encoder import SPVFeatures
from mmfusion_plugin.ops.neighbours import knn
from mmfusion_plugin.ops.voxels import in_volume


@MODELS.register_module()
class PointVoxelSegmentor(Base3DSegmentor):
    """Encoder and classifier on the points inside the volume; every point gets a prediction.

    Points outside the volume never enter the network, so they change no other point's result. In training they and
    their labels are dropped; in testing they take the logits of the nearest point inside. A sample with no point inside
    gets zero logits, and so class 0, everywhere.

    Args:
        backbone: Config of the encoder (``SPVEncoder``), which has ``lower``, ``upper``, ``hidden`` and ``scales``.
        decode_head: Config of the head (``PointSegHead``); its ``in_channels`` and ``num_levels`` follow the encoder
            where they are not given.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: Of mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        backbone: Dict[str, Any],
        decode_head: Dict[str, Any],
        data_preprocessor: Optional[Dict[str, Any]] = None,
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        # Built here, so that the model also builds where no default scope is set.
        super().__init__(MODELS.build(data_preprocessor or {'type': 'FusionDataPreprocessor'}), init_cfg)
        self.backbone = MODELS.build(backbone)
        width = {'in_channels': self.backbone.hidden, 'num_levels': len(self.backbone.scales)}
        self.decode_head = MODELS.build({**width, **decode_head})

    def extract_feat(self, batch_inputs: Dict[str, Any]) -> Tuple[SPVFeatures, List[Tensor]]:
        """Encode the points inside the volume.

        Args:
            batch_inputs: ``points``: list of (N_i, C).

        Returns:
            Features of the points inside, and for each sample the (N_i,) bool mask of which those are.
        """
        points = batch_inputs['points']
        inside = [in_volume(p[:, :3], self.backbone.lower, self.backbone.upper) for p in points]
        return self.backbone([p[mask] for p, mask in zip(points, inside)]), inside

    def encode_decode(self, batch_inputs: Dict[str, Any], batch_data_samples: SampleList) -> List[Tensor]:
        """(N_i, num_classes) logits of every point of each sample."""
        features, inside = self.extract_feat(batch_inputs)
        logits = self.decode_head(features).split([int(mask.sum()) for mask in inside])
        return [_spread(row, points, mask) for row, points, mask in zip(logits, batch_inputs['points'], inside)]

    def loss(self, batch_inputs: Dict[str, Any], batch_data_samples: SampleList) -> Dict[str, Tensor]:
        """Losses over the points inside the volume.

        Args:
            batch_inputs: ``points``: list of (N_i, C).
            batch_data_samples: With ``gt_pts_seg.pts_semantic_mask`` (N_i,).

        Returns:
            Scalar losses, finite and with a gradient for every parameter whatever the batch holds.
        """
        features, inside = self.extract_feat(batch_inputs)
        return self.decode_head.loss(self.decode_head(features), self.labels_inside(batch_data_samples, inside))

    @staticmethod
    def labels_inside(samples: SampleList, inside: List[Tensor]) -> Tensor:
        """(N,) int64 labels of the points inside the volume, samples after each other."""
        return torch.cat([s.gt_pts_seg.pts_semantic_mask[mask] for s, mask in zip(samples, inside)]).long()

    def predict(self, batch_inputs: Dict[str, Any], batch_data_samples: SampleList) -> SampleList:
        """Set ``pts_seg_logits.pts_seg_logits`` (C, N_i) and ``pred_pts_seg.pts_semantic_mask`` (N_i,) of each."""
        logits = [rows.t() for rows in self.encode_decode(batch_inputs, batch_data_samples)]
        return self.postprocess_result(logits, batch_data_samples)

    def _forward(self, batch_inputs: Dict[str, Any], batch_data_samples: Optional[SampleList] = None) -> List[Tensor]:
        """(N_i, num_classes) logits of every point of each sample, without post-processing."""
        return self.encode_decode(batch_inputs, batch_data_samples)


def _spread(logits: Tensor, points: Tensor, inside: Tensor) -> Tensor:
    """Logits of the points inside to all points: those outside take the nearest's, or zero if there is none."""
    if bool(inside.all()):
        return logits
    spread = logits.new_zeros((points.shape[0], logits.shape[1]))
    spread[inside] = logits
    outside = ~inside & points[:, :3].isfinite().all(1)
    if logits.shape[0] and bool(outside.any()):
        _, nearest = knn(points[outside, :3], points[inside, :3], 1)
        spread[outside] = logits[nearest[:, 0]]
    return spread
