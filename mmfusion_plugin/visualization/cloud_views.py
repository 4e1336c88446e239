"""A small cloud drawn into a panel, from the front or at an angle, with the box that holds it."""

from __future__ import annotations

import itertools

import numpy as np
from matplotlib.axes import Axes
from scipy.spatial import cKDTree

from .style import INK, SOFT

GROUND = '#dfe4ea'  # white points show on it, and black ones
_SHADOW = '#c3cad3'
_AZIMUTH, _ELEVATION = 32.0, 16.0  # degrees: from the right of the front, and from above
_COVER = 1.15  # diameter of a dot as a multiple of the distance between points


def depth_scale(points: np.ndarray) -> float:
    """What z is multiplied by at an angle, at most 1: deep boxes are hard to look into.

    Args:
        points: ``(N, 3)``; their box gets no deeper than half its longer side across.
    """
    if not len(points):
        return 1.0
    most, depth = 0.5 * float(np.ptp(points[:, :2], axis=0).max()), float(np.ptp(points[:, 2]))
    return most / depth if 0 < most < depth else 1.0


def draw_cloud(axes: Axes, points: np.ndarray, colours: np.ndarray, side: float, oblique: bool = False) -> None:
    """Draw points in their colours, near ones over far ones, without perspective.

    Args:
        axes: Drawn into; without ticks afterwards.
        points: ``(N, 3)``, x to the right, y up, z towards the eye; any unit.
        colours: ``(N, 3)`` RGB in 0..1.
        side: Inches of the panel's side, from which the size of dots follows.
        oblique: From the right and from above instead of from the front, z scaled by :func:`depth_scale`, with the box
            that holds the points and their shadow on its rear.
    """
    axes.set_facecolor(GROUND)
    axes.set(xticks=[], yticks=[], aspect='equal')
    for spine in axes.spines.values():
        spine.set_visible(False)
    if not len(points):
        axes.text(0.5, 0.5, 'no point', transform=axes.transAxes, ha='center', va='center', color=SOFT, fontsize=10)
        return
    points = points * [1, 1, depth_scale(points) if oblique else 1]
    turn = _rotation(_AZIMUTH, _ELEVATION) if oblique else np.eye(3)
    low, high = points.min(axis=0), points.max(axis=0)
    corners = np.array(list(itertools.product(*zip(low, high)))) @ turn.T
    seen = points @ turn.T
    least, most = corners[:, :2].min(axis=0), corners[:, :2].max(axis=0)
    middle, half = (least + most) / 2, max(0.56 * float((most - least).max()), 1e-6)
    axes.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))
    area = float(np.clip(_COVER * 72 * side * _spacing(points) / (2 * half), 1.6, 9.0)) ** 2
    if oblique:
        shadow = (points * [1, 1, 0] + [0, 0, low[2]]) @ turn.T
        axes.scatter(*shadow[:, :2].T, s=area, color=_SHADOW, linewidths=0, rasterized=True, zorder=1)
        _draw_box(axes, corners[:, :2])
    order = np.argsort(seen[:, 2], kind='stable')
    axes.scatter(*seen[order, :2].T, s=area, c=colours[order], linewidths=0, rasterized=True, zorder=3)


def _rotation(azimuth: float, elevation: float) -> np.ndarray:
    """(3, 3): the eye moves to the right by ``azimuth`` and up by ``elevation`` degrees."""
    a, e = np.deg2rad([azimuth, elevation])
    about_y = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(e), -np.sin(e)], [0, np.sin(e), np.cos(e)]])
    return about_x @ about_y


def _draw_box(axes: Axes, corners: np.ndarray) -> None:
    """Edges of the box; corner 4 i + 2 j + k is at the high side of x, y, z where i, j, k are 1."""
    for first, second in itertools.combinations(range(8), 2):
        if (first ^ second) in (1, 2, 4):  # they differ in one coordinate
            axes.plot(*corners[[first, second]].T, color=SOFT, linewidth=0.7, alpha=0.8, zorder=2)
    # Along the lower edges that face the eye, and the one at its left.
    for name, ends, shift in (('x', (1, 5), (-2, -4)), ('z', (5, 4), (4, -4)), ('y', (1, 3), (-6, 4))):
        axes.annotate(name, corners[list(ends)].mean(axis=0), textcoords='offset points', xytext=shift, ha='center',
                      va='top', fontsize=9, color=INK, zorder=4)  # fmt: skip


def _spacing(points: np.ndarray) -> float:
    """Median distance of different places in x and y from their nearest neighbour, of about 1,000 of them."""
    places = np.unique(points[:, :2], axis=0)
    if len(places) < 2:
        return 1.0
    return float(np.median(cKDTree(places).query(places[:: max(1, len(places) // 1000)], k=2)[0][:, 1]))
