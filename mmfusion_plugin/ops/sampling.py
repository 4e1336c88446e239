"""Sampling of feature maps at the pixels of the image that they were computed from.

Pixel centres lie at integer coordinates, and a cell of a map of stride s covers s x s pixels. Its centre therefore lies
at pixel ``s * cell + (s - 1) / 2``, and pixel u at map coordinate ``(u + 0.5) / s - 0.5``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag


def sample_at_pixels(
    feature_map: Tensor,
    pixels: Tensor,
    stride: float,
    mode: str = 'bilinear',
    image_index: Tensor | None = None,
) -> Tensor:
    """Features of a map at pixel positions of the network's input image.

    The image covers -0.5 <= u < stride * w - 0.5 (v likewise). Pixels in it but beyond the centres of the outermost
    cells take the value at the border (the position is clamped by at most half a cell). Pixels outside it, and NaN,
    give zeros and no gradient; so do the -1, -1 of points that a view does not see.

    Args:
        feature_map: (C, h, w), or (B, C, h, w) together with ``image_index``; floating.
        pixels: (N, 2) [u, v] in pixels of the network's input image.
        stride: Pixels of the input image per cell of the map.
        mode: ``'bilinear'``, or ``'nearest'``: the cell that the pixel lies in.
        image_index: (N,) int64, the image in [0, B) that each pixel belongs to.

    Returns:
        (N, C), dtype of the map (half-precision maps are interpolated in float32). Differentiable in the map and,
        when bilinear, in the pixels.

    Raises:
        TypeError: The map or the pixels are not floating, or ``image_index`` is not int64.
        ValueError: A shape, the stride, the mode or an image index is wrong.
    """
    _check(feature_map, pixels, stride, mode, image_index)
    height, width = feature_map.shape[-2:]
    # (images * h * w, C): one row per cell, so that one index picks all channels.
    rows = feature_map.movedim(-3, -1).flatten(0, -2)
    cells = (pixels.float() if pixels.dtype in (torch.float16, torch.bfloat16) else pixels) + 0.5
    cells = cells / stride
    inside = ((cells >= 0) & (cells < cells.new_tensor([width, height]))).all(dim=1)
    cells = torch.where(inside[:, None], cells, cells.new_zeros(()))
    base = 0 if image_index is None else image_index * (height * width)
    if mode == 'nearest':
        x, y = cells.long().unbind(1)
        return rows.index_select(0, base + y * width + x).masked_fill(~inside[:, None], 0)
    x, y = (cells - 0.5).unbind(1)
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    x0, y0 = x.detach().floor(), y.detach().floor()
    right, down = x - x0, y - y0
    x0, y0 = x0.long(), y0.long()
    x1, y1 = (x0 + 1).clamp(max=width - 1), (y0 + 1).clamp(max=height - 1)
    cell = torch.stack([y0 * width + x0, y0 * width + x1, y1 * width + x0, y1 * width + x1], dim=1)
    if image_index is not None:
        cell = cell + (image_index * (height * width))[:, None]
    if rows.shape[1] == 0:  # which embedding_bag refuses
        return rows.index_select(0, cell[:, 0])
    weight = torch.stack([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right], dim=1)
    rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
    sampled = embedding_bag(cell, rows, per_sample_weights=weight.to(rows.dtype), mode='sum')
    # Not weights of 0: where the cell that stands in for the outside is infinite, they would give NaN.
    return sampled.masked_fill(~inside[:, None], 0).to(feature_map.dtype)


def _check(feature_map: Tensor, pixels: Tensor, stride: float, mode: str, image_index: Tensor | None) -> None:
    """Refuse arguments that do not fit together."""
    if not feature_map.is_floating_point() or not pixels.is_floating_point():
        raise TypeError(f'the map and the pixels must be floating, got {feature_map.dtype} and {pixels.dtype}')
    if pixels.dim() != 2 or pixels.shape[1] != 2:
        raise ValueError(f'pixels must be (N, 2) [u, v], got {tuple(pixels.shape)}')
    if feature_map.dim() != (3 if image_index is None else 4) or 0 in feature_map.shape[-2:]:
        raise ValueError(
            f'the map must be (C, h, w) without image_index or (B, C, h, w) with it, got {tuple(feature_map.shape)}'
        )
    if not stride > 0:
        raise ValueError(f'stride must be positive, got {stride}')
    if mode not in ('bilinear', 'nearest'):
        raise ValueError(f"mode must be 'bilinear' or 'nearest', got {mode!r}")
    if image_index is None:
        return
    if image_index.dtype != torch.long:
        raise TypeError(f'image_index must be int64, got {image_index.dtype}')
    if image_index.shape != pixels.shape[:1]:
        raise ValueError(f'image_index must be ({pixels.shape[0]},), got {tuple(image_index.shape)}')
    images = feature_map.shape[0]
    if image_index.numel() and (int(image_index.min()) < 0 or int(image_index.max()) >= images):
        raise ValueError(
            f'image_index reaches from {int(image_index.min())} to {int(image_index.max())}, the map holds {images}'
        )
