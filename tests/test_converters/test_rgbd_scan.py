"""Recordings of the user's own: every form of input, the fused cloud in closed form, the layout of ScanNet's scans."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import scannet_hand_world as hand
from PIL import Image
from plyfile import PlyData, PlyElement
from rgbd_hand_recording import DEPTH, FACE_COLOURS, INTRINSIC, NUMBERS, color_intrinsic, write_log, write_recording

from mmfusion_plugin.converters.rgbd_cloud import fuse_frames
from mmfusion_plugin.converters.rgbd_recording import UPS, open_recording, upright
from mmfusion_plugin.converters.rgbd_scan import convert_recording
from mmfusion_plugin.converters.scannet import create_scannet_infos
from mmfusion_plugin.converters.scannet_frames import EMPTY, LOST, ScanOptions

POSES = [hand.camera_pose(place).astype(np.float64) for place in range(len(NUMBERS))]


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    return write_recording(tmp_path / 'recording')


def opened(folder: Path, poses: str = 'trajectory.log', intrinsics: object = 'camera.json', **options):
    intrinsics = folder / intrinsics if isinstance(intrinsics, str) else intrinsics
    return open_recording(
        folder / 'color', folder / 'depth', folder / poses, intrinsics, **{'depth_shift': 1e4, **options})


def entry_of(path: Path) -> dict:
    (entry,) = json.loads(path.read_text())['data_list']
    return entry


def faces(xyz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each point from the room's nearest face, and that face."""
    gaps = np.stack([xyz - hand.LOWER, hand.UPPER - xyz], axis=2).reshape(len(xyz), 6)
    return np.abs(gaps).min(axis=1), np.abs(gaps).argmin(axis=1)


@pytest.mark.parametrize('poses', ['trajectory.log', 'pose'])
@pytest.mark.parametrize('intrinsics', ['camera.json', 'camera.txt', [34.0, 35.0, 31.0, 24.0]])
def test_every_form_says_the_same(folder, poses, intrinsics):
    recording = opened(folder, poses, intrinsics)
    assert [frame.number for frame in recording.frames] == list(NUMBERS) and not recording.lost
    np.testing.assert_allclose([frame.pose for frame in recording.frames], POSES)
    np.testing.assert_allclose(recording.intrinsic, INTRINSIC)
    np.testing.assert_allclose(recording.intrinsic_color, color_intrinsic())
    assert recording.depth_size == DEPTH
    for place, frame in enumerate(recording.frames):
        assert frame.color.name == f'frame-{NUMBERS[place]}.png' and frame.depth.name == f'{NUMBERS[place]:06d}.png'


def test_intrinsics_of_the_colour_images_are_recognised_by_their_size(folder):
    matrix = color_intrinsic().T.ravel().tolist()
    (folder / 'camera.json').write_text(json.dumps(dict(width=128, height=96, intrinsic_matrix=matrix)))
    np.testing.assert_allclose(opened(folder).intrinsic, INTRINSIC)


def test_files_with_other_numbers_are_matched_in_their_order_when_asked(folder):
    for place, path in enumerate(sorted((folder / 'depth').iterdir())):
        path.rename(folder / f'depth/d{place + 8}.png')  # 8, 9, 10, ...: not the order of letters
    with pytest.raises(ValueError, match='different numbers.*--by-order'):
        opened(folder)
    recording = opened(folder, by_order=True)
    assert [frame.depth.stem for frame in recording.frames] == ['d8', 'd9', 'd10', 'd11', 'd12', 'd13']


def test_files_without_one_number_are_matched_in_their_order(folder, capsys):
    for place, path in enumerate(sorted((folder / 'depth').iterdir())):
        path.rename(folder / f'depth/1305031102.{place + 8}.png')
    recording = opened(folder)
    assert 'in their order' in capsys.readouterr().out
    assert [frame.number for frame in recording.frames] == list(range(6))
    assert [frame.depth.stem[-1] for frame in recording.frames] == list('890123')
    np.testing.assert_allclose([frame.pose for frame in recording.frames], POSES)


def test_unprojected_points_lie_on_the_room(folder):
    recording = opened(folder)
    for frame in recording.frames:
        xyz, colours, depth = recording.unprojected(frame)
        away, face = faces(xyz)
        assert len(xyz) == 48 * 64 - 50 and away.max() < 1e-4 * 1.5  # half a unit of depth, along oblique rays
        # Where faces meet, the nearest colour pixel may see the other one.
        assert (colours == FACE_COLOURS[face]).all(axis=1).mean() > 0.93
        assert 100 < len(recording.unprojected(frame, 1.6)[0]) == (depth <= 1.6).sum() < len(depth)


def test_one_measured_point_in_each_cell_the_one_seen_from_nearest(folder, monkeypatch):
    recording, voxel = opened(folder), 0.15
    points = fuse_frames(recording, recording.frames, voxel, 2.2)
    reference: dict[tuple, np.ndarray] = {}
    for frame in recording.frames:
        for xyz, colour, depth in zip(*recording.unprojected(frame)):
            cell = tuple(np.floor(xyz / voxel).astype(int))
            if depth <= 2.2 and (cell not in reference or depth < reference[cell][6]):
                reference[cell] = np.concatenate([xyz, colour, [depth]])
    expected = np.array([reference[cell] for cell in sorted(reference)])[:, :6].astype(np.float32)
    assert points.dtype == np.float32
    np.testing.assert_array_equal(points, expected)
    monkeypatch.setattr('mmfusion_plugin.converters.rgbd_cloud._CELLS_KEPT_BACK', 1)  # thinned after every frame
    np.testing.assert_array_equal(fuse_frames(recording, recording.frames, voxel, 2.2), expected)


@pytest.mark.parametrize('up', UPS)
def test_any_axis_can_point_up(folder, tmp_path, up):
    turn = upright(up)
    sign, axis = {'+': 1.0, '-': -1.0}[up[0]], 'xyz'.index(up[1])
    np.testing.assert_array_equal(turn @ (sign * np.eye(3)[axis]), [0, 0, 1])
    assert np.linalg.det(turn) == pytest.approx(1) and np.allclose(turn @ turn.T, np.eye(3))
    back = np.eye(4)
    back[:3, :3] = turn.T  # the files' world, in which the axis is up
    write_log(folder / 'trajectory.log', [back @ pose for pose in POSES])
    recording = opened(folder, up=up)
    np.testing.assert_allclose([frame.pose for frame in recording.frames], POSES, atol=1e-12)
    vertices, _ = hand.mesh()
    turned = np.concatenate([vertices[:, :3] @ turn, vertices[:, 3:]], axis=1)
    write_cloud(folder / 'mesh.ply', turned)
    convert_recording(recording, tmp_path / 'out', 'room', folder / 'mesh.ply')
    written = np.fromfile(tmp_path / 'out/points/room.bin', '<f4').reshape(-1, 6)
    np.testing.assert_allclose(written, vertices, atol=1e-5)


def write_cloud(path: Path, points: np.ndarray) -> None:
    """As Open3D writes a point cloud: double coordinates, no face."""
    kinds = [(name, 'f8') for name in 'xyz'] + [(name, 'u1') for name in ('red', 'green', 'blue')]
    rows = np.array([tuple(row) for row in points.tolist()], kinds)
    PlyData([PlyElement.describe(rows, 'vertex')]).write(str(path))


def test_a_scan_given_in_both_ways_is_converted_to_the_same(tmp_path):
    """ScanNet's own conversion of a ``.sens`` file, against the conversion of its frames in folders."""
    root = hand.make_world(tmp_path / 'scannet')
    create_scannet_infos(root, tmp_path / 'one', lists={'test': root / 'scannetv2_test.txt'})
    name, scan = hand.SCANS['test'][0], 3
    for kind in ('color', 'depth'):
        (tmp_path / kind).mkdir()
    poses = []
    for number in range(hand.NUM_FRAMES):
        Image.fromarray(hand.color_image(number, scan)).save(tmp_path / f'color/{number}.png')
        Image.fromarray(hand.depth_image(number, scan)).save(tmp_path / f'depth/{number}.png')
        lost = np.full((4, 4), -np.inf)
        poses.append(lost if number == hand.LOST else hand.camera_pose(number, scan).astype(np.float64))
    write_log(tmp_path / 'poses.log', poses, tuple(range(hand.NUM_FRAMES)))
    np.savetxt(tmp_path / 'camera.txt', hand.INTRINSIC_DEPTH)
    recording = open_recording(tmp_path / 'color', tmp_path / 'depth', tmp_path / 'poses.log', tmp_path / 'camera.txt')
    assert recording.lost == [hand.LOST]
    mesh = root / 'scans_test' / name / f'{name}_vh_clean_2.ply'
    found = entry_of(convert_recording(recording, tmp_path / 'two', name, mesh))
    expected = entry_of(tmp_path / 'one/scannet_infos_test.json')
    # The two cameras of the hand-made scan differ; a recording has one.
    assert found['rgbd'].pop('cam2img') != expected['rgbd'].pop('cam2img')
    assert found == expected and found['rgbd']['frames'] == [0, 1, 4, 5]
    files = [f'points/{name}.bin', f'frames/{name}/poses.npy', *(f'frames/{name}/depth/{n}.png' for n in (0, 1, 4, 5))]
    for file in files:
        assert (tmp_path / 'two' / file).read_bytes() == (tmp_path / 'one' / file).read_bytes(), file
    overlaps = [np.load(tmp_path / way / f'frames/{name}/overlap.npz') for way in ('one', 'two')]
    for key in ('base', 'seen'):
        np.testing.assert_array_equal(*(overlap[key] for overlap in overlaps))
    for number in (0, 1, 4, 5):  # JPEG of a JPEG, against JPEG of the image itself
        one, two = (np.asarray(Image.open(tmp_path / way / f'frames/{name}/color/{number}.jpg'), float)
                    for way in ('one', 'two'))
        assert np.abs(one - two).mean() < 6 and one.shape == two.shape == (120, 160, 3)


def test_frames_without_place_or_depth_are_dropped_and_listed(folder, tmp_path, capsys):
    write_log(folder / 'trajectory.log', [*POSES[:4], np.full((4, 4), np.nan), POSES[5]])
    Image.fromarray(np.zeros(DEPTH[::-1], np.uint16)).save(folder / 'depth/000007.png')
    options = ScanOptions(image_size=(32, 24))
    entry = entry_of(convert_recording(opened(folder), tmp_path / 'out', 'room', options=options))
    assert entry['rgbd']['frames'] == [3, 8, 20, 100] and (entry['rgbd']['width'], entry['rgbd']['height']) == (32, 24)
    assert str({LOST: [21], EMPTY: [7]}) in capsys.readouterr().out
    points = np.fromfile(tmp_path / 'out/points/room.bin', '<f4').reshape(-1, 6)
    assert len(points) == entry['num_points'] > 5000 and faces(points[:, :3].astype(float))[0].max() < 2e-4
    assert np.load(tmp_path / 'out/frames/room/poses.npy').shape == (4, 4, 4)
    seen = np.unpackbits(np.load(tmp_path / 'out/frames/room/overlap.npz')['seen'], axis=1)
    assert seen.shape == (4, 2000) and (seen.sum(axis=1) > 200).all() and seen.any(axis=0).mean() > 0.9


def test_a_mesh_in_another_world_is_warned_of(folder, tmp_path, capsys):
    for shift in (0, 50):
        write_cloud(folder / 'mesh.ply', hand.mesh()[0] + np.array([shift, 0, 0, 0, 0, 0], np.float32))
        convert_recording(opened(folder), tmp_path, 'room', folder / 'mesh.ply')
        text = capsys.readouterr().out
        seen = float(text.split('points, ')[1].split(' %')[0])
        assert seen == 0 if shift else seen > 60, text
        assert ('warning: hardly a point is seen' in text) == bool(shift)


def test_frame_skip(folder, tmp_path):
    options = ScanOptions(image_size=(32, 24), frame_skip=2)
    entry = entry_of(convert_recording(opened(folder), tmp_path, 'room', options=options))
    assert entry['rgbd']['frames'] == [3, 8, 21]


def test_a_failed_run_leaves_an_earlier_conversion_as_it_is(folder, tmp_path):
    out = tmp_path / 'out'
    convert_recording(opened(folder), out, 'room')
    (folder / 'color/frame-8.png').write_bytes((folder / 'color/frame-8.png').read_bytes()[:200])
    recording = opened(folder)
    mesh = tmp_path / 'mesh.ply'
    write_cloud(mesh, hand.mesh()[0])
    with pytest.raises(ValueError, match='frame-8.png is damaged'):
        convert_recording(recording, out, 'room', mesh)
    assert sorted(path.name for path in (out / 'frames').iterdir()) == ['room']
    assert (out / 'scan_infos_test.json').is_file()
    assert len(list((out / 'frames/room/color').iterdir())) == 6
    assert len(np.fromfile(out / 'points/room.bin', '<f4')) != 6 * len(hand.mesh()[0])


def test_a_second_run_replaces_the_first(folder, tmp_path):
    out, mesh = tmp_path / 'out', tmp_path / 'mesh.ply'
    convert_recording(opened(folder), out, 'room')
    write_cloud(mesh, hand.mesh()[0])
    options = ScanOptions(image_size=(32, 24), frame_skip=3)
    entry = entry_of(convert_recording(opened(folder), out, 'room', mesh, options))
    assert entry['num_points'] == len(hand.mesh()[0]) == len(np.fromfile(out / 'points/room.bin', '<f4')) // 6
    assert sorted(path.name for path in (out / 'frames/room/depth').iterdir()) == ['20.png', '3.png']


def _remove(name):
    return lambda folder: (shutil.rmtree if (folder / name).is_dir() else Path.unlink)(folder / name)


def _image(name, array):
    return lambda folder: Image.fromarray(array).save(folder / name)


def _text(name, text):
    return lambda folder: (folder / name).write_text(text)


def _camera(width, height, matrix):
    content = dict(width=width, height=height, intrinsic_matrix=matrix.ravel().tolist())
    return _text('camera.json', json.dumps(content))


def _resize_colour(folder):
    for path in (folder / 'color').iterdir():
        Image.open(path).resize((128, 72)).save(path)


CASES = {
    'no colour folder': (_remove('color'), 'color is not a folder'),
    'no depth': (lambda folder: [path.unlink() for path in (folder / 'depth').iterdir()], 'depth holds no image'),
    'no poses': (_remove('trajectory.log'), 'trajectory.log is neither'),
    'no intrinsics': (_remove('camera.json'), 'camera.json, the camera matrix, not found'),
    'a pose lacks': (lambda folder: write_log(folder / 'trajectory.log', POSES[:4], NUMBERS[:4]),
                     r'poses in .*: 4 \(none with number 21, 100\)'),
    'an image lacks': (_remove('depth/000008.png'), r'depth images in .*: 5 \(none with number 8\)'),
    'other size': (_image('depth/000008.png', np.ones((48, 63), np.uint16)), r'000008.png has \(63, 48\) pixels and'),
    'other shape': (_resize_colour, 'register depth to colour'),
    'depth of 8 bits': (_image('depth/000008.png', np.ones((48, 64), np.uint8)), "16-bit depth.*'L'"),
    'no image': (_text('color/frame-8.png', 'hello'), 'frame-8.png is no image'),
    'cut log': (_text('trajectory.log', '0 0 1\n1 0 0 0\n'), '2 lines'),
    'words in the log': (_text('trajectory.log', '0 0 1\n' + 'a b c d\n' * 4), 'frame 0: need a line of whole'),
    'no rotation': (lambda folder: write_log(folder / 'trajectory.log', [2 * pose for pose in POSES]), 'rigid motion'),
    'mirrored': (lambda folder: write_log(folder / 'trajectory.log', [pose * [1, 1, -1, 1] for pose in POSES]),
                 'rigid motion'),
    'no pose is finite': (lambda folder: write_log(folder / 'trajectory.log', [0 * POSES[0] + np.nan] * 6),
                          'none of 6 poses is finite'),
    'row by row': (_camera(64, 48, INTRINSIC), 'column by column'),
    'of other images': (_camera(640, 480, INTRINSIC.T), r'is of images of \(640, 480\) pixels'),
    'no json': (_text('camera.json', '{'), 'must hold width'),
}  # fmt: skip


@pytest.mark.parametrize('case', CASES)
def test_bad_input_is_named(folder, tmp_path, case):
    change, words = CASES[case]
    change(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        convert_recording(opened(folder), tmp_path / 'out', 'room')
    assert not (tmp_path / 'out').exists() or not list((tmp_path / 'out').glob('*.json'))


@pytest.mark.parametrize('options, words', [
    (dict(intrinsics=[1.0, 2.0]), 'four values fx fy cx cy'),
    (dict(intrinsics=[-1.0, 1, 1, 1]), 'is no matrix'),
    (dict(up='y'), r"one of \+x, .* got 'y'"),
    (dict(depth_shift=0.0), 'depth_shift must be a positive'),
])
def test_bad_options_are_named(folder, options, words):
    with pytest.raises(ValueError, match=words):
        opened(folder, **options)


def test_bad_options_of_the_conversion_are_named(folder, tmp_path):
    recording = opened(folder)
    with pytest.raises(ValueError, match='depth_shift=10000'):
        convert_recording(recording, tmp_path, 'room', max_depth=0.01)
    with pytest.raises(ValueError, match='must be positive'):
        convert_recording(recording, tmp_path, 'room', voxel=0.0)
    with pytest.raises(ValueError, match='cannot name a scan'):
        convert_recording(recording, tmp_path, '../room')
    with pytest.raises(FileNotFoundError, match='mesh.ply not found'):
        convert_recording(recording, tmp_path, 'room', tmp_path / 'mesh.ply')
