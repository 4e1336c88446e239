"""Reading masks of objects from images of any common format."""

from __future__ import annotations

import io
from typing import Any, Optional, Sequence

import numpy as np
from PIL import Image, ImageOps

from .damage import CorruptDataError, read_bytes

LOSSY_THRESHOLD = 127
"""Grey value above which a pixel is foreground in files whose compression leaves traces of objects around them."""

_LOSSY = ('JPEG', 'MPO', 'AVIF')
_INDEXED = ('1', 'L', 'P', 'I', 'I;16', 'I;16B', 'I;16L', 'I;16N', 'F')


def read_mask(
    path: str,
    threshold: Optional[int] = None,
    values: Optional[Sequence[int]] = None,
    background: Optional[Sequence[int]] = None,
    background_colour: Optional[Sequence[int]] = None,
    tolerance: int = 32,
    backend_args: Optional[dict[str, Any]] = None,
) -> np.ndarray:
    """Read the foreground of an image: binary, grey, palette, colour, or a photograph cut out by its alpha channel.

    Without a rule a pixel is foreground where it is opaque, if the image has an alpha channel that is not the same all
    over, and else where its brightest channel exceeds ``threshold``; colours of palettes count, not their indices. At
    most one of ``threshold``, ``values``, ``background`` and ``background_colour`` is given.

    Args:
        path: Of the file; PNG, JPEG, TIFF, BMP, GIF, WebP and what else Pillow reads.
        threshold: None is 0, and :data:`LOSSY_THRESHOLD` for colours of JPEG, AVIF, lossy WebP and TIFF with JPEG
            inside. An alpha channel is taken as it is.
        values: Indices or grey values that are foreground, for example 1 of the trimaps of Oxford-IIIT Pet.
        background: Indices or grey values that are not foreground, for example 0 and 255 (void) of PASCAL VOC.
        background_colour: Red, green and blue (0..255); pixels are foreground where a channel differs from it by more
            than ``tolerance``, for example the blue of segmented Oxford Flowers.
        tolerance: See there.
        backend_args: File backend of mmengine.

    Returns:
        ``(H, W)`` uint8, 1 foreground, 0 background.

    Raises:
        CorruptDataError: The file is missing, damaged, or a colour image where ``values`` or ``background`` are given.
        ValueError: More than one rule is given.
    """
    check_mask_rule(dict(threshold=threshold, values=values, background=background,
                         background_colour=background_colour, tolerance=tolerance))  # fmt: skip
    image, lossy = _open(path, backend_args)
    if values is not None or background is not None:
        if image.mode not in _INDEXED:
            raise CorruptDataError(f'{path} has colours ({image.mode}), where a rule asks for indices or grey values')
        listed = np.isin(np.asarray(image), values if values is not None else background)
        return (listed if values is not None else ~listed).astype(np.uint8)
    if background_colour is not None:
        difference = np.abs(np.asarray(image.convert('RGB'), np.int16) - np.asarray(background_colour, np.int16))
        return (difference > tolerance).any(axis=2).astype(np.uint8)
    values, is_alpha = _brightness(image)
    if threshold is None:
        threshold = LOSSY_THRESHOLD if lossy and not is_alpha else 0
    return (values > threshold).astype(np.uint8)


def check_mask_rule(rule: dict[str, Any]) -> None:
    """Check the arguments of :func:`read_mask` that say what is foreground.

    Raises:
        ValueError: A name is unknown, or more than one rule is given.
    """
    rules = ('threshold', 'values', 'background', 'background_colour')
    strangers = set(rule) - {*rules, 'tolerance'}
    if strangers:
        raise ValueError(f'mask_rule has no {sorted(strangers)}; it knows {", ".join(rules)} and tolerance')
    given = [name for name in rules if rule.get(name) is not None]
    if len(given) > 1:
        raise ValueError(f'one rule says what is foreground, got {" and ".join(given)}')


def _open(path: str, backend_args: Optional[dict[str, Any]]) -> tuple[Image.Image, bool]:
    """The image as it is shown, and whether its colours are only nearly those that were saved."""
    content = read_bytes(path, backend_args)
    try:
        image = Image.open(io.BytesIO(content))
        lossy = _is_lossy(image, content)
        image = ImageOps.exif_transpose(image)  # as photographs are turned when they are loaded
        image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise CorruptDataError(f'{path} is no complete image ({len(content)} bytes: {error})') from error
    return image, lossy


def _is_lossy(image: Image.Image, content: bytes) -> bool:
    if image.format == 'WEBP':
        return b'VP8L' not in _webp_chunks(content)
    return image.format in _LOSSY or (image.format == 'TIFF' and image.info.get('compression') == 'jpeg')


def _webp_chunks(content: bytes) -> set[bytes]:
    """Names of the parts of a WebP file: one with pixels is ``VP8 `` (lossy) or ``VP8L`` (lossless)."""
    names, place = set(), 12
    while place + 8 <= len(content):
        names.add(content[place : place + 4])
        length = int.from_bytes(content[place + 4 : place + 8], 'little')
        place += 8 + length + length % 2
    return names


def _brightness(image: Image.Image) -> tuple[np.ndarray, bool]:
    """(H, W) of the opacity where it differs, else of the brightest channel; and whether it is the opacity."""
    if image.mode in _INDEXED and image.mode != 'P':
        return np.asarray(image), False  # as it is: more than 8 bits would be cut off
    if image.mode in ('LA', 'PA', 'RGBA', 'RGBa') or 'transparency' in image.info:
        channels = np.asarray(image.convert('RGBA'))
        alpha = channels[..., 3]
        return (alpha, True) if alpha.min() != alpha.max() else (_brightest(channels), False)
    return _brightest(np.asarray(image.convert('RGB'))), False


def _brightest(channels: np.ndarray) -> np.ndarray:
    # Several times faster than channels.max(axis=2).
    return np.maximum(np.maximum(channels[..., 0], channels[..., 1]), channels[..., 2])
