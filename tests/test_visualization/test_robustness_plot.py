from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mmfusion_plugin.visualization.robustness_plot import Panel, robustness_plot

NAN = float('nan')
CURVES = {'SAFNet': [(3, 0.6, 0.01), (0, 0.4, 0.02), (1, 0.5, NAN)], 'MVPNet': [(1, 0.45, NAN), (3, 0.55, NAN)],
          'PointNet++': [(None, 0.42, 0.01)]}


def draw(path, *panels):
    return np.asarray(Image.open(robustness_plot(path / 'a.png', panels)).convert('RGB')).astype(int)


def colour(picture, code):
    """Pixels of about one colour."""
    wanted = np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)])
    return (np.abs(picture - wanted) < 12).all(2)


def test_each_model_has_its_colour_and_curves_rise_where_the_numbers_do(tmp_path):
    picture = draw(tmp_path, Panel('Number of views', 'views', CURVES))
    safnet, mvpnet, flat = (colour(picture, code) for code in ('#0969da', '#bc4c00', '#1a7f37'))
    legend = int(0.9 * len(picture))  # below it
    heights = [np.flatnonzero(part[:legend].any(1)) for part in (safnet, mvpnet, flat)]
    assert all(len(height) for height in heights)
    assert heights[0].min() < heights[1].min() < heights[2].min()  # 60, 55, 42 %; rows count downwards
    assert heights[0].max() > heights[2].max()  # 40 %
    assert np.ptp(heights[2]) < 8 < np.ptp(heights[0])  # a horizontal line
    line = np.flatnonzero(flat[:legend].any(0))
    assert np.ptp(line) >= np.ptp(np.flatnonzero(safnet[:legend].any(0)))  # from end to end
    left, *_, right = np.flatnonzero(safnet[:legend].any(0))
    assert safnet[:legend, left].argmax() > safnet[:legend, right].argmax()  # sorted by value


def test_panels_go_in_rows_of_three(tmp_path):
    one = draw(tmp_path, Panel('a', 'x', CURVES)).shape
    three = draw(tmp_path, *[Panel('a', 'x', CURVES)] * 3).shape
    five = draw(tmp_path, *[Panel('a', 'x', CURVES)] * 5).shape
    assert three[1] > 2 * one[1] and three[0] == one[0] and five[1] == three[1] and five[0] > 1.5 * one[0]


def test_many_models_and_a_panel_of_lines_alone(tmp_path):
    many = {f'model {i}': [(0, 0.1 * i, NAN), (1, 0.05 * i, NAN)] for i in range(9)}
    assert len(np.unique(draw(tmp_path, Panel('a', 'x', many)).reshape(-1, 3), axis=0)) > 50
    assert colour(draw(tmp_path, Panel('a', '', {'PointNet++': [(None, 0.4, NAN)]})), '#0969da').any()


def test_nothing_to_draw_is_refused(tmp_path):
    with pytest.raises(ValueError, match='no measurement'):
        robustness_plot(tmp_path / 'a.png', [Panel('a', 'x', {})])
    assert not list(tmp_path.iterdir())
