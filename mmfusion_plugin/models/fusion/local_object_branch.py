"""The local object branch of 2DDATA (Lee, arXiv 2309.11755): 2D boxes teach a LiDAR network."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmfusion_plugin.models.losses.weight_schedule import WeightSchedule
from mmfusion_plugin.structures import Boxes2D

from .class_embedding import NUSCENES_INTEREST, ClassEmbedding
from .gated_unit import GatedFusionUnit, classifier
from .points_in_boxes import merge_overlapping, pairs_in_boxes

EMBEDDINGS = {'interest': NUSCENES_INTEREST, 'classes': None}
ACTIVATIONS = {'raw': torch.nn.Identity(), 'relu': torch.relu, 'sigmoid': torch.sigmoid}
OVERLAPS = ('max', 'nearest', 'mean')


@MODELS.register_module()
class LocalObjectBranch(BaseModule):
    """Points that lie in a 2D box learn what the box says, at each scale of any point network; for training only.

    Per scale a head labels the points from their 3D features (``loss_object_point``). Their vectors in a class
    embedding are compared with those of the boxes around them; the cosine weighs the 3D features, which are then fused
    with the image's. A second head labels the fused features (``loss_object_fused``) and teaches the first
    (``loss_object_kl``). One more head labels the fused features of all scales (``loss_object_all``).

    The paper's text does not settle all of it; what it leaves open is an option here, and the default is ours:

    Args:
        channels: C of point and image features.
        num_levels: Scales L.
        num_classes: Classes of points.
        hidden: Width of the heads.
        ignore_index: Label that counts nowhere.
        embedding: ``'interest'`` (the paper): vectors for adult, child, bicycle, car, truck and motorcycle, and one for
            all other points; boxes of other categories are left out. ``'classes'``: one per class, all boxes count.
        interest: Pairs of a box category and its points' class instead of nuScenes' six, for ``'interest'``.
        point_class: ``'soft'`` (no jumps while the prediction changes), ``'argmax'`` or ``'learned'``
            (:class:`ClassEmbedding`).
        overlap: A point in several boxes takes the ``'max'`` similarity (the box that explains it best; needs no depth,
            which detected boxes lack), that of the ``'nearest'`` box, or the ``'mean'``.
        activation: Of the similarity: ``'raw'`` (the paper's formula), ``'relu'`` or ``'sigmoid'``.
        min_visibility: Least visibility 0..4 of the boxes (:class:`Boxes2D`); 0, the default, leaves none out, as the
            devkit's export of 2D boxes. From 1 on boxes of unknown visibility go too: all that a detector found.
        image_skip: Of the fusion (:class:`GatedFusionUnit`).
        seg_weight: Weight of the fused heads' mean over scales.
        point_weight: Weight of the 3D heads' mean over scales; a mean, as few points are at stake.
        kl_weight: Weight of the distillation's mean over scales (0.05: the code of arXiv 2207.04397).
        kl_schedule: Of ``kl_weight`` over the training (:class:`WeightSchedule`); constant, as there.
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
        embedding: str = 'interest',
        interest: Optional[Sequence[Tuple[int, int]]] = None,
        point_class: str = 'soft',
        overlap: str = 'max',
        activation: str = 'raw',
        min_visibility: int = 0,
        image_skip: bool = False,
        seg_weight: float = 1.0,
        point_weight: float = 1.0,
        kl_weight: float = 0.05,
        kl_schedule: Optional[Dict[str, Any]] = None,
        kl_reduction: str = 'mean',
        loss_seg: Optional[Dict[str, Any]] = None,
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(init_cfg)
        for name, value, known in (
            ('embedding', embedding, EMBEDDINGS),
            ('overlap', overlap, OVERLAPS),
            ('activation', activation, ACTIVATIONS),
        ):
            if value not in known:
                raise ValueError(f'{name} must be one of {", ".join(known)}, got {value!r}')
        if min_visibility not in range(5):
            raise ValueError(f'min_visibility must be a level 0 to 4, got {min_visibility!r}')
        if interest is not None and embedding != 'interest':
            raise ValueError(f"interest={interest} belongs to embedding='interest', not to {embedding!r}")
        self.overlap, self.activation, self.min_visibility = overlap, activation, min_visibility
        self.point_weight, self.seg_weight, self.kl_weight = point_weight, seg_weight, kl_weight
        self.kl_schedule = WeightSchedule(**(kl_schedule or {}))
        self.embedding = ClassEmbedding(num_classes, channels, interest or EMBEDDINGS[embedding], point_class)
        levels = range(num_levels)
        self.units = nn.ModuleList(GatedFusionUnit(channels, image_skip) for _ in levels)
        self.point_heads = nn.ModuleList(classifier(channels, hidden, num_classes) for _ in levels)
        self.fused_heads = nn.ModuleList(classifier(channels, hidden, num_classes) for _ in levels)
        self.all_head = classifier(num_levels * channels, hidden, num_classes)
        seg = {'type': 'PointSegmentationLoss', 'ignore_index': ignore_index}
        self.loss_seg = MODELS.build({**seg, **(loss_seg or {})})
        self.loss_kl = MODELS.build({'type': 'KLDistillationLoss', 'reduction': kl_reduction})

    def loss(
        self,
        point_features: Sequence[Tensor],
        image_features: Sequence[Tensor],
        labels: Tensor,
        pixels: Tensor,
        image: Tensor,
        boxes: Boxes2D,
    ) -> Dict[str, Tensor]:
        """Losses over the M points that the images of a batch see (a point that two images see counts twice).

        Args:
            point_features: Per scale (M, C) features of the points.
            image_features: Per scale (M, C) features of the images at their pixels.
            labels: (M,) int64 labels.
            pixels: (M, 2) ``[u, v]`` in the image, pixel centres at integers.
            image: (M,) int64 image of the batch that sees the point.
            boxes: K boxes in the pixels of the same images; ``view`` is the image of the batch.

        Returns:
            ``loss_object_point``, ``loss_object_fused``, ``loss_object_kl`` and ``loss_object_all``: finite, with a
            gradient for every parameter, also without points, boxes or labels, or when no box holds a point.
        """
        if not len(self.units) == len(point_features) == len(image_features):
            raise ValueError(
                f'{len(self.units)} levels need as many features, got {len(point_features)} of points and '
                f'{len(image_features)} of images'
            )
        rows = self.embedding.box_rows(boxes.category, boxes.label)
        kept = (rows >= 0) & (boxes.visibility >= self.min_visibility)
        boxes, rows = boxes.select(kept), rows[kept]
        held, box = pairs_in_boxes(pixels, image, boxes)
        inside, member = held.unique(return_inverse=True)
        depth, rows, labels = boxes.depth[box], rows[box], labels[inside]
        fused: List[Tensor] = []
        losses: List[List[Tensor]] = [[], [], []]
        for level, (points, seen) in enumerate(zip(point_features, image_features)):
            features = points.index_select(0, inside)
            scores = self.point_heads[level](features)
            vectors = self.embedding.of_points(scores, features).index_select(0, member)
            similarity = ACTIVATIONS[self.activation](self.embedding.similarity(vectors, rows))
            weight = merge_overlapping(similarity, member, depth, len(inside), self.overlap)
            fused.append(self.units[level](features * weight[:, None], seen.index_select(0, inside)))
            teacher = self.fused_heads[level](fused[-1])
            terms = self.loss_seg(scores, labels), self.loss_seg(teacher, labels), self.loss_kl(scores, teacher)
            for sums, term in zip(losses, terms):
                sums.append(term)
        on_points, on_fused, on_kl = (sum(terms) for terms in losses)
        kl_weight = self.kl_weight * self.kl_schedule.factor()
        return {
            'loss_object_point': self.point_weight * on_points / len(self.units),
            'loss_object_fused': self.seg_weight * on_fused / len(self.units),
            'loss_object_kl': kl_weight * on_kl / len(self.units),
            'loss_object_all': self.loss_seg(self.all_head(torch.cat(fused, 1)), labels),
        }
