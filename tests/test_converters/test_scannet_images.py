"""Shrunk images and their camera matrices against Pillow and against where the pixels really come from."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mmfusion_plugin.converters.scannet_images import (
    averaged_intrinsic,
    nearest_indices,
    nearest_intrinsic,
    shrink_colour,
    shrink_nearest,
)

SIZES = [((640, 480), (160, 120)), ((1296, 968), (160, 120)), ((641, 479), (80, 60)), ((10, 7), (10, 7)),
         ((4, 3), (9, 5))]
INTRINSIC = np.array([[577.0, 0, 318.5, 0], [0, 578, 242.25, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize('source, target', SIZES)
def test_nearest_takes_the_pixels_that_pillow_takes(source, target):
    image = np.random.default_rng(0).integers(0, 1 << 16, source[::-1]).astype(np.uint16)
    expected = np.asarray(Image.fromarray(image).resize(target, Image.Resampling.NEAREST))
    np.testing.assert_array_equal(shrink_nearest(image, target), expected)


def test_documented_columns():
    assert nearest_indices(640, 160)[:3].tolist() == [2, 6, 10]
    assert nearest_indices(640, 80)[:3].tolist() == [4, 12, 20]


@pytest.mark.parametrize('source, target', SIZES)
def test_small_depth_pixels_keep_their_rays(source, target):
    small = nearest_intrinsic(INTRINSIC, source, target)
    whole = source[0] % target[0] == 0 and source[1] % target[1] == 0
    for axis in range(2):
        position = np.arange(target[axis])
        ray = (position - small[axis, 2]) / small[axis, axis]
        taken = ray * INTRINSIC[axis, axis] + INTRINSIC[axis, 2]
        error = taken - nearest_indices(source[axis], target[axis])
        assert np.abs(error).max() < (1e-9 if whole else 1) and abs(error.mean()) < 1e-9


def test_division_alone_is_two_pixels_off():
    small = nearest_intrinsic(INTRINSIC, (640, 480), (160, 120))
    np.testing.assert_allclose(INTRINSIC[:2, 2] / 4 - small[:2, 2], 0.5)  # of the small image: 2 of the large one
    np.testing.assert_allclose(np.diag(small), [577 / 4, 578 / 4, 1])


@pytest.mark.parametrize('source, target', SIZES)
def test_averaged_pixels_lie_at_the_centre_of_what_they_average(source, target):
    small = averaged_intrinsic(INTRINSIC, source, target)
    for axis in range(2):
        ratio, position = source[axis] / target[axis], np.arange(target[axis])
        first, last = position * ratio - 0.5, (position + 1) * ratio - 0.5  # borders of what a small pixel covers
        ray = (position - small[axis, 2]) / small[axis, axis]
        np.testing.assert_allclose(ray * INTRINSIC[axis, axis] + INTRINSIC[axis, 2], (first + last) / 2, atol=1e-9)


def test_colour_of_a_ramp_is_the_ramp_at_those_places():
    u, v = np.meshgrid(np.arange(1296), np.arange(968))
    image = Image.fromarray(np.stack([u / 6, v / 4, (u + v) / 10], axis=-1).astype(np.uint8))
    small_u, small_v = np.meshgrid((np.arange(160) + 0.5) * 8.1 - 0.5, (np.arange(120) + 0.5) * 968 / 120 - 0.5)
    expected = np.stack([small_u / 6, small_v / 4, (small_u + small_v) / 10], axis=-1)
    for kind in ('png', 'jpeg'):
        buffer = io.BytesIO()
        image.save(buffer, kind, quality=95)
        small = np.asarray(shrink_colour(Image.open(buffer), (160, 120)), np.float64)
        # Whole numbers round down by a half on average; beside the border, where less is averaged. 8.1 pixels are 1.35.
        error = (small - (expected - 0.5))[1:-1, 1:-1]
        assert np.abs(error).max() < 2 and np.abs(error.mean((0, 1))).max() < 0.15, kind


def test_reduced_decoding_looks_like_full_decoding():
    rng = np.random.default_rng(0)
    rough = Image.fromarray(rng.integers(0, 256, (40, 52, 3), dtype=np.uint8)).resize((1296, 968))
    buffer = io.BytesIO()
    rough.save(buffer, 'jpeg', quality=95)
    small = np.asarray(shrink_colour(Image.open(buffer), (160, 120)), np.float64)
    full = np.asarray(Image.open(buffer).convert('RGB').resize((160, 120), Image.Resampling.BILINEAR), np.float64)
    shifted = np.abs(full[:, 1:] - full[:, :-1]).mean()
    assert np.abs(small - full).mean() < 0.2 * shifted  # a shift by one small pixel would show
