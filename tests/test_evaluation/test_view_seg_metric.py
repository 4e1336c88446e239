"""The 2D metric against scikit-learn's confusion matrix over all pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet3d.registry import METRICS
from mmdet3d.structures import Det3DDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from sklearn.metrics import confusion_matrix, jaccard_score

from mmfusion_plugin.evaluation import ViewSegMetric

from . import scans


def maps(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Truth 0..20 (20 ignored, view 0 missing in odd samples) and prediction 0..19, ``(V, H, W)``."""
    rng = np.random.default_rng(number)
    truth = rng.integers(0, 21, (1 + number % 3, 6, 8))
    predicted = np.where(rng.random(truth.shape) < 0.6, np.minimum(truth, 19), rng.integers(0, 20, truth.shape))
    truth[0] = 20 if number % 2 else truth[0]
    return truth, predicted


def sample(number: int, labelled: bool = True) -> Det3DDataSample:
    truth, predicted = map(torch.from_numpy, maps(number))
    made = Det3DDataSample(metainfo=dict(scan_id=f'scene000{number // 2}_00', frames=[number, number + 3]))
    made.pred_sem_seg = PixelData(sem_seg=predicted)
    if labelled:
        made.gt_sem_seg = PixelData(sem_seg=truth)
    return made


def evaluate(samples: list[Det3DDataSample], batch: int = 1, size: int = 0) -> tuple[dict, ViewSegMetric]:
    metric = METRICS.build(dict(type='ViewSegMetric'))
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = scans.META
    for start in range(0, len(samples), batch):
        # Points in the batch are none of its business.
        inputs = dict(points=[torch.zeros(5, 6)] * len(samples[start : start + batch]))
        evaluator.process(samples[start : start + batch], dict(inputs=inputs))
    return evaluator.evaluate(size or len(samples)), metric


@pytest.mark.parametrize('batch', [1, 3])
def test_scores_equal_scikit_learn(batch):
    metrics, metric = evaluate([sample(number) for number in range(7)], batch)
    truth, predicted = (np.concatenate([maps(i)[part].ravel() for i in range(7)]) for part in range(2))
    counted = truth < 20
    expected = confusion_matrix(truth[counted], predicted[counted], labels=range(20))
    np.testing.assert_array_equal(metric.confusion_matrix[:20], expected)
    assert metric.confusion_matrix.sum() == truth.size
    ious = jaccard_score(truth[counted], predicted[counted], labels=range(20), average=None)
    np.testing.assert_allclose([metrics[f'iou_{name}'] for name in scans.CLASSES], ious)
    assert metrics['miou'] == pytest.approx(ious.mean())
    assert metrics['acc'] == pytest.approx((truth == predicted)[counted].mean())


def test_a_missing_view_counts_nowhere():
    one = sample(1)
    before = evaluate([one])[0]
    one.pred_sem_seg.sem_seg[0] = 7
    assert (one.gt_sem_seg.sem_seg[0] == 20).all() and evaluate([one])[0] == pytest.approx(before, nan_ok=True)


def test_samples_of_one_scan_are_told_apart():
    """Two chunks of a scan are two samples; counting one twice is found, since its name says so."""
    assert evaluate([sample(0), sample(1)])[0]['miou'] > 0
    with pytest.raises(ValueError, match='2 frames were evaluated.*dataset holds 1'):
        evaluate([sample(0), sample(1)], size=1)


def test_without_labels_there_is_nothing_to_score():
    assert evaluate([sample(number, labelled=False) for number in range(3)])[0] == {}


def broken(key: str) -> Det3DDataSample:
    made = sample(2)
    if key == 'prediction':
        del made.pred_sem_seg
    elif key == 'shape':
        made.gt_sem_seg = PixelData(sem_seg=made.gt_sem_seg.sem_seg.transpose(1, 2))  # as many pixels
    elif key == 'label':
        made.gt_sem_seg.sem_seg[0, 0, 0] = 21
    else:
        return Det3DDataSample(pred_sem_seg=made.pred_sem_seg)
    return made


@pytest.mark.parametrize('key, message', [
    ('prediction', 'scene0001_00 2 5 has no pred_sem_seg'),
    ('shape', r'scene0001_00 2 5: predictions \(3, 6, 8\) for labels \(3, 8, 6\)'),
    ('label', r'scene0001_00 2 5: label .* outside 0\.\.19'),
    ('name', 'neither scan_id nor sample_idx.*meta_keys'),
])
def test_faults_name_the_sample(key, message):
    with pytest.raises(ValueError, match=message):
        evaluate([broken(key)])
