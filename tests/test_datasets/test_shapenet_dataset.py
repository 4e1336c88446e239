"""ShapeNet through dataset and pipeline, against the files of ``shapenet_hand_world`` read with numpy, cv2 and PIL."""

from __future__ import annotations

import os
import pickle
import shutil
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet3d.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import ClassBalancedDataset, pseudo_collate
from shapenet_hand_world import CHAIR, MODELS, PLANE, VIEWS, make_shapenet, picture, points, voxels

from mmfusion_plugin.datasets import CorruptDataError, TooManyCorruptSamples
from mmfusion_plugin.datasets.check_files import build_datasets, check_dataset
from mmfusion_plugin.structures import ShapeSample

RECONSTNET = [dict(type='LoadRendering'), dict(type='LoadViewpoint'), dict(type='LoadCloudTarget'),
              dict(type='PackShapeInputs')]  # fmt: skip
CISP = [dict(type='LoadRendering', background=240, size=224), dict(type='LoadVoxelTarget'),
        dict(type='PackShapeInputs')]  # fmt: skip


@pytest.fixture(scope='module')
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed."""
    return make_shapenet(tmp_path_factory.mktemp('shapenet'))


def build(root: Path, **options: object):
    return DATASETS.build(dict(type='ShapeNetR2N2Dataset', data_root=str(root), num_views=VIEWS, **options))


def test_reconstnets_training_set(tree):
    dataset = build(tree, pipeline=RECONSTNET)
    assert len(dataset) == 3 * VIEWS and dataset.metainfo['classes'] == ('aeroplane', 'chair')
    sample = dataset[2 * VIEWS + 1]  # after the aeroplane and one chair, with its second view
    name = f'{CHAIR}/{MODELS[CHAIR][1]}'
    image, data = sample['inputs']['img'], sample['data_samples']
    expected = picture(name, 1)[4:-5, 4:-5, :3][..., ::-1]
    assert image.dtype == torch.uint8 and image.shape == (3, 128, 128)
    np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), expected)
    assert isinstance(data, ShapeSample) and data.gt_points.dtype == torch.float32
    np.testing.assert_array_equal(data.gt_points.numpy(), points(name)[:1024].astype(np.float32))
    assert 'gt_voxels' not in data
    metas = dict(synset=CHAIR, category='chair', model_id=MODELS[CHAIR][1], view=1, sample_idx=2 * VIEWS + 1)
    assert {key: data.metainfo[key] for key in metas} == metas and isinstance(data.view, int)
    np.testing.assert_allclose([data.azimuth, data.elevation], np.radians([190.5, 26]), rtol=1e-6)
    assert data.img_path == str(tree / 'ShapeNetRendering' / name / 'rendering/01.png')


def test_some_points_of_each_cloud(tree):
    """Evenly the same each time; at random others each time, from numpy's global state, and none twice."""
    from mmfusion_plugin.datasets.transforms import LoadCloudTarget

    path = tree / f'ShapeNet_pointclouds/{CHAIR}/3c/pointcloud_1024.npy'
    whole, results = points(f'{CHAIR}/3c')[:1024].astype(np.float32), dict(cloud_path=str(path), num_points=1024)
    even = LoadCloudTarget(keep=512).transform(dict(results))['gt_points']
    np.testing.assert_array_equal(even, whole[::2])
    odd = LoadCloudTarget(keep=3).transform(dict(results))['gt_points']
    np.testing.assert_array_equal(odd, whole[[0, 341, 682]])
    np.testing.assert_array_equal(LoadCloudTarget(keep=1024).transform(dict(results))['gt_points'], whole)
    number = {tuple(point): row for row, point in enumerate(whole.tolist())}
    random = LoadCloudTarget(keep=500, sampling='random')
    np.random.seed(3)
    first, second = ([number[tuple(point)] for point in random.transform(dict(results))['gt_points'].tolist()]
                     for _ in range(2))  # fmt: skip
    assert len(set(first)) == len(set(second)) == 500 and len(set(first) & set(second)) < 350
    np.random.seed(3)
    np.testing.assert_array_equal(random.transform(dict(results))['gt_points'], whole[first])
    with pytest.raises(ValueError, match='3c/pointcloud_1024.npy has 1024 points, of which 1025 cannot be kept'):
        LoadCloudTarget(keep=1025).transform(dict(results))
    with pytest.raises(ValueError, match='keep must be'):
        LoadCloudTarget(keep=0)
    with pytest.raises(ValueError, match='sampling must be one of even, random'):
        LoadCloudTarget(keep=9, sampling='first')


def test_cisps_test_set(tree):
    """Grey where alpha is 0 alone, the middle, twice linear interpolation's size; voxels; view 0."""
    dataset = build(tree, split='cisp', part='test', views=[0], targets=['voxels'], pipeline=CISP, test_mode=True)
    assert len(dataset) == 2 and dataset.metainfo['classes'] == ('chair', 'aeroplane')
    sample = dataset[0]
    name = f'{CHAIR}/{MODELS[CHAIR][0]}'
    rgba = picture(name, 0)
    rgb = np.where(rgba[..., 3:] == 0, 240, rgba[..., :3]).astype(np.uint8)[4:132, 4:132]
    expected = cv2.resize(np.ascontiguousarray(rgb[..., ::-1]), (224, 224), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(sample['inputs']['img'].permute(1, 2, 0).numpy(), expected)
    grid = sample['data_samples'].gt_voxels
    assert grid.dtype == torch.bool and 'gt_points' not in sample['data_samples']
    np.testing.assert_array_equal(grid.numpy(), voxels(name))
    assert 'azimuth' not in sample['data_samples'].metainfo


def test_both_targets_in_a_batch(tree):
    dataset = build(tree, num_points=2048, targets=['points', 'voxels'],
                    pipeline=[*RECONSTNET[:3], dict(type='LoadVoxelTarget'), RECONSTNET[3]])  # fmt: skip
    batch = pseudo_collate([dataset[0], dataset[4]])
    assert batch['inputs']['img'][1].shape == (3, 128, 128)
    assert [len(sample.gt_points) for sample in batch['data_samples']] == [2048, 2048]
    assert all(sample.gt_voxels.shape == (32, 32, 32) for sample in batch['data_samples'])


def test_random_views(tree):
    dataset = build(tree, views='random', categories=[CHAIR])
    assert len(dataset) == 2
    np.random.seed(0)
    drawn = [[dataset.get_data_info(i)['view'] for i in range(2)] for _ in range(60)]
    assert {view for pair in drawn for view in pair} == {0, 1, 2} and any(a != b for a, b in drawn)
    np.random.seed(0)
    assert drawn == [[dataset.get_data_info(i)['view'] for i in range(2)] for _ in range(60)]
    assert dataset.get_data_info(1)['img_path'].startswith(str(tree / f'ShapeNetRendering/{CHAIR}/u2f'))


def test_views_of_each_model_follow_one_another(tree):
    dataset = build(tree, views=[2, 0], categories=['airplane', 'chair'])
    found = [(info['model_id'], info['view'], info['sample_idx']) for info in map(dataset.get_data_info, range(6))]
    models = [MODELS[PLANE][0], *MODELS[CHAIR][:2]]
    assert found == [(model, view, 2 * i + j) for i, model in enumerate(models) for j, view in enumerate((2, 0))]
    assert dataset.get_data_info(-1)['sample_idx'] == 5
    with pytest.raises(IndexError):
        dataset.get_data_info(6)
    assert [dataset.get_cat_ids(i) for i in (0, 2)] == [[0], [1]]
    assert len(ClassBalancedDataset(dataset, oversample_thr=1.0)) > 6


def test_subsets_count_models(tree):
    assert len(build(tree, indices=2)) == 2 * VIEWS
    dataset = build(tree)
    part = dataset.get_subset([1])
    assert len(part) == VIEWS and part.get_data_info(0)['model_id'] == MODELS[CHAIR][0]
    dataset.get_subset_(1)
    assert len(dataset) == VIEWS and pickle.loads(pickle.dumps(part.get_data_info(0)))['view'] == 0


def test_clouds_are_turned(tree):
    name = f'{PLANE}/{MODELS[PLANE][0]}'
    x, y, z = points(name)[:1024].astype(np.float32).T
    for frame in ('lmnet_upright', 'y,-x,z'):
        sample = build(tree, cloud_frame=frame, pipeline=RECONSTNET)[0]
        np.testing.assert_array_equal(sample['data_samples'].gt_points.numpy(), np.stack([y, -x, z], axis=1))


def test_other_folders_and_a_split_of_ones_own(tree, tmp_path):
    for name in ('ShapeNetRendering', 'ShapeNet_pointclouds', 'ShapeNetVox32'):
        os.symlink(tree / name, tmp_path / f'my_{name}')
    (tmp_path / 'few.json').write_text(f'{{"{CHAIR}": ["{CHAIR}/3c"]}}')
    prefix = dict(img='my_ShapeNetRendering', points='my_ShapeNet_pointclouds')
    dataset = build(tmp_path, ann_file='few.json', data_prefix=prefix, pipeline=RECONSTNET)
    assert len(dataset) == VIEWS and dataset[0]['data_samples'].model_id == '3c'


@pytest.mark.parametrize(('options', 'message'), [
    (dict(split='r2n2'), "split must be 'lmnet' or 'cisp'"),
    (dict(part='test'), "3D-LMNet tests on 'val'"),
    (dict(views=[3]), "views must be None, 'random' or a list of numbers below 3"),
    (dict(views='all'), 'views must be'),
    (dict(targets='points'), 'targets must be a list of points and voxels'),
    (dict(targets=['mesh']), 'targets must be a list'),
    (dict(inputs='image'), 'inputs must be a list of image and viewpoint, or'),
    (dict(inputs=['view']), 'inputs must be a list'),
    (dict(num_points=0), 'num_points must be at least 1'),
    (dict(cloud_frame='upright'), "'upright' is no turn"),
    (dict(categories=['teapot']), "category 'teapot' is unknown"),
    (dict(missing='ignore'), 'missing must be one of error, skip, keep'),
    (dict(split='cisp', part='val', categories=['airplane']), 'names no model of part'),
])  # fmt: skip
def test_options_without_meaning(tree, options, message):
    with pytest.raises(ValueError, match=message):
        build(tree, **options)


def test_missing_files(tmp_path):
    root = make_shapenet(tmp_path)
    lost = root / f'ShapeNet_pointclouds/{CHAIR}/u2f/pointcloud_1024.npy'
    lost.unlink()
    (root / f'ShapeNetRendering/{PLANE}/{MODELS[PLANE][0]}/rendering/02.png').unlink()
    with pytest.raises(FileNotFoundError, match=r"2 of 3 entries lack files: unpack.*missing='skip'") as error:
        build(root)
    assert str(lost) in str(error.value)
    dataset = build(root, missing='skip')
    assert len(dataset) == VIEWS and dataset.left_out == {'files are missing': 2}
    assert len(build(root, missing='keep')) == 3 * VIEWS
    assert len(build(root, views=[0, 1], missing='skip')) == 2 * 2, 'the lost picture is not asked for'
    assert len(build(root, targets=['voxels'], missing='skip')) == 2 * VIEWS
    lost.parent.joinpath('../../' + CHAIR + f'/{MODELS[CHAIR][0]}/pointcloud_1024.npy').unlink()
    with pytest.raises(ValueError, match='no sample to use; left out'):
        build(root, missing='skip')
    with pytest.raises(FileNotFoundError, match=r'in none of .*splits'):
        build(tmp_path / 'nowhere')


@pytest.mark.parametrize('name', ['00.png', '01.png', 'rendering_metadata.txt'])
def test_any_lost_view_is_told_at_once(tmp_path, name):
    root = make_shapenet(tmp_path)
    lost = root / f'ShapeNetRendering/{CHAIR}/u2f/rendering/{name}'
    lost.unlink()
    for views in (None, 'random'):
        with pytest.raises(FileNotFoundError, match=r'1 of 3 entries lack files.*tools/check_data.py') as error:
            build(root, views=views)
        assert str(lost) in str(error.value)
        assert build(root, views=views, missing='skip').left_out == {'files are missing': 1}
    if name == '01.png':
        assert len(build(root, views=[0, 2])) == 3 * 2


def test_renderings_that_are_not_asked_for(tmp_path):
    """Nothing else of a sample changes, nor does the order, nor what is drawn."""
    root = make_shapenet(tmp_path)

    def infos(**options):
        np.random.seed(1)
        dataset = build(root, targets=['points', 'voxels'], **options)
        return [dataset.get_data_info(k) for k in range(len(dataset))]

    left_out = ('img_path', 'viewpoints_path')
    every, drawn = ([{key: value for key, value in info.items() if key not in left_out} for info in infos(views=views)]
                    for views in (None, 'random'))  # fmt: skip
    for path in root.glob('ShapeNetRendering/*/*/rendering/rendering_metadata.txt'):
        path.unlink()
    with pytest.raises(FileNotFoundError, match='3 of 3 entries lack files'):
        build(root)
    assert [set(info) - set(other) for info, other in zip(infos(inputs=['image']), every)] == [{'img_path'}] * 9
    shutil.rmtree(root / 'ShapeNetRendering')
    with pytest.raises(FileNotFoundError, match='3 of 3 entries lack files'):
        build(root, inputs=['image'])
    assert infos(inputs=[]) == every and infos(inputs=[], views='random') == drawn
    config = Config(dict(train_dataloader=dict(dataset=dict(
        type='ShapeNetR2N2Dataset', data_root=str(root), num_views=VIEWS, inputs=[], targets=['voxels']))))
    report = check_dataset(*build_datasets(config, 'train'))
    assert report.faults == [] and report.files == {'voxels': 3}


# The header of a PNG of 60000 x 60000 pixels.
GIANT = b'\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR' + struct.pack('>IIBBBBB', 60000, 60000, 8, 6, 0, 0, 0)
GIANT += struct.pack('>I', zlib.crc32(GIANT[12:]))
DEFECTS = [
    ('ShapeNetRendering/{}/rendering/00.png', b'', 'no readable image'),
    ('ShapeNetRendering/{}/rendering/00.png', cv2.imencode('.png', np.zeros((137, 137), np.uint8))[1].tobytes(),
     'must be RGBA or RGB'),
    ('ShapeNetRendering/{}/rendering/00.png', cv2.imencode('.png', np.zeros((64, 137, 4), np.uint8))[1].tobytes(),
     'too small for crop=128'),
    ('ShapeNetRendering/{}/rendering/rendering_metadata.txt', b'', 'is empty'),
    ('ShapeNetRendering/{}/rendering/rendering_metadata.txt', b'1 2 3 4\n', 'line 1: need azimuth'),
    ('ShapeNetRendering/{}/rendering/00.png', GIANT, 'no readable image'),
    ('ShapeNet_pointclouds/{}/pointcloud_1024.npy', b'\x93NUMPY', 'no complete array file'),
    ('ShapeNetVox32/{}/model.binvox', b'#binvox 1\ndim 2 2 2\ndata\n\x00\x08', 'not 32'),
    ('ShapeNetVox32/{}/model.binvox', b'junk', 'no binvox file'),
]  # fmt: skip


@pytest.mark.parametrize(('file', 'content', 'message'), DEFECTS)
def test_damaged_files(tmp_path, file, content, message):
    root = make_shapenet(tmp_path)
    path = root / file.format(f'{CHAIR}/{MODELS[CHAIR][0]}')
    path.write_bytes(content)
    pipeline = [*RECONSTNET[:3], dict(type='LoadVoxelTarget'), RECONSTNET[3]]
    options = dict(categories=['chair'], views=[0], targets=['points', 'voxels'], pipeline=pipeline)
    dataset = build(root, test_mode=True, **options)
    with pytest.raises(CorruptDataError, match=message) as error:
        dataset[0]
    assert str(path) in str(error.value)
    training = build(root, max_corrupt_fraction=0.5, **options)
    assert training[0]['data_samples'].model_id == 'u2f' and training.damage.count == 1, 'another is drawn'
    with pytest.raises(TooManyCorruptSamples, match='1 of 2 samples'):
        build(root, **options)[0]


@pytest.mark.parametrize('array', [np.zeros((1024, 4)), np.zeros((0, 3)), np.full((1024, 3), np.nan),
                                   np.zeros((1000, 3)), np.zeros((1024, 3), 'S1'), np.array([None])])  # fmt: skip
def test_damaged_clouds(tmp_path, array):
    root = make_shapenet(tmp_path)
    path = root / f'ShapeNet_pointclouds/{CHAIR}/3c/pointcloud_1024.npy'
    np.save(path, array)
    dataset = build(root, part='val', categories=['chair'], pipeline=RECONSTNET, test_mode=True)
    with pytest.raises(CorruptDataError, match='3c/pointcloud_1024.npy'):
        dataset[0]


def test_picture_without_alpha(tmp_path):
    root = make_shapenet(tmp_path)
    path = root / f'ShapeNetRendering/{CHAIR}/3c/rendering/00.png'
    cv2.imwrite(str(path), np.full((137, 137, 3), 9, np.uint8))
    options = dict(part='val', categories=['chair'], targets=['voxels'], test_mode=True)
    plain = build(root, pipeline=[dict(type='LoadRendering', size=64), CISP[-1]], **options)
    assert (plain[0]['inputs']['img'] == 9).all()
    with pytest.raises(CorruptDataError, match='has no alpha channel, by which background'):
        build(root, pipeline=CISP, **options)[0]


@pytest.mark.parametrize(('options', 'message'), [
    (dict(background=300), 'background must be None'), (dict(background=[1, 2]), 'background must be'),
    (dict(crop=0), 'crop must be'), (dict(size=2.5), 'size must be'),
])  # fmt: skip
def test_rendering_options(options, message):
    from mmfusion_plugin.datasets.transforms import LoadRendering, LoadVoxelTarget

    with pytest.raises(ValueError, match=message):
        LoadRendering(**options)
    with pytest.raises(ValueError, match='size must be at least 1'):
        LoadVoxelTarget(0)


def test_viewpoints_are_read_once(tree):
    from mmfusion_plugin.datasets.transforms import LoadViewpoint

    transform, info = LoadViewpoint(), build(tree).get_data_info(1)
    first = transform.transform(dict(info))
    second = transform.transform({**info, 'view': 2})
    np.testing.assert_allclose(np.degrees(second['azimuth'] - first['azimuth']), 90, rtol=1e-5)
    assert len(transform._known) == 1
    with pytest.raises(CorruptDataError, match='3 lines, none for view 5'):
        transform.transform({**info, 'view': 5})


@pytest.mark.parametrize('decode', [False, True])
def test_check_data(tmp_path, decode):
    root = make_shapenet(tmp_path)
    inner = dict(type='ShapeNetR2N2Dataset', data_root='x', num_views=VIEWS, views='random',
                 targets=['points', 'voxels'], pipeline=RECONSTNET)  # fmt: skip
    config = Config(dict(train_dataloader=dict(dataset=dict(type='RepeatDataset', times=2, dataset=inner))))
    report = check_dataset(*build_datasets(config, 'train', str(root)), decode)
    assert report.faults == [] and report.samples == 9 and report.points == 3 * 1024
    assert report.files == {'images': 9, 'viewpoints': 3, 'clouds': 3, 'voxels': 3}
    broken = [root / file.format(f'{CHAIR}/u2f') for file, _, _ in (DEFECTS[0], DEFECTS[3], DEFECTS[6], DEFECTS[7])]
    broken[0].unlink()
    for path in broken[1:]:
        path.write_bytes(b'')
    cut = root / f'ShapeNetRendering/{CHAIR}/u2f/rendering/01.png'
    cut.write_bytes(cut.read_bytes()[:-20])
    broken.append(cut)
    faults = check_dataset(*build_datasets(config, 'train', str(root)), decode, workers=2).faults
    assert len(faults) == 5 and all(sum(str(path) in fault for fault in faults) == 1 for path in broken)
