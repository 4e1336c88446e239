"""A convolutional network on voxels: what CISP's paper compares its transformer with. It prints no structure."""

from __future__ import annotations

import math
from typing import Any, Dict, Optional, Sequence, Tuple

from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from .voxel_vit import check_voxels


@MODELS.register_module()
class VoxelCNN(BaseModule):
    """Stages of two 3 x 3 x 3 convolutions, the first of which halves the resolution, and the mean of what is left.

    The structure is ours: 32^3 voxels become 2^3 cells in the four stages of the default, which has 14,050,752
    parameters. Groups of about 16 channels are normalised, not the batch, whose statistics would tell one sample of a
    contrastive loss about the others; so several processes agree with one, too.

    Args:
        in_channels: Values per voxel; 1 for occupancy.
        channels: Width of each stage; the last is that of the feature.
        init_cfg: Of mmengine's ``BaseModule``.

    Attributes:
        out_channels: Width of the feature.
    """

    def __init__(
        self,
        in_channels: int = 1,
        channels: Sequence[int] = (64, 128, 256, 512),
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels, self.out_channels = in_channels, channels[-1]
        widths = [in_channels, *channels]
        self.stages = nn.Sequential(*(_stage(before, after) for before, after in zip(widths, widths[1:])))

    def forward(self, voxels: Tensor) -> Tuple[Tensor]:
        """Features of shapes.

        Args:
            voxels: (B, in_channels, R, R, R) of any resolution R and any dtype; occupancy is 0 or 1.

        Returns:
            A tuple of one (B, out_channels).

        Raises:
            ValueError: The shape is wrong.
        """
        check_voxels(voxels, self.in_channels)
        return (self.stages(voxels.to(self.stages[0][0].weight)).flatten(2).mean(2),)


def _stage(in_channels: int, out_channels: int) -> nn.Sequential:
    """Half the resolution in, two convolutions, each with its normalisation (which has the bias) and ReLU."""
    layers = []
    for width, stride in ((in_channels, 2), (out_channels, 1)):
        groups = math.gcd(out_channels, max(out_channels // 16, 1))
        conv = nn.Conv3d(width, out_channels, 3, stride, padding=1, bias=False)
        layers += [conv, nn.GroupNorm(groups, out_channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
