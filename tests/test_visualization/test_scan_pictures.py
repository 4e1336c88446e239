"""Pictures of scans are read back and looked at: the right colours in the right places."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from mmfusion_plugin.converters.scannet_taxonomy import CLASSES, PALETTE
from mmfusion_plugin.visualization.scan_pictures import CEILING, scan_views, value_views
from mmfusion_plugin.visualization.style import IGNORED_RGB

WALL, BED, CHAIR, TABLE = (CLASSES.index(name) for name in ('wall', 'bed', 'chair', 'table'))
RED, GREEN = (210, 20, 30), (20, 180, 40)


def plate(x: float, y: float, z: float = 0.0, half: float = 0.3) -> np.ndarray:
    """A level square of points 2 cm apart."""
    grid = np.stack(np.meshgrid(np.arange(-half, half, 0.02), np.arange(-half, half, 0.02)), -1).reshape(-1, 2)
    return np.column_stack([grid + [x, y], np.full(len(grid), z)])


def read(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert('RGB')).astype(int)


def where(picture: np.ndarray, colour) -> np.ndarray:
    """Rows and columns of pixels of one colour, as shares of the picture; the legend is left out."""
    found = np.argwhere(np.abs(picture - np.array(colour)).max(axis=2) <= 6) / picture.shape[:2]
    return found[found[:, 0] < 0.92]


def draw(tmp_path, plates, labels, colours=None, **options) -> np.ndarray:
    points, counts = np.concatenate(plates), [len(one) for one in plates]
    shades = np.repeat(np.array(colours or [RED] * len(plates)), counts, axis=0)
    return read(scan_views(tmp_path / 'a.png', points, shades, np.repeat(labels, counts), CLASSES, PALETTE, **options))


def test_right_is_right_and_up_is_up(tmp_path):
    picture = draw(tmp_path, [plate(0, 0), plate(2, 0), plate(0, 2)], [BED, CHAIR, TABLE])
    left = {label: where(picture, PALETTE[label]) for label in (BED, CHAIR, TABLE)}
    left = {label: found[found[:, 1] < 0.5].mean(axis=0) for label, found in left.items()}
    assert left[CHAIR][1] > left[BED][1] + 0.2 and left[CHAIR][0] == pytest.approx(left[BED][0], abs=0.01)
    assert left[TABLE][0] < left[BED][0] - 0.15 and left[TABLE][1] == pytest.approx(left[BED][1], abs=0.01)
    # Labels are in the lower row only.
    assert min(where(picture, PALETTE[label])[:, 0].min() for label in (BED, CHAIR, TABLE)) > 0.45


def test_own_colours_are_above_the_classes(tmp_path):
    picture = draw(tmp_path, [plate(0, 0), plate(2, 0)], [BED, CHAIR], [RED, GREEN])
    for colour in (RED, GREEN):
        found = where(picture, colour)
        assert len(found) and found[:, 0].max() < 0.5
        assert {int(column > 0.5) for column in found[:, 1]} == {0, 1}  # both panels


def test_truth_has_a_row_of_its_own(tmp_path):
    points = plate(0, 0)
    truth = np.full(len(points), 20)
    picture = draw(tmp_path, [points], [BED], truth=truth)
    rows = [np.histogram(where(picture, colour)[:, 0], [0, 0.34, 0.63, 0.92])[0] for colour in (RED, PALETTE[BED],
                                                                                               IGNORED_RGB)]
    assert [int(row.argmax()) for row in rows] == [0, 1, 2] and all(max(row) > 0.95 * sum(row) > 10_000 for row in rows)


def test_what_is_high_hides_what_is_low_unless_it_is_the_ceiling(tmp_path):
    def pixels_of(height):
        # Labels in the left lower panel, which is seen from above.
        picture = draw(tmp_path, [plate(0, 0, 0, 0.5), plate(0, 0, height, 0.5)], [BED, CHAIR])
        return [(where(picture, PALETTE[label])[:, 1] < 0.5).sum() for label in (BED, CHAIR)]

    bed, chair = pixels_of(1.0)
    assert chair > 10_000 and bed < 0.05 * chair
    bed, chair = pixels_of(CEILING + 0.1)
    assert bed > 10_000 and chair == 0


@pytest.mark.parametrize('azimuth', [0.0, 90.0, 180.0, -90.0])
def test_the_eye_stands_at_its_azimuth_and_looks_down(tmp_path, azimuth):
    yaw = np.deg2rad(azimuth)
    near, right = np.array([np.cos(yaw), np.sin(yaw)]), np.array([-np.sin(yaw), np.cos(yaw)])
    plates = [plate(*(2 * near)), plate(*(-2 * near)), plate(*(2 * right))]
    picture = draw(tmp_path, plates, [BED, CHAIR, TABLE], azimuth=azimuth)
    found = [where(picture, PALETTE[label]) for label in (BED, CHAIR, TABLE)]
    seen = [part[part[:, 1] > 0.5] for part in found]
    near_row, far_row = seen[0][:, 0].mean(), seen[1][:, 0].mean()
    assert near_row > far_row + 0.1  # nearer is lower in the picture
    assert np.ptp(seen[0][:, 1]) > 1.15 * np.ptp(seen[1][:, 1])  # and larger
    assert seen[2][:, 1].mean() > seen[0][:, 1].mean() + 0.1


def test_values_have_their_colours_and_nan_is_grey(tmp_path):
    points = np.concatenate([plate(-1.5, 0), plate(0, 0), plate(1.5, 0)])
    third = len(points) // 3
    rising = np.repeat([0.2, 0.9, np.nan], third)
    picture = read(value_views(tmp_path / 'v.png', points, {'one': rising, 'two': -rising}, azimuth=-90))
    assert picture.shape[1] == pytest.approx(2 * picture.shape[0], rel=0.25)
    middle = picture[: int(0.85 * len(picture))]  # without the colour bars
    low, high = (255 * np.array(colormaps['viridis'](end)[:3]) for end in (0.0, 1.0))
    for half, (left, centre) in enumerate([(low, high), (high, low)]):
        panel = middle[:, half * middle.shape[1] // 2 : (half + 1) * middle.shape[1] // 2]
        columns = [where(panel, colour)[:, 1].mean() for colour in (left, centre, IGNORED_RGB)]
        assert columns[0] < columns[1] - 0.2 < columns[2] - 0.4


def test_constant_and_absent_values_are_drawn(tmp_path):
    points = plate(0, 0)
    noise = 1 + 1e-7 * np.random.default_rng(0).normal(size=len(points))
    picture = read(value_views(tmp_path / 'v.png', points, {'c': noise, 'n': np.full(len(points), np.nan)}))
    high = 255 * np.array(colormaps['viridis'](1.0)[:3])
    assert len(where(picture, high)) > 10_000 and len(where(picture, IGNORED_RGB)) > 10_000


def test_a_single_point_is_drawn(tmp_path):
    assert len(where(draw(tmp_path, [np.zeros((1, 3))], [WALL]), PALETTE[WALL]))


def test_wrong_numbers_are_named(tmp_path):
    points = plate(0, 0)
    with pytest.raises(ValueError, match=f'prediction has 3 values for {len(points)} points'):
        scan_views(tmp_path / 'a.png', points, np.zeros((len(points), 3)), np.zeros(3, int), CLASSES, PALETTE)
    with pytest.raises(ValueError, match='no point'):
        scan_views(tmp_path / 'a.png', points[:0], np.zeros((0, 3)), np.zeros(0, int), CLASSES, PALETTE)
    with pytest.raises(ValueError, match='nothing to colour by'):
        value_views(tmp_path / 'a.png', points, {})
    assert not list(tmp_path.iterdir())
