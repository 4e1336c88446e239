"""Images and shapes that belong together are told from those that do not (InfoNCE, both ways, as in CLIP)."""

from __future__ import annotations

import math
from typing import Optional

import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from .gathered_rows import gathered_rows

POSITIVES = ('pair', 'model')
# Shortest vector that is brought to length 1: below, a gradient could overflow.
SHORTEST = 1e-6


@MODELS.register_module()
class ContrastiveLoss(nn.Module):
    """``(CE(S, T) + CE(S^T, T)) / 2`` with ``S_ij = s cos(image_i, shape_j)``; ``s`` is learned.

    CISP's loss (arXiv 2402.01241, ``cisp.py``), start and bound of the inverse temperature ``s`` included, which are
    CLIP's. The negatives are those of all processes, gradients included: several processes with DDP equal one with the
    joined batch. Each of them returns the value of the joined batch, however the samples are spread over them.

    Args:
        temperature: ``1 / s`` at the start.
        max_scale: Where ``s`` ends. The parameter, which is ``ln s``, is cut off there before each use.
        positives: What counts as belonging together. ``'pair'``: an image and its own shape, all else is negative, even
            the shape of another view of the same model (the paper's). ``'model'`` (ours): all shapes of the same model,
            in equal parts.
        loss_weight: Factor.

    Attributes:
        log_scale: ``ln s``.

    Raises:
        ValueError: A number is out of range, or ``positives`` unknown.
    """

    def __init__(
        self,
        temperature: float = 0.07,
        max_scale: float = 100.0,
        positives: str = 'pair',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if not 0 < 1 / max_scale <= temperature < math.inf:
            raise ValueError('need max_scale > 0 and a temperature of at least 1 / max_scale, got '
                             f'max_scale={max_scale} and temperature={temperature}')
        if positives not in POSITIVES:
            raise ValueError(f'positives must be one of {POSITIVES}, got {positives!r}')
        self.max_log_scale, self.positives, self.loss_weight = math.log(max_scale), positives, loss_weight
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))

    @property
    def scale(self) -> Tensor:
        """``s``, of shape ()."""
        return self.log_scale.clamp(max=self.max_log_scale).exp()

    def forward(self, image: Tensor, shape: Tensor, keys: Optional[Tensor] = None) -> Tensor:
        """Scalar, float32 or better, of the samples of all processes; 0 (with a graph) for fewer than two.

        Args:
            image: (B, D) embeddings of images, floating, of any length.
            shape: (B, D) embeddings of their shapes, in the same order.
            keys: (B,) int64, equal where the model is; for ``positives='model'`` alone.

        Raises:
            ValueError: The shapes do not fit together, or keys are needed.
        """
        if image.dim() != 2 or image.shape != shape.shape:
            raise ValueError('need embeddings (B, D) of as many images as shapes, got '
                             f'{tuple(image.shape)} and {tuple(shape.shape)}')
        if self.positives == 'model' and (keys is None or keys.shape != image.shape[:1]):
            got = None if keys is None else tuple(keys.shape)
            raise ValueError(f"positives='model' needs keys of shape ({len(image)},), got {got}: name each sample's "
                             "model, or take positives='pair'")
        dtype = torch.promote_types(image.dtype, torch.float32)
        joined = gathered_rows(torch.cat([image.to(dtype), shape.to(dtype)], 1))
        targets = self._targets(joined, keys)
        with torch.no_grad():
            # In place: a parameter that ran on past the bound would need as many steps to come back.
            self.log_scale.clamp_(max=self.max_log_scale)
        with torch.autocast(joined.device.type, enabled=False):
            images, shapes = (F.normalize(side, dim=1, eps=SHORTEST) for side in joined.chunk(2, 1))
            scores = self.log_scale.exp() * (images @ shapes.T)
            both = sum((targets * side.log_softmax(1)).sum() for side in (scores, scores.T))
        return -self.loss_weight * both / max(2 * len(joined), 1)

    def _targets(self, joined: Tensor, keys: Optional[Tensor]) -> Tensor:
        """(N, N): what share of its row each sample of the joined batch ought to get; symmetric."""
        if self.positives == 'pair':
            return torch.eye(len(joined), dtype=joined.dtype, device=joined.device)
        keys = gathered_rows(keys)
        same = (keys[:, None] == keys).to(joined.dtype)
        return same / same.sum(1, keepdim=True)
