"""The metric against the official script, restated with its loops."""

from __future__ import annotations

import json
import os
import socket
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmdet3d.registry import METRICS
from mmengine.dataset import DefaultSampler
from mmengine.logging import MMLogger
from torch.utils.data import DataLoader

from mmfusion_plugin.converters import scannet_taxonomy
from mmfusion_plugin.evaluation import ScanNetSegMetric

from . import scans


def new_metric(**kwargs) -> ScanNetSegMetric:
    metric = METRICS.build(dict(type='ScanNetSegMetric', **kwargs))
    metric.dataset_meta = scans.META
    return metric


def evaluate(samples: list[dict], **kwargs) -> tuple[dict, np.ndarray]:
    metric = new_metric(**kwargs)
    for one in samples:
        metric.process(None, [one])
    metrics = metric.evaluate(len(samples))
    return metrics, metric.confusion_matrix


def assert_official(metrics: dict, matrix: np.ndarray, numbers: range, invalid: bool = True) -> None:
    ious, confusion = scans.official(numbers, invalid)
    for name, iou in ious.items():
        assert metrics[f'iou_{name}'] == pytest.approx(iou, abs=1e-12, nan_ok=True)
    assert metrics['miou'] == pytest.approx(np.mean(list(ious.values())), abs=1e-12)
    np.testing.assert_array_equal(np.array(matrix)[:20, :20], confusion[np.ix_(scans.VALID, scans.VALID)])
    np.testing.assert_array_equal(np.array(matrix)[:20, 20], confusion[scans.VALID, 40])


def test_the_test_restates_the_same_classes():
    assert scans.CLASSES == scannet_taxonomy.CLASSES and tuple(scans.VALID) == scannet_taxonomy.NYU40_IDS


@pytest.mark.parametrize('invalid', [True, False])
def test_scores_equal_the_official_script(invalid):
    metrics, matrix = evaluate([scans.sample(i, invalid=invalid) for i in range(6)])
    assert_official(metrics, matrix, range(6), invalid)
    assert (matrix[:, 20].sum() > 0) == invalid
    assert matrix.sum() == sum(len(scans.labels(i)[0]) for i in range(6))  # every vertex is accounted for


def one(truth: list[int], predicted: list[int], **kwargs) -> dict:
    return evaluate([dict(pred_pts_seg=dict(pts_semantic_mask=np.array(predicted)),
                          eval_ann_info=dict(pts_semantic_mask=np.array(truth)), scan_id='a')], **kwargs)[0]


def test_invalid_prediction_is_a_miss_and_no_false_alarm():
    for invalid in (-1, 20, 21, 255, 10**6):
        metrics = one([0, 0, 0, 1], [0, 0, invalid, 1])
        assert metrics['iou_wall'] == pytest.approx(2 / 3) and metrics['iou_floor'] == 1
        assert metrics['miou'] == pytest.approx(5 / 6) and metrics['acc'] == 0.75
        assert metrics['acc_cls'] == pytest.approx((2 / 3 + 1) / 2)
        assert metrics['fwiou'] == pytest.approx((3 * 2 / 3 + 1) / 4)


def test_predictions_at_ignored_vertices_count_nowhere():
    for guess in (0, 1, 20, -1):
        metrics = one([0, 20, 20], [0, guess, 7])
        assert metrics['miou'] == 1 and metrics['acc'] == 1 and np.isnan(metrics['iou_door'])


def test_a_class_only_predicted_is_zero_and_in_the_mean():
    metrics = one([0, 0], [0, 5])
    assert metrics['iou_sofa'] == 0 and metrics['miou'] == 0.25


def test_confusion_is_global_not_per_scan():
    a = dict(pred_pts_seg=dict(pts_semantic_mask=np.array([0])),
             eval_ann_info=dict(pts_semantic_mask=np.array([0])), scan_id='a')
    b = dict(pred_pts_seg=dict(pts_semantic_mask=np.array([1] * 9)),
             eval_ann_info=dict(pts_semantic_mask=np.array([0] * 9)), scan_id='b')
    metrics, _ = evaluate([a, b])
    assert metrics['iou_wall'] == pytest.approx(0.1)  # a mean over scans would be 0.5


@pytest.mark.parametrize('label', [21, 39, -1])
def test_unmapped_labels_are_refused(label):
    with pytest.raises(ValueError, match='frame a: .*PointSegClassMapping'):
        one([0, label], [0, 0])


@pytest.mark.parametrize('truth, predicted, message', [
    ([0, 1], [0], '1,.* predictions'), ([0], [0.0], 'integer'), ([0.5], [0], 'integer'),
])
def test_wrong_arrays_are_refused(truth, predicted, message):
    with pytest.raises(ValueError, match=f'frame a: .*{message}'):
        one(truth, predicted)


@pytest.mark.filterwarnings('error')
def test_nothing_to_score():
    metrics = one([20, 20], [0, -1])
    assert all(np.isnan(value) for value in metrics.values())
    assert evaluate([scans.sample(i, labelled=False) for i in range(3)])[0] == {}


def test_tensors_batches_prefix_and_names_from_files():
    metric = new_metric(prefix='val')
    samples = [scans.sample(i) for i in range(4)]
    for part in samples:
        part['pred_pts_seg']['pts_semantic_mask'] = torch.from_numpy(part['pred_pts_seg']['pts_semantic_mask'])
        part['lidar_path'] = f'data/points/{part.pop("scan_id")}.bin'
    metric.process(None, samples[:3])
    metric.process(None, samples[3:])
    metrics = metric.evaluate(4)
    assert metric.default_prefix == '' and all(key.startswith('val/') for key in metrics)
    assert_official({key[4:]: value for key, value in metrics.items()}, metric.confusion_matrix, range(4))
    with pytest.raises(ValueError, match='scan_id'):
        metric.process(None, [dict(pred_pts_seg=dict(pts_semantic_mask=np.zeros(1, int)))])


def test_state_is_one_small_matrix():
    metric = new_metric()
    for i in range(9):
        metric.process(None, [scans.sample(i)])
    state = [value for value in vars(metric).values() if isinstance(value, np.ndarray)]
    assert sum(value.nbytes for value in state) == 2 * 22 * 21 * 8 and not metric.results


def test_table_names_classes_and_invalid_predictions(caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        _, matrix = evaluate([scans.sample(i) for i in range(3)])
    finally:
        logger.removeHandler(caplog.handler)
    assert 'shower curtain' in caplog.text and 'unknown' not in caplog.text
    assert f'{matrix[:20, 20].sum()} predictions are no class' in caplog.text


def written(folder: Path, number: int) -> list[int]:
    return [int(line) for line in (folder / f'{scans.name(number)}.txt').read_text().split('\n')[:-1]]


def test_submission(tmp_path):
    metrics, _ = evaluate([scans.sample(i, invalid=False) for i in range(4)], submission_prefix=str(tmp_path / 'sub'))
    assert_official(metrics, evaluate([scans.sample(i, invalid=False) for i in range(4)])[1], range(4), invalid=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['sub', 'sub.zip']
    for number in range(4):
        assert written(tmp_path / 'sub', number) == [scans.VALID[p] for p in scans.labels(number, False)[1]]
    with zipfile.ZipFile(tmp_path / 'sub.zip') as archive:
        assert archive.namelist() == [f'{scans.name(i)}.txt' for i in range(4)]  # at the root
        for name in archive.namelist():
            assert archive.read(name) == (tmp_path / 'sub' / name).read_bytes()


def test_submission_without_labels_and_again(tmp_path):
    prefix = str(tmp_path / 'sub')
    assert evaluate([scans.sample(i, False, False) for i in range(5)], submission_prefix=prefix)[0] == {}
    first = (tmp_path / 'sub.zip').read_bytes()
    evaluate([scans.sample(i, False, False) for i in range(3)], submission_prefix=prefix)
    assert sorted(path.stem for path in (tmp_path / 'sub').iterdir()) == [scans.name(i) for i in range(3)]
    evaluate([scans.sample(i, False, False) for i in range(5)], submission_prefix=prefix)
    assert (tmp_path / 'sub.zip').read_bytes() == first


def test_submission_refuses_what_is_no_class_and_foreign_folders(tmp_path):
    with pytest.raises(ValueError, match=r'scene0000_00.*predictions are no class 0\.\.19'):
        evaluate([scans.sample(0)], submission_prefix=str(tmp_path / 'sub'))
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/notes.md').write_text('mine')
    with pytest.raises(RuntimeError, match='notes.md'):
        evaluate([scans.sample(0, invalid=False)], submission_prefix=str(tmp_path / 'mine'))
    assert (tmp_path / 'mine/notes.md').read_text() == 'mine' and not (tmp_path / 'mine.zip').exists()
    metric = new_metric(submission_prefix=str(tmp_path / 'other'))
    metric.dataset_meta = dict(classes=('wall', 'elephant'))
    with pytest.raises(ValueError, match='elephant'):
        metric.process(None, [dict(pred_pts_seg=dict(pts_semantic_mask=np.zeros(1, int)), scan_id='a')])


CASES = [(1, 1, False), (3, 1, True), (3, 2, False), (4, 1, True)]
"""Scans, batch size, round_up: an idle process, a repeated scan, an uneven share; the last with a submission."""


def worker(rank: int, folder: str, port: int) -> None:
    dist.init_process_group('gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    results = []
    for size, batch, fill in CASES:
        last = (size, batch, fill) == CASES[-1]
        metric = new_metric(**(dict(submission_prefix=f'{folder}/sub') if last else {}))
        sampler = DefaultSampler(range(size), shuffle=False, round_up=fill)
        for numbers in DataLoader(range(size), batch_size=batch, sampler=sampler, collate_fn=list):
            metric.process(None, [scans.sample(number, invalid=not last) for number in numbers])
        results.append((metric.evaluate(size), metric.confusion_matrix.tolist()))
    Path(folder, f'rank{rank}.json').write_text(json.dumps(results))
    dist.barrier()
    # Not destroy_process_group: where the other process is gone already, gloo's clean-up sometimes waits for ever.
    os._exit(0)


def test_two_processes_give_the_score_of_one(tmp_path):
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    mp.spawn(worker, args=(str(tmp_path), port), nprocs=2)
    for rank in range(2):
        for (size, _, _), (metrics, matrix), number in zip(
                CASES, json.loads((tmp_path / f'rank{rank}.json').read_text()), range(len(CASES))):
            expected = evaluate([scans.sample(i, invalid=number != len(CASES) - 1) for i in range(size)])
            np.testing.assert_array_equal(matrix, expected[1])
            np.testing.assert_array_equal(list(metrics.values()), list(expected[0].values()))
    for number in range(4):
        assert written(tmp_path / 'sub', number) == [scans.VALID[p] for p in scans.labels(number, False)[1]]
