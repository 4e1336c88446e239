"""Photographs that belong to no dataset: finding them, reading them as datasets do, and writing their masks."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

import cv2
import mmcv
import numpy as np
from PIL import Image

from mmfusion_plugin.files import write_bytes

from .damage import CorruptDataError, read_bytes
from .masked_image_dataset import EXTENSIONS
from .transforms.loading import check_jpeg_ends


class Photograph(NamedTuple):
    """An image file.

    Attributes:
        path: Of the file.
        name: What is written about it is named like this: the path below the folder that was given, or the file's name,
            without the extension.
    """

    path: Path
    name: str

    def beside(self, folder: Path, suffix: str) -> Path:
        """A file about this photograph in ``folder``, which keeps the structure of the photographs' folder."""
        return folder / (self.name + suffix)


def find_photographs(
    sources: Sequence[Path], not_below: Optional[Path] = None, mask_suffix: Optional[str] = None
) -> list[Photograph]:
    """Image files among ``sources`` and in folders among them, at any depth, sorted within each.

    Args:
        sources: Files, taken whatever they are called, and folders, of which files ending in ``EXTENSIONS`` are taken.
            Names that begin with a dot are passed over.
        not_below: A folder whose files are not taken: where results are written. How many it holds is said, as they may
            be photographs after all. It closes nothing for sources in it.
        mask_suffix: Files in folders whose names end so are masks, not photographs; None where there are none.

    Raises:
        FileNotFoundError: A source does not exist.
        ValueError: There is no photograph, or two would give results of the same name.
    """
    found = [photo for source in sources for photo in _below(Path(source), not_below, mask_suffix)]
    if not found:
        listed = ', '.join(map(str, sources))
        raise ValueError(f'no photograph ({" ".join(EXTENSIONS)}) in {listed or "nothing"}: name another folder')
    namesakes = defaultdict(list)
    for photo in found:
        namesakes[photo.name].append(photo)
    for name, photos in namesakes.items():
        if len(photos) > 1:
            raise ValueError(f'{photos[0].path} and {photos[1].path} would both be called {name!r} in the results: '
                             'rename one, or run the command for each')  # fmt: skip
    return found


def _below(source: Path, not_below: Optional[Path], mask_suffix: Optional[str]) -> list[Photograph]:
    if source.is_file():
        return [Photograph(source, source.stem)]
    if not source.is_dir():
        raise FileNotFoundError(f'{source} is neither an image nor a folder of images')
    closed = None if not_below is None else not_below.resolve()
    if closed in (source.resolve(), *source.resolve().parents):
        closed = None
    photos, passed_over = [], []
    for path in sorted(source.rglob('*')):
        place = path.relative_to(source)
        is_mask = mask_suffix is not None and path.name.endswith(mask_suffix)
        hidden = any(part.startswith('.') for part in place.parts)
        if path.suffix.lower() in EXTENSIONS and not is_mask and not hidden and path.is_file():
            if closed is None or closed not in path.resolve().parents:
                photos.append(Photograph(path, place.with_suffix('').as_posix()))
            else:
                passed_over.append(path)
    if passed_over:
        print(f'{len(passed_over)} images in {not_below} are passed over, the first being {passed_over[0]}: results go '
              'there; if they are photographs, choose another --out', file=sys.stderr)  # fmt: skip
    return photos


def check_outputs(photos: Sequence[Photograph], outputs: Iterable[Path]) -> None:
    """Refuse to write where a photograph is.

    Args:
        photos: The photographs that are read.
        outputs: Files to be written or removed.

    Raises:
        ValueError: One of the outputs is one of the photographs, by whatever name or link.
    """
    there = [path for path in outputs if path.exists()]
    known = {_identity(photo.path): photo.path for photo in photos} if there else {}
    for path in there:
        if _identity(path) in known:
            raise ValueError(f'{path} is to be written, but is the photograph {known[_identity(path)]}: choose another '
                             'folder (--out)')  # fmt: skip


def _identity(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_dev, state.st_ino


def read_photograph(path: Path) -> np.ndarray:
    """``(H, W, 3)`` uint8 BGR, turned as its EXIF orientation says: the ``img`` of ``LoadImageAndMask``.

    Raises:
        CorruptDataError: The file is missing, damaged, or no image.
    """
    content = read_bytes(str(path))
    check_jpeg_ends(content, str(path))
    try:
        image = mmcv.imfrombytes(content, flag='color', backend='cv2')
    except cv2.error as error:  # a header that announces more than OpenCV reads
        raise CorruptDataError(f'{path} is not a readable image ({error.err})') from error
    if image is None:
        raise CorruptDataError(f'{path} is not a readable image ({len(content)} bytes)')
    return image


def has_cutout(path: Path) -> bool:
    """Whether an image has an alpha channel that is not the same all over, which ``read_mask`` then takes.

    Raises:
        CorruptDataError: The file is missing, damaged, or no image.
    """
    try:
        with Image.open(path) as image:
            if 'A' not in image.getbands() and 'transparency' not in image.info:
                return False
            low, high = image.convert('RGBA').getchannel('A').getextrema()
            return low != high
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise CorruptDataError(f'{path} is no complete image ({error})') from error


def write_mask(path: Path, mask: np.ndarray) -> Path:
    """Write a mask ``(H, W)``, 0 being background, as PNG of 8 bits with 0 and 255; returns its path."""
    _, content = cv2.imencode('.png', (mask != 0) * np.uint8(255))
    write_bytes(path, content.tobytes())
    return path
