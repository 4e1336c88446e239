"""A picture of one object, of whatever origin: where the object is, and the square that networks are trained on."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .damage import CorruptDataError
from .mask_files import read_mask

#: Pixels of the longest side of an object in a square of 128 (3D-LMNet and ReConstNet on Pix3D: 128 - 35).
LONGEST, SIZE = 93, 128
# Share of the border's pixels that must have the background's colour for it to be plain.
_PLAIN = 0.9


class ObjectImage(NamedTuple):
    """A picture and where its object is.

    Attributes:
        image: ``(H, W, 3)`` uint8 BGR.
        mask: ``(H, W)`` uint8, 1 on the object, 0 elsewhere.
        origin: Where the mask is from: ``'mask'``, ``'alpha'`` or ``'background'``.
    """

    image: np.ndarray
    mask: np.ndarray
    origin: str


def read_object_image(
    path: str, mask_path: Optional[str] = None, tolerance: int = 24, holes: bool = False
) -> ObjectImage:
    """Read a picture and find its object: by a mask, else by an alpha channel, else before a plain background.

    Args:
        path: Of any common format; photographs are turned as their camera says.
        mask_path: Of the mask, see ``mask_files.read_mask``; a smaller or larger one is stretched to
            the picture if its sides are in the same ratio, up to a pixel.
        tolerance: See :func:`plain_background_mask`.
        holes: See there.

    Raises:
        CorruptDataError: A file is missing or damaged, the mask is of another picture, or the object is not found.
    """
    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened)
            has_alpha = picture.mode in ('LA', 'PA', 'RGBA', 'RGBa') or 'transparency' in picture.info
            pixels = np.asarray(picture.convert('RGBA'))
    except FileNotFoundError as error:
        raise CorruptDataError(f'{path} is missing') from error
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise CorruptDataError(f'{path} is no complete image ({error})') from error
    image, alpha = np.ascontiguousarray(pixels[..., 2::-1]), pixels[..., 3]
    if mask_path is not None:
        mask, origin = _stretched(read_mask(mask_path), alpha.shape, path, mask_path), 'mask'
    elif has_alpha and alpha.min() != alpha.max():
        mask, origin = (alpha > 127).astype(np.uint8), 'alpha'
    else:
        mask, origin = plain_background_mask(image, tolerance, holes), 'background'
        if mask is None:
            raise CorruptDataError(
                f'{path} has no alpha channel and no plain background: name a mask of the object, or cut it out'
            )
    if not mask.any():
        raise CorruptDataError(f'{path}: no object is to be found by its {origin}; name a mask of it')
    return ObjectImage(image, mask, origin)


def _stretched(mask: np.ndarray, shape: tuple[int, int], path: str, mask_path: str) -> np.ndarray:
    """A mask in the size of its picture."""
    (rows, columns), (height, width) = mask.shape, shape
    # Rounding moved a side by a pixel at most, of whichever is larger; Pix3D has such masks.
    if abs(rows * width - columns * height) > max(rows, columns, height, width):
        raise CorruptDataError(f'the mask {mask_path} is {columns}x{rows}, not {width}x{height} or a multiple of it, '
                               f"as {path}: name the picture's own mask")  # fmt: skip
    return mask if mask.shape == shape else cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)


def plain_background_mask(image: np.ndarray, tolerance: int = 24, holes: bool = False) -> Optional[np.ndarray]:
    """Everything but the background, if that is of one colour.

    The background's colour is the median of the picture's border. Pixels within ``tolerance`` of it in each channel
    that hang together with the border are background.

    Args:
        image: ``(H, W, 3)`` uint8.
        tolerance: Largest difference of a channel, 0..255.
        holes: Take enclosed areas of that colour for background too, as between the bars of a chair. Parts of the
            object that have this colour are lost then.

    Returns:
        ``(H, W)`` uint8, 1 on the object; None where less than nine tenths of the border have one colour.
    """
    border = np.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]]).astype(np.int16)
    colour = np.median(border, axis=0)
    if (np.abs(border - colour).max(axis=1) <= tolerance).mean() < _PLAIN:
        return None
    alike = np.abs(image.astype(np.int16) - colour).max(axis=2) <= tolerance
    if holes:
        return (~alike).astype(np.uint8)
    _, areas = cv2.connectedComponents(alike.astype(np.uint8), connectivity=4)
    outside = np.unique(np.concatenate([areas[0], areas[-1], areas[:, 0], areas[:, -1]]))
    return (~(alike & np.isin(areas, outside))).astype(np.uint8)


def mask_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Columns and rows ``(x0, y0, x1, y1)`` of a mask's foreground, the last ones outside.

    Raises:
        ValueError: There is none.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise ValueError('the mask has no foreground')
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def fit_object(
    image: np.ndarray,
    mask: np.ndarray,
    box: Optional[Sequence[int]] = None,
    size: int = SIZE,
    longest: int = LONGEST,
    background: int = 0,
) -> np.ndarray:
    """The object in the middle of a square, before a plain background, as 3D-LMNet prepares Pix3D.

    Args:
        image: ``(H, W, 3)`` uint8.
        mask: ``(H, W)``; what is 0 becomes background.
        box: Columns and rows ``(x0, y0, x1, y1)`` to cut out, the last ones outside; None is the mask's own box.
        size: Side of the square, pixels.
        longest: Of the box's sides in it, pixels.
        background: Grey value.

    Returns:
        ``(size, size, 3)`` uint8.

    Raises:
        ValueError: The mask is of another size or empty, or the box has no pixel in the image.
    """
    if mask.shape != image.shape[:2]:
        raise ValueError(f'mask is {mask.shape}, the image {image.shape[:2]}')
    x0, y0, x1, y1 = mask_box(mask) if box is None else (max(int(edge), 0) for edge in box)
    cut = np.where((mask != 0)[..., None], image, np.uint8(background))[y0:y1, x0:x1]
    if not cut.size:
        raise ValueError(f'box {list(box or ())} has no pixel in an image of {image.shape[1]} x {image.shape[0]}')
    height, width = (max(side * longest // max(cut.shape[:2]), 1) for side in cut.shape[:2])
    resized = cv2.resize(cut, (width, height))
    top, left = (size - height) // 2, (size - width) // 2
    square = np.full((size, size, 3), background, np.uint8)
    square[top : top + height, left : left + width] = resized
    return square
