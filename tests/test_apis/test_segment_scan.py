"""A recording from folders of images to labels and pictures, with small networks of random weights."""

from __future__ import annotations

import dataclasses
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image
from plyfile import PlyData
from rgbd_hand_recording import write_recording

from mmfusion_plugin.apis.scan_agreement import agreement_report, fusion_agreement
from mmfusion_plugin.apis.scan_inferencer import ScanInferencer
from mmfusion_plugin.apis.segment_scan import segment_scan
from mmfusion_plugin.converters.rgbd_recording import open_recording
from mmfusion_plugin.converters.rgbd_scan import convert_recording
from mmfusion_plugin.converters.scannet_frames import ScanOptions
from mmfusion_plugin.converters.scannet_taxonomy import NYU40_IDS, PALETTE

POINTNET = dict(
    type='PointNet2SSG', sa_channels=((6, 8), (8, 10)), num_centroids=(24, 8), radii=(0.4, 0.8), max_neighbours=(6, 5),
    fp_channels=((9,), (7, 6)),
)  # fmt: skip
HEAD = dict(type='PointMLPHead', channels=(7,), num_classes=20)
IMAGES = dict(
    image_backbone=dict(type='UNetResNet34', depth=18, base_channels=4),
    aggregation=dict(type='NearestPixelAggregation', channels=(6, 6)),
)
SIMILAR = dict(
    geometric=dict(type='GeometricSimilarity'),
    contextual=dict(type='ContextualSimilarity', channels=5, orientation_channels=7),
    fusion=dict(type='SimilarityFusion'), num_neighbours=6,
)  # fmt: skip
KINDS = {'PointSetSegmentor': {}, 'MVPNet': IMAGES, 'SAFNet': {**IMAGES, **SIMILAR}}
SIZE = ScanOptions(image_size=(32, 24))


def config_of(kind: str, folder: Path) -> Path:
    """A config as users have it."""
    views = [dict(type='SelectViews', num_views=2), dict(type='LoadViews'), dict(type='UnprojectViews')]
    pipeline = [
        dict(type='LoadScan'), dict(type='CutIntoChunks', min_points=100), *(views if KINDS[kind] else []),
        dict(type='PackFusionInputs'),
    ]  # fmt: skip
    dataset = dict(type='ScanNetRGBDDataset', data_root='nowhere', ann_file='none.json', pipeline=pipeline)
    cfg = Config(dict(
        custom_imports=dict(imports=['mmfusion_plugin']), default_scope='mmdet3d',
        model=dict(type=kind, backbone=POINTNET, decode_head=HEAD, **KINDS[kind], test_cfg=dict(progress=False)),
        test_dataloader=dict(dataset=dataset),
    ))  # fmt: skip
    cfg.dump(folder / f'{kind}.py')
    return folder / f'{kind}.py'


@pytest.fixture()
def trained(tmp_path: Path):
    """Config and checkpoint of a kind of model."""
    def make(kind: str) -> tuple[Path, Path]:
        config = config_of(kind, tmp_path)
        init_default_scope('mmdet3d')
        torch.manual_seed(0)
        model = MODELS.build(Config.fromfile(config).model)
        torch.save(dict(state_dict=model.state_dict(), meta={}), tmp_path / f'{kind}.pth')
        return config, tmp_path / f'{kind}.pth'

    return make


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recording(tmp_path_factory.mktemp('box') / 'recording')


@pytest.fixture(scope='module')
def recording(folder: Path):
    paths = (folder / name for name in ('color', 'depth', 'trajectory.log', 'camera.json'))
    return open_recording(*paths, depth_shift=1e4)


@pytest.fixture(scope='session')
def living_room() -> Path:
    """Five real RGB-D frames; not shipped with the project."""
    base = Path(os.environ.get('MMFUSION_SHARED_DATA', Path(__file__).resolve().parents[3] / 'shared' / 'data'))
    if not (base / 'rgbd_livingroom/trajectory.log').is_file():
        pytest.skip(f'no rgbd_livingroom in {base}: set MMFUSION_SHARED_DATA to the folder that holds it')
    return base / 'rgbd_livingroom'


def assert_picture(path: Path) -> None:
    picture = np.asarray(Image.open(path).convert('RGB'))
    assert min(picture.shape[:2]) > 300 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 20


@pytest.mark.parametrize('kind', KINDS)
def test_end_to_end(trained, recording, tmp_path, capsys, kind):
    config, checkpoint = trained(kind)
    similarity = kind == 'SAFNet'
    out = tmp_path / 'out'
    summary = segment_scan(config, checkpoint, recording, out, 'room', options=SIZE, voxel=0.1, similarity=similarity,
                           device='cpu')
    points = np.fromfile(out / 'data/points/room.bin', '<f4').reshape(-1, 6)
    ids = np.loadtxt(out / 'room_labels.txt', dtype=int)
    assert len(ids) == len(points) == summary['points'] > 3000 and set(ids) <= set(NYU40_IDS)
    vertex = PlyData.read(str(out / 'room.ply'))['vertex']
    np.testing.assert_array_equal(np.stack([vertex[axis] for axis in 'xyz'], 1), points[:, :3])
    np.testing.assert_array_equal(vertex['label'], ids)
    colours = np.array(PALETTE)[[NYU40_IDS.index(number) for number in ids]]
    np.testing.assert_array_equal(np.stack([vertex[name] for name in ('red', 'green', 'blue')], 1), colours)
    assert_picture(out / 'room_views.png')
    assert sum(summary['points_per_class'].values()) == len(points)
    assert json.loads((out / 'room.json').read_text())['points_per_class'] == summary['points_per_class']
    names = {'data', 'room.json', 'room.ply', 'room_labels.txt', 'room_views.png'}
    if similarity:
        names |= {'room_similarity.png', 'room_similarity.npz'}
        assert_picture(out / 'room_similarity.png')
        found = np.load(out / 'room_similarity.npz')
        assert {name: found[name].shape for name in found} == {
            name: (len(points),) for name in ('geometric', 'contextual', 'product')}
    assert {path.name for path in out.iterdir()} == names
    text = capsys.readouterr().out
    assert f'{len(points):,} points labelled' in text and 'frames 3 and 7: median' in text and 'dropped: none; ' in text


def test_labels_are_those_of_the_models_own_prediction(trained, recording, tmp_path):
    """The inferencer against dataset, pipeline and model put together by hand."""
    from mmdet3d.registry import DATASETS
    from mmengine.dataset import pseudo_collate

    config, checkpoint = trained('SAFNet')
    info = convert_recording(recording, tmp_path / 'data', 'room', options=SIZE, voxel=0.1)
    result = ScanInferencer(config, checkpoint, 'cpu')(info)
    cfg = Config.fromfile(config)
    prefix = dict(pts='points', frames='frames')
    dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'data_root': str(tmp_path / 'data'), 'test_mode': True,
                              'ann_file': info.name, 'data_prefix': prefix})
    model = MODELS.build(cfg.model).eval()
    model.load_state_dict(torch.load(checkpoint, weights_only=True)['state_dict'])
    with torch.no_grad():
        (sample,) = model.test_step(pseudo_collate([dataset[0]]))
    np.testing.assert_array_equal(result.labels, sample.pred_pts_seg.pts_semantic_mask.numpy())
    assert not result.similarity and len(np.unique(result.labels)) > 1


def test_similarity_is_the_mean_over_chunks_that_see_a_pixel(trained, recording, tmp_path):
    config, checkpoint = trained('SAFNet')
    inferencer = ScanInferencer(config, checkpoint, 'cpu')
    model = inferencer.model
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 1, (300, 3)).astype(np.float32) * [2, 1, 1]
    pixels = rng.uniform(0, 1, (200, 3)).astype(np.float32) * [0.8, 1, 1]
    boxes = np.array([[0, 0, 1.2, 1], [0.6, 0, 1.6, 1], [1.4, 0, 2, 1]])  # the last one sees nothing
    inputs = dict(
        points=[torch.from_numpy(points).float()], chunk_boxes=[torch.from_numpy(boxes).float()],
        chunk_views=[torch.tensor([[0], [0], [0]])], imgs=[torch.zeros(1, 3, 16, 16)],
        pixel_xyz=[torch.from_numpy(pixels).float()], pixel_index=[torch.arange(200)],
    )  # fmt: skip
    found = inferencer.similarity(dict(inputs=inputs, data_samples=None))
    sums, count = np.zeros((300, 3)), np.zeros(300)
    for x0, x1 in boxes[:2, [0, 2]]:
        rows = np.flatnonzero((points[:, 0] >= x0) & (points[:, 0] <= x1))
        near = (pixels[:, 0] >= x0 - 0.1) & (pixels[:, 0] <= x1 + 0.1)
        with torch.no_grad():
            batch = dict(points=[inputs['points'][0][rows]], pixel_xyz=[inputs['pixel_xyz'][0][near]])
            one, _ = model.similarities(model.neighbourhoods(batch), batch)
        geometric, contextual = one['geometric'].numpy(), one['contextual'].numpy()
        sums[rows] += np.stack([geometric, contextual, geometric * contextual], 1)
        count[rows] += 1
    for column, name in enumerate(('geometric', 'contextual', 'product')):
        np.testing.assert_array_equal(np.isnan(found[name]), count == 0)
        np.testing.assert_allclose(found[name][count > 0], (sums[:, column] / count.clip(1))[count > 0], atol=1e-5)
    assert 0 < (count == 0).mean() < 0.4 and (count == 2).any()


def test_what_cannot_be_done_is_named(trained, recording, tmp_path):
    config, checkpoint = trained('MVPNet')
    with pytest.raises(ValueError, match=r'random weights.*tools/train.py .*MVPNet.py'):
        segment_scan(config, None, recording, tmp_path / 'out')
    with pytest.raises(ValueError, match='MVPNet compares no points with pixels'):
        segment_scan(config, checkpoint, recording, tmp_path / 'out', similarity=True, device='cpu')
    assert not (tmp_path / 'out').exists()
    cfg = Config.fromfile(config)
    cfg.test_dataloader.dataset.type = 'NuScenesLidarSegDataset'
    with pytest.raises(ValueError, match='reads NuScenesLidarSegDataset: need .* ScanNetRGBDDataset'):
        ScanInferencer(cfg, checkpoint, 'cpu')


def test_frames_of_an_exact_recording_agree(folder, recording):
    """Up to the distance of pixels in space, which are 1 / 34 of the depth apart."""
    (pair, *_) = pairs = fusion_agreement(recording)
    assert [one.numbers for one in pairs] == [(3, 7), (7, 8), (8, 20), (20, 21), (21, 100)] and pair.points > 200
    assert all(0 < one.median < 0.03 and one.median < one.ninetieth for one in pairs)
    assert 'frames agree: median' in agreement_report(pairs)
    assert [one.numbers for one in fusion_agreement(recording, max_pairs=2)] == [(3, 7), (21, 100)]
    (alone,) = fusion_agreement(recording, max_depth=0.01, max_pairs=1)
    assert alone.points == 0 and '1 of 1 pairs see nothing' in agreement_report([alone])
    for count in (1, 0):
        assert fusion_agreement(dataclasses.replace(recording, frames=recording.frames[:count])) == []
    assert 'no two frames' in agreement_report([])


def test_a_wrong_pose_shows_in_the_agreement(recording):
    before = fusion_agreement(recording)[0].median
    frame = recording.frames[1]
    pose = frame.pose.copy()
    frame.pose[:3, 3] += [0.2, 0.2, 0.2]
    after = fusion_agreement(recording)[0].median
    frame.pose[:] = pose
    assert after > before + 0.05


@pytest.mark.slow
def test_living_room(trained, living_room, tmp_path, capsys):
    """Real frames, the tool's own command: they agree within a few centimetres, and every point gets a label."""
    config, checkpoint = trained('SAFNet')
    root = Path(__file__).resolve().parents[2]
    command = [
        sys.executable, 'tools/segment_scan.py', config, checkpoint, '--color', living_room / 'color', '--depth',
        living_room / 'depth', '--poses', living_room / 'trajectory.log', '--intrinsics',
        living_room / 'camera_primesense.json', '--up=+y', '--out', tmp_path / 'out', '--name', 'livingroom',
        '--voxel', 0.06, '--similarity', '--device', 'cpu',
    ]  # fmt: skip
    done = subprocess.run([str(part) for part in command], cwd=root, text=True, timeout=300, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={**os.environ, 'PYTHONPATH': str(root)})
    assert done.returncode == 0, done.stdout
    assert 'frames agree: median' in done.stdout and str(tmp_path / 'out/livingroom_similarity.png') in done.stdout
    summary = json.loads((tmp_path / 'out/livingroom.json').read_text())
    assert len(summary['agreement']) == 4
    assert all(one['median'] < 0.01 and one['ninetieth'] < 0.03 for one in summary['agreement'])
    points = np.fromfile(tmp_path / 'out/data/points/livingroom.bin', '<f4').reshape(-1, 6)
    # The floor is the lowest plane, and level: --up is the right one.
    assert (points[:, 2] < points[:, 2].min() + 0.04).mean() > 0.15
    assert_picture(tmp_path / 'out/livingroom_views.png')


@pytest.mark.parametrize('poses, intrinsics, words', [
    ('trajectory.log', ['1', '2', 'x', '4'], 'four numbers fx fy cx cy'),
    ('none.log', ['camera.json'], 'none.log is neither a file nor a folder'),
    ('pose', ['34', '35', '31', '24'], 'a checkpoint is needed'),
])  # fmt: skip
def test_command_ends_with_one_line_of_explanation(folder, tmp_path, monkeypatch, capsys, poses, intrinsics, words):
    monkeypatch.chdir(folder)
    arguments = ['--color', 'color', '--depth', 'depth', '--poses', poses, '--intrinsics', *intrinsics]
    monkeypatch.setattr(sys, 'argv', ['segment_scan.py', 'config.py', *arguments, '--out', str(tmp_path)])
    tool = runpy.run_path(str(Path(__file__).resolve().parents[2] / 'tools/segment_scan.py'))
    assert tool['main']() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('error: ') and words in line
