"""Late fusion of image and point features by a weight per point (SAFNet, arXiv 2107.01579, section III-C)."""

from __future__ import annotations

from typing import Optional, Tuple

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmfusion_plugin.models.layers.channel_attention import ChannelAffinity, SqueezeGate
from mmfusion_plugin.models.layers.learned_scalar import LearnedScalar

ATTENTIONS = {'squeeze': SqueezeGate, 'affinity': ChannelAffinity}


@MODELS.register_module()
class SimilarityFusion(BaseModule):
    """``[w2 * image, w3 * point]`` with weights from a similarity per point, and attention over the channels of either.

    Args:
        image_channels: Width of the image features.
        point_channels: Width of the point features.
        gate: ``'softmax'``: (w2, w3) = softmax(similarity, c) with a learned constant c from 1 (published code, the
            only one with known numbers); ``'product'``: w2 = max(similarity, 0), w3 = 1 (paper; a negative similarity
            would turn the sign of features); ``'none'``: both 1.
        attention: ``'squeeze'`` (published code), ``'affinity'`` (DANet's, which the paper cites) or None.
        attend: ``'weighted'``: attention on weighted features (published code); ``'plain'``: weights on attended ones
            ("prior to fusion", paper).
        init_cfg: Of mmengine's ``BaseModule``.

    Attributes:
        out_channels: Width of the result.
    """

    def __init__(
        self,
        image_channels: int = 64,
        point_channels: int = 128,
        gate: str = 'softmax',
        attention: Optional[str] = 'squeeze',
        attend: str = 'weighted',
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg)
        if gate not in ('softmax', 'product', 'none'):
            raise ValueError(f"gate must be 'softmax', 'product' or 'none', got {gate!r}")
        if attention not in (None, *ATTENTIONS):
            raise ValueError(f'attention must be None or one of {tuple(ATTENTIONS)}, got {attention!r}')
        if attend not in ('weighted', 'plain'):
            raise ValueError(f"attend must be 'weighted' or 'plain', got {attend!r}")
        self.gate, self.attend = gate, attend
        self.out_channels = image_channels + point_channels
        self.point_score = LearnedScalar(1.0) if gate == 'softmax' else None
        widths = (image_channels, point_channels)
        self.attentions = nn.ModuleList(ATTENTIONS[attention](width) for width in widths) if attention else None

    def forward(
        self, image: Tensor, points: Tensor, similarity: Tensor, sample: Tensor, num_samples: int
    ) -> Tensor:
        """Join the features.

        Args:
            image: (N, image_channels) image features at the points.
            points: (N, point_channels) features of the points.
            similarity: (N,) how far the image is to be trusted.
            sample: (N,) int64 sample of each point, in ascending order.
            num_samples: Samples of the batch.

        Returns:
            (N, image_channels + point_channels).
        """
        features = [image, points]
        if self.attend == 'plain':
            features = self._attended(features, sample, num_samples)
        features = [rows * weight.to(rows.dtype) for rows, weight in zip(features, self.weights(similarity))]
        if self.attend == 'weighted':
            features = self._attended(features, sample, num_samples)
        return torch.cat(features, 1)

    def weights(self, similarity: Tensor) -> Tuple[Tensor, Tensor]:
        """(N, 1) weights of image and points for similarities (N,)."""
        similarity = similarity[:, None]
        if self.gate == 'softmax':
            image = (similarity - self.point_score()).sigmoid()
            return image, 1 - image
        one = torch.ones_like(similarity)
        return (similarity.clamp(min=0) if self.gate == 'product' else one), one

    def _attended(self, features: list, sample: Tensor, num_samples: int) -> list:
        if self.attentions is None:
            return features
        return [module(rows, sample, num_samples) for module, rows in zip(self.attentions, features)]
