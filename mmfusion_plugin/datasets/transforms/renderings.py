"""Loading 3D-R2N2's renderings, as ReConstNet and as CISP take them."""

from __future__ import annotations

from typing import Dict, Optional, Sequence, Union

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ..damage import CorruptDataError
from ..shape_files import read_rendering, read_shape_viewpoints


@TRANSFORMS.register_module()
class LoadRendering(BaseTransform):
    """Load ``img_path``, a picture with alpha, and cut out its middle.

    As it stands: 128 x 128 from the middle of 137 x 137, without alpha, so that the background is black, as ReConstNet
    and 3D-LMNet have it (``[4:-5, 4:-5, :3]``). With ``background=240, size=224``: as CISP has it.

    Args:
        background: Grey value, or blue, green and red, of pixels whose alpha is 0; None leaves their stored colour.
        crop: Side of what is cut out, pixels; None takes all.
        size: Side that it is scaled to, bilinearly; None leaves it.
    """

    def __init__(
        self,
        background: Union[int, Sequence[int], None] = None,
        crop: Optional[int] = 128,
        size: Optional[int] = None,
    ) -> None:
        colour = [background] * 3 if isinstance(background, int) else background
        if colour is not None and (len(colour) != 3 or not all(0 <= value <= 255 for value in colour)):
            raise ValueError(f'background must be None, 0..255, or three such numbers, got {background!r}')
        for name, value in (('crop', crop), ('size', size)):
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ValueError(f'{name} must be None or at least 1, got {value!r}')
        self.background = None if colour is None else np.array(colour, np.uint8)
        self.crop, self.size = crop, size

    def transform(self, results: dict) -> dict:
        """Add ``img`` ``(H, W, 3)`` uint8 BGR, ``ori_shape`` and ``img_shape``.

        Raises:
            CorruptDataError: The file is missing, damaged or too small, or has no alpha where that is needed.
        """
        path = results['img_path']
        picture = read_rendering(path)
        image, height, width = picture[..., :3], *picture.shape[:2]
        if self.background is not None:
            if picture.shape[2] != 4:
                raise CorruptDataError(f'{path} has no alpha channel, by which background={self.background} is set')
            image = np.where(picture[..., 3:] == 0, self.background, image)
        if self.crop is not None:
            if min(height, width) < self.crop:
                raise CorruptDataError(f'{path} is {width} x {height}, too small for crop={self.crop}')
            top, left = (height - self.crop) // 2, (width - self.crop) // 2
            image = image[top : top + self.crop, left : left + self.crop]
        if self.size is not None:
            image = mmcv.imresize(image, (self.size, self.size))
        results['img'] = np.ascontiguousarray(image)
        results['ori_shape'], results['img_shape'] = (height, width), image.shape[:2]
        return results


@TRANSFORMS.register_module()
class LoadViewpoint(BaseTransform):
    """Load where a view was taken from; each file is read once by each process that loads data."""

    def __init__(self) -> None:
        self._known: Dict[str, np.ndarray] = {}

    def transform(self, results: dict) -> dict:
        """Add ``azimuth`` and ``elevation``, radians, of row ``view`` of ``viewpoints_path``.

        Raises:
            CorruptDataError: The file is missing or damaged, or has no such row.
        """
        path, view = results['viewpoints_path'], results['view']
        if path not in self._known:
            self._known[path] = np.radians(read_shape_viewpoints(path)[:, :2]).astype(np.float32)
        rows = self._known[path]
        if view >= len(rows):
            raise CorruptDataError(f'{path} has {len(rows)} lines, none for view {view}: unpack it again')
        results['azimuth'], results['elevation'] = (float(angle) for angle in rows[view])
        return results
