from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from mmfusion_plugin.evaluation import LidarSegMetric
from mmfusion_plugin.evaluation import submission_check as module
from mmfusion_plugin.evaluation.submission_check import check_submission, evaluate_submission, find_problems

from . import frames
from .fake_nuscenes import FakeNuScenes

pytest.importorskip('nuscenes', reason='needs nuscenes-devkit')
FRAMES = range(4)


@pytest.fixture()
def nusc(tmp_path, monkeypatch):
    (tmp_path / 'data').mkdir()
    fake = FakeNuScenes(tmp_path / 'data', {frames.token(i): frames.labels(i)[0] for i in FRAMES})
    monkeypatch.setattr(module, 'open_nuscenes', lambda dataroot, version: fake)
    return fake


@pytest.fixture()
def written(tmp_path):
    """A submission written by the metric; its matrix beside it."""
    metric = LidarSegMetric(submission_prefix=str(tmp_path / 'sub'), eval_set='val')
    metric.dataset_meta = frames.META
    metric.process(None, [frames.sample(i) for i in FRAMES])
    metrics = metric.evaluate(len(FRAMES))
    return tmp_path / 'sub', metric.confusion_matrix, metrics


def check(folder, eval_set='val'):
    return check_submission(folder, 'data', 'v1.0-trainval', eval_set)


def test_what_the_metric_writes_is_valid(nusc, written):
    verdict = check(written[0])
    assert '4 sweeps' in verdict and '1 of the 150 scenes' in verdict


def test_official_scores_equal_ours(nusc, written):
    folder, matrix, metrics = written
    official = evaluate_submission(folder, 'data', 'v1.0-trainval', 'val')
    np.testing.assert_array_equal(official['confusion'][1:, 1:], matrix[:16])
    assert official['miou'] == pytest.approx(metrics['miou'], abs=1e-6)
    assert official['freq_weighted_iou'] == pytest.approx(metrics['fwiou'], abs=1e-6)
    for name in frames.META['classes']:
        assert official['iou_per_class'][name] == pytest.approx(metrics[f'iou_{name}'], abs=1e-6, nan_ok=True)


def test_split_without_labels_is_counted_on_the_sweeps(tmp_path, monkeypatch, written):
    (tmp_path / 'data').mkdir()
    fake = FakeNuScenes(
        tmp_path / 'data', {frames.token(i): frames.labels(i)[0] for i in FRAMES}, labelled=False)
    monkeypatch.setattr(module, 'open_nuscenes', lambda dataroot, version: fake)
    assert '4 sweeps' in check(written[0])


def test_a_dataset_at_hand_is_not_loaded_again(tmp_path, written, nusc, monkeypatch):
    monkeypatch.setattr(module, 'open_nuscenes', None)
    assert '4 sweeps' in check_submission(written[0], 'data', 'v1.0-trainval', 'val', nusc=nusc)
    official = evaluate_submission(written[0], 'data', 'v1.0-trainval', 'val', nusc=nusc)
    np.testing.assert_array_equal(official['confusion'][1:, 1:], written[1][:16])


def label_file(folder, number=1):
    return folder / 'lidarseg/val' / f'{frames.token(number)}_lidarseg.bin'


def edit_labels(change):
    def apply(folder):
        path = label_file(folder)
        change(np.fromfile(path, np.uint8)).tofile(path)

    return apply


def edit_meta(change):
    def apply(folder):
        path = folder / 'val/submission.json'
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return apply


def put(value, at=3):
    def change(labels):
        labels[at] = value
        return labels

    return edit_labels(change)


def npy(folder):
    labels = np.fromfile(label_file(folder), np.uint8)
    with open(label_file(folder), 'wb') as stream:
        np.save(stream, labels)


BROKEN = {
    'a zero label': (put(0), 'label 0'),
    'a label above 16': (put(17), 'above 16'),
    'ignore as 255': (put(255), 'the highest 255'),
    'int64 labels': (edit_labels(lambda labels: labels.astype(np.int64)), '64-bit'),
    'int32 labels': (edit_labels(lambda labels: labels.astype(np.int32)), '32-bit'),
    'float16 labels': (edit_labels(lambda labels: labels.astype(np.float16)), '16-bit'),
    'one point too few': (edit_labels(lambda labels: labels[:-1]), 'bytes for a sweep of'),
    'one point too many': (edit_labels(lambda labels: np.append(labels, labels[:1])), 'bytes for a sweep of'),
    'an empty file': (edit_labels(lambda labels: labels[:0]), '0 bytes'),
    'a .npy file': (npy, '.npy'),
    'a missing file': (lambda folder: label_file(folder).unlink(), '1 of 4 label files are missing'),
    'a surplus file': (lambda folder: shutil.copy(label_file(folder), label_file(folder, 77)), 'belong to no sweep'),
    'a folder in place of a file': (
        lambda folder: (label_file(folder).unlink(), label_file(folder).mkdir()), 'is no file'),
    'no submission.json': (lambda folder: (folder / 'val/submission.json').unlink(), 'no file'),
    'bad JSON': (lambda folder: (folder / 'val/submission.json').write_text('{"meta": '), 'no JSON'),
    'JSON of another shape': (lambda folder: (folder / 'val/submission.json').write_text('[1]'), 'key "meta"'),
    'no meta': (edit_meta(lambda content: content.pop('meta')), 'key "meta"'),
    'a meta key missing': (edit_meta(lambda content: content['meta'].pop('use_map')), 'use_map'),
    'a meta key too many': (edit_meta(lambda content: content['meta'].update(use_gps=True)), 'use_gps'),
    'a meta value of another type': (edit_meta(lambda content: content['meta'].update(use_lidar=1)), 'true or false'),
    'no label folder': (lambda folder: shutil.rmtree(folder / 'lidarseg'), 'no folder'),
    'folders the wrong way round': (
        lambda folder: shutil.move(folder / 'lidarseg/val', folder / 'val/lidarseg'),
        'label files lie in val/lidarseg'),
    'nothing at all': (shutil.rmtree, 'is no folder'),
}


@pytest.mark.parametrize('name', BROKEN)
def test_broken_submission_is_refused_and_the_fault_named(nusc, written, name):
    damage, words = BROKEN[name]
    damage(written[0])
    with pytest.raises(ValueError, match='no valid submission') as error:
        check(written[0])
    assert words in str(error.value)


def test_all_faults_are_told_at_once(nusc, written):
    for name in ('a zero label', 'a surplus file', 'a meta key missing'):
        BROKEN[name][0](written[0])
    assert len(find_problems_of(nusc, written[0])) == 3


def find_problems_of(nusc, folder):
    with module.available_scenes(nusc, 'val'):
        return find_problems(folder, 'val', module.points_per_sweep(nusc, 'val'))


def test_the_devkits_refusal_is_a_refusal(nusc, written, monkeypatch):
    monkeypatch.setattr(module, 'find_problems', lambda *args: [])
    put(0)(written[0])
    with pytest.raises(ValueError, match="devkit's validation: .*must be between 1 and 16"):
        check(written[0])


def test_wrong_split_is_explained(nusc, written):
    with pytest.raises(ValueError, match='holds no scene of'):
        check(written[0], 'test')
    with pytest.raises(ValueError, match='is no split'):
        check(written[0], 'validation')


def test_the_devkits_split_is_restored(nusc, written):
    from nuscenes.eval.lidarseg import utils
    from nuscenes.utils.splits import create_splits_scenes

    check(written[0])
    assert utils.create_splits_scenes is create_splits_scenes


def test_missing_dataset_is_explained(tmp_path):
    with pytest.raises(FileNotFoundError, match='--dataroot and --version'):
        check_submission(tmp_path, tmp_path, 'v1.0-trainval', 'val')
    (tmp_path / 'v1.0-test').mkdir()
    (tmp_path / 'v1.0-test/category.json').write_text('[]')
    with pytest.raises(FileNotFoundError, match='lidarseg package'):
        check_submission(tmp_path, tmp_path, 'v1.0-test', 'test')
