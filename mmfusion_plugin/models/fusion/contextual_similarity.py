"""How alike the contexts of points are in two point sets: SAFNet's contextual similarity module (section III-B-2)."""

from __future__ import annotations

from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmfusion_plugin.models.layers.cloud_batch import join_rows
from mmfusion_plugin.models.layers.orientation_encoding import OrientationEncoding, neighbour_features
from mmfusion_plugin.models.layers.row_mlp import row_mlp
from mmfusion_plugin.ops.octants import octant_neighbours

from .neighbourhoods import Neighbourhoods

STATISTICS = ('joint', 'published')


@MODELS.register_module()
class ContextualSimilarity(BaseModule):
    """Cosine between the learned contexts of a point's neighbourhoods in two point sets P and Q, and the context in P.

    The K nearest neighbours of a point, in order of distance, are one row of numbers; an orientation-encoding
    convolution over the octants of P and a shared MLP turn it into a context, alike for both sets, and one more linear
    map into what is compared. It takes nothing but two point sets and knows nothing of what they are; both similarity
    and context suit any network on points.

    Args:
        num_neighbours: K.
        mode: ``'paper'``: 7 numbers per neighbour, ``[x_j, x_i - x_j, |x_i - x_j|^2]`` (448 at K = 64), and an MLP of
            three layers. x_i is the origin here, so the first three repeat the next three with the other sign; the
            paper does not say what its x_j is relative to. ``'code'``: the published 192 numbers, the positions of the
            neighbours in the scene, and two layers; a translation changes its result.
        channels: Width of context and MLP.
        orientation_channels: Width of the convolution over octants (published code: 128; the paper gives none).
        radius: In which the octants' nearest points lie (metres; published code: 0.1; the paper gives none).
        pointwise: See :class:`OrientationEncoding`.
        statistics: Of the batch normalisations. ``'joint'``: both sets pass the layers together, so that equal
            neighbourhoods have equal contexts, in training and testing (ours). ``'published'``: each is normalised by
            its own in training, and in testing by a running average over both, which neither has been trained with.
        init_cfg: Of mmengine's ``BaseModule``.

    Attributes:
        out_channels: Width of the context.
    """

    def __init__(
        self,
        num_neighbours: int = 64,
        mode: str = 'paper',
        channels: int = 64,
        orientation_channels: int = 128,
        radius: float = 0.1,
        pointwise: bool = False,
        statistics: str = 'joint',
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg)
        if mode not in ('paper', 'code'):
            raise ValueError(f"mode must be 'paper' or 'code', got {mode!r}")
        if statistics not in STATISTICS:
            raise ValueError(f'statistics must be one of {STATISTICS}, got {statistics!r}')
        self.num_neighbours, self.mode, self.radius = num_neighbours, mode, radius
        self.statistics = statistics
        self.out_channels = channels
        width, layers = (7, 3) if mode == 'paper' else (3, 2)
        self.orientation = OrientationEncoding(width * num_neighbours, orientation_channels, pointwise)
        self.mlp = row_mlp(orientation_channels, (channels,) * layers)
        self.compared = nn.Linear(channels, channels)

    def forward(self, pair: Neighbourhoods, octants: Optional[Tensor] = None) -> Tuple[Tensor, Tensor]:
        """Similarity and context of the points.

        Args:
            pair: N points of P, with at least K neighbours ``own`` and ``theirs``.
            octants: (N, 8) int64 rows of points, as of :func:`octant_neighbours`; None searches them.

        Returns:
            (N,) cosine in [-1, 1], 0 for a point without neighbours in Q; and (N, out_channels) context in P.

        Raises:
            ValueError: There are fewer than K neighbours.
        """
        counts = (pair.own.shape[1], pair.theirs.shape[1])
        if min(counts) < self.num_neighbours:
            raise ValueError(f'need {self.num_neighbours} neighbours in each set, the neighbourhoods hold {counts}')
        octants = self._octants(pair) if octants is None else octants
        seen = pair.seen.nonzero().squeeze(1)
        own, theirs = (offset[:, :self.num_neighbours] for offset in pair.around(slice(None)))
        own, theirs = self._numbers(pair, own, pair.own), self._numbers(pair, theirs, pair.theirs)
        # Only points with neighbours in Q pass the normalisations: zeros of the others would shift their statistics.
        if self.statistics == 'joint':
            points = torch.cat([pair.points, pair.points])
            rows = torch.cat([octants, octants[seen] + len(octants)])
            centres = torch.cat([pair.points, pair.points[seen]])
            both = self.mlp(self.orientation(points, torch.cat([own, theirs]), rows, centres))
            context, other = both.split([len(octants), len(seen)])
        else:
            context = self.mlp(self.orientation(pair.points, own, octants, pair.points))
            other = self.mlp(self.orientation(pair.points, theirs, octants[seen], pair.points[seen]))
        cosine = F.cosine_similarity(self.compared(context.index_select(0, seen)), self.compared(other), dim=1)
        return cosine.new_zeros(len(octants)).index_put((seen,), cosine), context

    def _numbers(self, pair: Neighbourhoods, offset: Tensor, index: Tensor) -> Tensor:
        """What enters the layers of each point, from the (N, K, 3) offsets of its neighbours."""
        if self.mode == 'paper':
            numbers = neighbour_features(offset)
        else:
            there = index[:, :self.num_neighbours, None] >= 0
            numbers = ((offset + pair.points[:, None]) * there).flatten(1)
        return numbers.to(self.compared.weight.dtype)

    def _octants(self, pair: Neighbourhoods) -> Tensor:
        return join_rows([octant_neighbours(cloud, self.radius) for cloud in pair.points.split(pair.sizes)], pair.sizes)
