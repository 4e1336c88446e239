"""Converted scans against the formulas of the rooms they show."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scannet_hand_world as world
from PIL import Image

from mmfusion_plugin.converters import scannet_frames
from mmfusion_plugin.converters.scannet import create_scannet_infos
from mmfusion_plugin.converters.scannet_frames import ScanOptions
from mmfusion_plugin.converters.scannet_taxonomy import BAD_FRAMES
from mmfusion_plugin.datasets.info_files import load_info_file

SIZE = (16, 12)
KEPT = [number for number in range(world.NUM_FRAMES) if number not in (world.LOST, world.EMPTY)]
ALL = [(name, number) for number, name in enumerate(sum(world.SCANS.values(), ()))]


@pytest.fixture(scope='module')
def raw(tmp_path_factory) -> Path:
    return world.make_world(tmp_path_factory.mktemp('scannet') / 'raw')


@pytest.fixture(scope='module')
def out(raw, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('scannet_out')
    create_scannet_infos(raw, folder, ScanOptions(SIZE))
    return folder


def entries(out: Path) -> dict[str, dict]:
    files = [out / f'scannet_infos_{split}.json' for split in world.SCANS]
    return {entry['scan_id']: entry for path in files for entry in json.loads(path.read_text())['data_list']}


def image(out: Path, name: str, kind: str, number: int) -> np.ndarray:
    return np.asarray(Image.open(out / 'frames' / name / kind / f'{number}.{"jpg" if kind == "color" else "png"}'))


def test_one_entry_per_scan_in_the_order_of_the_lists(out):
    for split, names in world.SCANS.items():
        metainfo, data = load_info_file(str(out / f'scannet_infos_{split}.json'))
        assert [entry['scan_id'] for entry in data] == list(names)
        assert [entry['sample_idx'] for entry in data] == list(range(len(names)))
        assert metainfo['split'] == split and metainfo['dataset'] == 'scannet' and metainfo['info_version'] == '1.1'
        assert metainfo['categories']['picture'] == 10 and len(metainfo['categories']) == 20


def test_entry(out):
    entry = entries(out)['scene0000_01']
    rgbd = entry['rgbd']
    assert rgbd['frames'] == KEPT and (rgbd['width'], rgbd['height']) == SIZE and rgbd['path'] == 'scene0000_01'
    assert rgbd['labels'] == ['label', 'label-filt'] and rgbd['depth_shift'] == 1000
    assert entry['lidar_points'] == dict(num_pts_feats=6, lidar_path='scene0000_01.bin')
    assert entry['num_points'] == len(world.mesh()[0])
    np.testing.assert_array_equal(
        entry['axis_align_matrix'], [[0, -1, 0, 0.5], [1, 0, 0, -2], [0, 0, 1, 0.25], [0, 0, 0, 1]])


def test_test_split_has_no_labels(out):
    entry = entries(out)['scene0707_00']
    assert 'pts_semantic_mask_path' not in entry and entry['rgbd']['labels'] == []
    assert not (out / 'semantic_mask/scene0707_00.bin').exists()
    names = sorted(path.name for path in (out / 'frames/scene0707_00').iterdir())
    assert names == ['color', 'depth', 'overlap.npz', 'poses.npy']
    np.testing.assert_array_equal(entry['axis_align_matrix'], np.eye(4))


@pytest.mark.parametrize('name', [name for name, _ in ALL])
def test_vertices_and_their_labels(out, name):
    vertices, faces = world.mesh()
    np.testing.assert_array_equal(np.fromfile(out / f'points/{name}.bin', '<f4').reshape(-1, 6), vertices)
    if name != 'scene0707_00':
        expected = [world.FACES[face][2] for face in faces]
        np.testing.assert_array_equal(np.fromfile(out / f'semantic_mask/{name}.bin', '<i8'), expected)


def test_mmdet3d_reads_the_same_files(out):
    from mmdet3d.datasets import ScanNetSegDataset

    metainfo = dict(classes=ScanNetSegDataset.METAINFO['classes'])
    for split in ('val', 'test'):
        dataset = ScanNetSegDataset(
            str(out), f'scannet_infos_{split}.json', metainfo=metainfo, pipeline=[], test_mode=True,
            data_prefix=dict(pts='points', pts_semantic_mask='semantic_mask'))
        info = dataset.get_data_info(0)
        assert Path(info['lidar_points']['lidar_path']).is_file() and Path(info['lidar_path']).is_file()
        assert split == 'test' or Path(info['pts_semantic_mask_path']).is_file()


@pytest.mark.parametrize('name, scan', ALL)
def test_frames_keep_their_numbers_and_poses(out, name, scan):
    folder = out / 'frames' / name
    for kind in ('color', 'depth', *entries(out)[name]['rgbd']['labels']):
        suffix = 'jpg' if kind == 'color' else 'png'
        assert {path.name for path in (folder / kind).iterdir()} == {f'{number}.{suffix}' for number in KEPT}
    poses = np.load(folder / 'poses.npy', allow_pickle=False)
    assert poses.dtype == np.float32
    np.testing.assert_array_equal(poses, [world.camera_pose(number, scan) for number in KEPT])


@pytest.mark.parametrize('name, scan', ALL)
def test_unprojected_depth_lies_on_the_walls(out, name, scan):
    rgbd, poses = entries(out)[name]['rgbd'], np.load(out / 'frames' / name / 'poses.npy').astype(np.float64)
    naive = world.INTRINSIC_DEPTH[:3, :3] * [[0.25], [0.25], [1]]

    def distance(matrix: np.ndarray) -> float:
        """Largest distance of an unprojected pixel from the nearest face."""
        worst = 0.0
        for number, pose in zip(rgbd['frames'], poses):
            depth = image(out, name, 'depth', number) / rgbd['depth_shift']
            assert depth.shape == SIZE[::-1] and (depth > 0).sum() > 150
            u, v = world.pixels(SIZE)
            rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(matrix).T
            points = (rays * depth[..., None])[depth > 0] @ pose[:3, :3].T + pose[:3, 3]
            gaps = np.abs(np.concatenate([points - world.LOWER, points - world.UPPER], 1)).min(1)
            worst = max(worst, gaps.max())
        return worst

    assert distance(np.array(rgbd['depth2img'])) < 0.001  # depth is rounded to millimetres
    assert distance(naive) > 0.05


@pytest.mark.parametrize('name, scan', [pair for pair in ALL if pair[0] != 'scene0707_00'])
def test_label_images_hold_what_the_pixels_see(out, name, scan):
    ids = np.array([nyu40 for _, _, nyu40 in world.FACES])
    for number in KEPT:
        faces = np.asarray(Image.fromarray(world.face_image(number, scan).astype(np.uint8)).resize(
            SIZE, Image.Resampling.NEAREST))
        raw, filtered = image(out, name, 'label', number), image(out, name, 'label-filt', number)
        assert raw.dtype == np.uint8 and len(np.unique(raw)) > 1
        np.testing.assert_array_equal(raw, ids[faces])
        np.testing.assert_array_equal(filtered, np.where(faces == 1, 0, ids[faces]))


def test_colours_lie_where_cam2img_says(out):
    # The red channel is the column of the large image: a small pixel's ray must lead back to it.
    matrix = np.array(entries(out)['scene0000_00']['rgbd']['cam2img'])
    u, v = world.pixels(SIZE)
    for axis, (position, channel, factor) in enumerate(((u, 0, 1), (v, 1, 2))):
        ray = (position - matrix[axis, 2]) / matrix[axis, axis]
        place = ray * world.INTRINSIC_COLOR[axis, axis] + world.INTRINSIC_COLOR[axis, 2]
        error = image(out, 'scene0000_00', 'color', 0)[..., channel] / factor - place
        assert np.abs(error[1:-1, 1:-1].mean()) < 0.6 and np.abs(error[1:-1, 1:-1]).max() < 6


def test_dropped_frames_are_listed(out):
    for name, _ in ALL:
        manifest = json.loads((out / f'manifests/{name}.json').read_text())
        assert manifest['dropped'] == {'pose not finite': [world.LOST], 'depth without a measurement': [world.EMPTY]}
        assert (manifest['frames_in_file'], manifest['frames_kept']) == (world.NUM_FRAMES, len(KEPT))
    rows = json.loads((out / 'scannet_coverage.json').read_text())
    assert {row['scan'] for row in rows} == {name for name, _ in ALL}
    assert [row['share'] for row in rows] == sorted(row['share'] for row in rows)
    for row in rows:
        assert row['dropped'] and 0.1 < row['share'] == row['seen'] / row['vertices'] < 0.6


def test_known_bad_frames_are_not_even_decoded(raw, tmp_path, monkeypatch):
    monkeypatch.setattr(scannet_frames, 'BAD_FRAMES', {'scene0011_00': frozenset({0, 5, 4000})})
    create_scannet_infos(raw, tmp_path, ScanOptions(SIZE), lists={'val': raw / 'scannetv2_val.txt'})
    assert entries_of(tmp_path, 'val')[0]['rgbd']['frames'] == [1, 4]
    manifest = json.loads((tmp_path / 'manifests/scene0011_00.json').read_text())
    assert manifest['dropped']['known bad frame'] == [0, 5]


def test_list_of_bad_frames():
    assert {name: len(numbers) for name, numbers in BAD_FRAMES.items()} == {
        'scene0243_00': 10, 'scene0538_00': 6, 'scene0639_00': 3, 'scene0299_01': 1}


def entries_of(out: Path, split: str) -> list[dict]:
    return json.loads((out / f'scannet_infos_{split}.json').read_text())['data_list']


def test_every_second_frame_by_its_number(raw, tmp_path):
    create_scannet_infos(raw, tmp_path, ScanOptions(SIZE, frame_skip=2), lists={'val': raw / 'scannetv2_val.txt'})
    assert entries_of(tmp_path, 'val')[0]['rgbd']['frames'] == [0, 4]  # 2 has no pose
    manifest = json.loads((tmp_path / 'manifests/scene0011_00.json').read_text())
    assert manifest['dropped'] == {'pose not finite': [2]}


def test_label_images_can_be_left_out(raw, tmp_path):
    options = ScanOptions(SIZE, label_kinds=('label-filt',))
    create_scannet_infos(raw, tmp_path, options, lists={'val': raw / 'scannetv2_val.txt'})
    assert entries_of(tmp_path, 'val')[0]['rgbd']['labels'] == ['label-filt']
    assert not (tmp_path / 'frames/scene0011_00/label').exists()
