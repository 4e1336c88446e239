"""Clouds of shapes on a turntable: the same place and scale in every panel, near points over far ones.

Shapes stand as those of ShapeNet do, y up and x forward. Azimuth 0 looks at their front; it and elevation count as in
``rendering_metadata.txt`` of 3D-R2N2's renderings. There is no perspective.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence, Tuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from scipy.spatial import cKDTree

from .cloud_views import GROUND

ELEVATION = 20.0
"""Degrees above the horizon from which turntables are seen."""
View = Tuple[float, float]
_SHADOW = '#c3cad3'
_COVER = 1.25  # diameter of a dot as a multiple of the distance between points
_FARTHEST = 0.45  # strength of colours at the far end of the stage
_MARGIN = 1.06


class Stage(NamedTuple):
    """What all panels of a figure share.

    Attributes:
        middle: ``(3,)`` point at the middle of each panel.
        half: Half a panel's side, in the unit of the points.
        floor: Height on which shadows lie.
    """

    middle: np.ndarray
    half: float
    floor: float


def view_rotation(azimuth: float, elevation: float) -> np.ndarray:
    """``(3, 3)`` rows to the right, upwards and towards the eye, for angles in degrees."""
    a, e = np.radians([azimuth, elevation])
    out = np.array([np.cos(e) * np.cos(a), np.sin(e), np.cos(e) * np.sin(a)])
    right = np.array([np.sin(a), 0.0, -np.cos(a)])
    return np.stack([right, np.cross(out, right), out])


def stage_of(clouds: Sequence[np.ndarray], views: Sequence[View]) -> Stage:
    """A stage on which all clouds ``(N, 3)`` are wholly seen from all views (azimuth and elevation, degrees)."""
    points = np.concatenate([np.zeros((0, 3)), *clouds])
    if not len(points):
        return Stage(np.zeros(3), 1.0, 0.0)
    low, high = points.min(axis=0), points.max(axis=0)
    middle = (low + high) / 2
    # Shadows are seen as well.
    local = np.concatenate([points, points * [1, 0, 1] + [0, low[1], 0]]) - middle
    half = max(float(np.abs(local @ view_rotation(*view)[:2].T).max()) for view in views)
    return Stage(middle, max(_MARGIN * half, 1e-6), float(low[1]))


def height_colours(points: np.ndarray, stage: Stage) -> np.ndarray:
    """``(N, 3)`` RGB in 0..1 by height on the stage, the same for all clouds on it."""
    share = 0.5 + (points[:, 1] - stage.middle[1]) / (2 * max(stage.middle[1] - stage.floor, 1e-9))
    return colormaps['viridis'](0.05 + 0.8 * share.clip(0, 1))[:, :3]


def draw_view(
    axes: Axes,
    points: np.ndarray,
    colours: np.ndarray,
    stage: Stage,
    side: float,
    view: View,
    title: str = '',
    fade: bool = True,
) -> None:
    """Draw a cloud and its shadow on the floor.

    Args:
        axes: Drawn into; without ticks afterwards.
        points: ``(N, 3)`` on the stage.
        colours: ``(N, 3)`` RGB in 0..1.
        stage: Of the figure.
        side: Inches of the panel's side, from which the size of dots follows.
        view: Azimuth and elevation, degrees.
        title: Written in a corner.
        fade: Colours fade with distance; not where they are values.
    """
    prepare_panel(axes, stage, title)
    if not len(points):
        return
    turn = view_rotation(*view)
    seen = (points - stage.middle) @ turn.T
    shadow = (points * [1, 0, 1] + [0, stage.floor, 0] - stage.middle) @ turn.T
    area = _dot_area(points, side / (2 * stage.half))
    if view[1] > 0:
        axes.scatter(*shadow[:, :2].T, s=area, color=_SHADOW, linewidths=0, zorder=1)
    order = np.argsort(seen[:, 2], kind='stable')
    near = np.clip(0.5 + seen[order, 2] / (2 * stage.half), 0, 1)[:, None] if fade else 1.0
    ground, strength = np.array(to_rgb(GROUND)), _FARTHEST + (1 - _FARTHEST) * near
    drawn = np.clip(ground + strength * (colours[order] - ground), 0, 1)
    axes.scatter(*seen[order, :2].T, s=area, c=drawn, linewidths=0, zorder=2)


def prepare_panel(axes: Axes, stage: Stage, title: str = '') -> None:
    """An empty panel of the stage."""
    axes.set_facecolor(GROUND)
    axes.set(xlim=(-stage.half, stage.half), ylim=(-stage.half, stage.half), xticks=[], yticks=[], aspect='equal')
    for spine in axes.spines.values():
        spine.set_visible(False)
    if title:
        axes.text(0.03, 0.97, title, transform=axes.transAxes, ha='left', va='top', fontsize=8, color='#57606a',
                  zorder=3)  # fmt: skip


def spread_colours(spread: np.ndarray, most: Optional[float] = None) -> np.ndarray:
    """``(N, 3)`` RGB in 0..1 of the spread of points, from dark (0) to bright (``most``, or the largest)."""
    top = float(spread.max()) if most is None and len(spread) else (most or 0.0)
    return colormaps['plasma'](0.9 * (spread / max(top, 1e-12)).clip(0, 1))[:, :3]


def _dot_area(points: np.ndarray, inches: float) -> float:
    """Square points that dots take, for ``inches`` a unit."""
    places, gap = np.unique(points, axis=0), 0.0
    if len(places) > 1:
        gap = float(np.median(cKDTree(places).query(places[:: max(1, len(places) // 1000)], k=2)[0][:, 1]))
    return float(np.clip(_COVER * 72 * inches * gap, 2.2, 7.0)) ** 2
