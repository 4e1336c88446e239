"""The two encoders of CISP (arXiv 2402.01241), each of use by itself."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

Config = Dict[str, Any]
TOKENS = ('cls', 'dist')
IMAGE_BACKBONE = dict(type='DistilledVisionTransformer', arch='deit-base', img_size=224, patch_size=16)
SHAPE_BACKBONE = dict(type='VoxelViT')


class _Encoder(BaseModule):
    """A backbone, and Linear-SiLU-Linear from its feature to the embedding."""

    def __init__(
        self,
        backbone: Config,
        embed_channels: int,
        in_channels: Optional[int],
        frozen: bool,
        init_cfg: Optional[Config],
    ) -> None:
        super().__init__(init_cfg)
        self.backbone = MODELS.build(backbone)
        widths = (getattr(self.backbone, name, None) for name in ('feat_dim', 'embed_dims', 'out_channels'))
        self.in_channels = in_channels or next((width for width in widths if isinstance(width, int)), None)
        if self.in_channels is None:
            raise ValueError(f'{type(self.backbone).__name__} does not say how wide its features are: give in_channels')
        self.out_channels = self.feat_dim = embed_channels
        self.projection = nn.Sequential(
            nn.Linear(self.in_channels, embed_channels), nn.SiLU(), nn.Linear(embed_channels, embed_channels))
        self.frozen, self._token = frozen, 0
        if frozen:
            self.requires_grad_(False)

    def train(self, mode: bool = True) -> _Encoder:
        """Set training mode; a frozen encoder stays in evaluation mode."""
        return super().train(mode and not self.frozen)

    def forward(self, inputs: Tensor) -> Tuple[Tensor]:
        """Embeddings, not normalised, as a tuple of one (B, embed_channels).

        Args:
            inputs: A batch of what the backbone takes.

        Raises:
            ValueError: The backbone's features have another shape.
        """
        last = self.backbone(inputs)
        last = last if isinstance(last, Tensor) else last[-1]
        if not isinstance(last, Tensor):  # class and distillation token
            last = last[self._token]
        if last.dim() > 3:  # maps
            last = last.flatten(2).mean(2)
        if last.dim() != 2 or last.shape[1] != self.in_channels:
            raise ValueError(f'{type(self.backbone).__name__} gives features {tuple(last.shape)}, not '
                             f'(B, {self.in_channels}): set in_channels, or choose another output of it')
        return (self.projection(last),)


@MODELS.register_module()
class CISPImageEncoder(_Encoder):
    """An image becomes one vector: the class token of DeiT-B by default, projected.

    As a backbone it stands wherever one of MMPreTrain's does, under ``mmdet3d.CISPImageEncoder``. Weights of a trained
    CISP come with ``init_cfg=dict(type='Pretrained', checkpoint=..., prefix='image_encoder.')``, those of ImageNet with
    the same in ``backbone``, where MMPreTrain's prefix is ``'backbone.'``.

    Args:
        backbone: Config of a network of MMPreTrain; maps are averaged. By default the distilled DeiT-B at 224 x 224
            (85.8 million parameters), as in the released code, with random weights, as in its script.
        embed_channels: Width of the embedding.
        in_channels: Width of the backbone's feature, for networks that do not say it.
        token: Which token of a distilled transformer is the feature: ``'cls'``, or ``'dist'``, which is the one that
            the released code reads, with ImageNet's positions of both exchanged.
        frozen: Nothing is trained, dropout included.
        init_cfg: Of mmengine's ``BaseModule``.

    Attributes:
        out_channels: ``embed_channels``; ``feat_dim``, MMPreTrain's name of it, too.

    Raises:
        ValueError: The token is unknown, or the width of the backbone's feature.
    """

    def __init__(
        self,
        backbone: Optional[Config] = None,
        embed_channels: int = 256,
        in_channels: Optional[int] = None,
        token: str = 'cls',
        frozen: bool = False,
        init_cfg: Optional[Config] = None,
    ) -> None:
        if token not in TOKENS:
            raise ValueError(f'token must be one of {TOKENS}, got {token!r}')
        backbone = {'_scope_': 'mmpretrain', **(backbone or IMAGE_BACKBONE)}
        super().__init__(backbone, embed_channels, in_channels, frozen, init_cfg)
        self._token = TOKENS.index(token)


@MODELS.register_module()
class CISPShapeEncoder(_Encoder):
    """A voxelised shape becomes one vector: the class token of :class:`VoxelViT` by default, projected.

    Weights of a trained CISP come with ``init_cfg=dict(type='Pretrained', checkpoint=..., prefix='shape_encoder.')``.

    Args:
        backbone: Config of a network on (B, 1, R, R, R): ``VoxelViT``, ``VoxelCNN``, or another; maps are averaged.
        embed_channels: Width of the embedding.
        in_channels: Width of the backbone's feature, for networks that do not say it.
        frozen: Nothing is trained, dropout included.
        init_cfg: Of mmengine's ``BaseModule``.

    Attributes:
        out_channels: ``embed_channels``; ``feat_dim``, MMPreTrain's name of it, too.

    Raises:
        ValueError: The width of the backbone's feature is not known.
    """

    def __init__(
        self,
        backbone: Optional[Config] = None,
        embed_channels: int = 256,
        in_channels: Optional[int] = None,
        frozen: bool = False,
        init_cfg: Optional[Config] = None,
    ) -> None:
        backbone = {'_scope_': 'mmdet3d', **(backbone or SHAPE_BACKBONE)}
        super().__init__(backbone, embed_channels, in_channels, frozen, init_cfg)
