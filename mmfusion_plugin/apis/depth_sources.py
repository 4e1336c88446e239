"""Where the depth map of a photograph comes from: a file, or a folder of files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import numpy as np

from mmfusion_plugin.datasets.damage import CorruptDataError
from mmfusion_plugin.datasets.depth_files import ENDINGS, find_depth_map
from mmfusion_plugin.datasets.photographs import Photograph
from mmfusion_plugin.datasets.transforms.depth_maps import LoadDepthMap


class DepthSource:
    """Finds depth maps.

    Args:
        given: A depth map's file, for a single photograph, or a folder of them in the structure of the photographs',
            each named as its photograph but for the ending; None for no depth maps.

    Raises:
        FileNotFoundError: ``given`` does not exist.
    """

    def __init__(self, given: Optional[Path] = None) -> None:
        if given is not None and not given.exists():
            raise FileNotFoundError(f'there is no depth map {given}')
        self.given = given

    def check(self, photos: Sequence[Photograph]) -> None:
        """Raises ValueError where a single depth map is given for several photographs."""
        if self.given is not None and not self.given.is_dir() and len(photos) > 1:
            raise ValueError(f'{self.given} is one depth map for {len(photos)} photographs: name a folder of them')

    def find(self, photo: Photograph) -> Optional[Path]:
        """File of the depth map of a photograph; None where none are given.

        Raises:
            CorruptDataError: The folder holds none of this photograph, or two.
        """
        if self.given is None or not self.given.is_dir():
            return self.given
        try:
            path = find_depth_map(self.given, photo.name)
        except ValueError as error:
            raise CorruptDataError(str(error)) from error
        if path is None:
            expected = f'{self.given / photo.name} ({" ".join(ENDINGS)})'
            raise CorruptDataError(f'{photo.path} has no depth map {expected}: make it with any monocular estimator')
        return Path(path)

    def read(self, photo: Photograph, image: np.ndarray, mask: Optional[np.ndarray] = None) -> Optional[np.ndarray]:
        """``(H, W)`` float32 depth of each pixel of a photograph ``(H, W, 3)``; None where none are given.

        Raises:
            CorruptDataError: The file is missing or damaged, of another size than the photograph, or holds NaN or
                infinity in the foreground of ``mask`` ``(H, W)`` (without one: anywhere).
        """
        path = self.find(photo)
        if path is None:
            return None
        sample = dict(img=image, img_path=str(photo.path), depth_path=str(path))
        depth = LoadDepthMap(resize=False)(sample)['depth_map']
        if not np.isfinite(depth if mask is None else depth[mask != 0]).all():
            raise CorruptDataError(f'{path} holds NaN or infinity in the foreground: fill it, or take it off the mask')
        return depth
