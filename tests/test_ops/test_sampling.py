"""Sampling of maps whose values are the pixel coordinates themselves: what comes out must be where we asked."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mmfusion_plugin.ops.sampling import sample_at_pixels

HEIGHT, WIDTH = 96, 160


def coordinate_map(stride: int) -> Tensor:
    """Pixel coordinates [u, v], averaged over the cells of a map of this stride: (2, h, w)."""
    v, u = torch.meshgrid(torch.arange(float(HEIGHT)), torch.arange(float(WIDTH)), indexing='ij')
    return functional.avg_pool2d(torch.stack([u, v])[None], stride)[0]


def random_pixels(count: int) -> Tensor:
    """Everywhere in the image, to its edges."""
    return torch.rand(count, 2) * torch.tensor([WIDTH, HEIGHT]) - 0.5


@pytest.mark.parametrize('stride', [1, 4, 8, 16])
def test_bilinear_gives_the_position(stride: int) -> None:
    pixels = random_pixels(5000)
    sampled = sample_at_pixels(coordinate_map(stride), pixels, stride)
    half = (stride - 1) / 2
    # Beyond the centres of the outermost cells the border's value holds.
    expected = torch.stack([pixels[:, 0].clamp(half, WIDTH - 1 - half), pixels[:, 1].clamp(half, HEIGHT - 1 - half)], 1)
    assert float((sampled - expected).abs().max()) < 0.02


@pytest.mark.parametrize('stride', [1, 4, 8, 16])
def test_nearest_gives_the_cell_that_the_pixel_lies_in(stride: int) -> None:
    pixels = random_pixels(5000)
    sampled = sample_at_pixels(coordinate_map(stride), pixels, stride, mode='nearest')
    cell = ((pixels.double() + 0.5) / stride).floor()
    assert float((sampled - (cell * stride + (stride - 1) / 2)).abs().max()) < 0.02


@pytest.mark.parametrize('mode', ['bilinear', 'nearest'])
def test_whole_pixels_at_stride_one_are_the_pixels(mode: str) -> None:
    image = torch.rand(3, 5, 7)
    v, u = torch.meshgrid(torch.arange(5), torch.arange(7), indexing='ij')
    pixels = torch.stack([u, v], -1).view(-1, 2).float()
    assert torch.equal(sample_at_pixels(image, pixels, 1, mode), image.view(3, -1).t())


def test_bilinear_equals_grid_sample() -> None:
    feature_map, pixels = torch.randn(6, 12, 20), random_pixels(400)
    grid = (2 * pixels + 1) / torch.tensor([WIDTH, HEIGHT]) - 1
    expected = functional.grid_sample(feature_map[None], grid[None, None], padding_mode='border', align_corners=False)
    torch.testing.assert_close(sample_at_pixels(feature_map, pixels, 8), expected[0, :, 0].t(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('mode', ['bilinear', 'nearest'])
def test_outside_the_image_is_zero_without_gradient(mode: str) -> None:
    feature_map = torch.ones(2, 3, 4, requires_grad=True)
    nan = float('nan')
    outside = [[-1, -1], [-0.6, 3], [31.5, 3], [3, 23.5], [nan, 3], [3, nan], [1e30, 0], [float('inf'), 0], [-1e30, 0]]
    sampled = sample_at_pixels(feature_map, torch.tensor(outside + [[-0.5, -0.5], [31.49, 23.49]]), 8, mode)
    assert bool((sampled[:-2] == 0).all()) and torch.allclose(sampled[-2:], torch.ones(2, 2))
    sampled[:-2].sum().backward()
    assert bool((feature_map.grad == 0).all())


@pytest.mark.parametrize('value', [torch.inf, torch.nan])
@pytest.mark.parametrize('mode', ['bilinear', 'nearest'])
def test_outside_is_zero_whatever_the_map_holds(mode: str, value: float) -> None:
    feature_map = torch.full((2, 3, 4), value, requires_grad=True)
    pixels = torch.tensor([[-1.0, -1.0], [40.0, 3.0], [torch.nan, 0.0]], requires_grad=True)
    sampled = sample_at_pixels(feature_map, pixels, 8, mode)
    assert bool((sampled == 0).all())
    sampled.sum().backward()
    assert bool((feature_map.grad == 0).all()) and (mode == 'nearest' or bool((pixels.grad == 0).all()))


@pytest.mark.parametrize('mode', ['bilinear', 'nearest'])
def test_images_of_a_batch_do_not_mix(mode: str) -> None:
    maps, pixels, image = torch.randn(3, 4, 6, 10), random_pixels(200), torch.randint(0, 3, (200,))
    sampled = sample_at_pixels(maps, pixels, 16, mode, image_index=image)
    for each in range(3):
        alone = sample_at_pixels(maps[each], pixels[image == each], 16, mode)
        torch.testing.assert_close(sampled[image == each], alone)


@pytest.mark.parametrize('mode', ['bilinear', 'nearest'])
def test_gradient(mode: str) -> None:
    maps = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    pixels = torch.rand(9, 2, dtype=torch.float64) * torch.tensor([46.0, 38.0]) - 3.0
    image = torch.randint(0, 2, (9,))
    assert torch.autograd.gradcheck(lambda m: sample_at_pixels(m, pixels, 8, mode, image), (maps,))
    if mode == 'bilinear':
        pixels.requires_grad_()
        assert torch.autograd.gradcheck(lambda p: sample_at_pixels(maps.detach(), p, 8, mode, image), (pixels,))


def test_large_batches_keep_their_precision() -> None:
    """Row numbers of a large batch of maps are beyond float32's integers."""
    maps = torch.zeros(3, 1, 2900, 2900)
    maps[2, 0, 2899, 2898] = 5.0
    sampled = sample_at_pixels(maps, torch.tensor([[2898.0, 2899.0]]), 1, image_index=torch.tensor([2]))
    assert sampled.item() == 5.0


@pytest.mark.parametrize('mode', ['bilinear', 'nearest'])
def test_half_precision_and_sizes(mode: str) -> None:
    feature_map = torch.randn(3, 4, 5)
    pixels = torch.rand(20, 2) * 30
    half = sample_at_pixels(feature_map.half(), pixels, 8, mode)
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), sample_at_pixels(feature_map, pixels, 8, mode), atol=5e-3, rtol=5e-3)
    assert sample_at_pixels(feature_map, pixels[:0], 8, mode).shape == (0, 3)
    assert sample_at_pixels(feature_map, pixels[:1], 8, mode).shape == (1, 3)
    assert sample_at_pixels(feature_map[:0], pixels, 8, mode).shape == (20, 0)
    one_cell = sample_at_pixels(feature_map[:, :1, :1], torch.tensor([[0.0, 7.0]]), 8, mode)
    torch.testing.assert_close(one_cell[0], feature_map[:, 0, 0])


def test_wrong_input_is_refused() -> None:
    single, pixels, index = torch.randn(3, 4, 5), torch.rand(6, 2), torch.zeros(6, dtype=torch.long)
    batch = single[None]
    for call, error, text in (
        (lambda: sample_at_pixels(single.long(), pixels, 8), TypeError, 'floating'),
        (lambda: sample_at_pixels(single, pixels.long(), 8), TypeError, 'floating'),
        (lambda: sample_at_pixels(single, torch.rand(6, 3), 8), ValueError, r'\(N, 2\)'),
        (lambda: sample_at_pixels(batch, pixels, 8), ValueError, 'image_index'),
        (lambda: sample_at_pixels(single, pixels, 8, image_index=index), ValueError, 'image_index'),
        (lambda: sample_at_pixels(single[:, :0], pixels, 8), ValueError, r'\(3, 0, 5\)'),
        (lambda: sample_at_pixels(single, pixels, 0), ValueError, 'stride must be positive'),
        (lambda: sample_at_pixels(single, pixels, 8, 'bicubic'), ValueError, 'bicubic'),
        (lambda: sample_at_pixels(batch, pixels, 8, image_index=index.int()), TypeError, 'int64'),
        (lambda: sample_at_pixels(batch, pixels, 8, image_index=index[:2]), ValueError, r'must be \(6,\)'),
        (lambda: sample_at_pixels(batch, pixels, 8, image_index=index + 1), ValueError, 'the map holds 1'),
    ):
        with pytest.raises(error, match=text):
            call()
