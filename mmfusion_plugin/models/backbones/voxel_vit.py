"""A vision transformer on voxels: the "3D-DeiT" of CISP (arXiv 2402.01241)."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple, Union

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

ARCHITECTURES = {
    'tiny': dict(embed_dims=192, num_layers=12, num_heads=3, feedforward_channels=768),
    'small': dict(embed_dims=384, num_layers=12, num_heads=6, feedforward_channels=1536),
    'base': dict(embed_dims=768, num_layers=12, num_heads=12, feedforward_channels=3072),
}
"""DeiT's own sizes (Touvron et al., ICML 2021)."""
EPS = 1e-6  # of all layer normalisations, as in DeiT


@MODELS.register_module()
class VoxelViT(BaseModule):
    """Cubes of voxels become tokens; a class token that looked at all of them is the feature of the shape.

    A convolution whose stride is its kernel makes the tokens, positions are learned, the layers are MMPreTrain's, and
    under the same names as in its DeiT. At 32^3 in cubes of 8^3 there are 64 tokens, and 21,516,672 parameters at the
    size of the released code, DeiT-S; the paper speaks of DeiT-B.

    Args:
        arch: ``'tiny'``, ``'small'`` or ``'base'``, or ``embed_dims``, ``num_layers``, ``num_heads`` and
            ``feedforward_channels``.
        resolution: R, voxels along each edge of the volume.
        patch_size: Voxels along each edge of a cube; divides R.
        in_channels: Values per voxel; 1 for occupancy.
        drop_rate: Share of values dropped after positions, attention and hidden layers.
        drop_path_rate: Stochastic depth of the last layer; it grows linearly from 0 at the first.
        init_cfg: Of mmengine's ``BaseModule``.

    Attributes:
        out_channels: Width of the feature.

    Raises:
        ValueError: The architecture is unknown or not whole, or cubes do not fill the volume.
    """

    def __init__(
        self,
        arch: Union[str, Dict[str, int]] = 'small',
        resolution: int = 32,
        patch_size: int = 8,
        in_channels: int = 1,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(init_cfg)
        from mmpretrain.models.backbones.vision_transformer import TransformerEncoderLayer  # optional elsewhere

        sizes = _sizes_of(arch)
        if patch_size < 1 or resolution < 1 or resolution % patch_size:
            raise ValueError(f'cubes of {patch_size}^3 do not fill {resolution}^3 voxels: choose a patch_size that '
                             'divides resolution')
        width, depth = sizes['embed_dims'], sizes['num_layers']
        self.resolution, self.in_channels, self.out_channels = resolution, in_channels, width
        self.patch_embed = nn.Conv3d(in_channels, width, patch_size, stride=patch_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (resolution // patch_size) ** 3, width))
        self.drop_after_pos = nn.Dropout(drop_rate)
        self.layers = nn.ModuleList(
            TransformerEncoderLayer(
                width, sizes['num_heads'], sizes['feedforward_channels'], drop_rate=drop_rate,
                drop_path_rate=drop_path_rate * number / max(depth - 1, 1), norm_cfg=dict(type='LN', eps=EPS))
            for number in range(depth))  # fmt: skip
        self.ln1 = nn.LayerNorm(width, EPS)
        for parameter in (self.cls_token, self.pos_embed):
            nn.init.trunc_normal_(parameter, std=0.02)

    def forward(self, voxels: Tensor) -> Tuple[Tensor]:
        """The class token after the last layer, normalised.

        Args:
            voxels: (B, in_channels, R, R, R), any dtype; occupancy is 0 or 1, and stays that.

        Returns:
            A tuple of one (B, out_channels), as MMPreTrain's backbones have it.

        Raises:
            ValueError: The shape is wrong.
        """
        check_voxels(voxels, self.in_channels, self.resolution)
        tokens = self.patch_embed(voxels.to(self.patch_embed.weight)).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], 1)
        tokens = self.drop_after_pos(tokens + self.pos_embed)
        for layer in self.layers:
            tokens = layer(tokens)
        return (self.ln1(tokens[:, 0]),)


def check_voxels(voxels: Tensor, channels: int, resolution: Optional[int] = None) -> None:
    """Refuse what is not (B, channels, R, R, R); any R where ``resolution`` is None.

    Raises:
        ValueError: It is not.
    """
    edges = set(voxels.shape[2:])
    if voxels.dim() == 5 and voxels.shape[1] == channels and len(edges) == 1 and resolution in (None, *edges):
        return
    edge = 'R' if resolution is None else resolution
    raise ValueError(f'voxels must be (B, {channels}, {edge}, {edge}, {edge}), got {tuple(voxels.shape)}: load them at '
                     'that resolution, or change in_channels or resolution of the shape encoder')


def _sizes_of(arch: Union[str, Dict[str, int]]) -> Dict[str, int]:
    """Sizes by a name, or as given."""
    wanted = set(ARCHITECTURES['small'])
    sizes = ARCHITECTURES.get(arch) if isinstance(arch, str) else arch
    if sizes is None or set(sizes) != wanted:
        raise ValueError(f'arch must be one of {sorted(ARCHITECTURES)} or a dict of {sorted(wanted)}, got {arch!r}')
    if sizes['embed_dims'] % sizes['num_heads']:
        raise ValueError(f"embed_dims={sizes['embed_dims']} does not divide into {sizes['num_heads']} heads")
    return dict(sizes)
