"""Pictures are read back and looked at: the right colours in the right places."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from mmfusion_plugin.converters.nuscenes_taxonomy import CAMERAS, CLASSES, PALETTE
from mmfusion_plugin.visualization import bird_eye_view, camera_overlay
from mmfusion_plugin.visualization.style import WRONG, label_colours

CAR, TREE, PERSON = CLASSES.index('car'), CLASSES.index('vegetation'), CLASSES.index('pedestrian')


def read(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert('RGB')).astype(int)


def where(picture: np.ndarray, colour) -> np.ndarray:
    """Rows and columns of pixels of one colour, the legend's markers left out."""
    found = np.argwhere(np.abs(picture - np.array(colour)).max(axis=2) <= 6)
    return found[found[:, 0] < 0.88 * len(picture)]


def cluster(x: float, y: float, count: int = 300) -> np.ndarray:
    return np.random.default_rng(0).normal([x, y, 0], 1.0, (count, 3))


def test_forward_is_up_and_right_is_right(tmp_path):
    points = np.concatenate([cluster(0, 40), cluster(40, 0)])
    labels = np.repeat([CAR, TREE], 300)
    picture = read(bird_eye_view(tmp_path / 'a.png', points, labels, CLASSES, PALETTE))
    (car_row, car_column), (tree_row, tree_column) = (where(picture, PALETTE[c]).mean(axis=0) for c in (CAR, TREE))
    assert car_row < tree_row - 200 and tree_column > car_column + 200


def test_distances_are_to_scale(tmp_path):
    points = np.concatenate([cluster(-20, 0), cluster(20, 0)])
    picture = read(bird_eye_view(tmp_path / 'a.png', points, np.repeat([CAR, TREE], 300), CLASSES, PALETTE, limit=40))
    left, right = (where(picture, PALETTE[c])[:, 1].mean() for c in (CAR, TREE))
    panel = 8.0 * 120 * 0.98
    assert (right - left) / panel == pytest.approx(40 / 80, abs=0.01)


def test_points_beyond_the_limit_are_left_out(tmp_path):
    points = np.concatenate([cluster(0, 20), cluster(0, 70)])
    picture = read(bird_eye_view(tmp_path / 'a.png', points, np.repeat([CAR, TREE], 300), CLASSES, PALETTE))
    assert len(where(picture, PALETTE[CAR])) and not len(where(picture, PALETTE[TREE]))


def test_high_points_hide_low_ones(tmp_path):
    low, high = cluster(0, 20), cluster(0, 20) + [0, 0, 5]
    picture = read(bird_eye_view(
        tmp_path / 'a.png', np.concatenate([high, low]), np.repeat([TREE, CAR], 300), CLASSES, PALETTE))
    assert len(where(picture, PALETTE[TREE])) > 50 and not len(where(picture, PALETTE[CAR]))


def test_three_panels_compare_prediction_and_truth(tmp_path):
    points = np.concatenate([cluster(0, 20), cluster(0, -20), cluster(20, 0)])
    truth = np.repeat([CAR, TREE, 16], 300)
    predicted = np.repeat([CAR, PERSON, PERSON], 300)
    picture = read(bird_eye_view(tmp_path / 'a.png', points, predicted, CLASSES, PALETTE, truth=truth))
    third = picture.shape[1] / 3
    assert set((where(picture, PALETTE[CAR])[:, 1] // third).astype(int)) == {0, 1}
    assert set((where(picture, PALETTE[TREE])[:, 1] // third).astype(int)) == {0}
    assert set((where(picture, PALETTE[PERSON])[:, 1] // third).astype(int)) == {1}
    red = where(picture, [int(WRONG[i : i + 2], 16) for i in (1, 3, 5)])
    assert len(red) and set((red[:, 1] // third).astype(int)) == {2}
    # Of the two wrong clusters only the labelled one, behind the car, counts.
    assert red[:, 0].mean() > picture.shape[0] / 2


def test_no_point_at_all_is_drawn_as_an_empty_street(tmp_path):
    path = bird_eye_view(tmp_path / 'a.png', np.zeros((0, 3)), np.zeros(0, int), CLASSES, PALETTE)
    assert read(path).shape[0] > 500


def test_box_outlines_change_the_picture(tmp_path):
    points, labels = cluster(0, 20), np.full(300, CAR)
    box = np.array([[10.0, 10, 0, 8, 4, 2, 0.3]])
    plain = read(bird_eye_view(tmp_path / 'a.png', points, labels, CLASSES, PALETTE))
    outlined = read(bird_eye_view(tmp_path / 'b.png', points, labels, CLASSES, PALETTE, boxes=box))
    rows, columns = np.nonzero((plain != outlined).any(axis=2)[: int(0.85 * len(plain))])
    # 10 m to the right of the middle and above it.
    assert columns.mean() == pytest.approx(960 * (0.5 + 0.98 * 10 / 100), abs=25) and len(rows) > 50


def test_labels_must_fit_the_points(tmp_path):
    with pytest.raises(ValueError, match='truth has shape'):
        bird_eye_view(tmp_path / 'a.png', cluster(0, 0), None, CLASSES, PALETTE, truth=np.zeros(3, int))
    with pytest.raises(ValueError, match='nothing to colour by'):
        bird_eye_view(tmp_path / 'a.png', cluster(0, 0), None, CLASSES, PALETTE)


def test_unknown_labels_are_grey():
    colours = label_colours(np.array([0, 16, 255, -1]), PALETTE) * 255
    np.testing.assert_allclose(colours[0], PALETTE[0])
    assert (colours[1:] == colours[1]).all()


def rig(count: int = 6):
    """Black images of 160x90, a hundred points, none seen."""
    return [np.zeros((90, 160, 3), np.uint8)] * count, np.full((100, count, 2), -1.0), np.full(100, 10.0)


@pytest.mark.parametrize('view', range(6))
def test_each_camera_has_its_place(tmp_path, view):
    images, pixels, distance = rig()
    pixels[:, view] = [80, 45]
    picture = read(camera_overlay(
        tmp_path / 'a.png', images, pixels, distance, np.full(100, CAR), CLASSES, PALETTE, CAMERAS))
    row, column = where(picture, PALETTE[CAR]).mean(axis=0)
    name = CAMERAS[view]
    expected = 0 if name.endswith('LEFT') else 2 if name.endswith('RIGHT') else 1
    assert int(column / picture.shape[1] * 3) == expected
    assert (row < picture.shape[0] / 2) == name.startswith('CAM_FRONT')


def test_point_lies_on_its_pixel(tmp_path):
    images, pixels, distance = rig(1)
    pixels[:, 0] = [40, 30]
    picture = read(camera_overlay(
        tmp_path / 'a.png', images, pixels, distance, np.full(100, CAR), CLASSES, PALETTE, ['CAM']))
    row, column = where(picture, PALETTE[CAR]).mean(axis=0)
    tile = np.argwhere((np.abs(picture - 64) <= 3).all(axis=2))
    top, left, bottom, right = *tile.min(axis=0), *tile.max(axis=0)
    assert (column - left) / (right - left) == pytest.approx(40.5 / 160, abs=0.006)
    assert (row - top) / (bottom - top) == pytest.approx(30.5 / 90, abs=0.012)


def test_near_points_are_larger_and_in_front(tmp_path):
    images, pixels, distance = rig(1)
    pixels[0, 0], pixels[1, 0], pixels[2, 0] = [40, 45], [120, 45], [120, 45]
    distance[:3] = [4, 50, 4]
    labels = np.full(100, CAR)
    labels[1], labels[2] = TREE, PERSON
    picture = read(camera_overlay(tmp_path / 'a.png', images, pixels, distance, labels, CLASSES, PALETTE, ['CAM']))
    assert not len(where(picture, PALETTE[TREE])) and len(where(picture, PALETTE[PERSON])) > 10
    distance[0] = 50
    smaller = read(camera_overlay(tmp_path / 'a.png', images, pixels, distance, labels, CLASSES, PALETTE, ['CAM']))
    assert len(where(smaller, PALETTE[CAR])) < len(where(picture, PALETTE[CAR]))


def test_truth_stands_below_the_prediction(tmp_path):
    images, pixels, distance = rig()
    pixels[:, 0] = [80, 45]
    picture = read(camera_overlay(
        tmp_path / 'a.png', images, pixels, distance, np.full(100, CAR), CLASSES, PALETTE, CAMERAS,
        truth=np.full(100, PERSON)))
    assert where(picture, PALETTE[CAR])[:, 0].max() < where(picture, PALETTE[PERSON])[:, 0].min()


def test_overlay_refuses_what_does_not_fit(tmp_path):
    images, pixels, distance = rig()
    with pytest.raises(ValueError, match='5 camera names'):
        camera_overlay(
            tmp_path / 'a.png', images, pixels, distance, np.zeros(100, int), CLASSES, PALETTE, CAMERAS[:5])
    with pytest.raises(ValueError, match='distance has shape'):
        camera_overlay(
            tmp_path / 'a.png', images, pixels, distance[:9], np.zeros(100, int), CLASSES, PALETTE, CAMERAS)


def test_failed_drawing_keeps_the_old_picture(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    path = bird_eye_view(tmp_path / 'a.png', cluster(0, 0), np.full(300, CAR), CLASSES, PALETTE)
    before = path.read_bytes()

    def fail(self, target, **kwargs):
        target.write_bytes(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(Figure, 'savefig', fail)
    with pytest.raises(OSError, match='disk full'):
        bird_eye_view(path, cluster(0, 0), np.full(300, TREE), CLASSES, PALETTE)
    assert path.read_bytes() == before


def test_pyplot_keeps_no_figure(tmp_path):
    def figures() -> list[int]:
        pyplot = sys.modules.get('matplotlib.pyplot')
        return pyplot.get_fignums() if pyplot else []

    before = figures()  # other tests may have left some
    bird_eye_view(tmp_path / 'a.png', cluster(0, 0), np.full(300, CAR), CLASSES, PALETTE)
    assert figures() == before
