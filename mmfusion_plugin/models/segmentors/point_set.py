"""Segmentation of point clouds by a network on points, without voxels."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Union

import torch
from mmdet3d.models.segmentors.base import Base3DSegmentor
from mmdet3d.registry import MODELS
from mmdet3d.structures.det3d_data_sample import SampleList
from torch import Tensor, nn

from .whole_scene import EncodeViews, WholeSceneOptions, segment_scenes

Part = Union[Dict[str, Any], nn.Module]


@MODELS.register_module()
class PointSetSegmentor(Base3DSegmentor):
    """Backbone on points and classifier: with ``PointNet2SSG``, PointNet++ as a baseline without images.

    Args:
        backbone: Config of the backbone (``PointNet2SSG``). Its ``in_channels`` columns of the points after xyz are its
            features; there are none by default.
        decode_head: Config of the head (``PointMLPHead``); ``in_channels`` follows the backbone if it is not given.
        data_preprocessor: Config of the data preprocessor.
        test_cfg: How whole scenes are segmented, see
            :class:`~mmfusion_plugin.models.segmentors.whole_scene.WholeSceneOptions`.
        init_cfg: Of mmengine's ``BaseModule``.
    """

    # Networks that see images have a method in its place.
    encode_views: Optional[EncodeViews] = None

    def __init__(
        self,
        backbone: Part,
        decode_head: Part,
        data_preprocessor: Optional[Dict[str, Any]] = None,
        test_cfg: Optional[Dict[str, Any]] = None,
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        # Built here, so that the model also builds where no default scope is set.
        super().__init__(MODELS.build(data_preprocessor or {'type': 'FusionDataPreprocessor'}), init_cfg)
        self.backbone = build_part(backbone, in_channels=0)
        self.decode_head = build_part(decode_head, in_channels=self.backbone.out_channels)
        self.test_cfg = WholeSceneOptions.of(test_cfg)

    def extract_feat(self, batch_inputs: Dict[str, Any]) -> Tensor:
        """(N, C) features of all points of the batch, samples after each other.

        Args:
            batch_inputs: ``points``: list of (N_i, 3 + C).
        """
        points, width = batch_inputs['points'], self.backbone.in_channels
        features = torch.cat([cloud[:, 3:3 + width] for cloud in points]) if width else None
        return self.backbone([cloud[:, :3].contiguous() for cloud in points], features)

    def loss(self, batch_inputs: Dict[str, Any], batch_data_samples: SampleList) -> Dict[str, Tensor]:
        """Losses over all points.

        Args:
            batch_inputs: As for ``extract_feat``.
            batch_data_samples: With ``gt_pts_seg.pts_semantic_mask`` (N_i,).

        Returns:
            Scalar losses, finite and with a gradient for every parameter whatever the batch holds.
        """
        logits = self.decode_head(self.extract_feat(batch_inputs))
        return self.decode_head.loss(logits, point_labels(batch_data_samples))

    def encode_decode(self, batch_inputs: Dict[str, Any], batch_data_samples: SampleList) -> List[Tensor]:
        """(N_i, num_classes) logits of every point of each sample.

        Args:
            batch_inputs: As for ``extract_feat``; or, with ``chunk_boxes``, whole scenes, see
                :func:`~mmfusion_plugin.models.segmentors.whole_scene.segment_scenes`.
            batch_data_samples: Unused.
        """
        if 'chunk_boxes' in batch_inputs:
            num_classes = self.decode_head.num_classes
            return segment_scenes(batch_inputs, self._segment_chunks, self.encode_views, num_classes, self.test_cfg)
        return self._segment_chunks(batch_inputs)

    def _segment_chunks(self, batch_inputs: Dict[str, Any]) -> List[Tensor]:
        logits = self.decode_head(self.extract_feat(batch_inputs))
        return list(logits.split([len(cloud) for cloud in batch_inputs['points']]))

    def predict(self, batch_inputs: Dict[str, Any], batch_data_samples: SampleList) -> SampleList:
        """Set ``pts_seg_logits.pts_seg_logits`` (C, N_i) and ``pred_pts_seg.pts_semantic_mask`` (N_i,) of each."""
        logits = [rows.t() for rows in self.encode_decode(batch_inputs, batch_data_samples)]
        return self.postprocess_result(logits, batch_data_samples)

    def _forward(self, batch_inputs: Dict[str, Any], batch_data_samples: Optional[SampleList] = None) -> List[Tensor]:
        """(N_i, num_classes) logits of every point of each sample, without post-processing."""
        return self.encode_decode(batch_inputs, batch_data_samples)


def build_part(part: Part, **follow: Any) -> nn.Module:
    """Build a part of a model from its config; one that is built already stays as it is.

    Args:
        part: Config or module.
        follow: What the config need not say, as other parts imply it.
    """
    return part if isinstance(part, nn.Module) else MODELS.build({**follow, **part})


def classes_of(head: Part) -> Dict[str, int]:
    """``num_classes`` of a head, if its config names them."""
    if isinstance(head, nn.Module):
        return {'num_classes': head.num_classes}
    return {key: head[key] for key in ('num_classes',) if key in head}


def point_labels(samples: SampleList) -> Tensor:
    """(N,) int64 labels of all points of the batch, samples after each other."""
    return torch.cat([sample.gt_pts_seg.pts_semantic_mask for sample in samples]).long()
