"""SAFNet (Zhao, Lu, Zhou, IROS 2021, arXiv 2107.01579): late fusion weighed by how alike pixels and points are."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

import torch
from mmdet3d.registry import MODELS
from torch import Tensor

from mmfusion_plugin.models.fusion.neighbourhoods import Neighbourhoods
from mmfusion_plugin.models.fusion.view_pixels import pixel_neighbourhoods
from mmfusion_plugin.models.layers.cloud_batch import join_rows

from .mvpnet import MVPNet
from .point_set import Part, build_part, classes_of


@MODELS.register_module()
class SAFNet(MVPNet):
    """Image and point features of each point, joined with the geometric and contextual similarity as weight.

    Batches are those of :class:`MVPNet`; optional besides are ``point_neighbours`` (N_i, K) and ``octants`` (N_i, 8),
    int64 rows of each sample's points (``ops.octants.octant_neighbours``), which are searched where they are missing.

    Parts that are None are left out, for the rows of the paper's ablation. Without ``contextual`` the backbone sees
    coordinates alone, as there.

    Args:
        image_backbone: Config of the image network (``UNetResNet34``).
        aggregation: Config of the transfer of features to points (``NearestPixelAggregation``).
        backbone: Config of the network on points; ``in_channels`` follows ``contextual``.
        decode_head: Config of the head; ``in_channels`` follows the fusion.
        fusion: Config of the fusion (``SimilarityFusion``); its widths follow the other parts.
        geometric: Config of the geometric similarity (``GeometricSimilarity``), or None.
        contextual: Config of the contextual similarity (``ContextualSimilarity``), or None.
        auxiliary_head: Config of a head on the backbone's features that exists in training only, or None; classes
            follow ``decode_head``.
        num_neighbours: K in both sets; 64 in paper and code. ``contextual`` follows it.
        auxiliary_weight: Weight of the auxiliary head's loss (paper and code: 0.8).
        freeze_image: See :class:`MVPNet`. The paper says that the image network is fixed, and that it learns from two
            losses; here it learns.
        image_weight: Weight of the loss of all pixels (paper: 0.2; published code: 0.1).
        unprojected_weight: Weight of the loss of the points' nearest pixels (paper: 0.8; published code: 0.2, as a mean
            over all points, near or not).
        kwargs: Further arguments of :class:`MVPNet`.
    """

    TRAINING_ONLY: Tuple[str, ...] = ('auxiliary_head',)

    def __init__(
        self,
        image_backbone: Part,
        aggregation: Part,
        backbone: Part,
        decode_head: Part,
        fusion: Part,
        geometric: Optional[Part] = None,
        contextual: Optional[Part] = None,
        auxiliary_head: Optional[Part] = None,
        num_neighbours: int = 64,
        auxiliary_weight: float = 0.8,
        freeze_image: bool = False,
        image_weight: float = 0.2,
        unprojected_weight: float = 0.8,
        **kwargs: Any,
    ) -> None:
        image = build_part(image_backbone, **classes_of(decode_head))
        transfer = build_part(aggregation, in_channels=image.out_channels)
        context = None if contextual is None else build_part(contextual, num_neighbours=num_neighbours)
        points = build_part(backbone, in_channels=0 if context is None else context.out_channels)
        joined = build_part(fusion, image_channels=transfer.out_channels, point_channels=points.out_channels)
        head = build_part(decode_head, in_channels=joined.out_channels)
        weights = dict(freeze_image=freeze_image, image_weight=image_weight, unprojected_weight=unprojected_weight)
        super().__init__(image, transfer, points, head, **weights, **kwargs)
        self.fusion, self.contextual = joined, context
        self.geometric = None if geometric is None else build_part(geometric)
        follow = dict(in_channels=points.out_channels, num_classes=head.num_classes, ignore_index=head.ignore_index)
        self.auxiliary_head = None if auxiliary_head is None else build_part(auxiliary_head, **follow)
        self.num_neighbours, self.auxiliary_weight = num_neighbours, auxiliary_weight

    def neighbourhoods(self, batch_inputs: Dict[str, Any]) -> Neighbourhoods:
        """The points and the pixels around them."""
        compares = self.geometric is not None or self.contextual is not None
        own = self.num_neighbours if compares else 0
        return pixel_neighbourhoods(batch_inputs, own, max(own, self.aggregation.num_neighbours))

    def similarities(
        self, pair: Neighbourhoods, batch_inputs: Dict[str, Any]
    ) -> Tuple[Dict[str, Tensor], Optional[Tensor]]:
        """What the parts say of each point.

        Args:
            pair: The points and the pixels around them.
            batch_inputs: ``octants`` are taken from it.

        Returns:
            (N,) of ``'geometric'`` and ``'contextual'``, of those there are; and the (N, C) context for the backbone.
        """
        found, context = {}, None
        if self.geometric is not None:
            found['geometric'] = self.geometric(pair)
        if self.contextual is not None:
            octants = batch_inputs.get('octants')
            octants = None if octants is None else join_rows(octants, pair.sizes)
            found['contextual'], context = self.contextual(pair, octants)
        return found, context

    def fuse(self, pair: Neighbourhoods, pixel_features: Tensor, batch_inputs: Dict[str, Any]) -> Tuple[Tensor, ...]:
        """Joined features (N, C) for the head, and the backbone's own for the auxiliary one."""
        found, context = self.similarities(pair, batch_inputs)
        image = self.aggregation(pair, pixel_features)
        points = self.backbone(pair.points.split(pair.sizes), context)
        similarity = points.new_ones(len(points))
        for factor in found.values():
            similarity = similarity * factor
        return self.fusion(image, points, similarity, pair.sample, len(pair.sizes)), points

    def further_losses(self, labels: Tensor, *features: Tensor) -> Dict[str, Tensor]:
        """Loss of the auxiliary head on the backbone's features (N, C)."""
        if self.auxiliary_head is None:
            return {}
        losses = self.auxiliary_head.loss(self.auxiliary_head(features[0]), labels)
        return {'loss_points': self.auxiliary_weight * torch.stack(list(losses.values())).sum()}
