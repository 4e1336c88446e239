"""The generator itself: determinism, resumption, refusal, geometry against closed forms."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from pathlib import Path
from typing import Dict

import numpy as np
import pytest

pytest.importorskip('embreex', reason='embreex is not installed')

from mmfusion_plugin.synthetic import nuscenes, recording, vehicles  # noqa: E402
from mmfusion_plugin.synthetic import nuscenes_rig as rig  # noqa: E402
from mmfusion_plugin.synthetic.camera import Camera, visible_share  # noqa: E402
from mmfusion_plugin.synthetic.lidar import beam_directions, scan  # noqa: E402
from mmfusion_plugin.synthetic.materials import FINE, ROAD  # noqa: E402
from mmfusion_plugin.synthetic.meshes import box, build, merge, prism, rectangle, tube  # noqa: E402
from mmfusion_plugin.synthetic.raycast import RayCaster  # noqa: E402
from mmfusion_plugin.synthetic.street import build_world  # noqa: E402
from mmfusion_plugin.synthetic.world import Actor, Light, World  # noqa: E402


def _bytes(root: Path) -> Dict[str, str]:
    files = [path for path in sorted(root.rglob('*')) if path.is_file()]
    return {str(path.relative_to(root)): hashlib.md5(path.read_bytes()).hexdigest() for path in files}


def _plain_world(actors: list) -> World:
    ground = rectangle(-300, 300, -300, 300, 0.0, ROAD, (0.1, 0.1, 0.1), FINE['flat.driveable_surface'])
    light = Light(np.array([0.0, 0.6, 0.8]), 1.5, 1.0, 0.001, 0.3, 0.5, 1.0)
    paint = np.zeros((4, 4, 3), np.uint8)
    return World(ground, np.zeros(2, np.float32), actors, light, paint, (0.0, 0.0), 1.0, paint[..., 0], (5.0, 0.0, 0.0))


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for name in ('first', 'second'):
        nuscenes.make_nuscenes(tmp_path / name, 1, 1, seed=5, val_scenes=0, progress=False)
    first, second = _bytes(tmp_path / 'first'), _bytes(tmp_path / 'second')
    assert len(first) > 20
    assert first == second


@pytest.mark.slow
def test_workers_do_not_change_bytes(tmp_path: Path, tiny_nuscenes: Path) -> None:
    nuscenes.make_nuscenes(tmp_path / 'two', 3, 2, val_scenes=1, workers=2, progress=False)
    assert _bytes(tmp_path / 'two') == _bytes(tiny_nuscenes)


def test_resume_refusal_and_test_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped run goes on with the first missing scene; another seed or a foreign folder is refused."""
    recorded = []
    original = nuscenes.SceneRecorder.record

    def stop_at_second(self: nuscenes.SceneRecorder) -> None:
        recorded.append(self.plan.name)
        if len(recorded) == 2:
            raise KeyboardInterrupt
        original(self)

    monkeypatch.setattr(nuscenes.SceneRecorder, 'record', stop_at_second)
    monkeypatch.setattr(nuscenes.SceneRecorder, '_photograph', lambda *args: None)
    arguments = {'scenes': 2, 'keyframes': 1, 'version': 'v1.0-test', 'progress': False}
    with pytest.raises(KeyboardInterrupt):
        nuscenes.make_nuscenes(tmp_path / 'world', **arguments)
    assert not (tmp_path / 'world' / 'v1.0-test').exists()
    nuscenes.make_nuscenes(tmp_path / 'world', **arguments)
    assert recorded[1:] == recorded[1:2] * 2
    assert not (tmp_path / 'world' / '.parts').exists()
    tables = tmp_path / 'world' / 'v1.0-test'
    for name in ('sample_annotation', 'instance', 'lidarseg'):
        assert json.loads((tables / f'{name}.json').read_text()) == []
    assert len(json.loads((tables / 'sample.json').read_text())) == 2
    nuscenes.make_nuscenes(tmp_path / 'world', **arguments)
    assert len(recorded) == 3
    with pytest.raises(FileExistsError, match='seed: 0 there, 1 asked'):
        nuscenes.make_nuscenes(tmp_path / 'world', seed=1, **arguments)
    with pytest.raises(FileExistsError, match=r'scenes: 2 .* there, 3 .* asked.*choose another folder, or remove'):
        nuscenes.make_nuscenes(tmp_path / 'world', **{**arguments, 'scenes': 3})
    monkeypatch.setattr(nuscenes, 'GENERATION', nuscenes.GENERATION + 1)
    with pytest.raises(FileExistsError, match='made by generation'):
        nuscenes.make_nuscenes(tmp_path / 'world', **arguments)
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other' / 'thesis.tex').write_text('')
    with pytest.raises(FileExistsError, match='not empty'):
        nuscenes.make_nuscenes(tmp_path / 'other', 1, 1)


def _die(done: object) -> None:
    """Ends a worker as the system's memory guard does: the process is gone without a word."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_killed_worker_is_an_error_and_no_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, '_start_worker', _die)
    monkeypatch.setattr(recording.raycast, 'started', lambda: False)  # forked workers inherit the function above
    with pytest.raises(RuntimeError, match='was killed .* give the same command again, with fewer workers'):
        nuscenes.make_nuscenes(tmp_path / 'world', 2, 1, val_scenes=1, workers=2, progress=False)
    assert not (tmp_path / 'world' / 'v1.0-trainval').exists()


def test_a_camera_sees_the_same_with_only_its_actors() -> None:
    """Leaving out the moving actors that no ray can meet changes no hit and no distance."""
    caster = RayCaster(build_world(np.random.default_rng([0, 3]), 2.0))
    rays = np.random.default_rng(0).uniform(-1, 1, (20_000, 2))
    for channel in ('CAM_FRONT', 'CAM_BACK'):
        calibration = rig.CAMERAS[channel]
        pose = calibration.camera_to_ego
        lateral = rays * [800 / calibration.focal, 450 / calibration.focal]
        directions = (np.c_[lateral, np.ones(len(rays))] @ pose[:3, :3].T).astype(np.float32)
        origins = np.tile(pose[:3, 3].astype(np.float32), (len(rays), 1))
        caster.set_time(1.0)
        every = caster.first_hit(origins, directions)
        caster.set_time(1.0, pose)
        some = caster.first_hit(origins, directions)
        assert all(np.array_equal(a, b) for a, b in zip(every, some))
        assert (caster.triangles.instance[every[0]] >= 0).sum() > 50


@pytest.mark.parametrize(
    ('version', 'scenes', 'val', 'message'),
    [('v1.0-mini', 12, None, 'mini'), ('v2', 2, None, 'v2'), ('v1.0-trainval', 2, 3, '-1 scenes')],
)
def test_impossible_scene_counts(version: str, scenes: int, val: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nuscenes.scene_names(version, scenes, val)


def test_scene_names_default_to_a_fifth_for_validation() -> None:
    from nuscenes.utils import splits

    names = nuscenes.scene_names('v1.0-mini', 10)
    assert sorted(names) == sorted(splits.mini_train + splits.mini_val)
    assert sum(name in splits.val for name in nuscenes.scene_names('v1.0-trainval', 10)) == 2


def test_flat_ground_ranges() -> None:
    """On a plane at height -h a ray of elevation e returns from h / sin(-e)."""
    caster = RayCaster(_plain_world([]))
    pose = rig.planar_pose(0.0, 0.0, 0.4)
    pose[2, 3] = 1.84
    points, labels, _ = scan(caster, pose, 0.0, np.random.default_rng(0))
    ground = labels == FINE['flat.driveable_surface']
    expected = 1.84 / -beam_directions()[:, 2]
    close = ground & (expected < 15) & (expected > 0)
    error = np.linalg.norm(points[close, :3], axis=1) - expected[close]
    assert close.sum() > 5000
    assert abs(error.mean()) < 2e-3
    assert 0.015 < error.std() < 0.035
    assert np.all(labels[beam_directions()[:, 2] > 0.01] == FINE['vehicle.ego'])


def test_points_project_onto_their_object() -> None:
    """LiDAR points of an actor fall on that actor's pixels in a camera at the same place (no parallax)."""
    shape = vehicles.car(np.random.default_rng(1)).labelled(FINE['vehicle.car'])
    caster = RayCaster(_plain_world([Actor(shape, FINE['vehicle.car'], (12.0, 1.0, 0.0), 0.6)]))
    camera_pose = rig.CAMERAS['CAM_FRONT'].camera_to_ego
    lidar_pose = rig.rigid(rig.LIDAR_TRANSLATION, rig.LIDAR_ROTATION)
    lidar_pose[:3, 3] = camera_pose[:3, 3]
    points, _, instances = scan(caster, lidar_pose, 5.0, np.random.default_rng(0))
    camera = Camera(caster, camera_pose, rig.CAMERAS['CAM_FRONT'].intrinsic)
    place = points[instances == 0, :3] @ lidar_pose[:3, :3].T + lidar_pose[:3, 3]
    local = np.linalg.inv(camera_pose) @ np.c_[place, np.ones(len(place))].T
    u, v, depth = rig.CAMERAS['CAM_FRONT'].intrinsic @ local[:3]
    column, line = np.rint(u / depth).astype(int), np.rint(v / depth).astype(int)
    ids = camera.instance_ids()
    inside = (column >= 0) & (column < 1600) & (line >= 0) & (line < 900)
    assert inside.sum() > 100
    assert (ids[line[inside], column[inside]] == 0).mean() > 0.95
    assert np.abs(camera.depth[line, column] - depth)[inside & (ids[line % 900, column % 1600] == 0)].mean() < 0.1
    assert set(np.unique(camera.labels())) == {0, FINE['vehicle.car'], FINE['flat.driveable_surface']}


def test_visible_share_of_a_half_hidden_board() -> None:
    board = box((0, 0, 1.0), (0.02, 2.0, 2.0), ROAD, (1, 1, 1))
    hider = box((0, 0, 1.0), (0.02, 1.0, 4.0), ROAD, (1, 1, 1))
    actors = [Actor(board, 17, (20.0, 0.0, 0.0), 0.0), Actor(hider, 17, (19.9, 0.5, 0.0), 0.0)]
    caster = RayCaster(_plain_world(actors))
    calibration = rig.CAMERAS['CAM_FRONT']
    cameras = [(calibration.camera_to_ego, calibration.intrinsic)]
    share = visible_share(caster, [0, 1], cameras, samples=4000)
    assert share[0] == pytest.approx(0.5, abs=0.06)
    assert share[1] == 1.0
    behind = visible_share(RayCaster(_plain_world([Actor(board, 17, (-20.0, 0.0, 0.0), 0.0)])), [0], cameras)
    assert behind == [0.0]


def test_moving_actor_is_where_its_speed_takes_it() -> None:
    shape = box((0, 0, 1.0), (2.0, 2.0, 2.0), ROAD, (1, 1, 1))
    caster = RayCaster(_plain_world([Actor(shape, 17, (10.0, 0.0, 0.0), 0.0, speed=4.0)]))
    ray = (np.array([[0, 0, 1]], np.float32), np.array([[1, 0, 0]], np.float32))
    for time in (0.0, 0.5, 2.0):
        caster.set_time(time)
        row, distance = caster.first_hit(*ray)
        assert distance[0] == pytest.approx(9.0 + 4.0 * time, abs=1e-4)
        assert caster.triangles.instance[row[0]] == 0


@pytest.mark.parametrize('shape', ['box', 'prism', 'tube', 'merge'])
def test_solids_are_closed_and_point_outwards(shape: str) -> None:
    """The signed volume by the divergence theorem equals the textbook volume."""
    square = [(0, 0), (2, 0), (2, 1), (0, 1)]
    solids = {
        'box': (box((1, 2, 3), (2, 3, 4), 0, (0, 0, 0)), 24.0),
        'prism': (prism(square, 3.0, 0, (0, 0, 0)), 6.0),
        'tube': (tube((0, 0, 0), (0, 3, 0), 1.0, 0, (0, 0, 0), sides=200), 3 * np.pi),
    }
    solids['merge'] = (merge([solids['box'][0], solids['prism'][0].moved(9, 9, 9, 1.0)]), 30.0)
    mesh, volume = solids[shape]
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    assert np.einsum('ij,ij->i', a, np.cross(b, c)).sum() / 6 == pytest.approx(volume, rel=1e-3)


def test_worlds_repeat_and_differ() -> None:
    first, again, other = (build_world(np.random.default_rng([0, k]), 2.0) for k in (1, 1, 2))
    assert np.array_equal(first.static.vertices, again.static.vertices)
    assert [a.position for a in first.actors] == [a.position for a in again.actors]
    assert first.ego != other.ego
    names = {actor.category for actor in first.actors}
    assert {FINE[f'human.pedestrian.{n}'] for n in ('adult', 'child', 'construction_worker')} <= names
    for actor in first.actors:
        low, high = actor.mesh.bounds
        width, length, height = actor.size
        assert max(-low[0], high[0]) <= length / 2 and max(-low[1], high[1]) <= width / 2 and high[2] <= height


def test_build_keeps_labels() -> None:
    mesh = build(np.zeros((3, 3)), np.array([[0, 1, 2]]), ROAD, (1, 0, 0), 7)
    assert mesh.label.tolist() == [7] and mesh.labelled(3).label.tolist() == [3]
