"""Pictures of photographs, masks and clouds: what is drawn lies where it belongs."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from mmfusion_plugin.visualization.cloud_views import GROUND, depth_scale, draw_cloud
from mmfusion_plugin.visualization.contact_sheet import contact_sheet
from mmfusion_plugin.visualization.image_clouds import image_cloud_picture
from mmfusion_plugin.visualization.outlines import OUTLINE, draw_outlined, object_box
from mmfusion_plugin.visualization.style import new_figure, save_figure


def picture(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert('RGB')).astype(int)


def near(pixels: np.ndarray, colour, tolerance: int = 40) -> np.ndarray:
    """(H, W) bool."""
    return (np.abs(pixels - np.round(255 * np.array(to_rgb(colour)))) < tolerance).all(axis=2)


def bare(tmp_path, draw) -> np.ndarray:
    """A panel of 480 x 480 pixels without margins."""
    figure = new_figure(4, 4)
    draw(figure.add_axes([0, 0, 1, 1]))
    return picture(save_figure(figure, tmp_path / 'panel.png'))


@pytest.mark.parametrize('size', [48, 2400])
def test_outlines_lie_on_the_edges_of_pixels(tmp_path, size):
    """A square from a quarter to a half of the image: its outline there, and nowhere else."""
    image = np.full((size, size, 3), 255, np.uint8)
    mask = np.zeros((size, size), bool)
    mask[size // 4 : size // 2, size // 4 : size // 2] = True
    drawn = near(bare(tmp_path, lambda axes: draw_outlined(axes, image, mask, line=2)), OUTLINE)
    rows, columns = drawn.nonzero()
    for places in (rows, columns):
        assert abs(places.min() - 120) <= 3 and abs(places.max() - 240) <= 3
    inside = drawn[126:234, 126:234]
    assert not inside.any() and drawn[118:123, 150:200].any(axis=0).all()


def test_parts_are_drawn_alone(tmp_path):
    image = np.zeros((60, 40, 3), np.uint8)
    image[10:20, 5:15] = (250, 10, 10)
    pixels = bare(tmp_path, lambda axes: draw_outlined(axes, image, None, (5, 10, 15, 20)))
    assert near(pixels, '#fa0a0a')[5:-5, 5:-5].all()


def test_object_box():
    mask = np.zeros((50, 80), np.uint8)
    assert object_box(mask) is None
    mask[20:31, 40:51] = 1
    assert object_box(mask, 0) == (38, 18, 53, 33) and object_box(mask, 0.5) == (33, 13, 58, 38)
    assert object_box(np.ones_like(mask)) == (0, 0, 80, 50)


def test_front_is_upright_and_near_points_hide_far_ones(tmp_path):
    """Red at the upper right; green and, nearer, blue at the lower left."""
    points = np.array([[1, 1, 0.5], [-1, -1, 0.9], [-1, -1, 0.1]])
    colours = np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]], float)
    pixels = bare(tmp_path, lambda axes: draw_cloud(axes, points, colours, 4))
    rows, columns = near(pixels, 'red').nonzero()
    assert rows.max() < 60 and columns.min() > 420
    rows, columns = near(pixels, 'blue').nonzero()
    assert rows.min() > 420 and columns.max() < 60
    assert not near(pixels, 'lime').any() and (near(pixels, GROUND, 3).mean() > 0.9)


def test_seen_from_the_right_and_from_above(tmp_path):
    """What is nearer (z towards the eye) moves to the left and down, what is farther has its shadow behind it."""
    grid = np.stack(np.meshgrid([-1, 1], [-1, 1], [0, 1]), -1).reshape(-1, 3)
    points = np.concatenate([grid, [[0, 0, 1], [0, 0, 0]]])
    colours = np.concatenate([np.full((8, 3), 0.5), [[1, 0, 0], [0, 0, 1]]])
    pixels = bare(tmp_path, lambda axes: draw_cloud(axes, points, colours, 4, oblique=True))
    (near_row, near_column), (far_row, far_column) = (np.mean(near(pixels, c).nonzero(), axis=1)
                                                      for c in ('red', 'blue'))
    assert near_column < far_column - 20 and near_row > far_row + 10


def test_deep_boxes_are_shrunk():
    assert depth_scale(np.array([[0, 0, 0], [2, 1, 1.0]])) == 1
    assert depth_scale(np.array([[0, 0, 0], [0.2, 0.1, 1.0]])) == pytest.approx(0.1)
    assert depth_scale(np.zeros((0, 3))) == depth_scale(np.ones((3, 3))) == 1


def arguments(height: int = 60, width: int = 80, small: bool = False) -> tuple:
    rng = np.random.default_rng(0)
    mask = np.zeros((height, width), bool)
    mask[10:20, 10:20] = True
    if not small:
        mask[10:-10, 10:-10] = True
    rows, columns = mask.nonzero()
    image = rng.integers(0, 120, (height, width, 3), np.uint8)  # none as bright as outlines
    points = np.stack([columns / width, -rows / height, image[rows, columns].mean(1) / 255], 1)
    return image, mask, points, image[rows, columns]


def test_panels_follow_what_is_given(tmp_path):
    image, mask, points, colours = arguments()
    chances = {f'class {number}': 1 / 20 for number in range(20)}
    pictures = {
        'image': image_cloud_picture(tmp_path / 'a.png', image),
        'mask': image_cloud_picture(tmp_path / 'b.png', image, mask),
        'small': image_cloud_picture(tmp_path / 'c.png', image, arguments(small=True)[1]),
        'cloud': image_cloud_picture(tmp_path / 'd.png', image, mask, points, colours, title='x'),
        'all': image_cloud_picture(tmp_path / 'e.png', image, mask, points, colours, chances),
    }
    width = {name: picture(path).shape[1] for name, path in pictures.items()}
    assert width['image'] == width['mask'] < width['small'] < width['cloud'] < width['all']
    outlined = [near(picture(pictures[name]), OUTLINE, 25).any() for name in ('image', 'mask')]
    assert outlined == [False, True], outlined


@pytest.mark.parametrize('points', [np.zeros((0, 3)), np.zeros((5, 3)), np.ones((1, 6))])
def test_clouds_without_extent(tmp_path, points):
    image, mask, *_ = arguments()
    path = image_cloud_picture(tmp_path / 'a.png', image, mask * False, points, np.zeros((len(points), 3), np.uint8))
    assert min(picture(path).shape[:2]) > 300


def test_bars_are_as_long_as_probabilities(tmp_path):
    image = np.full((60, 60, 3), 255, np.uint8)
    pixels = picture(image_cloud_picture(tmp_path / 'a.png', image, chances={'b': 0.25, 'a': 0.75}))
    best, other = (near(pixels, colour, 6).any(axis=0).sum() for colour in ('#1f6feb', '#9fb3c8'))
    assert best == pytest.approx(3 * other, abs=6)


def test_contact_sheet(tmp_path):
    image, mask, *_ = arguments()
    tiles = [(f'{"folder/" * 9}{number}', image, mask * (number != 2)) for number in range(5)]
    one, five = (picture(contact_sheet(tmp_path / f'{n}.png', tiles[:n], 'title')) for n in (1, 5))
    assert five.shape[0] > one.shape[0] and five.shape[1] > one.shape[1] and near(five, OUTLINE, 12).any()


def test_clear_errors(tmp_path):
    image, mask, points, colours = arguments()
    with pytest.raises(ValueError, match=r'mask is \(3, 80\) for a photograph of \(60, 80\)'):
        image_cloud_picture(tmp_path / 'a.png', image, mask[:3])
    for wrong in ((points, None), (None, colours), (points, colours[:5])):
        with pytest.raises(ValueError, match='one colour for each point'):
            image_cloud_picture(tmp_path / 'a.png', image, mask, *wrong)
    with pytest.raises(ValueError, match='no photograph'):
        contact_sheet(tmp_path / 'a.png', [])
    with pytest.raises(ValueError, match='mask of leaf'):
        contact_sheet(tmp_path / 'a.png', [('leaf', image, mask.T)])
    assert not list(tmp_path.iterdir())
