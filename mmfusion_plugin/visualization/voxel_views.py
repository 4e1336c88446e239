"""Voxels drawn as cubes, on the stage that a cloud is drawn on."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb

from .turntable import Stage, View, prepare_panel, view_rotation

_COLOUR = '#8fa9c9'
# Brightness of faces: of all, and what is added where they face upwards, or the eye.
_AMBIENT, _OVERHEAD, _HEADLIGHT = 0.55, 0.25, 0.3


def draw_voxels(
    axes: Axes, occupied: np.ndarray, corner: np.ndarray, step: float, stage: Stage, view: View, title: str = ''
) -> None:
    """Draw the faces of voxels that divide them from free ones and are turned to the eye.

    Args:
        axes: Drawn into; without ticks afterwards.
        occupied: ``(X, Y, Z)`` bool, y up and x forward.
        corner: ``(3,)`` lowest corner of voxel (0, 0, 0) on the stage.
        step: Side of a voxel.
        stage: Of the figure.
        view: Azimuth and elevation, degrees.
        title: Written in a corner.
    """
    prepare_panel(axes, stage, title)
    turn = view_rotation(*view)
    padded = np.pad(np.asarray(occupied, dtype=bool), 1)
    squares, colours, depths = [], [], []
    for axis in range(3):
        side = 1 if turn[2, axis] > 0 else -1  # the one of both faces that the eye can see
        free = ~np.roll(padded, -side, axis=axis)[1:-1, 1:-1, 1:-1]
        cells = np.argwhere(padded[1:-1, 1:-1, 1:-1] & free)
        first, second = np.eye(3)[[other for other in range(3) if other != axis]]
        start = cells + (np.eye(3)[axis] if side > 0 else 0)
        square = np.stack([start, start + first, start + first + second, start + second], axis=1)
        squares.append(((square * step + corner - stage.middle) @ turn.T)[..., :2])
        light = _AMBIENT + _OVERHEAD * side * (axis == 1) + _HEADLIGHT * abs(turn[2, axis])
        colours.append(np.tile(np.clip(light * np.array(to_rgb(_COLOUR)) * 1.15, 0, 1), (len(cells), 1)))
        # Cubes of one size hide each other in the order of their middles.
        depths.append(cells @ turn[2])
    order = np.argsort(np.concatenate(depths), kind='stable')
    shades, faces = np.concatenate(colours)[order], np.concatenate(squares)[order]
    axes.add_collection(PolyCollection(faces, facecolors=shades, edgecolors=0.86 * shades, linewidths=0.25, zorder=2))
