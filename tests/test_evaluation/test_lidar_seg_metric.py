from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet3d.evaluation import seg_eval
from mmdet3d.registry import METRICS
from mmengine.logging import MMLogger

from mmfusion_plugin.evaluation import LidarSegMetric
from mmfusion_plugin.evaluation.confusion import confusion_matrix, segmentation_scores

from . import frames


def new_metric(**kwargs) -> LidarSegMetric:
    metric = METRICS.build(dict(type='LidarSegMetric', **kwargs))
    metric.dataset_meta = frames.META
    return metric


def evaluate(samples: list[dict], **kwargs) -> tuple[dict, np.ndarray]:
    metric = new_metric(**kwargs)
    for one in samples:
        metric.process(None, [one])
    metrics = metric.evaluate(len(samples))
    return metrics, metric.confusion_matrix


def test_counts_equal_a_loop_over_points():
    _, matrix = evaluate([frames.sample(i) for i in range(4)])
    np.testing.assert_array_equal(matrix, frames.brute_force(range(4)))


def test_scores_equal_mmdet3d():
    metrics, _ = evaluate([frames.sample(i) for i in range(4)])
    truths, guesses = zip(*(frames.labels(i) for i in range(4)))
    names = dict(enumerate(frames.META['classes']))
    reference = seg_eval([t.copy() for t in truths], [g.copy() for g in guesses], names, 16)
    for key in ('miou', 'acc', 'acc_cls'):
        assert metrics[key] == pytest.approx(reference[key], abs=1e-9)
    for name in frames.META['classes']:
        assert metrics[f'iou_{name}'] == pytest.approx(reference[name], abs=1e-9)


def test_integers_equal_the_devkit():
    devkit = pytest.importorskip('nuscenes.eval.lidarseg.utils', reason='needs nuscenes-devkit')
    official = devkit.ConfusionMatrix(17, ignore_idx=0)
    for i in range(6):
        truth, predicted = frames.labels(i)
        official.update(np.where(truth == 16, 0, truth + 1), predicted + 1)
    metrics, matrix = evaluate([frames.sample(i) for i in range(6)])
    np.testing.assert_array_equal(matrix[:16], official.global_cm[1:, 1:])
    assert not official.global_cm[0].any() and not official.global_cm[:, 0].any()
    # The devkit divides by unions rounded to float32.
    assert metrics['miou'] == pytest.approx(official.get_mean_iou(), abs=1e-6)
    assert metrics['fwiou'] == pytest.approx(official.get_freqweighted_iou(), abs=1e-6)


def test_batches_and_tensors_change_nothing():
    metric = new_metric()
    samples = [frames.sample(i) for i in range(5)]
    for one in samples:
        one['pred_pts_seg']['pts_semantic_mask'] = torch.from_numpy(one['pred_pts_seg']['pts_semantic_mask'])
    metric.process(None, samples[:3])
    metric.process(None, samples[3:])
    metric.evaluate(5)
    np.testing.assert_array_equal(metric.confusion_matrix, frames.brute_force(range(5)))


def test_state_is_one_small_matrix_and_is_reset():
    metric = new_metric()
    for i in range(20):
        metric.process(None, [frames.sample(i)])
    state = [value for value in vars(metric).values() if isinstance(value, np.ndarray)]
    assert sum(value.nbytes for value in state) == 2 * 17 * 16 * 8 and not metric.results
    metric.evaluate(20)
    metric.process(None, [frames.sample(0)])
    metric.evaluate(1)
    np.testing.assert_array_equal(metric.confusion_matrix, frames.brute_force(range(1)))


def test_class_that_occurs_nowhere_is_nan_and_outside_the_mean():
    truth = np.array([0, 0, 1, 16])
    sample = dict(pred_pts_seg=dict(pts_semantic_mask=np.array([0, 1, 1, 9])),
                  eval_ann_info=dict(pts_semantic_mask=truth), sample_idx=3)
    metrics, _ = evaluate([sample])
    # Class 9 is predicted at an ignored point only, so it counts nowhere.
    assert np.isnan(metrics['iou_truck']) and np.isnan(metrics['iou_bus'])
    assert metrics['iou_barrier'] == 0.5 and metrics['iou_bicycle'] == 0.5 and metrics['miou'] == 0.5
    assert metrics['acc'] == pytest.approx(2 / 3) and metrics['fwiou'] == 0.5


def test_class_only_predicted_counts_as_zero():
    matrix = confusion_matrix(np.array([0, 0]), np.array([0, 1]), 3, 3)
    scores = segmentation_scores(matrix)
    assert scores.iou[1] == 0 and np.isnan(scores.iou[2]) and scores.miou == 0.25


@pytest.mark.filterwarnings('error')
def test_all_points_ignored_gives_nan_without_a_warning():
    sample = dict(pred_pts_seg=dict(pts_semantic_mask=np.array([0, 1])),
                  eval_ann_info=dict(pts_semantic_mask=np.array([16, 16])), sample_idx=0)
    metrics, matrix = evaluate([sample])
    assert all(np.isnan(value) for value in metrics.values()) and matrix[16].sum() == 2


@pytest.fixture()
def log(caplog):
    """What mmengine's logger is told."""
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def test_table_of_every_class_is_logged(log):
    metrics, matrix = evaluate([frames.sample(i) for i in range(3)])
    points = matrix.sum(axis=1)
    for number, name in enumerate(frames.META['classes']):
        row = next(line for line in log.text.splitlines() if line.startswith(f'| {name} '))
        assert [cell.strip() for cell in row.split('|')[2:4]] == [
            f'{100 * metrics[f"iou_{name}"]:.2f}', f'{points[number]:,}']
    assert f'mIoU {100 * metrics["miou"]:.2f}' in log.text
    assert f'{points[:16].sum():,} points; {points[16]:,} ignored' in log.text


def test_no_prefix_is_no_reason_to_warn(log):
    assert set(evaluate([frames.sample(0)])[0]) >= {'miou', 'iou_car'}
    assert 'prefix' not in log.text and 'mIoU' in log.text


def test_submission_of_some_classes_is_written_by_name(tmp_path):
    metric = new_metric(submission_prefix=str(tmp_path / 'sub'), eval_set='val')
    metric.dataset_meta = dict(classes=['car', 'pedestrian'], ignore_index=16)
    sample = dict(pred_pts_seg=dict(pts_semantic_mask=np.array([0, 1, 1])), lidar_sample_data_token='a',
                  eval_ann_info=dict(pts_semantic_mask=np.array([0, 16, 1])))
    metric.process(None, [sample])
    assert metric.evaluate(1)['miou'] == 1
    assert list((tmp_path / 'sub/lidarseg/val/a_lidarseg.bin').read_bytes()) == [4, 7, 7]


def test_split_without_labels_scores_nothing():
    metrics, _ = evaluate([frames.sample(i, labelled=False) for i in range(3)])
    assert metrics == {}


def test_prefix_is_put_before_names():
    metrics, _ = evaluate([frames.sample(0)], prefix='val')
    assert 'val/miou' in metrics


@pytest.mark.parametrize(
    'predicted, words',
    [
        (np.array([0, 16, 2]), 'outside 0..15'),
        (np.array([0, -1, 2]), 'outside 0..15'),
        (np.array([0, 1]), '2'),
        (np.array([0.0, np.nan, 2.0]), 'float64'),
        (np.array([[0, 1, 2]]), 'one of each per point'),
        (np.array([], np.int64), '0'),
    ],
)
def test_bad_prediction_names_the_frame(predicted, words):
    sample = dict(pred_pts_seg=dict(pts_semantic_mask=predicted),
                  eval_ann_info=dict(pts_semantic_mask=np.array([0, 1, 2])), lidar_sample_data_token='abc123')
    with pytest.raises(ValueError, match='abc123') as error:
        new_metric().process(None, [sample])
    assert words in str(error.value)


def test_bad_label_names_the_frame():
    sample = dict(pred_pts_seg=dict(pts_semantic_mask=np.array([0, 1])),
                  eval_ann_info=dict(pts_semantic_mask=np.array([0, 24])), token='frame7')
    with pytest.raises(ValueError, match='frame7.*label.*first 24'):
        new_metric().process(None, [sample])


def test_prediction_shorter_than_the_sweep_is_refused_without_labels():
    batch = dict(inputs=dict(points=[torch.zeros(60, 4)]))
    with pytest.raises(ValueError, match='sweep of 60 points'):
        new_metric().process(batch, [frames.sample(0, labelled=False)])


def test_missing_frames_are_an_error():
    metric = new_metric()
    metric.process(None, [frames.sample(0)])
    with pytest.raises(ValueError, match='1 frames were evaluated.*dataset holds 2'):
        metric.evaluate(2)


def test_frames_counted_twice_are_an_error():
    metric = new_metric()
    for _ in range(2):
        metric.process(None, [frames.sample(0)])
    with pytest.raises(ValueError, match='counted twice'):
        metric.evaluate(1)


def test_labels_in_part_of_the_frames_are_an_error():
    metric = new_metric()
    metric.process(None, [frames.sample(0), frames.sample(1, labelled=False)])
    with pytest.raises(ValueError, match='1 of 2 frames have no labels'):
        metric.evaluate(2)


def test_submission_needs_token_and_split(tmp_path):
    metric = new_metric(submission_prefix=str(tmp_path / 'sub'), eval_set='val')
    sample = frames.sample(0)
    del sample['lidar_sample_data_token']
    sample['sample_idx'] = 0
    with pytest.raises(ValueError, match='lidar_sample_data_token'):
        metric.process(None, [sample])
    with pytest.raises(ValueError, match='eval_set'):
        new_metric(submission_prefix=str(tmp_path / 'sub')).process(None, [frames.sample(0)])


@pytest.mark.parametrize('meta, split', [(dict(split='mini_val'), 'mini_val'), (dict(version='v1.0-test'), 'test')])
def test_split_comes_from_the_dataset(tmp_path, meta, split):
    metric = new_metric(submission_prefix=str(tmp_path / 'sub'))
    metric.dataset_meta = dict(**frames.META, **meta)
    metric.process(None, [frames.sample(0)])
    assert metric.evaluate(1)['miou'] > 0
    assert (tmp_path / 'sub/lidarseg' / split / f'{frames.token(0)}_lidarseg.bin').is_file()
