"""The dataset: entries, classes, what is kept in memory, and the policy for damaged files."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import mmengine
import numpy as np
import pytest
from mmdet3d.registry import DATASETS
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from mmfusion_plugin.converters.nuscenes_taxonomy import CAMERAS, CLASSES, FINE_TO_CLASS
from mmfusion_plugin.datasets import CorruptDataError, TooManyCorruptSamples
from mmfusion_plugin.datasets.damage import DamageLedger

LOAD = [dict(type='LoadLidarSweep'), dict(type='LoadLidarSeg')]
LOAD_IMAGES = [*LOAD, dict(type='LoadCameraImages')]
PACK = [*LOAD, dict(type='PackFusionInputs')]


def test_entries(build, converted_world):
    dataset = build(modality=dict(use_camera=True))
    assert len(dataset) == 6
    for index in range(6):
        info = dataset.get_data_info(index)
        assert info['sample_idx'] == index
        assert Path(info['lidar_path']).is_file() and Path(info['pts_semantic_mask_path']).is_file()
        assert Path(info['pts_semantic_mask_path']).name == f'{info["lidar_sample_data_token"]}_lidarseg.bin'
        assert list(info['images']) == list(CAMERAS)
        for image in info['images'].values():
            assert Path(image['img_path']).is_file() and np.shape(image['lidar2cam']) == (4, 4)
            assert isinstance(image['boxes_2d'], list)
        assert 'eval_ann_info' not in info and 'cam_instances' not in info


def test_boxes_only_on_request(build):
    assert 'boxes_2d' not in build().get_data_info(0)['images']['CAM_FRONT']


def test_metainfo(build):
    metainfo = build().metainfo
    assert metainfo['classes'] == CLASSES and metainfo['ignore_index'] == 16
    assert len(metainfo['palette']) == 16 and metainfo['split'] == 'train'


def test_registered_under_its_own_name():
    assert DATASETS.get('NuScenesLidarSegDataset') is not None


def test_label_mapping(build):
    np.testing.assert_array_equal(build().seg_label_mapping, FINE_TO_CLASS)
    assert build().seg_label_mapping.dtype == np.int64


def test_some_classes(build):
    dataset = build(metainfo=dict(classes=['car', 'pedestrian']))
    mapping = dataset.seg_label_mapping
    assert mapping[17] == 0 and set(mapping[[2, 3, 4, 6]]) == {1} and set(np.delete(mapping, [2, 3, 4, 6, 17])) == {16}
    assert dataset.metainfo['palette'] == [[255, 158, 0], [0, 0, 230]]
    with pytest.raises(ValueError, match='cat'):
        build(metainfo=dict(classes=['cat']))


@pytest.mark.parametrize('serialize', [False, True])
@pytest.mark.parametrize('lazy', [False, True])
def test_serialised_or_not_gives_the_same(build, serialize, lazy):
    dataset = build(serialize_data=serialize, lazy_init=lazy, test_mode=True)
    dataset.full_init()
    assert len(dataset) == 6
    expected = build(serialize_data=False, test_mode=True).get_data_info(3)
    np.testing.assert_equal(dataset.get_data_info(3), expected)


def test_subset_and_copy(build):
    dataset = build(pipeline=PACK)
    subset = dataset.get_subset([1, 3])
    assert len(subset) == 2 and subset.damage.base == 2
    dataset_in_place = build(pipeline=PACK)
    dataset_in_place.get_subset_([0])
    assert dataset_in_place.damage.base == 1
    assert copy.deepcopy(dataset)[2]['inputs']['points'].shape == dataset[2]['inputs']['points'].shape


def test_mmdet3d_pickle_without_our_keys(build, tmp_path, converted_world):
    content = mmengine.load(str(converted_world / 'nuscenes_infos_train.json'))
    for entry in content['data_list']:
        del entry['lidar_points']['sample_data_token'], entry['scene_name']
        for image in entry['images'].values():
            del image['boxes_2d'], image['width'], image['height']
    mmengine.dump(content, str(tmp_path / 'infos.pkl'))
    dataset = build(ann_file=str(tmp_path / 'infos.pkl'), pipeline=LOAD_IMAGES)
    expected = build().get_data_info(0)['lidar_sample_data_token']
    assert dataset[0]['lidar_sample_data_token'] == expected


def test_test_split_without_labels(build, tmp_path, converted_world):
    content = mmengine.load(str(converted_world / 'nuscenes_infos_val.json'))
    for entry in content['data_list']:
        del entry['pts_semantic_mask_path']
    mmengine.dump(content, str(tmp_path / 'infos.json'))
    sample = build(ann_file=str(tmp_path / 'infos.json'), pipeline=PACK, test_mode=True)[0]['data_samples']
    assert sample.eval_ann_info == {} and 'gt_pts_seg' not in sample
    changes = dict(ann_file=str(tmp_path / 'infos.json'), pipeline=PACK, test_mode=True, load_eval_anns=False)
    assert build(**changes)[0]['data_samples'].eval_ann_info is None
    assert sample.lidar_sample_data_token
    with pytest.raises(ValueError, match='pts_semantic_mask_path'):
        build(ann_file=str(tmp_path / 'infos.json'), pipeline=PACK)[0]


def test_label_folder_follows_the_version(build, tmp_path, converted_world):
    prefix = {key: folder for key, folder in build().data_prefix.items() if key != 'pts_semantic_mask'}
    expected = build().get_data_info(2)
    np.testing.assert_equal(build(data_prefix=prefix).get_data_info(2), expected)
    content = mmengine.load(str(converted_world / 'nuscenes_infos_val.json'))
    del content['metainfo']['version']
    mmengine.dump(content, str(tmp_path / 'infos.json'))
    with pytest.raises(ValueError, match="no 'pts_semantic_mask'.*infos.json"):
        build(ann_file=str(tmp_path / 'infos.json'), data_prefix=prefix)


@pytest.mark.parametrize('key', ['pts', 'CAM_BACK'])
def test_missing_folder_is_named(build, key):
    prefix = {name: folder for name, folder in build().data_prefix.items() if name != key}
    with pytest.raises(ValueError, match=f"data_prefix has no '{key}'"):
        build(data_prefix=prefix)


def test_evaluation_opens_no_image(build, world):
    for path in world.glob('samples/CAM_*/*.jpg'):
        path.unlink()
    sample = build(data_root=str(world), pipeline=PACK, test_mode=True)[0]
    assert set(sample['inputs']) == {'points'}
    assert len(sample['data_samples'].img_path) == 6  # for pictures


def cut(path: str, count: int) -> None:
    Path(path).write_bytes(Path(path).read_bytes()[:-count])


DAMAGE = {
    'truncated sweep': lambda info: cut(info['lidar_path'], 7),
    'sweep without its last points': lambda info: cut(info['lidar_path'], 40),
    'empty sweep': lambda info: Path(info['lidar_path']).write_bytes(b''),
    'missing sweep': lambda info: Path(info['lidar_path']).unlink(),
    'NaN in sweep': lambda info: np.full(1500, np.nan, np.float32).tofile(info['lidar_path']),
    'truncated labels': lambda info: cut(info['pts_semantic_mask_path'], 1),
    'missing labels': lambda info: Path(info['pts_semantic_mask_path']).unlink(),
    'undefined category': lambda info: np.full(300, 32, np.uint8).tofile(info['pts_semantic_mask_path']),
    'truncated image': lambda info: cut(info['images']['CAM_BACK']['img_path'], 3000),
    'empty image': lambda info: Path(info['images']['CAM_BACK']['img_path']).write_bytes(b''),
    'no image': lambda info: Path(info['images']['CAM_BACK']['img_path']).write_bytes(b'\xff\xd8 nothing \xff\xd9'),
    'missing image': lambda info: Path(info['images']['CAM_BACK']['img_path']).unlink(),
}


def damaged_name(kind: str, info: dict) -> str:
    if 'image' in kind:
        return info['images']['CAM_BACK']['img_path']
    return info['pts_semantic_mask_path'] if 'label' in kind or 'category' in kind else info['lidar_path']


@pytest.mark.parametrize('kind', DAMAGE)
def test_damage_in_evaluation_is_an_error(build, world, kind):
    dataset = build(data_root=str(world), pipeline=LOAD_IMAGES, test_mode=True)
    info = dataset.get_data_info(2)
    DAMAGE[kind](info)
    assert dataset[1] is not None
    with pytest.raises(CorruptDataError) as error:
        dataset[2]
    assert damaged_name(kind, info) in str(error.value)


@pytest.mark.parametrize('kind', DAMAGE)
def test_damage_in_training_is_skipped_counted_and_logged(build, world, kind, caplog):
    dataset = build(data_root=str(world), pipeline=LOAD_IMAGES, max_corrupt_fraction=0.2)
    info = dataset.get_data_info(2)
    DAMAGE[kind](info)
    messages = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmfusion_plugin.datasets.damage.print_log', lambda text, *_: messages.append(text))
        for _ in range(3):
            assert dataset[2]['sample_idx'] != 2
    assert dataset.damage.count == 1
    assert len(messages) == 1 and damaged_name(kind, info) in messages[0]


def test_training_stops_above_the_limit(build, world):
    dataset = build(data_root=str(world), pipeline=LOAD, max_corrupt_fraction=0.2)
    for index in (0, 4):
        DAMAGE['truncated sweep'](dataset.get_data_info(index))
    dataset._rand_another = lambda: 1
    assert dataset[0]['sample_idx'] == 1
    with pytest.raises(TooManyCorruptSamples, match='2 of 6 samples .33.33%. are damaged'):
        dataset[4]


def test_limit_holds_for_each_rank():
    """Four ranks read a quarter each in the first epoch, and all of the data in time."""
    fault = CorruptDataError('a.bin')
    ledger = DamageLedger(1000, 0.01, ranks=4)
    assert ledger.base == 250
    for index in (0, 1):
        ledger.record(index, fault)
    with pytest.raises(TooManyCorruptSamples, match='3 of 250'):
        ledger.record(2, fault)
    later = DamageLedger(1000, 0.01, ranks=4)
    for index in range(900):
        later.record_sound(index)
    for index in range(9):
        later.record(index, fault)
        later.record_sound(index)
    assert later.count == 9 and later.base == 900
    with pytest.raises(TooManyCorruptSamples, match='10 of 901'):
        later.record(900, fault)


def test_default_limit_is_a_thousandth(build, world):
    dataset = build(data_root=str(world), pipeline=LOAD)
    DAMAGE['missing sweep'](dataset.get_data_info(0))
    with pytest.raises(TooManyCorruptSamples, match='max_corrupt_fraction=0.001'):
        dataset[0]


@pytest.mark.parametrize('persistent', [False, True])
def test_workers_share_one_account_over_epochs(build, world, persistent):
    dataset = build(data_root=str(world), pipeline=PACK, max_corrupt_fraction=0.5)
    for index in (0, 1, 5):
        DAMAGE['truncated sweep'](dataset.get_data_info(index))
    loader = DataLoader(dataset, num_workers=2, persistent_workers=persistent, collate_fn=pseudo_collate)
    for _ in range(2):
        assert len(list(loader)) == 6
        assert dataset.damage.count == 3
    DAMAGE['truncated sweep'](dataset.get_data_info(2))
    with pytest.raises(TooManyCorruptSamples):
        list(loader)


def test_error_names_the_file_through_workers(build, world):
    dataset = build(data_root=str(world), pipeline=PACK, test_mode=True)
    path = dataset.get_data_info(3)['lidar_path']
    cut(path, 1)
    with pytest.raises(CorruptDataError, match=Path(path).name):
        list(DataLoader(dataset, num_workers=1, collate_fn=pseudo_collate))


def test_errors_survive_pickling():
    assert str(pickle.loads(pickle.dumps(CorruptDataError('a.bin is empty')))) == 'a.bin is empty'
