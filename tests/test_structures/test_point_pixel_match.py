"""Point-to-pixel lookups: both array kinds, sizes 0 and up, and the pixel-centre convention."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmfusion_plugin.structures import PointPixelMatch


@pytest.fixture(params=['numpy', 'torch'])
def match(request: pytest.FixtureRequest) -> PointPixelMatch:
    pixels = np.array([[[10, 20], [-1, -1]], [[-0.5, 0], [1599, 899]], [[-1, -1], [-1, -1]]], dtype=np.float32)
    return PointPixelMatch(torch.from_numpy(pixels) if request.param == 'torch' else pixels)


def test_visible(match):
    assert match.visible.tolist() == [[True, False], [True, True], [False, False]]
    assert len(match) == 3 and match.num_views == 2


def test_resize_follows_pixel_centres(match):
    resized = match.resize(0.25, 0.5)
    np.testing.assert_allclose(resized.pixels[0, 0], [(10.5 * 0.25) - 0.5, (20.5 * 0.5) - 0.5])
    np.testing.assert_allclose(resized.pixels[1, 0], [-0.5, -0.25])  # the left edge stays the left edge
    assert resized.visible.tolist() == match.visible.tolist()
    np.testing.assert_allclose(resized.pixels[0, 1], [-1, -1])
    np.testing.assert_allclose(match.pixels[0, 0], [10, 20])  # the original is untouched


def test_flip_mirrors_one_view(match):
    flipped = match.flip_horizontal(1, 1600)
    np.testing.assert_allclose(flipped.pixels[1, 1], [0, 899])
    np.testing.assert_allclose(flipped.pixels[:, 0], match.pixels[:, 0])
    np.testing.assert_allclose(flipped.flip_horizontal(1, 1600).pixels, match.pixels)


def test_select(match):
    np.testing.assert_allclose(match.select(np.array([2, 0])).pixels, match.pixels[[2, 0]])
    assert len(match.select(np.zeros(3, bool))) == 0
    assert match.select_views([1]).pixels.shape == (3, 1, 2)


def test_empty():
    empty = PointPixelMatch(np.zeros((0, 3, 2), np.float32))
    assert len(empty.resize(0.5, 0.5).flip_horizontal(0, 5).select(np.zeros(0, bool))) == 0


def test_to_tensor(match):
    assert match.to(torch.float64).pixels.dtype == torch.float64


@pytest.mark.parametrize('shape', [(3, 2), (3, 1, 3), (2,)])
def test_wrong_shape(shape):
    with pytest.raises(ValueError, match='N, V, 2'):
        PointPixelMatch(np.zeros(shape, np.float32))
