"""Changing images; pixel matches and 2D boxes move along."""

from __future__ import annotations

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from .arguments import check_number

PER_PIXEL_KEYS = ('depth', 'pixel_xyz', 'pixel_valid', 'gt_sem_seg')
"""What an RGB-D sample knows of each pixel, ``(V, H, W, ...)``."""


@TRANSFORMS.register_module()
class ResizeImages(BaseTransform):
    """Resize all views to one size.

    Args:
        size: Width and height in pixels (2DPASS on nuScenes: 400, 240).
        interpolation: As in ``mmcv.imresize``; ``'area'`` averages, and so does not alias when the image shrinks.
    """

    def __init__(self, size: tuple[int, int], interpolation: str = 'area') -> None:
        check_size(size)
        self.size, self.interpolation = tuple(size), interpolation

    def transform(self, results: dict) -> dict:
        """Resize ``img``; pixel centres map by ``u -> (u + 0.5) s - 0.5``.

        Raises:
            ValueError: The sample has depth or labels of pixels, or views of different sizes.
        """
        known = [key for key in PER_PIXEL_KEYS if key in results]
        if known:
            raise ValueError(f'{known[0]} belongs to pixels as they are: convert the data with another --image-size')
        width, height = self.size
        shapes = {image.shape[:2] for image in results['img']}
        if len(shapes) > 1:
            raise ValueError(f'views of one sample must have one size to be resized together, got {sorted(shapes)}')
        old_height, old_width = shapes.pop()
        scale_u, scale_v = width / old_width, height / old_height
        results['img'] = [mmcv.imresize(i, self.size, interpolation=self.interpolation) for i in results['img']]
        results['img_shape'] = [(height, width)] * len(results['img'])
        matrix = np.array([[scale_u, 0, 0.5 * scale_u - 0.5], [0, scale_v, 0.5 * scale_v - 0.5], [0, 0, 1]])
        results['img_aug_matrix'] = matrix @ results['img_aug_matrix']
        for key in ('point_pixel_match', 'gt_boxes_2d'):
            if key in results:
                results[key] = results[key].resize(scale_u, scale_v)
        return results


@TRANSFORMS.register_module()
class RandomFlipImages(BaseTransform):
    """Mirror each view left to right with probability ``prob``, independently of the points (2DPASS: 0.5)."""

    def __init__(self, prob: float = 0.5) -> None:
        check_number('prob', prob, 0, 1)
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Mirror some of ``img``."""
        results['img'], results['img_aug_matrix'] = list(results['img']), results['img_aug_matrix'].copy()
        for view, image in enumerate(results['img']):
            if np.random.random() >= self.prob:
                continue
            width = image.shape[1]
            results['img'][view] = np.ascontiguousarray(image[:, ::-1])
            mirror = np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])
            results['img_aug_matrix'][view] = mirror @ results['img_aug_matrix'][view]
            for key in ('point_pixel_match', 'gt_boxes_2d'):
                if key in results:
                    results[key] = results[key].flip_horizontal(view, width)
            for key in PER_PIXEL_KEYS:
                if key in results:
                    results[key] = results[key].copy()
                    results[key][view] = results[key][view, :, ::-1]
        return results


@TRANSFORMS.register_module()
class RandomCropImages(BaseTransform):
    """Cut the same random part out of all views of a sample, as the paper of SAFNet trains its image network.

    Args:
        size: Width and height of the part, pixels; the paper gives none.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        check_size(size)
        self.size = tuple(size)

    def transform(self, results: dict) -> dict:
        """Cut ``img`` and what is known of its pixels.

        Raises:
            ValueError: An image is smaller than the part, or the sample has matches or boxes, which are not cut.
        """
        for key in ('point_pixel_match', 'gt_boxes_2d'):
            if key in results:
                raise ValueError(f'RandomCropImages does not cut {key}: leave it out of pipelines with points or boxes')
        width, height = self.size
        old_height, old_width = min(image.shape[:2] for image in results['img'])
        if old_height < height or old_width < width:
            raise ValueError(f'cannot cut {width}x{height} out of images of {old_width}x{old_height} pixels')
        top, left = np.random.randint(old_height - height + 1), np.random.randint(old_width - width + 1)
        rows, columns = slice(top, top + height), slice(left, left + width)
        results['img'] = [np.ascontiguousarray(image[rows, columns]) for image in results['img']]
        results['img_shape'] = [(height, width)] * len(results['img'])
        shift = np.array([[1.0, 0, -left], [0, 1, -top], [0, 0, 1]])
        results['img_aug_matrix'] = shift @ results['img_aug_matrix']
        for key in PER_PIXEL_KEYS:
            if key in results:
                results[key] = results[key][:, rows, columns]
        return results


@TRANSFORMS.register_module()
class JitterImageColours(BaseTransform):
    """Change brightness, contrast and saturation of each view in random order.

    Args:
        brightness, contrast, saturation: Each factor is drawn from ``U(1 - x, 1 + x)`` (2DPASS: 0.4 each).
    """

    def __init__(self, brightness: float = 0.4, contrast: float = 0.4, saturation: float = 0.4) -> None:
        for name, value in (('brightness', brightness), ('contrast', contrast), ('saturation', saturation)):
            check_number(name, value, 0, 1)
        self.ranges = (brightness, contrast, saturation)

    def transform(self, results: dict) -> dict:
        """Change ``img``; sizes and positions stay."""
        results['img'] = [self._jitter(image) for image in results['img']]
        return results

    def _jitter(self, image: np.ndarray) -> np.ndarray:
        factors = [np.random.uniform(1 - x, 1 + x) for x in self.ranges]
        image = image.astype(np.float32)
        for kind in np.random.permutation(3):
            if kind == 0:
                base = np.float32(0)
            else:
                grey = image @ np.array([0.114, 0.587, 0.299], dtype=np.float32)  # BGR, ITU-R BT.601
                base = grey.mean() if kind == 1 else grey[..., None]
            image = np.clip(base + (image - base) * np.float32(factors[kind]), 0, 255)
        return image.round().astype(np.uint8)


def check_size(size: tuple[int, int]) -> None:
    """Refuse what is not width and height in whole pixels."""
    if isinstance(size, int) or len(size) != 2 or not all(isinstance(length, int) and length > 0 for length in size):
        raise ValueError(f'size must be width and height in whole pixels, got {size!r}')
