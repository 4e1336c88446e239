"""Flips that the image makes alone are refused, wherever they stand; those that all follow are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope

import mmfusion_plugin  # noqa: F401  (registers the transforms)

FLIP = dict(type='mmcv.RandomFlip', prob=1.0)
SOMETIMES = dict(type='mmcv.RandomFlip', prob=0.5)
RESIZE = dict(type='mmcv.Resize', scale=(40, 40))
PACK = dict(type='PackImageInputs')


@pytest.fixture(autouse=True)
def _scope() -> Any:
    with DefaultScope.overwrite_default_scope('mmdet3d'):
        yield


def points(**kwargs: Any) -> dict:
    return dict(type='PixelToPoint', num_points=200, normalize='none', **kwargs)


def together(*steps: dict) -> dict:
    return dict(type='TransformImageAndMask', transforms=list(steps))


def sample(*without: str) -> dict:
    """Bright on the left, where the mask is; 40 x 40 so that no size tells of a flip."""
    image, mask = np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), np.uint8)
    image[:, :10], mask[:, :10] = 250, 1
    maps = dict(mask=mask, depth_map=mask.astype(np.float32))
    kept = {key: maps[key] for key in maps if key not in without}
    return dict(img=image, img_path='sheet.png', img_shape=(40, 40), **kept)


def run(*steps: dict, without: tuple = ()) -> dict:
    return Compose(list(steps))(sample(*without))


@pytest.mark.parametrize('steps', [
    (FLIP, points()), (FLIP, PACK), (FLIP, together(RESIZE)), (together(RESIZE), FLIP, points()),
    (together(RESIZE), points(), FLIP, PACK), (FLIP, points(z_mode='depth', foreground='nonblack')),
    (together(FLIP), dict(FLIP, direction='vertical'), points()), (together(FLIP), dict(FLIP, prob=0.0), points()),
])  # fmt: skip
def test_flips_of_the_image_alone_are_refused(steps: tuple) -> None:
    with pytest.raises(ValueError, match='sheet.png was flipped .*put RandomFlip into transforms of TransformImageAnd'):
        run(*steps)


def test_points_are_not_left_behind_either() -> None:
    bare = dict(points(foreground='nonblack'))
    with pytest.raises(ValueError, match='sheet.png was flipped'):
        run(bare, FLIP, PACK, without=('mask', 'depth_map'))


@pytest.mark.parametrize('flip', [FLIP, SOMETIMES, dict(SOMETIMES, direction=['horizontal', 'vertical', 'diagonal'])])
def test_flips_that_all_follow_pass(flip: dict) -> None:
    for seed in range(6):
        np.random.seed(seed)
        results = run(together(RESIZE, flip), together(flip), points())
        assert (results['points'][:, 2] == 250).all() and results['num_foreground'] == 400
        run(together(flip), points(), PACK)
        run(together(flip), dict(type='CropToMask'), points(as_base_points=True), PACK)


@pytest.mark.parametrize('steps, name', [
    ((FLIP,), 'RandomFlip'), ((together(FLIP),), 'RandomFlip'), ((dict(FLIP, prob=0.0),), 'RandomFlip'),
    ((RESIZE, together(SOMETIMES, RESIZE)), 'RandomFlip'), ((dict(type='CropToMask'),), 'CropToMask'),
])  # fmt: skip
def test_depth_maps_are_not_loaded_for_images_that_lie_otherwise(steps: tuple, name: str, tmp_path: Path) -> None:
    np.save(tmp_path / 'depth.npy', sample()['depth_map'])
    load = dict(type='LoadDepthMap')

    def of_file(*order: dict) -> dict:
        return Compose(list(order))(dict(sample('depth_map'), depth_path=str(tmp_path / 'depth.npy')))

    with pytest.raises(ValueError, match=f'sheet.png: LoadDepthMap stands behind {name}, .* right behind the step'):
        of_file(*steps, load)
    np.testing.assert_array_equal(of_file(RESIZE, load)['depth_map'], sample()['depth_map'])
    if steps != (FLIP,):  # alone, it is refused later
        results = of_file(load, *steps)
        np.testing.assert_array_equal(results['depth_map'], results['mask'])
        assert ((results['img'][..., 0] == 250) == results['mask']).all()


def test_images_without_maps_may_be_flipped_by_themselves() -> None:
    without = ('mask', 'depth_map')
    run(FLIP, PACK, without=without)
    results = run(FLIP, points(foreground='nonblack'), without=without)
    assert (results['points'][:, 0] >= 30).all()
    run(FLIP, points(foreground='nonblack'), PACK, without=without)
