"""Points of pixels against a formula written pixel by pixel, and the way back from points to pixels."""

from __future__ import annotations

from itertools import product
from typing import Any, Optional

import numpy as np
import pytest

from mmfusion_plugin.ops.pixel_to_point import FOREGROUNDS, NORMALISATIONS, Z_MODES, PixelPoints, pixel_to_point

HEIGHT, WIDTH = 13, 21


def photograph(seed: int = 0, share: float = 0.4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image with some black pixels, mask of values other than 1, depth."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    image[rng.random((HEIGHT, WIDTH)) < 0.3] = 0
    image[0, 0], image[0, 1], image[0, 2] = (1, 0, 0), (0, 1, 0), (0, 0, 1)
    mask = (rng.random((HEIGHT, WIDTH)) < share) * rng.integers(1, 256, (HEIGHT, WIDTH))
    return image, mask.astype(np.uint8), rng.uniform(2, 9, (HEIGHT, WIDTH)).astype(np.float32)


def foreground_pixels(image: np.ndarray, mask: Optional[np.ndarray], foreground: str) -> set[tuple[int, int]]:
    kept = set()
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            inside = mask is None or mask[row, column] > 0
            if inside and (foreground == 'mask' or max(image[row, column].tolist()) > 0):
                kept.add((column, row))
    return kept


def expected_points(
    pixels: np.ndarray, image: np.ndarray, depth: np.ndarray, normalize: str, z_mode: str, bgr: bool
) -> np.ndarray:
    """(N, 6) float64."""
    height, width = image.shape[:2]
    half = max(height, width) / 2
    rows = []
    for column, row in pixels.tolist():
        red, green, blue = (image[row, column].tolist()[::-1] if bgr else image[row, column].tolist())
        z = {'mean_rgb': (red + green + blue) / 3, 'zero': 0.0, 'gray': 0.299 * red + 0.587 * green + 0.114 * blue,
             'depth': float(depth[row, column])}[z_mode]
        x, y = (column + 0.5 - width / 2) / half, (height / 2 - row - 0.5) / half
        rows.append([column, row, z, red / 255, green / 255, blue / 255] if normalize == 'none' else
                    [x, y, z / 255, red / 255, green / 255, blue / 255])
    points = np.array(rows)
    if normalize != 'none' and z_mode == 'depth':
        z = points[:, 2]
        points[:, 2] = (z - z.min()) / (z.max() - z.min())
    if normalize == 'unit_sphere':
        points[:, :3] -= points[:, :3].mean(0)
        points[:, :3] /= np.sqrt((points[:, :3] ** 2).sum(1).max())
    return points


@pytest.mark.parametrize('normalize, z_mode', list(product(NORMALISATIONS, Z_MODES)))
def test_each_point_is_its_pixel(normalize: str, z_mode: str) -> None:
    for foreground, features, sampling, order, masked in product(
        FOREGROUNDS, ('xyz', 'xyzrgb'), ('random', 'fps'), ('bgr', 'rgb'), (True, False)
    ):
        image, mask, depth = photograph()
        given = mask if masked or foreground == 'mask' else None
        cloud = pixel_to_point(image, given, depth, 40, foreground, normalize, z_mode, features, sampling, order)
        kept = foreground_pixels(image, given, foreground)
        chosen = [tuple(pixel) for pixel in cloud.pixels.tolist()]
        assert cloud.num_foreground == len(kept) > 40
        assert len(set(chosen)) == 40 and set(chosen) <= kept
        expected = expected_points(cloud.pixels, image, depth, normalize, z_mode, order == 'bgr')
        assert cloud.points.dtype == np.float32 and cloud.points.shape == (40, 6 if features == 'xyzrgb' else 3)
        np.testing.assert_allclose(cloud.points, expected[:, : cloud.points.shape[1]], atol=1e-5, rtol=1e-6)


def test_points_lead_back_to_pixels_of_their_colour() -> None:
    """From coordinates alone, without the pixels that come with the cloud."""
    image, mask, _ = photograph(1)
    points = pixel_to_point(image, mask, num_points=60, features='xyzrgb').points.astype(np.float64)
    half = max(HEIGHT, WIDTH) / 2
    columns, rows = points[:, 0] * half + WIDTH / 2 - 0.5, HEIGHT / 2 - 0.5 - points[:, 1] * half
    for pixel in (columns, rows):
        np.testing.assert_allclose(pixel, pixel.round(), atol=1e-5)
    columns, rows = columns.round().astype(int), rows.round().astype(int)
    assert (mask[rows, columns] > 0).all()
    np.testing.assert_allclose(points[:, 3:] * 255, image[rows, columns][:, ::-1], atol=1e-4)
    np.testing.assert_allclose(points[:, 2] * 255, image[rows, columns].mean(1), atol=1e-4)


@pytest.mark.parametrize('foreground', FOREGROUNDS)
@pytest.mark.parametrize('shape', [(1, 1), (1, 50), (50, 1), (17, 33), (40, 5)])
def test_all_pixels_in_order(foreground: str, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    image = rng.integers(0, 2, (*shape, 3), dtype=np.uint8) * rng.integers(0, 2, (*shape, 1), dtype=np.uint8)
    mask = rng.integers(0, 2, shape).astype(bool)
    mask[0, 0], image[0, 0] = True, 7
    views = [(image, mask), (image[::-1, ::-1], mask[::-1, ::-1]), (np.asfortranarray(image), np.asfortranarray(mask))]
    for picture, part in views:
        cloud = pixel_to_point(picture, part, num_points=None, foreground=foreground)
        kept = part & picture.any(axis=2) if foreground == 'nonblack' else part
        np.testing.assert_array_equal(cloud.pixels[:, ::-1], np.argwhere(kept))
        assert cloud.num_foreground == len(cloud.points) == kept.sum()


def test_every_pixel_is_as_likely() -> None:
    image, mask, _ = photograph(3)
    rng, draws, size = np.random.default_rng(0), 3000, 30
    count = np.zeros((HEIGHT, WIDTH))
    for _ in range(draws):
        columns, rows = pixel_to_point(image, mask, num_points=size, rng=rng).pixels.T
        count[rows, columns] += 1
    assert not count[mask == 0].any()
    likely = size / (mask > 0).sum()
    spread = np.sqrt(draws * likely * (1 - likely))
    assert np.abs(count[mask > 0] - draws * likely).max() < 5 * spread


def test_order_of_points_tells_nothing() -> None:
    """A network that looks at the first points only sees the whole object, with few pixels as with many."""
    image, mask, _ = photograph(3)
    for size in (30, int((mask > 0).sum()), 200):
        clouds = [pixel_to_point(image, mask, num_points=size, rng=np.random.default_rng(i)) for i in range(60)]
        first = [cloud.pixels[0, 1] for cloud in clouds]
        assert min(first) < HEIGHT // 4 and max(first) > 3 * HEIGHT // 4


def test_fewer_pixels_than_points() -> None:
    """All once, the rest drawn again."""
    image, mask, _ = photograph(4, share=0.05)
    kept = foreground_pixels(image, mask, 'mask')
    assert 1 < len(kept) < 40
    for sampling in ('random', 'fps'):
        cloud = pixel_to_point(image, mask, num_points=100, sampling=sampling)
        chosen = [tuple(pixel) for pixel in cloud.pixels.tolist()]
        assert len(chosen) == 100 and set(chosen[: len(kept)]) == kept == set(chosen)
        assert cloud.num_foreground == len(kept)


@pytest.mark.parametrize('normalize, z_mode', list(product(NORMALISATIONS, Z_MODES)))
@pytest.mark.parametrize('sampling', ['random', 'fps'])
def test_one_pixel(normalize: str, z_mode: str, sampling: str) -> None:
    image, mask, depth = photograph()
    mask[:] = 0
    mask[4, 6], image[4, 6] = 255, (30, 60, 90)
    cloud = pixel_to_point(image, mask, depth, 8, 'mask', normalize, z_mode, 'xyzrgb', sampling)
    assert cloud.num_foreground == 1 and (cloud.pixels == [6, 4]).all() and np.isfinite(cloud.points).all()
    assert np.ptp(cloud.points, axis=0).max() == 0
    np.testing.assert_allclose(cloud.points[0, 3:], np.array([90, 60, 30]) / 255, atol=1e-6)
    if normalize == 'unit_sphere':
        np.testing.assert_allclose(cloud.points[:, :3], 0, atol=1e-12)


@pytest.mark.parametrize('features, width', [('xyz', 3), ('xyzrgb', 6)])
@pytest.mark.parametrize('foreground', FOREGROUNDS)
def test_no_pixel(foreground: str, features: str, width: int) -> None:
    image, mask, _ = photograph()
    for picture, part in ((image, np.zeros_like(mask)), (np.zeros_like(image), np.zeros_like(mask))):
        cloud = pixel_to_point(picture, part, num_points=7, foreground=foreground, features=features)
        assert isinstance(cloud, PixelPoints) and cloud.num_foreground == 0
        assert cloud.points.shape == (7, width) and not cloud.points.any() and (cloud.pixels == -1).all()
        assert pixel_to_point(picture, part, num_points=None, foreground=foreground).points.shape == (0, 3)


def test_farthest_points_are_the_farthest() -> None:
    """With all pixels as candidates, each point is one that lies farthest from all before it."""
    image, mask, _ = photograph(5)
    everything = pixel_to_point(image, mask, num_points=None).points.astype(np.float64)
    chosen = pixel_to_point(image, mask, num_points=20, sampling='fps').points.astype(np.float64)
    assert len(everything) <= 8 * 20
    for step in range(1, 20):
        nearest = np.linalg.norm(everything[:, None] - chosen[None, :step], axis=2).min(1)
        own = np.linalg.norm(chosen[step] - chosen[:step], axis=1).min()
        assert own == pytest.approx(nearest.max(), rel=1e-5)


def test_farthest_points_of_many_pixels() -> None:
    image = np.full((200, 200, 3), 128, np.uint8)
    mask = np.ones((200, 200), np.uint8)
    gaps = {}
    for sampling in ('random', 'fps'):
        points = pixel_to_point(image, mask, num_points=64, sampling=sampling).points.astype(np.float64)
        distance = np.linalg.norm(points[:, None] - points[None], axis=2) + 9 * np.eye(64)
        gaps[sampling] = distance.min()
    assert gaps['fps'] > 3 * gaps['random']


def test_randomness_is_the_callers() -> None:
    image, mask, _ = photograph(6)
    clouds = [pixel_to_point(image, mask, num_points=30, rng=rng and np.random.default_rng(rng)).pixels
              for rng in (5, 5, 6, None, None)]
    assert np.array_equal(clouds[0], clouds[1]) and np.array_equal(clouds[3], clouds[4])
    assert not np.array_equal(clouds[0], clouds[2])


def test_mirrored_images_give_mirrored_clouds() -> None:
    image, mask, _ = photograph(7)
    plain = pixel_to_point(image, mask, num_points=None, features='xyzrgb').points
    for axis in (0, 1):
        turned = pixel_to_point(np.flip(image, axis), np.flip(mask, axis), num_points=None, features='xyzrgb').points
        turned = turned * np.where(np.arange(6) == 1 - axis, -1, 1)
        np.testing.assert_allclose(np.unique(turned, axis=0), np.unique(plain, axis=0), atol=1e-6)


def test_frame_of_the_image() -> None:
    """The longer side reaches to 1, less half a pixel; up is up, white is 1."""
    image, mask = np.full((10, 40, 3), 255, np.uint8), np.zeros((10, 40), np.uint8)
    mask[0, 0] = mask[-1, -1] = 1
    first, last = pixel_to_point(image, mask, num_points=None).points
    np.testing.assert_allclose(first, [-39 / 40, 9 / 40, 1], atol=1e-6)
    np.testing.assert_allclose(last, [39 / 40, -9 / 40, 1], atol=1e-6)


def test_depth_of_the_background_does_not_matter() -> None:
    image, mask, depth = photograph(8)
    clean = pixel_to_point(image, mask, depth, z_mode='depth')
    depth[mask == 0] = np.nan
    np.testing.assert_array_equal(pixel_to_point(image, mask, depth, z_mode='depth').points, clean.points)
    depth[mask > 0] = np.inf
    with pytest.raises(ValueError, match='NaN or infinity'):
        pixel_to_point(image, mask, depth, z_mode='depth')
    flat = pixel_to_point(image, mask, np.full_like(depth, 3), z_mode='depth')
    assert not flat.points[:, 2].any()


IMAGE, MASK, DEPTH = photograph()


@pytest.mark.parametrize('error, match, image, kwargs', [
    (TypeError, 'before colours are normalised', IMAGE.astype(np.float32), {}),
    (TypeError, 'mask must be uint8', IMAGE, dict(mask=MASK.astype(np.float32))),
    (ValueError, r'\(H, W, 3\)', IMAGE[..., 0], {}),
    (ValueError, 'a pixel at least', IMAGE[:0], dict(mask=MASK[:0])),
    (ValueError, 'needs a mask', IMAGE, dict(mask=None)),
    (ValueError, 'needs a depth_map', IMAGE, dict(z_mode='depth')),
    (ValueError, 'mask must be', IMAGE, dict(mask=MASK.T)),
    (ValueError, 'depth_map must be', IMAGE, dict(z_mode='depth', depth_map=DEPTH[1:])),
    (ValueError, 'num_points', IMAGE, dict(num_points=0)),
    (ValueError, 'num_points', IMAGE, dict(num_points=2.5)),
    *((ValueError, name, IMAGE, {name: 'other'})
      for name in ('foreground', 'normalize', 'z_mode', 'features', 'sampling', 'channel_order')),
])  # fmt: skip
def test_wrong_input_is_refused(error: type, match: str, image: np.ndarray, kwargs: dict[str, Any]) -> None:
    with pytest.raises(error, match=match):
        pixel_to_point(image, **{'mask': MASK, **kwargs})
