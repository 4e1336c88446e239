"""``PixelToPoint`` and ``PackImageInputs`` in pipelines and datasets of MMPreTrain and MMDetection3D."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet3d.registry import DATASETS, TRANSFORMS
from mmdet3d.structures import DepthPoints, Det3DDataSample
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.registry import DefaultScope
from PIL import Image

from mmfusion_plugin.datasets.transforms import PackImageInputs, PixelToPoint
from mmfusion_plugin.models.data_preprocessors import FusionDataPreprocessor

SCOPES = ['mmdet3d', 'mmpretrain']


@pytest.fixture
def scope(request):
    with DefaultScope.overwrite_default_scope(request.param):
        yield request.param


def ours(scope: str, name: str, **kwargs: Any) -> dict:
    """As a config of that library writes it."""
    return dict(type=name if scope == 'mmdet3d' else f'mmdet3d.{name}', **kwargs)


@pytest.fixture(params=['setaria_1', 'setaria_2'])
def plant(request, repo_root: Path) -> dict[str, str]:
    base = Path(os.environ.get('MMFUSION_SHARED_DATA', repo_root.parent / 'shared' / 'data')) / 'plants'
    files = dict(img_path=str(base / f'{request.param}.png'), mask_path=str(base / f'{request.param}_mask.png'))
    if not all(Path(file).is_file() for file in files.values()):
        pytest.skip(f'photographs not found in {base}: set MMFUSION_SHARED_DATA to the folder that holds plants/')
    return files


def sample(**more: Any) -> dict:
    """20 x 30 pixels, a disc in the foreground."""
    rng = np.random.default_rng(0)
    row, column = np.mgrid[:20, :30]
    mask = ((row - 9) ** 2 + (column - 14) ** 2 < 64).astype(np.uint8)
    return dict(img=rng.integers(0, 256, (20, 30, 3), dtype=np.uint8), mask=mask, sample_idx=3, **more)


def draw(data: dict, **kwargs: Any) -> np.ndarray:
    return TRANSFORMS.build({'type': 'PixelToPoint', 'num_points': 50, **kwargs})(dict(data))['points']


def pixels_of(points: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns that coordinates lead back to."""
    half = max(shape) / 2
    columns, rows = points[:, 0] * half + (shape[1] - 1) / 2, (shape[0] - 1) / 2 - points[:, 1] * half
    for pixel in (columns, rows):
        np.testing.assert_allclose(pixel, pixel.round(), atol=2e-3)
    return rows.round().astype(int), columns.round().astype(int)


@pytest.mark.parametrize('sampling', ['random', 'fps'])
@pytest.mark.parametrize('scope', SCOPES, indirect=True)
def test_points_of_photographs_lead_back(scope: str, sampling: str, plant: dict) -> None:
    """Through loading, cropping, flipping and packing: each point is a pixel of the plant and has its colour."""
    steps = [dict(type='mmpretrain.RandomResizedCrop', scale=(180, 240)),
             dict(type='mmcv.RandomFlip' if scope == 'mmdet3d' else 'RandomFlip', prob=0.5)]
    pipeline = Compose([ours(scope, 'LoadImageAndMask'), ours(scope, 'TransformImageAndMask', transforms=steps),
                        ours(scope, 'PixelToPoint', features='xyzrgb', sampling=sampling),
                        ours(scope, 'PackImageInputs')])
    flipped, seen = set(), 0
    for seed in range(8):
        np.random.seed(seed)
        packed = pipeline(dict(plant, gt_label=1, sample_idx=seed))
        inputs, data = packed['inputs'], packed['data_samples']
        assert inputs['img'].shape == (3, 180, 240) and inputs['img'].dtype == torch.uint8
        assert inputs['points'].shape == (1024, 6) and inputs['points'].dtype == torch.float32
        assert data.gt_label.tolist() == [1] and data.gt_mask.shape == (1, 180, 240) and data.sample_idx == seed
        assert data.num_foreground == int(data.gt_mask.sum()) and data.empty_points == (data.num_foreground == 0)
        flipped.add(data.flip)
        if data.empty_points:
            continue
        points = inputs['points'].double().numpy()
        rows, columns = pixels_of(points, (180, 240))
        colours = inputs['img'].numpy()[::-1, rows, columns].T  # red, green, blue
        assert data.gt_mask[0, rows, columns].all()
        np.testing.assert_allclose(points[:, 3:] * 255, colours, atol=1e-3)
        np.testing.assert_allclose(points[:, 2] * 255, colours.mean(1), atol=1e-3)
        seen += 1
    assert flipped == {True, False} and seen > 1


def test_photographs_as_another_library_reads_them(plant: dict) -> None:
    """Colours are red, green, blue, and pixels lie where Pillow has them."""
    results = Compose([dict(type='mmdet3d.LoadImageAndMask'),
                       dict(type='mmdet3d.PixelToPoint', num_points=None, normalize='none', features='xyzrgb')])(plant)
    image = np.asarray(Image.open(plant['img_path']).convert('RGB'))
    mask = np.asarray(Image.open(plant['mask_path'])) > 0
    points = results['points']
    np.testing.assert_array_equal(points[:, 1::-1], np.argwhere(mask))
    np.testing.assert_allclose(points[:, 3:] * 255, image[mask], atol=1e-4)
    np.testing.assert_allclose(points[:, 2], image[mask].mean(1), atol=1e-4)
    green = points[:, 4] > points[:, [3, 5]].max(1)
    assert green.mean() > 0.5, 'most of a plant is green'


def test_training_draws_anew_and_can_be_repeated() -> None:
    data = sample()
    np.random.seed(0)
    first, second = draw(data), draw(data)
    np.random.seed(0)
    assert np.array_equal(draw(data), first) and not np.array_equal(first, second)


def test_testing_draws_the_same_of_each_sample() -> None:
    data = sample()
    first = draw(data, seed=0)
    np.random.seed(7)
    assert np.array_equal(draw(data, seed=0), first)
    assert not np.array_equal(draw(data, seed=1), first)
    names = [3, 4, 'scene_3', 'scene_4', -1, np.int64(5)]
    clouds = [draw(dict(data, sample_idx=name), seed=0) for name in names]
    unnamed = {key: value for key, value in data.items() if key != 'sample_idx'}
    clouds += [draw(unnamed, seed=0), *(draw(dict(unnamed, img_path=name), seed=0) for name in ('a.jpg', 'b.jpg'))]
    assert np.array_equal(clouds[0], first)
    assert len({cloud.tobytes() for cloud in clouds}) == len(clouds), 'each sample has points of its own'


def test_options_reach_the_function() -> None:
    data = sample(depth_map=np.random.default_rng(1).random((20, 30)).astype(np.float32))
    raw = draw(data, normalize='none', z_mode='depth', seed=0)
    columns, rows = raw[:, :2].astype(int).T
    np.testing.assert_allclose(raw[:, 2], data['depth_map'][rows, columns], atol=1e-6)
    assert not draw(data, z_mode='zero')[:, 2].any()
    ball = draw(data, normalize='unit_sphere')
    np.testing.assert_allclose([ball.mean(), np.linalg.norm(ball, axis=1).max()], [0, 1], atol=1e-5)
    bgr, rgb = (draw(data, features='xyzrgb', channel_order=order, seed=0) for order in ('bgr', 'rgb'))
    np.testing.assert_array_equal(bgr[:, 3:], rgb[:, :2:-1])
    data['mask'][:] = 0
    data['img'][:] = 0
    data['img'][5, 6, 1] = data['mask'][5, 6] = 1
    assert (draw(data, foreground='nonblack', normalize='none')[:, :2] == [6, 5]).all()
    assert len(draw(data, num_points=102)) == 102


def draw_with(name: str, value: Any) -> PixelToPoint:
    return TRANSFORMS.build(dict(type='PixelToPoint', **{name: value}))


@pytest.mark.parametrize('name, value', [
    ('num_points', 0), ('foreground', 'white'), ('normalize', True), ('z_mode', 'red'), ('features', 'rgb'),
    ('sampling', 'grid'), ('channel_order', 'gbr'), ('seed', -1), ('seed', 'x'),
])  # fmt: skip
def test_wrong_options_are_refused_before_the_first_sample(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        draw_with(name, value)


def test_errors_name_the_sample() -> None:
    data = sample(img_path='sheet_7.jpg')
    for change in (dict(img=data['img'].astype(np.float32)), dict(mask=None), dict(mask=data['mask'][1:])):
        with pytest.raises((TypeError, ValueError), match='sheet_7.jpg'):
            draw({**data, **change})
    with pytest.raises(ValueError, match='sample 3: .*depth_map'):
        draw(sample(), z_mode='depth')


def test_no_foreground_is_counted_and_marked() -> None:
    step = PixelToPoint(num_points=9, features='xyzrgb')
    for _ in range(3):
        data = sample()
        data['mask'][:] = 0
        results = step(data)
        assert results['empty_points'] and results['num_foreground'] == 0 and not results['points'].any()
    assert list(step.tally.counts.values()) == [3]
    assert PackImageInputs()(results)['data_samples'].empty_points
    assert not step(sample())['empty_points'] and list(step.tally.counts.values()) == [3]


@pytest.mark.parametrize('features', ['xyz', 'xyzrgb'])
@pytest.mark.parametrize('scope', ['mmdet3d'], indirect=True)
def test_pipeline_of_mmdet3d(scope: str, features: str) -> None:
    """Its transforms and its packer take the points; colours stay, coordinates turn."""
    turn = dict(type='GlobalRotScaleTrans', rot_range=[np.pi / 2, np.pi / 2], scale_ratio_range=[2.0, 2.0],
                shift_height=False)
    plain, turned = (
        Compose([dict(type='PixelToPoint', num_points=50, features=features, seed=0, as_base_points=True), *steps,
                 dict(type='Pack3DDetInputs', keys=['points', 'img'])])(sample())
        for steps in ([], [turn])
    )
    assert isinstance(plain['data_samples'], Det3DDataSample)
    before, after = plain['inputs']['points'], turned['inputs']['points']
    assert before.shape == (50, len(features))
    np.testing.assert_allclose(after[:, :3].norm(dim=1), 2 * before[:, :3].norm(dim=1), rtol=1e-5)
    np.testing.assert_allclose(after[:, 0].abs(), 2 * before[:, 1].abs(), atol=1e-5)
    assert torch.equal(after[:, 3:], before[:, 3:])
    points = draw(sample(), features=features, as_base_points=True)
    assert isinstance(points, DepthPoints)
    assert points.attribute_dims == (dict(color=[3, 4, 5]) if features == 'xyzrgb' else None)
    assert torch.equal(PackImageInputs()(sample(points=points))['inputs']['points'], points.tensor)


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """Cut-out photographs, as a dataset of MMPreTrain finds them."""
    for label, name in enumerate(('lobed', 'plain')):
        (tmp_path / name).mkdir()
        for number in range(2):
            data = sample()
            cut = np.where(data['mask'][..., None] > 0, np.maximum(data['img'], 1 + label), 0)
            cv2.imwrite(str(tmp_path / name / f'{number}.png'), cut.astype(np.uint8))
    return tmp_path


@pytest.mark.parametrize('collate', [pseudo_collate, default_collate])
@pytest.mark.parametrize('scope', SCOPES, indirect=True)
def test_dataset_of_mmpretrain(scope: str, collate: Any, class_folders: Path) -> None:
    """From class folders to what its metrics read."""
    from mmpretrain.evaluation import Accuracy

    pipeline = [dict(type='mmpretrain.LoadImageFromFile'), dict(type='mmpretrain.ResizeEdge', scale=40),
                dict(type='mmdet3d.PixelToPoint', foreground='nonblack', num_points=64, seed=0),
                dict(type='mmdet3d.PackImageInputs')]
    dataset = DATASETS.build(dict(type='mmpretrain.CustomDataset', data_root=str(class_folders), pipeline=pipeline))
    assert len(dataset) == 4 and dataset.metainfo['classes'] == ('lobed', 'plain')
    torch.testing.assert_close(dataset[1]['inputs']['points'], dataset[1]['inputs']['points'])
    preprocess = FusionDataPreprocessor(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0], bgr_to_rgb=True)
    batch = preprocess(collate([dataset[index] for index in range(4)]))
    images, points, samples = batch['inputs']['img'], batch['inputs']['points'], batch['data_samples']
    assert images.shape == (4, 3, 40, 60) and images.dtype == torch.float32
    assert [cloud.shape for cloud in points] == [(64, 3)] * 4 and all(s.num_foreground > 500 for s in samples)
    assert [int(s.gt_label) for s in samples] == [0, 0, 1, 1]
    metric = Accuracy()
    metric.process(None, [s.set_pred_score(torch.tensor([0.9, 0.1])).to_dict() for s in samples])
    assert metric.evaluate(4)['accuracy/top1'] == 50


def test_packing() -> None:
    data = sample(img_path='a.jpg', ori_shape=(40, 60), unknown=1)
    packed = PackImageInputs()(dict(data))
    assert list(packed['inputs']) == ['img'] and 'gt_label' not in packed['data_samples']
    np.testing.assert_array_equal(packed['inputs']['img'], data['img'].transpose(2, 0, 1))
    np.testing.assert_array_equal(packed['data_samples'].gt_mask, data['mask'][None])
    shapes = dict(ori_shape=(40, 60), img_shape=(20, 30))
    assert packed['data_samples'].metainfo == dict(sample_idx=3, img_path='a.jpg', **shapes)
    unmasked = {key: value for key, value in data.items() if key != 'mask'}
    assert 'gt_mask' not in PackImageInputs(meta_keys=())(unmasked)['data_samples']
    with pytest.raises(ValueError, match='image_source'):
        PackImageInputs(image_source='mask')
    for wrong in (unmasked, dict(data, mask=data['mask'][1:])):
        with pytest.raises(ValueError, match='a.jpg has .* mask'):
            PackImageInputs(image_source='segmented')(wrong)


def test_segmented_images_are_black_outside() -> None:
    data = sample()
    image = PackImageInputs(image_source='segmented')(dict(data))['inputs']['img'].numpy()
    assert image.dtype == np.uint8 and not image[:, data['mask'] == 0].any()
    np.testing.assert_array_equal(image[:, data['mask'] > 0], data['img'][data['mask'] > 0].T)
