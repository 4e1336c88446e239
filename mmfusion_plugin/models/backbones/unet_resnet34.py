"""The image network of MVPNet and SAFNet: ResNet-34 with a U-Net's decoder (MVPNet, arXiv 1909.13603)."""

from __future__ import annotations

from typing import List, Optional, Tuple

import torch
import torch.nn.functional as F
from mmdet.models.backbones import ResNet
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

STRIDE = 16  # of the coarsest map


@MODELS.register_module()
class UNetResNet34(BaseModule):
    """Features and class logits of every pixel.

    The stem keeps the resolution (stride 1), so that there are skip connections at strides 1, 2, 4 and 8; images are
    padded with zeros at the right and at the bottom to multiples of 16, and the result cut back. 23,615,572 parameters
    at 20 classes, as the original.

    The trunk's parameters have torchvision's names, so that
    ``trunk_init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet34')`` loads ImageNet's weights, from which
    MVPNet and SAFNet start. The default starts from torchvision's initialisation.

    Args:
        num_classes: Of the logits.
        depth: Of the ResNet: 34, or 18 for a smaller one.
        base_channels: Width of stem, first stage and result (64).
        dropout: Share dropped after the third and the fourth stage.
        trunk_init_cfg: Initialisation of the trunk.
        init_cfg: Of mmengine's ``BaseModule``, for the whole.

    Attributes:
        out_channels: Width of the features.
        num_classes: Of the logits.
    """

    def __init__(
        self,
        num_classes: int = 20,
        depth: int = 34,
        base_channels: int = 64,
        dropout: float = 0.5,
        trunk_init_cfg: Optional[dict] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg)
        if depth not in (18, 34):
            raise ValueError(f'depth must be 18 or 34, got {depth}: the decoder fits basic blocks')
        self.num_classes, self.out_channels = num_classes, base_channels
        self.trunk = ResNet(
            depth, base_channels=base_channels, norm_eval=False, zero_init_residual=False, init_cfg=trunk_init_cfg
        )
        self.trunk.conv1.stride = (1, 1)
        # Faster on a CPU. But there torch 2.7 corrupts memory in the backward pass of strided 1x1 convolutions of 4 or
        # 8 channels in this format.
        self.memory_format = torch.channels_last if base_channels >= 16 else torch.contiguous_format
        self.dropout = nn.Dropout(dropout)
        widths = [base_channels * factor for factor in (8, 4, 2, 1, 1)]
        self.ups = nn.ModuleList(_up(*pair) for pair in zip(widths, widths[1:]))
        self.merges = nn.ModuleList(_merge(width) for width in widths[1:])
        self.classifier = nn.Conv2d(base_channels, num_classes, 1)

    def forward(self, images: Tensor) -> Tuple[Tensor, Tensor]:
        """Features and logits at the images' own resolution.

        Args:
            images: (B, 3, H, W) normalised RGB. B may be 0: nothing is normalised then, and the empty result depends on
                every parameter with a gradient of zero.

        Returns:
            (B, out_channels, H, W) and (B, num_classes, H, W).

        Raises:
            ValueError: The shape is wrong.
        """
        if images.ndim != 4 or images.shape[1] != 3 or not all(images.shape[2:]):
            raise ValueError(f'images must be (B, 3, H, W), got {tuple(images.shape)}')
        if not len(images):
            zero = sum(parameter.sum() for parameter in self.parameters()) * 0
            shape = images.shape[2:]
            features = images.new_zeros((0, self.out_channels, *shape)) + zero
            return features, images.new_zeros((0, self.num_classes, *shape)) + zero
        height, width = images.shape[2:]
        padded = F.pad(images, (0, -width % STRIDE, 0, -height % STRIDE))
        *skips, x = self._encode(padded.contiguous(memory_format=self.memory_format))
        for up, merge, skip in zip(self.ups, self.merges, skips[::-1]):
            x = merge(torch.cat([up(x), skip], 1))
        features = x[..., :height, :width]
        return features, self.classifier(features)

    def _encode(self, images: Tensor) -> List[Tensor]:
        """Maps of stem and stages, strides 1 to 16."""
        trunk = self.trunk
        maps = [trunk.relu(trunk.norm1(trunk.conv1(images)))]
        x = trunk.maxpool(maps[0])
        for name in trunk.res_layers:
            x = getattr(trunk, name)(x)
            if name in ('layer3', 'layer4'):
                x = self.dropout(x)
            maps.append(x)
        return maps


def _up(in_channels: int, out_channels: int) -> nn.Sequential:
    """Twice the resolution."""
    up = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
    return nn.Sequential(up, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


def _merge(channels: int) -> nn.Sequential:
    """Upsampled features and skip connection to one."""
    conv = nn.Conv2d(2 * channels, channels, 3, padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
