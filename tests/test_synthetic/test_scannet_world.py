"""Generated ScanNet rooms, read with nothing but struct, zlib and numpy: format, geometry, labels, determinism."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Dict, List, NamedTuple

import cv2
import numpy as np
import pytest

pytest.importorskip('embreex', reason='embreex is not installed')

from mmfusion_plugin.synthetic import scannet  # noqa: E402
from mmfusion_plugin.synthetic.scannet_walk import Tracking  # noqa: E402

SMALL = {'color_size': (162, 121), 'depth_size': (80, 60), 'progress': False}
EXACT = {'tracking': Tracking(0.0, 0.0, 0.1), 'depth_noise': 0.0}


class Frame(NamedTuple):
    pose: np.ndarray
    color: np.ndarray
    depth: np.ndarray


def read_sens(path: Path) -> tuple[np.ndarray, List[Frame]]:
    """Camera matrices (colour, depth) and frames, straight from the layout in ScanNet's SensReader/README.md."""
    data, at = path.read_bytes(), 0

    def take(layout: str) -> tuple:
        nonlocal at
        at += struct.calcsize('<' + layout)
        return struct.unpack_from('<' + layout, data, at - struct.calcsize('<' + layout))

    assert take('I') == (4,)
    (length,) = take('Q')
    at += length
    matrices = np.array(take('64f')).reshape(4, 4, 4)
    assert take('ii') == (2, 1)
    color_width, color_height, width, height, shift, count = take('4IfQ')
    assert shift == 1000.0
    frames = []
    for _ in range(count):
        pose = np.array(take('16f')).reshape(4, 4)
        _, _, color_bytes, depth_bytes = take('4Q')
        color = cv2.imdecode(np.frombuffer(data, np.uint8, color_bytes, at), cv2.IMREAD_COLOR)
        at += color_bytes
        depth = np.frombuffer(zlib.decompress(data[at : at + depth_bytes]), '<u2').reshape(height, width)
        at += depth_bytes
        assert color.shape == (color_height, color_width, 3)
        frames.append(Frame(pose, color, depth))
    assert take('Q') == (0,) and at == len(data)
    return matrices[[0, 2]], frames


def read_ply(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices as a structured array and faces (M, 3) of a binary little-endian PLY."""
    header, body = path.read_bytes().split(b'end_header\n', 1)
    lines = header.decode().splitlines()
    assert lines[:2] == ['ply', 'format binary_little_endian 1.0']
    count, faces = (int(line.split()[-1]) for line in lines if line.startswith('element'))
    kind = np.dtype([('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('rgba', 'u1', 4)])
    face = np.dtype([('count', 'u1'), ('corners', '<i4', 3)])
    assert len(body) == count * kind.itemsize + faces * face.itemsize
    corners = np.frombuffer(body, face, faces, count * kind.itemsize)
    assert (corners['count'] == 3).all()
    return np.frombuffer(body, kind, count), corners['corners']


def read_table(root: Path) -> Dict[str, Dict[str, str]]:
    """Rows of the label table by raw category."""
    head, *rows = [line.split('\t') for line in (root / 'scannetv2-labels.combined.tsv').read_text().splitlines()]
    assert len(head) == 17
    return {row[1]: dict(zip(head, row)) for row in rows}


def parameters(folder: Path) -> Dict[str, str]:
    lines = (folder / f'{folder.name}.txt').read_text().splitlines()
    return dict(line.split(' = ') for line in lines)


def vertex_labels(folder: Path, count: int) -> np.ndarray:
    """Label of each vertex by name, '' for none."""
    segments = np.array(json.loads((folder / f'{folder.name}_vh_clean_2.0.010000.segs.json').read_text())['segIndices'])
    assert segments.shape == (count,)
    labels = np.full(count, '', dtype='<U20')
    for group in json.loads((folder / f'{folder.name}.aggregation.json').read_text())['segGroups']:
        members = np.isin(segments, group['segments'])
        assert members.any() and (labels[members] == '').all()
        labels[members] = group['label']
    return labels


def in_room(folder: Path, vertices: np.ndarray) -> np.ndarray:
    alignment = np.array(parameters(folder)['axisAlignment'].split(), dtype=float).reshape(4, 4)
    points = np.stack([vertices[axis] for axis in 'xyz'], axis=1).astype(float)
    return points @ alignment[:3, :3].T + alignment[:3, 3]


def digests(root: Path) -> Dict[str, str]:
    return {str(p.relative_to(root)): hashlib.md5(p.read_bytes()).hexdigest() for p in root.rglob('*') if p.is_file()}


@pytest.fixture(scope='module')
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An apartment for training, one for validation, one of the test split; exact but for a lost frame each."""
    return scannet.make_scannet(tmp_path_factory.mktemp('world') / 'scannet', 2, 10, **SMALL, **EXACT)


@pytest.fixture(scope='module')
def scan(world: Path) -> Path:
    return world / 'scans' / 'scene0000_00'


def test_layout_of_the_release(world: Path) -> None:
    labelled = ['.aggregation.json', '.sens', '.txt', '_2d-label-filt.zip', '_2d-label.zip',
                '_vh_clean_2.0.010000.segs.json', '_vh_clean_2.ply']  # fmt: skip
    for scan, files in (('scans/scene0000_00', labelled), ('scans/scene0011_00', labelled),
                        ('scans_test/scene0707_00', ['.sens', '.txt', '_vh_clean_2.ply'])):  # fmt: skip
        name = scan.split('/')[1]
        assert sorted(p.name for p in (world / scan).iterdir()) == [name + ending for ending in files]
        assert ('axisAlignment' in parameters(world / scan)) == (files is labelled)
        assert parameters(world / scan)['numDepthFrames'] == '10'
    for split, names in (('train', 'scene0000_00\n'), ('val', 'scene0011_00\n'), ('test', 'scene0707_00\n')):
        assert (world / 'meta_data' / f'scannetv2_{split}.txt').read_text() == names


def test_frames(scan: Path) -> None:
    matrices, frames = read_sens(scan / 'scene0000_00.sens')
    assert len(frames) == 10
    lost = [bool(np.isneginf(frame.pose).all()) for frame in frames]
    assert 1 <= sum(lost) <= 4
    for frame, gone in zip(frames, lost):
        assert frame.color.std() > 5 and (frame.depth > 0).mean() > 0.8
        if not gone:
            rotation = frame.pose[:3, :3]
            np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-5)
            assert rotation[2, 1] < 0  # the camera's y axis points down
    # A lens keeps its angle at every size, and the outer edge of the first column its slope.
    np.testing.assert_allclose(float(parameters(scan)['fx_depth']), matrices[1][0, 0], rtol=1e-6)
    np.testing.assert_allclose(matrices[0][0, 0] / 162, 1169.62 / 1296, rtol=1e-5)
    np.testing.assert_allclose((matrices[0][0, 2] + 0.5) / 162, (646.295 + 0.5) / 1296, rtol=1e-5)


def test_label_images_agree_with_the_vertices(world: Path, scan: Path) -> None:
    """A vertex seen in a frame has there the id that the table gives its label; unfiltered images err more."""
    vertices, _ = read_ply(scan / 'scene0000_00_vh_clean_2.ply')
    labels, table = vertex_labels(scan, len(vertices)), read_table(world)
    ids = np.array([int(table[name]['id']) if name else 0 for name in labels])
    points = np.stack([vertices[axis] for axis in 'xyz'], axis=1).astype(float)
    (color, depth), frames = read_sens(scan / 'scene0000_00.sens')
    share = {}
    for kind in ('label', 'label-filt'):
        right = total = 0
        with zipfile.ZipFile(scan / f'scene0000_00_2d-{kind}.zip') as archive:
            assert sorted(archive.namelist()) == sorted([f'{kind}/', *(f'{kind}/{i}.png' for i in range(10))])
            for number, frame in enumerate(frames):
                data = np.frombuffer(archive.read(f'{kind}/{number}.png'), np.uint8)
                image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
                assert image.dtype == np.uint16 and image.shape == (121, 162)
                if not np.isfinite(frame.pose).all():
                    continue
                local = (points - frame.pose[:3, 3]) @ frame.pose[:3, :3]
                z = np.maximum(local[:, 2], 1e-6)
                uv = np.rint(local[:, :2] / z[:, None] * color[[0, 1], [0, 1]] + color[:2, 2]).astype(int)
                st = np.rint(local[:, :2] / z[:, None] * depth[[0, 1], [0, 1]] + depth[:2, 2]).astype(int)
                seen = (local[:, 2] > 0.4) & ((uv >= 0) & (uv < [162, 121]) & (st >= 0) & (st < [80, 60])).all(1)
                seen[seen] = abs(frame.depth[st[seen, 1], st[seen, 0]] / 1000 - z[seen]) < 0.01
                seen &= ids > 0
                right += (image[uv[seen, 1], uv[seen, 0]] == ids[seen]).sum()
                total += seen.sum()
        assert total > 5000
        share[kind] = right / total
    assert share['label-filt'] > 0.97
    assert 0.75 < share['label'] < share['label-filt'] - 0.02


def test_vertices_lie_where_their_labels_say(world: Path, scan: Path) -> None:
    vertices, faces = read_ply(scan / 'scene0000_00_vh_clean_2.ply')
    labels, points = vertex_labels(scan, len(vertices)), in_room(scan, vertices)
    assert {row['nyu40id'] for name, row in read_table(world).items() if name in labels} >= {'1', '2', '8', '9'}
    high = points[labels == 'ceiling'][:, 2].mean()
    assert 2.3 < high < 2.8
    assert abs(points[labels == 'floor'][:, 2]).max() < 0.015
    low, top = points[labels == 'floor'].min(0)[:2], points[labels == 'floor'].max(0)[:2]
    wall = points[labels == 'wall'][:, :2]
    assert np.minimum(abs(wall - low), abs(wall - top)).min(1).max() < 0.03
    hung = points[np.isin(labels, ['door', 'window', 'picture', 'curtain'])][:, :2]
    assert np.minimum(abs(hung - low), abs(hung - top)).min(1).max() < 0.07  # nothing but colour tells them from walls
    assert (labels == '').mean() < 0.06
    edges = np.linalg.norm(points[faces] - points[faces[:, [1, 2, 0]]], axis=2)
    assert 0.02 < np.median(edges) < 0.05 and edges.max() < 0.1
    assert vertices['rgba'][:, :3].astype(float).std(0).min() > 10 and (vertices['rgba'][:, 3] == 255).all()


def test_depth_meets_the_mesh(scan: Path) -> None:
    """Unprojected pixels of exact frames lie on the mesh, to its resolution."""
    from scipy.spatial import cKDTree

    vertices, _ = read_ply(scan / 'scene0000_00_vh_clean_2.ply')
    tree = cKDTree(np.stack([vertices[axis] for axis in 'xyz'], axis=1))
    (_, lens), frames = read_sens(scan / 'scene0000_00.sens')
    frame = next(frame for frame in frames if np.isfinite(frame.pose).all())
    v, u = np.nonzero(frame.depth)
    z = frame.depth[v, u] / 1000
    local = np.stack([(u - lens[0, 2]) / lens[0, 0] * z, (v - lens[1, 2]) / lens[1, 1] * z, z], axis=1)
    distance = tree.query(local @ frame.pose[:3, :3].T + frame.pose[:3, 3])[0]
    assert np.median(distance) < 0.03 and np.quantile(distance, 0.95) < 0.06


@pytest.mark.slow
def test_workers_do_not_change_bytes(world: Path, tmp_path: Path) -> None:
    again = scannet.make_scannet(tmp_path / 'two', 2, 10, workers=2, **SMALL, **EXACT)
    assert digests(again) == digests(world)


def test_errors_leave_the_room_alone_and_an_interrupted_run_goes_on(
    scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = {'scenes': 1, 'test_scenes': 0, 'frames': 3, 'tracking': Tracking(0.02, 0.1, 0.0), **SMALL}
    stopped = []

    def stop(*_: object) -> None:
        stopped.append(1)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr('mmfusion_plugin.synthetic.scannet_scene.write_parameters', stop)
        with pytest.raises(KeyboardInterrupt):
            scannet.make_scannet(tmp_path / 'world', **arguments)
    root = scannet.make_scannet(tmp_path / 'world', **arguments)
    first = digests(root)
    assert stopped and not [name for name in first if 'partial' in name]
    scannet.make_scannet(tmp_path / 'world', **arguments)
    assert digests(root) == first
    mesh = 'scene0000_00_vh_clean_2.ply'
    assert (root / 'scans/scene0000_00' / mesh).read_bytes() == (scan / mesh).read_bytes()
    with pytest.raises(FileExistsError, match='frames: 3 there, 4 asked'):
        scannet.make_scannet(tmp_path / 'world', **{**arguments, 'frames': 4})


def test_impossible_settings(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='frames=0 must be at least 1'):
        scannet.make_scannet(tmp_path / 'world', 1, 0)
    with pytest.raises(ValueError, match='142 rooms'):
        scannet.scan_names('val', 143)
    with pytest.raises(ValueError, match='val_scenes=3 must be 0 to 2'):
        scannet.make_scannet(tmp_path / 'world', 2, 1, val_scenes=3)
    with pytest.raises(ValueError, match='share of lost'):
        Tracking(lost=1.0)
    assert not (tmp_path / 'world').exists()
