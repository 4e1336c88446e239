"""The parts that generated rooms are made of, against closed forms: casting, layout, walk, tracking, subdivision."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('embreex', reason='embreex is not installed')

from mmfusion_plugin.converters.scannet_taxonomy import NYU40_IDS  # noqa: E402
from mmfusion_plugin.synthetic.meshes import box  # noqa: E402
from mmfusion_plugin.synthetic.scannet_camera import RoomCamera, depth_sigma, lens  # noqa: E402
from mmfusion_plugin.synthetic.scannet_categories import CATEGORIES, NAMES, raw_id  # noqa: E402
from mmfusion_plugin.synthetic.scannet_furniture import part  # noqa: E402
from mmfusion_plugin.synthetic.scannet_mesh import subdivide  # noqa: E402
from mmfusion_plugin.synthetic.scannet_room import (  # noqa: E402
    SCENE_TYPES,
    Room,
    empty_room,
    furnished_room,
    shell,
)
from mmfusion_plugin.synthetic.scannet_textures import PAINTED, TILE, WOOD  # noqa: E402
from mmfusion_plugin.synthetic.scannet_walk import LEVER, Tracking, Walk, looking  # noqa: E402
from mmfusion_plugin.synthetic.world import Actor  # noqa: E402

SIZE = (4.0, 5.0, 2.5)
CRATE = np.array([[1.0, 3.0, 0.0], [2.0, 4.0, 0.8]])


def plain_room() -> Room:
    """Four walls and a crate of 1 x 1 x 0.8 m."""
    actors = shell(*SIZE, (TILE, PAINTED), ((0.5, 0.5, 0.5), (0.7, 0.7, 0.7), (0.8, 0.8, 0.8)))
    actors.append(Actor(part('table', box((0, 0, 0.4), (1, 1, 0.8), WOOD, (0.5, 0.3, 0.1)))[1], raw_id('table'),
                        (1.5, 3.5, 0.0), 0.0))  # fmt: skip
    return empty_room(actors, SIZE, np.array([[2.0, 2.5, 2.3, 3.0, 1.0, 1.0, 1.0]]), 'Office')


def slabs(low: np.ndarray, high: np.ndarray, eye: np.ndarray, rays: np.ndarray) -> tuple:
    """Where rays enter and leave a box: the method of Kay and Kajiya, 1986."""
    with np.errstate(divide='ignore'):
        one, two = (low - eye) / rays, (high - eye) / rays
    return np.minimum(one, two).max(-1), np.maximum(one, two).min(-1)


@pytest.mark.parametrize(('place', 'yaw', 'pitch'), [((0.7, 0.8, 1.5), 1.2, -0.4), ((3.2, 1.0, 1.4), 2.3, -0.2)])
def test_depth_and_labels_of_a_plain_room(place: tuple, yaw: float, pitch: float) -> None:
    camera = RoomCamera(plain_room(), (162, 121), (80, 60), depth_noise=0.0)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = looking(yaw, pitch, 0.03), place
    view = camera.view(pose, np.random.default_rng(0))

    def expected(size: tuple, depth: bool) -> tuple:
        fx, fy, cx, cy = lens(size, depth)
        u, v = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
        rays = np.stack([(u - cx) / fx, (v - cy) / fy, np.ones(u.shape)], axis=-1) @ pose[:3, :3].T
        far = slabs(np.zeros(3), np.array(SIZE), pose[:3, 3], rays)[1]
        enter, leave = slabs(*CRATE, pose[:3, 3], rays)
        crate = (enter < leave) & (enter > 0)
        z = pose[2, 3] + far * rays[..., 2]
        shell_label = np.where(z < 1e-6, raw_id('floor'), np.where(z > SIZE[2] - 1e-6, raw_id('ceiling'), 1))
        return np.where(crate, enter, far), np.where(crate, raw_id('table'), shell_label)

    depth, _ = expected((80, 60), True)
    assert (abs(view.depth / 1000 - depth) < 0.0011).mean() > 0.998
    _, label = expected((162, 121), False)
    assert len(np.unique(label)) >= 3 and (view.label == label).mean() > 0.997


def test_depth_noise_grows_with_distance() -> None:
    room = plain_room()
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = looking(np.pi / 2, -0.3, 0.0), (2.9, 0.5, 1.4)
    exact = RoomCamera(room, (64, 48), (320, 240), depth_noise=0.0).view(pose, np.random.default_rng(0)).depth / 1000
    noisy = RoomCamera(room, (64, 48), (320, 240)).view(pose, np.random.default_rng(0)).depth / 1000
    for low, high in ((2.0, 2.5), (4.0, 5.0)):
        pixels = (exact > low) & (exact < high) & (noisy > 0)
        ratio = (noisy - exact)[pixels].std() / depth_sigma(exact[pixels]).mean()
        assert pixels.sum() > 200 and 0.7 < ratio < 1.4


def test_rooms_show_all_classes_repeat_and_keep_their_furniture_inside() -> None:
    found = set()
    for seed in range(2):
        for scene_type in SCENE_TYPES:
            room = furnished_room(np.random.default_rng([seed, 1]), scene_type)
            found |= {CATEGORIES[NAMES[actor.category]].nyu40_id for actor in room.actors if actor.category}
            for actor in room.actors[6:]:
                mesh = actor.mesh.moved(*actor.position, actor.yaw)
                assert (mesh.label == actor.category).all()
                assert (mesh.bounds[0] > -0.1).all() and (mesh.bounds[1] < np.array(room.size) + 0.1).all()
    assert found >= set(NYU40_IDS)
    again = furnished_room(np.random.default_rng([1, 1]), SCENE_TYPES[-1])
    assert all(np.array_equal(a.mesh.vertices, b.mesh.vertices) for a, b in zip(again.actors, room.actors))


def test_a_walk_stays_in_its_room_and_is_smooth() -> None:
    room = furnished_room(np.random.default_rng(3), 'Bedroom / Hotel')
    walk = Walk(room, np.random.default_rng(4))
    poses = np.array([walk.pose(time) for time in np.linspace(0, 1, 400)])
    place = poses[:, :3, 3]
    assert (place[:, :2] > 0.39).all() and (place[:, :2] < np.array(room.size[:2]) - 0.39).all()
    assert place[:, 2].min() > 1.2 and place[:, 2].max() < 1.8  # hand height
    np.testing.assert_allclose(poses[:, :3, :3] @ poses[:, :3, :3].transpose(0, 2, 1), np.tile(np.eye(3), (400, 1, 1)),
                               atol=1e-12)  # fmt: skip
    turn = (poses[1:, :3, 2] * poses[:-1, :3, 2]).sum(1)
    assert turn.min() > np.cos(0.2)
    heading = np.arctan2(poses[:, 1, 2], poses[:, 0, 2])
    assert len(np.unique(np.floor(heading / (np.pi / 4)))) == 8  # looks everywhere


def test_tracking() -> None:
    walk = Walk(plain_room(), np.random.default_rng(0))
    poses = np.array([walk.pose(time) for time in (np.arange(500) + 0.5) / 500])
    np.testing.assert_allclose(Tracking(0, 0, 0).report(poses, np.random.default_rng(1)), poses, atol=1e-15)
    noise = Tracking(0.02, 0, 0).report(poses, np.random.default_rng(1))
    shift = noise[:, :3, 3] - poses[:, :3, 3]
    assert abs(np.sqrt((shift**2).sum(1).mean()) - 0.02) < 0.002
    turn = noise[:, :3, :3] @ poses[:, :3, :3].transpose(0, 2, 1)
    angle = np.arccos(np.clip((np.trace(turn, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert abs(np.sqrt((angle**2).mean()) * LEVER - 0.02) < 0.002
    # Drift: nothing at the start; at the end a shift of 0.1 m after a turn about the room's corner.
    drift = Tracking(0, 0.1, 0).report(poses, np.random.default_rng(1))
    cos, sin = np.cos(0.05), np.sin(0.05)
    assert np.linalg.norm(drift[0, :3, 3] - poses[0, :3, 3]) < 0.001
    ends = [np.linalg.norm(drift[-1, :3, 3] - np.array([[cos, -s, 0], [s, cos, 0], [0, 0, 1]]) @ poses[-1, :3, 3])
            for s in (sin, -sin)]  # fmt: skip
    assert min(abs(end - 0.1) for end in ends) < 0.001
    lost = np.isneginf(Tracking(0, 0, 0.1).report(poses, np.random.default_rng(1))).all((1, 2))
    assert 30 < lost.sum() < 70


def test_subdivision_keeps_the_surface() -> None:
    rng = np.random.default_rng(0)
    corners = rng.normal(size=(5, 3, 3))

    def areas(triangles: np.ndarray) -> np.ndarray:
        edge1, edge2 = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
        return np.linalg.norm(np.cross(edge1, edge2), axis=1) / 2

    small, owner = subdivide(corners, 0.3)
    assert np.linalg.norm(small[:, [1, 2, 0]] - small, axis=2).max() <= 0.3
    np.testing.assert_allclose(np.bincount(owner, areas(small)), areas(corners), rtol=1e-9)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[owner]
    way = small - corners[owner][:, :1]
    assert abs(np.einsum('tij,tj->ti', way, normal)).max() < 1e-12
