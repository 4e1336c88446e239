"""Check of the image, the mask and the depth map of one sample."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from .check_report import Report, look_at_ends
from .damage import CorruptDataError
from .mask_files import read_mask
from .photographs import read_photograph
from .transforms.depth_maps import LoadDepthMap

_ENDS = ('.jpg', '.jpeg', '.png')  # formats whose ends tell that they are whole
_TURNED = (5, 6, 7, 8)  # EXIF orientations that exchange height and width


def check_masked_image(decode: bool, entry: dict) -> Report:
    """Check the image, the depth map, the mask, and that this has the image's size.

    Args:
        decode: Decode images; otherwise only start and end markers of JPEG and PNG are looked at. Masks and depth
            maps are decoded in any case.
        entry: Of a ``MaskedDataset``; files that were looked at before are no longer named.
    """
    report, image = Report(samples=1), entry.get('img_path')
    sound = False
    if image is not None:
        ends = not decode and image.lower().endswith(_ENDS)
        load = partial(look_at_ends, image) if ends else partial(read_photograph, Path(image))
        sound = report.check('images', image, load)
    if 'mask_path' in entry:
        load = partial(_check_mask, entry['mask_path'], entry.get('mask_rule', {}), image if sound else None)
        report.check('masks', entry['mask_path'], load)
    if 'depth_path' in entry:
        sample = {'img': np.zeros((1, 1, 3), np.uint8), 'depth_path': entry['depth_path']}
        report.check('depth maps', entry['depth_path'], partial(LoadDepthMap().transform, sample))
    return report


def _check_mask(path: str, rule: dict, image: str | None) -> None:
    mask = read_mask(path, **rule)
    if image is not None and mask.shape != _shape(image):
        height, width = _shape(image)
        raise CorruptDataError(f'mask {path} is {mask.shape[1]}x{mask.shape[0]}, not {width}x{height} as its image '
                               f"{image}: make it anew, or set mis_sized='resize' of LoadImageAndMask")  # fmt: skip


def _shape(path: str) -> tuple[int, int]:
    """Height and width of an image as it is shown, of which only the header is read."""
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(0x0112) in _TURNED
            return tuple(image.size if turned else image.size[::-1])
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise CorruptDataError(f'{path} is no complete image ({error})') from error
