"""U-Net (Ronneberger et al., MICCAI 2015, arXiv 1505.04597), with padding and batch normalisation."""

from __future__ import annotations

from typing import Any, Dict, Optional

import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn


@MODELS.register_module()
class UNet(BaseModule):
    """Logits of every pixel.

    Each level halves the resolution and doubles the width. Convolutions are padded, so that the result is as large as
    the image; images are padded with zeros at the right and at the bottom to what the levels can halve, and the result
    cut back. The default, four levels from 64 channels to one logit, has 31,037,633 parameters.

    Args:
        in_channels: Of the images.
        base_channels: Width of the first level.
        num_levels: How often the resolution is halved.
        out_channels: Logits per pixel.
        init_cfg: Of mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        in_channels: int = 3,
        base_channels: int = 64,
        num_levels: int = 4,
        out_channels: int = 1,
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(init_cfg)
        widths = [base_channels << level for level in range(num_levels + 1)]
        self.in_channels, self.stride = in_channels, 1 << num_levels
        self.stem = _double(in_channels, base_channels)
        self.downs = nn.ModuleList(_double(fine, coarse) for fine, coarse in zip(widths, widths[1:]))
        ups = [*zip(widths[1:], widths)][::-1]
        self.ups = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for coarse, fine in ups)
        self.merges = nn.ModuleList(_double(2 * fine, fine) for _, fine in ups)
        self.classifier = nn.Conv2d(base_channels, out_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, in_channels, H, W) normalised images of any size to (B, out_channels, H, W) logits.

        Raises:
            ValueError: The shape is wrong.
        """
        if images.ndim != 4 or images.shape[1] != self.in_channels or not images.numel():
            raise ValueError(f'images must be (B, {self.in_channels}, H, W), none empty, got {tuple(images.shape)}')
        height, width = images.shape[2:]
        # At least two cells wide on the coarsest level: of a single value there is no variance to train with.
        full = max(width + -width % self.stride, 2 * self.stride)
        x = self.stem(F.pad(images, (0, full - width, 0, -height % self.stride)))
        skips = []
        for down in self.downs:
            skips.append(x)
            x = down(F.max_pool2d(x, 2))
        for up, merge, skip in zip(self.ups, self.merges, skips[::-1]):
            x = merge(torch.cat([skip, up(x)], 1))
        return self.classifier(x[..., :height, :width])


def _double(in_channels: int, out_channels: int) -> nn.Sequential:
    """Twice a convolution, batch normalisation (which has the bias) and ReLU."""
    layers = []
    for width in (in_channels, out_channels):
        conv = nn.Conv2d(width, out_channels, 3, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
