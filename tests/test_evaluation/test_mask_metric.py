"""MaskMetric against scikit-learn, image by image and over all pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet3d.registry import METRICS
from mmengine.evaluator import Evaluator
from mmengine.structures import BaseDataElement
from sklearn.metrics import f1_score, jaccard_score


def maps(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Probability and mask (0 or 255), ``(1, H, W)``; images differ in size."""
    rng = np.random.default_rng(number)
    truth = rng.random((1, 6 + number, 8)) > 0.6
    return np.clip(truth * 0.5 + rng.random(truth.shape) * 0.6, 0, 1).astype(np.float32), truth.astype(np.uint8) * 255


def sample(number: int) -> BaseDataElement:
    chance, truth = map(torch.from_numpy, maps(number))
    return BaseDataElement(metainfo=dict(img_path=f'{number}.jpg'), pred_mask=chance, gt_mask=truth)


def evaluate(samples: list[BaseDataElement], size: int = 0, **options) -> dict[str, float]:
    evaluator = Evaluator([METRICS.build(dict(type='MaskMetric', **options))])
    for one in samples:
        evaluator.process([one], None)
    return evaluator.evaluate(size or len(samples))


@pytest.mark.parametrize('threshold', [0.5, 0.7])
def test_scores_equal_scikit_learn(threshold):
    found = [(maps(number)[0].ravel() >= threshold, maps(number)[1].ravel() > 0) for number in range(5)]
    metrics = evaluate([sample(number) for number in range(5)], threshold=threshold)
    assert metrics['iou'] == pytest.approx(np.mean([jaccard_score(truth, guess) for guess, truth in found]))
    assert metrics['dice'] == pytest.approx(np.mean([f1_score(truth, guess) for guess, truth in found]))
    guess, truth = (np.concatenate(part) for part in zip(*found))
    assert metrics['iou_global'] == pytest.approx(jaccard_score(truth, guess))
    assert metrics['dice_global'] == pytest.approx(f1_score(truth, guess))


@pytest.mark.parametrize('guess, truth, expected', [(0, 0, 1.0), (1, 0, 0.0), (0, 1, 0.0), (1, 1, 1.0)])
def test_empty_masks_are_defined(guess, truth, expected):
    one = BaseDataElement(pred_mask=torch.full((1, 3, 4), float(guess)), gt_mask=torch.full((1, 3, 4), truth))
    assert evaluate([one]) == dict.fromkeys(('iou', 'dice', 'iou_global', 'dice_global'), expected)


def test_repeated_samples_at_the_end_do_not_count():
    """What a distributed sampler adds to fill up the last batch; results of all processes are one list."""
    alone = evaluate([sample(number) for number in range(3)])
    assert evaluate([sample(number) for number in (0, 1, 2, 0)], size=3) == alone
    first, second = (METRICS.build(dict(type='MaskMetric')) for _ in range(2))
    first.process(None, [sample(0).to_dict()])
    second.process(None, [sample(number).to_dict() for number in (1, 2)])
    assert first.compute_metrics(first.results + second.results) == alone


def test_faults_name_the_image():
    one = sample(3)
    one.gt_mask = torch.zeros(1, 4, 4)
    with pytest.raises(ValueError, match=r'3.jpg: prediction \(1, 9, 8\) for a mask \(1, 4, 4\)'):
        evaluate([one])
    del one.gt_mask
    with pytest.raises(ValueError, match='3.jpg has no gt_mask'):
        evaluate([one])
