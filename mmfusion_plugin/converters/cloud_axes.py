"""Which way clouds are turned: right-angle turns by name, and how to find the one between two sets of clouds.

Datasets of the same shapes disagree about their axes. A turn is written as the axes of the result in those of the
cloud: ``'y,-x,z'`` takes ``(x, y, z)`` to ``(y, -x, z)``.
"""

from __future__ import annotations

import itertools
from typing import List, NamedTuple, Sequence, Tuple

import numpy as np
from scipy.spatial import cKDTree

#: Turns with names.
TURNS = {
    'stored': 'x,y,z',
    # 3D-LMNet's clouds of ShapeNet to y up; believed, not published: tools/create_data.py shapenet measures it.
    'lmnet_upright': 'y,-x,z',
    # Pix3D's models (x left, y up, z in) to the axes of 3D-LMNet's clouds: its two calls of ``rotate``, multiplied out.
    'pix3d_to_lmnet': '-y,-x,-z',
    # The same models to those of ShapeNetCore v1: x forward, y up.
    'pix3d_to_shapenet': '-z,y,x',
}
_AXES = 'xyz'
# Points of a cloud that take part in a comparison, and clouds.
_POINTS, _CLOUDS = 1024, 64


class FoundTurn(NamedTuple):
    """A turn between two sets of clouds.

    Attributes:
        turn: As ``'y,-x,z'``, from the first to the second.
        error: Mean distance of nearest points after it, in diagonals of the bounding boxes.
        margin: The same of the second best turn, as a multiple of ``error``: 1 says that nothing is known.
        size: Median diagonal of the second clouds, in diagonals of the first.
    """

    turn: str
    error: float
    margin: float
    size: float


def turn_matrix(turn: str) -> np.ndarray:
    """``(3, 3)`` float64 rotation of a turn or one of ``TURNS``: the turned points are ``points @ matrix.T``.

    Raises:
        ValueError: It is no turn, or a mirror image.
    """
    words = TURNS.get(turn, turn).replace(' ', '').split(',')
    matrix = np.zeros((3, 3))
    if len(words) == 3 and all(word.lstrip('-') in tuple(_AXES) and len(word) <= 2 for word in words):
        for row, word in enumerate(words):
            matrix[row, _AXES.index(word[-1])] = -1.0 if word[0] == '-' else 1.0
    if not np.isclose(np.linalg.det(matrix), 1.0):
        raise ValueError(f"{turn!r} is no turn: need one of {', '.join(TURNS)}, or axes such as 'y,-x,z' (no mirror)")
    return matrix


def turned(points: np.ndarray, turn: str) -> np.ndarray:
    """``(N, 3)`` points turned, of the same dtype."""
    return points @ turn_matrix(turn).T.astype(points.dtype)


def inverse_turn(turn: str) -> str:
    """The turn back."""
    return _text(turn_matrix(turn).T)


def compose_turns(first: str, then: str) -> str:
    """Both turns, one after the other, as one."""
    return _text(turn_matrix(then) @ turn_matrix(first))


def find_turn(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> FoundTurn:
    """The one of the 24 turns that takes the first clouds to the second, whatever their places and sizes.

    Args:
        first: Clouds ``(N, 3)``; 64 of them at most are looked at, and 1024 points of each.
        second: Clouds ``(M, 3)`` of the same shapes, in the same order.

    Raises:
        ValueError: There is none, or not one for each.
    """
    if not len(first) or len(first) != len(second):
        raise ValueError(f'need as many clouds to compare as there are, got {len(first)} and {len(second)}')
    pairs = [(_unit(a), _unit(b)) for a, b in zip(first[:_CLOUDS], second[:_CLOUDS])]
    errors = {turn: float(np.mean([_distance(turned(a, turn), b) for (a, _), (b, _) in pairs])) for turn in all_turns()}
    best, other = sorted(errors, key=errors.__getitem__)[:2]
    sizes = [b_size / max(a_size, 1e-12) for (_, a_size), (_, b_size) in pairs]
    return FoundTurn(best, errors[best], errors[other] / max(errors[best], 1e-12), float(np.median(sizes)))


def all_turns() -> List[str]:
    """All 24 right-angle turns."""
    matrices = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.diag(signs)[:, order]
            if np.linalg.det(matrix) > 0:
                matrices.append(matrix)
    return [_text(matrix) for matrix in matrices]


def unit_diagonal(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Points moved and scaled so that the box from ``low`` to ``high`` is centred, with a diagonal of 1."""
    return (points - (low + high) / 2) / max(float(np.linalg.norm(high - low)), 1e-12)


def _unit(points: np.ndarray) -> Tuple[np.ndarray, float]:
    """Some points of a cloud, their box centred and of diagonal 1, and the diagonal."""
    points = np.asarray(points, dtype=np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    some = points[np.linspace(0, len(points) - 1, min(_POINTS, len(points))).astype(int)]
    return unit_diagonal(some, low, high), float(np.linalg.norm(high - low))


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    return float((cKDTree(first).query(second)[0].mean() + cKDTree(second).query(first)[0].mean()) / 2)


def _text(matrix: np.ndarray) -> str:
    axes = np.abs(matrix).argmax(axis=1)
    return ','.join(('-' if matrix[row, axis] < 0 else '') + _AXES[axis] for row, axis in enumerate(axes))
