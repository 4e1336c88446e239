"""ScanNet datasets: entries, damaged files, frames one by one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import scannet_hand_world as hand
from scannet_samples import CLASS_OF_FACE, PACK, SIZE, TEST, TRAIN, dataset, views

from mmfusion_plugin.converters.scannet_taxonomy import CLASSES
from mmfusion_plugin.datasets import CorruptDataError, TooManyCorruptSamples

VIEW = [dict(type='LoadViews', geometry=False, labels='label'), PACK]


@pytest.fixture
def rooms(scannet_rooms, tmp_path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(scannet_rooms, tmp_path / 'rooms'))


def test_labels_are_classes_and_the_test_split_has_none(scannet_rooms):
    _, faces = hand.mesh()
    for split in ('train', 'val'):
        sample = dataset(scannet_rooms, [dict(type='LoadScan')], split)[0]
        assert sample['pts_semantic_mask'].tolist() == CLASS_OF_FACE[faces].tolist()
    sample = dataset(scannet_rooms, [*TEST[:3], dict(type='LoadViews'), TEST[4], PACK], 'test')[0]
    assert sample['data_samples'].eval_ann_info == {} and 'gt_pts_seg' not in sample['data_samples']
    with pytest.raises(ValueError, match='no labels'):
        dataset(scannet_rooms, [dict(type='LoadScan')], 'test').pipeline.transforms[0](
            dict(dataset(scannet_rooms, [], 'test')[0], test_mode=False)
        )


def test_some_of_the_classes(scannet_rooms):
    data = dataset(scannet_rooms, [dict(type='LoadScan')], metainfo=dict(classes=['floor', 'wall']))
    labels = data[0]['pts_semantic_mask']
    expected = np.array([1, 20, 1, 20, 0, 20])[hand.mesh()[1]]
    assert labels.tolist() == expected.tolist()
    with pytest.raises(ValueError, match='carpet'):
        dataset(scannet_rooms, [], metainfo=dict(classes=['carpet']))
    assert dataset(scannet_rooms, []).metainfo['classes'] == CLASSES


def test_frames_one_by_one(scannet_rooms):
    data = views(scannet_rooms, VIEW)
    kept = [number for number in range(hand.NUM_FRAMES) if number not in (hand.LOST, hand.EMPTY)]
    found = [(data.get_data_info(i)['scan_id'], data.get_data_info(i)['rgbd']['frames']) for i in range(len(data))]
    assert found == [(name, [number]) for name in hand.SCANS['train'] for number in kept]
    sample = data[1]
    assert sample['inputs']['imgs'].shape == (1, 3, SIZE[1], SIZE[0]) and 'points' not in sample['inputs']
    truth = CLASS_OF_FACE[hand.face_image(kept[1], 0)]
    columns = np.floor((np.arange(SIZE[0]) + 0.5) * truth.shape[1] / SIZE[0]).astype(int)
    rows = np.floor((np.arange(SIZE[1]) + 0.5) * truth.shape[0] / SIZE[1]).astype(int)
    assert np.array_equal(sample['data_samples'].gt_sem_seg.sem_seg[0].numpy(), truth[np.ix_(rows, columns)])
    assert len(views(scannet_rooms, VIEW, every=3)) == 2 * 2
    with pytest.raises(ValueError, match='every'):
        views(scannet_rooms, VIEW, every=0)


@pytest.mark.parametrize('damage', ['truncate', 'empty', 'remove', 'garbage'])
@pytest.mark.parametrize('name', [
    'points/{}.bin', 'semantic_mask/{}.bin', 'frames/{}/overlap.npz', 'frames/{}/poses.npy', 'frames/{}/color/1.jpg',
    'frames/{}/depth/1.png', 'frames/{}/label/1.png',
])  # fmt: skip
def test_damaged_files_are_named_and_skipped_in_training(rooms, name, damage):
    steps = [dict(step, **(dict(num_views=9) if step['type'] == 'SelectViews' else {})) for step in TRAIN]
    whole = dict(type='RandomChunk', size=[9, 9], min_labelled=0)  # sees all frames
    steps = [whole if step['type'] == 'RandomChunk' else step for step in steps]
    scan = hand.SCANS['train'][0]
    path = rooms / name.format(scan)
    content = path.read_bytes()
    if damage == 'remove':
        path.unlink()
    else:
        path.write_bytes({'truncate': content[: len(content) // 2], 'empty': b'', 'garbage': b'\xff' * 77}[damage])
    data = dataset(rooms, [*steps, PACK], max_corrupt_fraction=1)
    assert data.prepare_data(0) is None and data.damage.count == 1
    assert data.prepare_data(1) is not None
    with pytest.raises(TooManyCorruptSamples, match=path.name):
        dataset(rooms, [*steps, PACK], max_corrupt_fraction=0).prepare_data(0)
    data.test_mode = True
    with pytest.raises(CorruptDataError, match=path.name):
        data.prepare_data(0)


@pytest.mark.parametrize('name, values, text', [
    ('points/{}.bin', np.full(6, np.nan, '<f4'), 'bytes, not 24|NaN'),
    ('semantic_mask/{}.bin', np.full(1, 99, '<i8'), 'NYU40'),
])  # fmt: skip
def test_impossible_values_are_damage(rooms, name, values, text):
    path = rooms / name.format(hand.SCANS['train'][0])
    size = path.stat().st_size // values.nbytes
    path.write_bytes(np.tile(values, size).tobytes())
    data = dataset(rooms, [dict(type='LoadScan')])
    data.test_mode = True
    with pytest.raises(CorruptDataError, match=text):
        data.prepare_data(0)


def test_overlap_of_other_frames_is_refused(rooms):
    folder = rooms / 'frames' / hand.SCANS['train'][0]
    arrays = dict(np.load(folder / 'overlap.npz'))
    np.savez(folder / 'overlap.npz', base=arrays['base'], seen=arrays['seen'][:-1])
    data = dataset(rooms, [*TRAIN, PACK])
    data.test_mode = True
    with pytest.raises(CorruptDataError, match='frames'):
        data.prepare_data(0)


def test_foreign_info_files_are_refused(rooms):
    path = rooms / 'scannet_infos_train.json'
    content = json.loads(path.read_text())
    del content['data_list'][0]['rgbd']
    path.write_text(json.dumps(content))
    with pytest.raises(KeyError, match='create_data.py scannet'):
        dataset(rooms, [])
    with pytest.raises(ValueError, match="no 'frames'"):
        views_root = dict(pts='points', pts_semantic_mask='semantic_mask')
        from mmfusion_plugin.datasets import ScanNetRGBDDataset

        ScanNetRGBDDataset(data_root=str(rooms), ann_file='scannet_infos_val.json', data_prefix=views_root, pipeline=[])


def test_views_without_their_labels_are_named(rooms):
    path = rooms / 'scannet_infos_train.json'
    content = json.loads(path.read_text())
    for entry in content['data_list']:
        entry['rgbd']['labels'] = ['label-filt']
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match='--label-images'):
        views(rooms, VIEW)[0]
