"""Moving an image and the maps of its pixels alike."""

from __future__ import annotations

import random
from typing import Callable, Optional, Sequence, Union

import numpy as np
import torch
from mmcv.transforms import BaseTransform, Compose
from mmdet3d.registry import TRANSFORMS

from .followed_flips import MAPS, check_flip, note_flip


@TRANSFORMS.register_module()
class TransformImageAndMask(BaseTransform):
    """Run geometric transforms of any library that knows only ``img``, and move ``mask`` and ``depth_map`` alike.

    The transforms run on the image and, from the same state of all random generators, on the maps in its place. A mask
    moves with the transforms' own interpolation and is foreground again where more than half of a pixel is, so that its
    outline keeps its place; what they fill in at borders is background. Depths are interpolated as colours are.

    Args:
        transforms: For example ``[dict(type='mmpretrain.RandomResizedCrop', scale=224), dict(type='RandomFlip',
            prob=0.5)]``: resizing, cropping, padding, flipping, turning. What changes colours belongs outside.
    """

    def __init__(self, transforms: Sequence[Union[dict, Callable]]) -> None:
        self.transforms = Compose(transforms)

    def transform(self, results: dict) -> Optional[dict]:
        """Change ``img``, what the transforms say of it, and the maps.

        Raises:
            ValueError: Image and map have other sizes, before or after, or the image was flipped alone before.
        """
        maps = {key: results[key] for key in MAPS if key in results}
        if maps:
            check_flip(results)
        for key, values in maps.items():
            _check_size(key, values.shape, results['img'].shape, 'before transforms')
        state = _random_state()
        out = self.transforms(results)
        if out is None:
            return None
        after = _random_state()
        for key, values in maps.items():
            if key == 'mask':
                solid = (values != 0) * np.uint8(255)
                # Filled borders are equal in both, whatever they are filled with.
                inside, outside = (self._move(key, part, state, out['img'].shape) for part in (solid, 255 - solid))
                out[key] = (inside > outside).astype(np.uint8)
            else:
                out[key] = self._move(key, values, state, out['img'].shape)
        _set_random_state(after)
        if maps:
            note_flip(out)
        return out

    def _move(self, key: str, values: np.ndarray, state: tuple, shape: tuple[int, ...]) -> np.ndarray:
        _set_random_state(state)
        image = np.broadcast_to(values[..., None], (*values.shape, 3))  # transforms may count on three channels
        moved = self.transforms(dict(img=image, img_shape=values.shape, ori_shape=values.shape))['img'][..., 0]
        _check_size(key, moved.shape, shape, 'after them: they must depend on sizes and chance alone')
        return moved


def _random_state() -> tuple:
    return random.getstate(), np.random.get_state(), torch.get_rng_state()


def _set_random_state(state: tuple) -> None:
    random.setstate(state[0])
    np.random.set_state(state[1])
    torch.set_rng_state(state[2])


def _check_size(key: str, shape: tuple[int, ...], image_shape: tuple[int, ...], when: str) -> None:
    if shape[:2] != image_shape[:2]:
        raise ValueError(f'{key} is {shape[:2]} and img {image_shape[:2]} {when}')
