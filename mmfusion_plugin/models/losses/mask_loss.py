"""Binary cross entropy and Dice loss of a mask."""

from __future__ import annotations

from typing import Dict

import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class MaskLoss(nn.Module):
    """Mean binary cross entropy over pixels, and the mean over images of ``1 - (2 sum pt + s) / (sum p + sum t + s)``.

    The Dice term of V-Net (Milletari et al., arXiv 1606.04797) without its squares. ``s`` keeps it defined where mask
    and prediction are empty: it is then 0, and a prediction that vanishes over an empty mask tends to 0.

    Args:
        bce_weight: Factor of ``loss_bce``.
        dice_weight: Factor of ``loss_dice``.
        smooth: ``s``, in pixels.

    Raises:
        ValueError: ``smooth`` is not positive.
    """

    def __init__(self, bce_weight: float = 1.0, dice_weight: float = 1.0, smooth: float = 1.0) -> None:
        super().__init__()
        if not smooth > 0:
            raise ValueError(f'smooth must be positive, got {smooth}: it keeps the loss of empty masks defined')
        self.bce_weight, self.dice_weight, self.smooth = bce_weight, dice_weight, smooth

    def forward(self, logits: Tensor, target: Tensor) -> Dict[str, Tensor]:
        """``loss_bce`` and ``loss_dice``, float32 or better; zeros with a graph for no image.

        Args:
            logits: (B, 1, H, W).
            target: (B, 1, H, W) of 0 and 1, any dtype.
        """
        wide = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
        truth = target.to(wide.dtype)
        bce = F.binary_cross_entropy_with_logits(wide, truth, reduction='sum') / max(wide.numel(), 1)
        chance, truth = wide.sigmoid().flatten(1), truth.flatten(1)
        shared = 2 * (chance * truth).sum(1) + self.smooth
        dice = shared / (chance.sum(1) + truth.sum(1) + self.smooth)
        return {
            'loss_bce': self.bce_weight * bce,
            'loss_dice': self.dice_weight * (1 - dice).sum() / max(len(wide), 1),
        }
