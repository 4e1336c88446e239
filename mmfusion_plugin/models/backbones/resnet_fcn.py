"""The image branch of 2DPASS (Yan et al., ECCV 2022, arXiv 2207.04397), read at pixels."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import torch
from mmdet.models.backbones import ResNet
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmfusion_plugin.models.backbones.conv_at_cells import conv_at_cells
from mmfusion_plugin.ops.sampling import sample_at_pixels

STRIDES = (2, 4, 8, 16)


@MODELS.register_module()
class ResNetFCN(BaseModule):
    """ResNet whose stem keeps the resolution, and a decoder per stage, evaluated at the pixels that are read.

    The published code upsamples four decoded maps to the image's size by nearest neighbour and reads them at the
    points' pixels. Here each map is read in the cell that the pixel lies in, which is the same number; the decoders of
    strides 2 and 4, single convolutions, are evaluated in those cells alone.

    The trunk's parameters have torchvision's names, so that
    ``trunk_init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet34')`` loads ImageNet's weights. 2DPASS
    trains it from scratch (``pretrained2d: False``); so does the default, with torchvision's initialisation.

    Args:
        depth: Of the ResNet: 18 or 34.
        base_channels: Width of the trunk's first stage and of the decoders' hidden layers.
        channels: Width of the result.
        strides: Stages that are decoded, some of 2, 4, 8, 16 in this order; later ones than the last are not built.
        trunk_init_cfg: Initialisation of the trunk.
        init_cfg: Of mmengine's ``BaseModule``, for the whole.

    Attributes:
        strides: Pixels per cell of the decoded stages, the order of the result.
        channels: Width of the result.
    """

    def __init__(
        self,
        depth: int = 34,
        base_channels: int = 64,
        channels: int = 256,
        strides: Sequence[int] = STRIDES,
        trunk_init_cfg: Optional[dict] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg)
        if depth not in (18, 34):
            raise ValueError(f'depth must be 18 or 34, got {depth}: the decoders fit basic blocks')
        known = [stride for stride in STRIDES if stride in strides]
        if not known or list(strides) != known:
            raise ValueError(f'strides must be some of {STRIDES} in this order, got {tuple(strides)}')
        self.channels, self.strides = channels, tuple(strides)
        stages = [STRIDES.index(stride) for stride in strides]
        depths = dict(num_stages=stages[-1] + 1, strides=(1, 2, 2, 2)[: stages[-1] + 1], out_indices=stages)
        depths['dilations'] = (1,) * depths['num_stages']
        self.trunk = ResNet(
            depth,
            base_channels=base_channels,
            norm_eval=False,
            zero_init_residual=False,
            init_cfg=trunk_init_cfg,
            **depths,
        )
        self.trunk.conv1.stride = (1, 1)
        # Faster on a CPU. But there torch 2.7 corrupts memory in the backward pass of strided 1x1 convolutions of 4 or
        # 8 channels in this format.
        self.memory_format = torch.channels_last if base_channels >= 16 else torch.contiguous_format
        self.decoders = nn.ModuleList(_decoder(stage, base_channels, channels) for stage in stages)

    def forward(self, images: Tensor, pixels: Tensor, image_index: Tensor) -> List[Tensor]:
        """Features of pixels at four scales.

        Args:
            images: (B, 3, H, W) normalised RGB, H and W multiples of 16.
            pixels: (M, 2) float [u, v] in pixels of ``images``, pixel centres at integers; M may be 0. The image
                covers -0.5 <= u < W - 0.5, and pixels outside it give zeros.
            image_index: (M,) int64 image of each pixel.

        Returns:
            (M, channels) for each of ``strides``.

        Raises:
            ValueError: H or W is not a multiple of 16, or a shape or an image index is wrong.
            TypeError: ``pixels`` are not floating, or ``image_index`` is not int64.
        """
        if images.ndim != 4 or images.shape[1] != 3 or any(extent % 16 or not extent for extent in images.shape[2:]):
            raise ValueError(
                f'images must be (B, 3, H, W) with H and W multiples of 16, got {tuple(images.shape)}: resize to a '
                'multiple of 16, say (400, 240), in the pipeline (ResizeImages)'
            )
        stages = self.trunk(images.contiguous(memory_format=self.memory_format))
        features = []
        for decoder, stage, stride in zip(self.decoders, stages, self.strides):
            if stride <= 4:
                features.append(_read_conv(decoder[0], stage, pixels, stride, image_index))
            else:  # The transposed convolutions bring coarse stages to stride 4, where whole maps cost little.
                features.append(sample_at_pixels(decoder(stage), pixels, 4, 'nearest', image_index))
        return features


def _decoder(stage: int, hidden: int, channels: int) -> nn.Sequential:
    """Decoder of a stage of width ``hidden << stage``: to stride 4, or 2 for the first."""
    widths = [hidden] * max(stage - 1, 0) + [channels]
    doubles = [layer for pair in zip(widths, widths[1:]) for layer in _double(*pair)]
    return nn.Sequential(*_conv7(hidden << stage, widths[0]), *doubles)


def _conv7(in_channels: int, out_channels: int) -> Tuple[nn.Module, ...]:
    return nn.Conv2d(in_channels, out_channels, 7, padding=3, bias=False), nn.ReLU(inplace=True)


def _double(in_channels: int, out_channels: int) -> Tuple[nn.Module, ...]:
    """Twice the resolution."""
    up = nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1)
    return up, nn.ReLU(inplace=True)


def _read_conv(conv: nn.Conv2d, stage: Tensor, pixels: Tensor, stride: int, image_index: Tensor) -> Tensor:
    """ReLU of the convolution, (M, channels), computed once in each cell that a pixel lies in."""
    images, _, height, width = stage.shape
    # The cells' own numbers from 1, read by the rule that reads features; float64 holds them exactly, 0 is outside.
    numbers = torch.arange(1, images * height * width + 1, dtype=torch.float64, device=stage.device)
    numbers = numbers.view(images, 1, height, width)
    cells = sample_at_pixels(numbers, pixels, stride, 'nearest', image_index).squeeze(1).long()
    read, inverse = (cells - 1).clamp(min=0).unique(return_inverse=True)
    features = conv_at_cells(stage, conv.weight, read).relu().index_select(0, inverse)
    return features.masked_fill((cells == 0)[:, None], 0)
