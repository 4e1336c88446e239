"""Pictures of objects from anywhere, made as those that networks are trained on."""

from __future__ import annotations

import math

from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ..damage import CorruptDataError
from ..object_images import LONGEST, SIZE, fit_object, read_object_image
from ..tally import sample_name
from .arguments import check_number


@TRANSFORMS.register_module()
class LoadObjectImage(BaseTransform):
    """Load any picture and find its object by ``mask_path``, else its alpha channel, else a plain background.

    For photographs of Pix3D and for pictures of a user's own; ``FitObject`` follows.

    Args:
        tolerance: Largest difference of a channel from a plain background's colour.
        holes: Take enclosed areas of that colour for background too.
    """

    def __init__(self, tolerance: int = 24, holes: bool = False) -> None:
        check_number('tolerance', tolerance, 0, 255)
        self.tolerance, self.holes = tolerance, holes

    def transform(self, results: dict) -> dict:
        """Add ``img`` ``(H, W, 3)`` uint8 BGR and its shape, ``mask`` ``(H, W)`` uint8, and ``mask_origin``.

        Raises:
            CorruptDataError: A file is missing or damaged, or the object is not to be found.
        """
        found = read_object_image(results['img_path'], results.get('mask_path'), self.tolerance, self.holes)
        results['img'], results['mask'], results['mask_origin'] = found
        results['ori_shape'] = results['img_shape'] = found.image.shape[:2]
        return results


@TRANSFORMS.register_module()
class FitObject(BaseTransform):
    """Put the object in ``mask`` into the middle of a square, as 3D-LMNet and ReConstNet do with Pix3D.

    What is not in the mask becomes background; ``bbox`` (the mask's own box without one) is cut out, its longest side
    scaled to ``longest``, and the rest of the square is background too.

    Args:
        size: Side of the square, pixels.
        longest: Of the box's sides in it, pixels; the papers: 93 of 128.
        background: Grey value: 0 for ReConstNet, 240 for CISP.
    """

    def __init__(self, size: int = SIZE, longest: int = LONGEST, background: int = 0) -> None:
        for name, value, least, most in (('size', size, 1, math.inf), ('longest', longest, 1, size),
                                         ('background', background, 0, 255)):  # fmt: skip
            check_number(name, value, least, most)
            if not isinstance(value, int):
                raise ValueError(f'{name} must be a whole number, got {value!r}')
        self.size, self.longest, self.background = size, longest, background

    def transform(self, results: dict) -> dict:
        """Replace ``img`` by ``(size, size, 3)`` uint8; ``mask`` and ``bbox``, which no longer fit, are taken away.

        Raises:
            CorruptDataError: The mask is empty or of another size, or the box lies outside the image.
        """
        box = results.pop('bbox', None)
        mask = results.pop('mask')
        try:
            results['img'] = fit_object(results['img'], mask, box, self.size, self.longest, self.background)
        except ValueError as error:
            raise CorruptDataError(f'{sample_name(results)}: {error}') from error
        results['img_shape'] = results['img'].shape[:2]
        return results
