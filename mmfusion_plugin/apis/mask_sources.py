"""Where the mask of a photograph comes from: a file, a folder of files, a network, or the photograph itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np

from mmfusion_plugin.datasets.damage import CorruptDataError
from mmfusion_plugin.datasets.mask_files import read_mask
from mmfusion_plugin.datasets.photographs import Photograph, find_photographs, has_cutout

from .mask_inferencer import MaskInferencer


class FoundMask(NamedTuple):
    """A mask.

    Attributes:
        mask: ``(H, W)`` uint8, 1 foreground, 0 background; None where there is none.
        source: The file it was read from, or ``'network'``, ``'alpha channel'``, ``'none'``.
    """

    mask: Optional[np.ndarray]
    source: str


class MaskSource:
    """Finds masks, in this order: the file or folder given, the network given, the photograph's own alpha channel.

    Args:
        given: A mask's file, for a single photograph, or a folder of masks in the structure of the photographs', as
            ``tools/make_masks.py`` writes it.
        suffix: What stands in a mask's name in the folder instead of the photograph's extension.
        network: Makes the masks.

    Raises:
        FileNotFoundError: ``given`` does not exist.
        ValueError: Both ``given`` and ``network`` are.
    """

    def __init__(
        self, given: Optional[Path] = None, suffix: str = '.png', network: Optional[MaskInferencer] = None
    ) -> None:
        if given is not None and not given.exists():
            raise FileNotFoundError(f'there is no mask {given}')
        if given is not None and network is not None:
            raise ValueError(f'the mask {given} and a network are given (--mask and --unet): choose one of them')
        self.given, self.suffix, self.network = given, suffix, network

    def photographs(self, sources: Sequence[Path], out_dir: Path) -> list[Photograph]:
        """Photographs among files and folders, see ``find_photographs``; masks beside them and results are none.

        Raises:
            ValueError: One mask is given for several photographs, or results would lie among photographs or masks.
        """
        inputs = [source if source.is_dir() else source.parent for source in (*sources, self.given) if source]
        if any(folder.resolve() == out_dir.resolve() for folder in inputs):
            raise ValueError(f'results in {out_dir} would lie among photographs or masks: choose another --out')
        is_folder = self.given is not None and self.given.is_dir()
        beside = is_folder and any(source.is_dir() and source.resolve() == self.given.resolve() for source in sources)
        photos = find_photographs(sources, out_dir, self.suffix if beside else None)
        if self.given is not None and not is_folder and len(photos) > 1:
            raise ValueError(f'{self.given} is one mask for {len(photos)} photographs: name a folder of masks')
        return photos

    def find(self, photo: Photograph, image: np.ndarray) -> FoundMask:
        """The mask of a photograph ``(H, W, 3)`` uint8 BGR.

        Raises:
            CorruptDataError: The mask's file is missing, damaged, or of another size than the photograph; or the
                photograph is too small for the network.
        """
        if self.given is not None:
            path = photo.beside(self.given, self.suffix) if self.given.is_dir() else self.given
            return FoundMask(_fitting(read_mask(str(path)), image, path, photo), str(path))
        if self.network is not None:
            return FoundMask(self.network(image, str(photo.path)), 'network')
        if has_cutout(photo.path):
            return FoundMask(_fitting(read_mask(str(photo.path)), image, photo.path, photo), 'alpha channel')
        return FoundMask(None, 'none')


def _fitting(mask: np.ndarray, image: np.ndarray, path: Path, photo: Photograph) -> np.ndarray:
    if mask.shape != image.shape[:2]:
        (height, width), (rows, columns) = mask.shape, image.shape[:2]
        raise CorruptDataError(f'the mask {path} is {width}x{height}, not {columns}x{rows} as {photo.path}: name the '
                               "photograph's own mask, or make it anew (tools/make_masks.py)")  # fmt: skip
    return mask
