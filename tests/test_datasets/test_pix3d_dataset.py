"""Pix3D through dataset and pipeline, against ``shapenet_hand_world``'s photographs read with PIL and cut by cv2."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmdet3d.registry import DATASETS
from mmengine.config import Config
from PIL import Image
from shapenet_hand_world import make_pix3d, photographs, points

from mmfusion_plugin.datasets import CorruptDataError
from mmfusion_plugin.datasets.check_files import build_datasets, check_dataset

PIPELINE = [dict(type='LoadObjectImage'), dict(type='FitObject'), dict(type='LoadCloudTarget'),
            dict(type='PackShapeInputs')]  # fmt: skip


@pytest.fixture(scope='module')
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed."""
    return make_pix3d(tmp_path_factory.mktemp('pix3d'))


def build(root: Path, **options: object):
    cfg = dict(type='Pix3DDataset', data_root=str(root), pipeline=PIPELINE, test_mode=True)
    return DATASETS.build({**cfg, **options})


def lmnet_image(root: Path, row: dict) -> np.ndarray:
    """3D-LMNet's input of a photograph, RGB: masked, cut to the box, its longest side 93 of 128."""
    image, mask = np.asarray(Image.open(root / row['img'])), np.asarray(Image.open(root / row['mask']))
    mask = np.asarray(Image.fromarray(mask).resize((60, 40), Image.NEAREST)) != 0
    image = image * mask[..., None]
    x0, y0, x1, y1 = row['bbox']
    image = image[y0:y1, x0:x1]
    size = (int(image.shape[1] * 93 / 40), int(image.shape[0] * 93 / 40))
    image = cv2.resize(image, size)
    right, low = 128 - size[0], 128 - size[1]
    return cv2.copyMakeBorder(image, low // 2, low - low // 2, right // 2, right - right // 2, cv2.BORDER_CONSTANT)


@pytest.mark.parametrize(('place', 'number'), [(0, 0), (1, 2), (2, 4), (3, 5)])
def test_samples(tree, place, number):
    """A JPEG, a mesh with a suffix, a PNG, and a mask of half the photograph's size."""
    dataset, row = build(tree), photographs()[number]
    assert len(dataset) == 4 and dataset.metainfo['classes'] == ('chair', 'sofa', 'table')
    assert dataset.left_out == {'slightly occluded': 1, 'occluded': 1}
    sample = dataset[place]
    image = sample['inputs']['img'].permute(1, 2, 0).numpy()[..., ::-1]
    np.testing.assert_array_equal(image, lmnet_image(tree, row))
    x, y, z = points(row['model'], 1024).astype(np.float32).T
    np.testing.assert_array_equal(sample['data_samples'].gt_points.numpy(), np.stack([-y, -x, -z], axis=1))
    metas = sample['data_samples'].metainfo
    assert metas['category'] == row['category'] and metas['model_id'] == row['model'][len('model/') : -len('.obj')]
    assert metas['synset'] == {'chair': '03001627', 'sofa': '04256520', 'table': '04379243'}[row['category']]
    assert 'azimuth' not in metas and 'view' not in metas and metas['ori_shape'] == (40, 60)


def test_options(tree):
    assert len(build(tree, drop=())) == 6 and len(build(tree, drop=('occluded',))) == 5
    assert len(build(tree, categories=['sofa'])) == 1
    everything = build(tree, categories=None)
    assert everything.metainfo['classes'][-1] == 'bed' and 'synset' not in everything[4]['data_samples'].metainfo
    stored = build(tree, cloud_frame='stored')[0]['data_samples'].gt_points.numpy()
    np.testing.assert_array_equal(stored, points('model/chair/IKEA_A/model.obj', 1024).astype(np.float32))
    wrong = ((dict(drop='occluded'), 'drop must be a list'), (dict(drop=['hidden']), 'drop must be'),
             (dict(num_points=0), 'num_points'), (dict(cloud_frame='x,x,x'), 'is no turn'))  # fmt: skip
    for options, message in wrong:
        with pytest.raises(ValueError, match=message):
            build(tree, **options)


def test_missing_and_damaged_files(tmp_path):
    root = make_pix3d(tmp_path)
    (root / 'mask/chair/0000.png').unlink()
    (root / 'pointclouds/model/sofa/S/pcl_1024.npy').unlink()
    with pytest.raises(FileNotFoundError, match=r'2 of 4 entries lack files: unpack pix3d.zip') as error:
        build(root)
    assert 'mask/chair/0000.png' in str(error.value) and 'sofa/S/pcl_1024.npy' in str(error.value)
    dataset = build(root, missing='skip')
    assert len(dataset) == 2 and dataset.left_out['files are missing'] == 2
    path = root / 'img/chair/0002.jpg'
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(CorruptDataError, match='0002.jpg is no complete image'):
        dataset[0]
    Image.fromarray(np.zeros((40, 60), np.uint8)).save(root / 'mask/table/0005.png')
    with pytest.raises(CorruptDataError, match='0005.jpg: no object is to be found by its mask'):
        dataset[1]
    rows = photographs()
    rows[2]['bbox'] = [70, 5, 90, 30]
    (root / 'pix3d.json').write_text(json.dumps(rows))
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(path)
    with pytest.raises(CorruptDataError, match=r'0002.jpg: box \[70, 5, 90, 30\] has no pixel in an image of 60 x 40'):
        build(root, missing='keep')[1]


def test_photograph_with_more_behind_its_end_is_read(tmp_path):
    """As files from the web may be."""
    root = make_pix3d(tmp_path)
    path = root / 'img/chair/0000.jpg'
    before = build(root)[0]['inputs']['img']
    path.write_bytes(path.read_bytes() + bytes(500))
    assert (build(root)[0]['inputs']['img'] == before).all()


def test_check_data(tmp_path):
    root = make_pix3d(tmp_path)
    config = Config(dict(test_dataloader=dict(dataset=dict(type='Pix3DDataset', data_root='x', pipeline=PIPELINE))))
    report = check_dataset(*build_datasets(config, 'test', str(root)))
    assert report.faults == [] and report.files == {'masks': 4, 'images': 4, 'clouds': 4}
    broken = [root / 'img/sofa/0004.png', root / 'mask/chair/0000.png', root / 'pointclouds/model/table/T/pcl_1024.npy']
    for path in broken:
        path.write_bytes(path.read_bytes()[:60])
    faults = check_dataset(*build_datasets(config, 'test', str(root))).faults
    assert all(any(str(path) in fault for fault in faults) for path in broken)
