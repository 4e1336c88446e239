"""Turns of clouds, against formulas written out, and how they are found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from shapenet_hand_world import surface_points

from mmfusion_plugin.converters.cloud_axes import (
    TURNS,
    all_turns,
    compose_turns,
    find_turn,
    inverse_turn,
    turn_matrix,
    turned,
)

X, Y, Z = np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32)
CLOUD = np.stack([X, Y, Z], axis=1)


@pytest.mark.parametrize(('turn', 'expected'), [
    ('stored', (X, Y, Z)),
    ('lmnet_upright', (Y, -X, Z)),
    ('pix3d_to_lmnet', (-Y, -X, -Z)),
    ('pix3d_to_shapenet', (-Z, Y, X)),
    ('z, -y, x', (Z, -Y, X)),
])  # fmt: skip
def test_turns(turn, expected):
    found = turned(CLOUD, turn)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.stack(expected, axis=1))
    np.testing.assert_array_equal(turned(found, inverse_turn(turn)), CLOUD)


def rotate(points: np.ndarray, about_x: float, about_y: float) -> np.ndarray:
    """3D-LMNet's ``rotate``: rows times a rotation about x times one about y, whose sign is turned round there."""
    return points @ Rotation.from_euler('x', about_x).as_matrix() @ Rotation.from_euler('y', -about_y).as_matrix()


def test_pix3d_turn_is_two_quarter_turns():
    quarter = -np.pi / 2
    np.testing.assert_allclose(rotate(rotate(CLOUD, quarter, quarter), quarter, 0), turned(CLOUD, 'pix3d_to_lmnet'),
                               atol=1e-6)  # fmt: skip


def test_all_turns_are_a_group():
    turns = all_turns()
    assert len(set(turns)) == 24 and {compose_turns(a, b) for a in turns[:5] for b in turns} == set(turns)
    for turn in [*turns, *TURNS]:
        np.testing.assert_allclose(np.linalg.det(turn_matrix(turn)), 1)
    np.testing.assert_array_equal(turned(CLOUD, compose_turns('z,x,y', 'y,-x,z')),
                                  turned(turned(CLOUD, 'z,x,y'), 'y,-x,z'))  # fmt: skip


@pytest.mark.parametrize('turn', ['', 'x,y', 'x,y,y', 'x,z,y', '-x,y,z', '--x,y,-z', 'upright', 'x,y,w'])
def test_no_turns(turn):
    with pytest.raises(ValueError, match='is no turn: need one of stored'):
        turn_matrix(turn)


@pytest.mark.parametrize('turn', ['y,-x,z', '-y,-x,-z', 'x,y,z'])
def test_turn_between_clouds_is_found(turn):
    first, second = surface_points(1024, 1), 0.3 * turned(surface_points(2048, 2), turn) + [1, 2, 3]
    found = find_turn([first], [second])
    assert found.turn == turn and found.error < 0.05 and found.margin > 1.4
    np.testing.assert_allclose(found.size, 0.3, rtol=0.05)


def test_nothing_can_be_found_of_a_ball():
    ball = np.random.default_rng(0).normal(size=(2, 1000, 3))
    ball /= np.linalg.norm(ball, axis=2, keepdims=True)
    assert find_turn([ball[0]], [ball[1]]).margin < 1.1
    with pytest.raises(ValueError, match='as many clouds'):
        find_turn([], [])
