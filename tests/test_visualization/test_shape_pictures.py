"""Turntables, voxels and sheets: what is drawn lies where the camera of 3D-R2N2 sees it."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from mmfusion_plugin.visualization.cloud_views import GROUND
from mmfusion_plugin.visualization.model_sheet import ModelFiles, model_sheet
from mmfusion_plugin.visualization.shape_pictures import samples_picture, turntable_picture
from mmfusion_plugin.visualization.style import new_figure, save_figure
from mmfusion_plugin.visualization.turntable import (
    Stage,
    draw_view,
    height_colours,
    spread_colours,
    stage_of,
    view_rotation,
)
from mmfusion_plugin.visualization.voxel_views import draw_voxels

STAGE = Stage(np.zeros(3), 1.0, -0.8)
RED, LIME, BLUE = (1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)


def picture(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert('RGB')).astype(int)


def near(pixels: np.ndarray, colour, tolerance: int = 60) -> np.ndarray:
    """(H, W) bool."""
    return (np.abs(pixels - np.round(255 * np.array(to_rgb(colour)))) < tolerance).all(axis=2)


def bare(tmp_path, draw) -> np.ndarray:
    """A panel of 480 x 480 pixels without margins."""
    figure = new_figure(4, 4)
    draw(figure.add_axes([0, 0, 1, 1]))
    return picture(save_figure(figure, tmp_path / 'panel.png'))


def place(pixels: np.ndarray, colour) -> tuple:
    """Mean row and column of a colour, in -1..1 upwards and to the right."""
    rows, columns = near(pixels, colour).nonzero()
    return 1 - rows.mean() / 239.5, columns.mean() / 239.5 - 1


@pytest.mark.parametrize('azimuth, elevation', [(0, 0), (37, 0), (140, 25), (300, 80)])
def test_eye_of_r2n2(azimuth, elevation):
    """The camera at 1.75 r (cos e cos a, sin e, cos e sin a) looks at the origin, upright."""
    rotation = view_rotation(azimuth, elevation)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    a, e = np.radians([azimuth, elevation])
    eye = [np.cos(e) * np.cos(a), np.sin(e), np.cos(e) * np.sin(a)]
    np.testing.assert_allclose(rotation @ eye, [0, 0, 1], atol=1e-12)
    upright = rotation @ [0, 1, 0]
    assert upright[0] == pytest.approx(0) and upright[1] > 0


def test_points_are_drawn_where_they_are_seen(tmp_path):
    """From the front (+x), z is to the left and y up; near ones hide far ones; shadows lie on the floor."""
    points = np.array([[0, 0.5, 0.5], [0.5, 0, 0], [-0.5, 0, 0]])
    colours = np.array([RED, LIME, BLUE])
    pixels = bare(tmp_path, lambda axes: draw_view(axes, points, colours, STAGE, 4, (0, 0), fade=False))
    np.testing.assert_allclose(place(pixels, RED), (0.5, -0.5), atol=0.02)
    np.testing.assert_allclose(place(pixels, LIME), (0, 0), atol=0.02)
    assert not near(pixels, BLUE).any() and near(pixels, GROUND, 4).mean() > 0.95
    pixels = bare(tmp_path, lambda axes: draw_view(axes, points[:1], colours[:1], STAGE, 4, (90, 30), fade=False))
    rotation = view_rotation(90, 30)
    for colour, point in ((RED, points[0]), ('#c3cad3', points[0] * [1, 0, 1] + [0, -0.8, 0])):
        if colour == RED:
            np.testing.assert_allclose(place(pixels, colour), (rotation @ point)[[1, 0]], atol=0.02)
        else:
            rows, columns = near(pixels, colour, 4).nonzero()
            np.testing.assert_allclose(
                (1 - rows.mean() / 239.5, columns.mean() / 239.5 - 1), (rotation @ point)[[1, 0]], atol=0.02
            )


def test_far_points_fade(tmp_path):
    points = np.array([[0.9, 0, 0.5], [-0.9, 0, -0.5]])
    colours = np.zeros((2, 3))
    pixels = bare(tmp_path, lambda axes: draw_view(axes, points, colours, STAGE, 4, (0, 0)))
    assert pixels[:, :240].min() < 30 and 80 < pixels[:, 240:].min() < 160


def test_everything_is_on_the_stage():
    rng = np.random.default_rng(0)
    clouds = [rng.normal(size=(40, 3)) * [3, 1, 0.2] + 7, rng.normal(size=(9, 3))]
    views = [(0, 20), (45, 20), (180, 70)]
    stage = stage_of(clouds, views)
    for view in views:
        for cloud in clouds:
            assert np.abs((cloud - stage.middle) @ view_rotation(*view)[:2].T).max() < stage.half
    assert stage.floor == min(cloud[:, 1].min() for cloud in clouds)
    assert stage_of([np.zeros((0, 3))], views).half == 1 and stage_of([np.zeros((5, 3))], views).half > 0


def test_colours_follow_height_and_spread():
    points = np.array([[0, -1.0, 0], [5, -1, 2], [0, 1, 0]])
    colours = height_colours(points, stage_of([points], [(0, 0)]))
    assert (colours[0] == colours[1]).all() and colours[2].sum() > colours[0].sum()
    assert spread_colours(np.array([0.0, 1, 2]))[:, 0].tolist() == sorted(spread_colours(np.array([0.0, 1, 2]))[:, 0])
    assert np.isfinite(spread_colours(np.zeros(3))).all() and spread_colours(np.zeros(0)).shape == (0, 3)


def test_voxels_lie_where_their_centres_are(tmp_path):
    """One voxel, and another that hides it from one side only; each side has its own light."""
    occupied = np.zeros((4, 4, 4), bool)
    occupied[3, 2, 0] = True
    pixels = bare(tmp_path, lambda axes: draw_voxels(axes, occupied, np.full(3, -1.0), 0.5, STAGE, (0, 0)))
    rows, columns = (~near(pixels, GROUND, 3)).nonzero()
    # z from -1 to -0.5 is at the right of someone who looks along -x; y from 0 to 0.5.
    assert (rows.min(), rows.max()) == pytest.approx((120, 240), abs=2)
    assert (columns.min(), columns.max()) == pytest.approx((360, 480), abs=2)
    above = bare(tmp_path, lambda axes: draw_voxels(axes, occupied, np.full(3, -1.0), 0.5, STAGE, (30, 30)))
    shades = {tuple(pixel) for pixel in above[~near(above, GROUND, 3)]}
    counts = sorted(((above == shade).all(axis=2).sum() for shade in shades), reverse=True)
    assert counts[2] > 500 > counts[3]  # three sides; the rest is edges
    solid = np.ones((4, 4, 4), bool)
    full = bare(tmp_path, lambda axes: draw_voxels(axes, solid, np.full(3, -1.0), 0.5, STAGE, (0, 0)))
    assert not near(full, GROUND, 3)[5:-5, 5:-5].any()
    empty = bare(tmp_path, lambda axes: draw_voxels(axes, occupied & False, np.full(3, -1.0), 0.5, STAGE, (0, 0)))
    assert near(empty, GROUND, 3).all()


def cloud(seed: int = 0, count: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (count, 3))


def test_panels_follow_what_is_given(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 10:50] = 1
    sizes = {}
    for name, truth in (('alone', None), ('beside', cloud(1, 90))):
        path = turntable_picture(tmp_path / f'{name}.png', image, mask, image[:32, :32], cloud(), truth, name)
        sizes[name] = picture(path).shape
    assert sizes['alone'] == sizes['beside'] and sizes['alone'][1] > 1400
    turntable_picture(tmp_path / 'one.png', image, None, image, np.zeros((1, 3)))
    widths = []
    for count in (2, 6):
        samples = np.stack([cloud(seed) for seed in range(count)])
        path = samples_picture(tmp_path / f'{count}.png', cloud(), samples, samples.std(0).sum(1))
        widths.append(picture(path).shape[1])
    assert widths[1] - widths[0] == pytest.approx(2 * 286, abs=4)  # four samples at most
    samples_picture(tmp_path / 'same.png', cloud(), np.stack([cloud()] * 2), np.zeros(60))


def test_sheet_of_models(tmp_path):
    rendered = np.zeros((137, 137, 4), np.uint8)
    rendered[40:90, 40:90] = (255, 0, 0, 255)
    occupied = np.zeros((4, 4, 4), bool)
    occupied[1:3] = True
    model = ModelFiles('chair: 1', [rendered] * 2, [(10.0, 25.0), (200.0, 30.0)], cloud(), occupied,
                       np.full(3, -0.5), 0.25)  # fmt: skip
    model_sheet(tmp_path / 'one.png', [model])
    model_sheet(tmp_path / 'two.png', [model, model._replace(pictures=[rendered], viewpoints=[(10.0, 25.0)])], 'models')
    one, two = picture(tmp_path / 'one.png'), picture(tmp_path / 'two.png')
    assert two.shape[1] == one.shape[1] and two.shape[0] > 1.6 * one.shape[0]
    assert near(one, RED).sum() == pytest.approx(2 * (50 / 137 * 228) ** 2, rel=0.1)
    assert near(two, RED).sum() == pytest.approx(1.5 * near(one, RED).sum(), rel=0.05)
    for wrong in ([], [model._replace(pictures=[])]):
        with pytest.raises(ValueError, match='no model to draw'):
            model_sheet(tmp_path / 'none.png', wrong)
