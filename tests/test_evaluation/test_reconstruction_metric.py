"""ReconstructionMetric: means by hand, samples, files, several processes, and clear refusals."""

from __future__ import annotations

import csv
import logging

import numpy as np
import pytest
import torch
from mmdet3d.registry import METRICS
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from mmfusion_plugin.evaluation import ReconstructionMetric
from mmfusion_plugin.structures import ShapeSample

CATEGORIES = [('03001627', 'chair'), ('02691156', 'airplane'), ('03001627', 'chair')]


def sample(number: int, draws: int = 0) -> ShapeSample:
    generator = torch.Generator().manual_seed(number)
    synset, category = CATEGORIES[number % 3]
    meta = dict(synset=synset, category=category, model_id=f'm{number}', view=number, img_path=f'{number}.png')
    one = ShapeSample(metainfo=meta, gt_points=torch.rand(12, 3, generator=generator))
    one.pred_points = torch.rand(12, 3, generator=generator)
    if draws:
        one.pred_samples = torch.rand(draws, 12, 3, generator=generator)
    return one


def scores(prediction: torch.Tensor, truth: torch.Tensor) -> np.ndarray:
    """CD, EMD and F-score in percent and times 100, with scipy alone."""
    distance = cdist(prediction, truth)
    there, back = distance.min(1), distance.min(0)
    precision, recall = (there < 0.2).mean(), (back < 0.2).mean()
    moved = distance[linear_sum_assignment(distance)].mean()
    return 100 * np.array([there.mean() + back.mean(), moved, 2 * precision * recall / max(precision + recall, 1e-9)])


def evaluate(samples: list, size: int = 0, **options) -> dict[str, float]:
    evaluator = Evaluator([METRICS.build(dict(type='ReconstructionMetric', threshold=0.2, **options))])
    for one in samples:
        evaluator.process([one], None)
    return evaluator.evaluate(size or len(samples))


def test_means_by_hand():
    samples = [sample(number) for number in range(5)]
    each = np.array([scores(one.pred_points, one.gt_points) for one in samples])
    chair, airplane = each[[0, 2, 3]].mean(0), each[[1, 4]].mean(0)
    metrics = evaluate(samples)
    for suffix, expected in (('', (chair + airplane) / 2), ('_overall', each.mean(0)), ('_chair', chair),
                             ('_airplane', airplane)):  # fmt: skip
        found = [metrics[f'{key}{suffix}'] for key in ('cd', 'emd', 'f_score')]
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert len(metrics) == 12


def test_mean_and_best_of_samples():
    one = sample(0, draws=4)
    each = np.array([scores(cloud, one.gt_points) for cloud in one.pred_samples])
    metrics = evaluate([one])
    keys = ('cd', 'emd', 'f_score')
    np.testing.assert_allclose([metrics[f'{key}_mean'] for key in keys], each.mean(0), rtol=1e-6)
    best = [each[:, 0].min(), each[:, 1].min(), each[:, 2].max()]
    np.testing.assert_allclose([metrics[f'{key}_best'] for key in keys], best, rtol=1e-6)
    spread = np.sqrt(one.pred_samples.double().numpy().var(0, ddof=1).sum(1)).mean()
    assert metrics['spread'] == pytest.approx(100 * spread)
    assert metrics['cd'] == pytest.approx(scores(one.pred_points, one.gt_points)[0])
    assert not any('mean' in key or key == 'spread' for key in evaluate([one], score_samples=False))
    with pytest.raises(ValueError, match='draw clouds .pred_samples. of all images or of none'):
        evaluate([one, sample(1)])


def test_files_and_table_state_the_protocol(tmp_path):
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    try:
        metrics = evaluate([sample(number, draws=2) for number in range(5)], out_dir=str(tmp_path), scale='unit_cube')
    finally:
        logger.removeHandler(handler)
    words = '12 predicted and 12 true points; 2 clouds drawn per image; each cloud scaled to the unit cube; not aligned'
    markdown, table = (tmp_path / 'categories.md').read_text(), '\n'.join(lines)
    assert words in markdown and words in table and 'F-score in % at 0.2' in table
    titles = [title.strip() for title in markdown.splitlines()[0].split('|')[1:-1]]
    assert titles == ['category', 'samples', 'CD', 'EMD', 'F-score', 'CD mean', 'CD best', 'EMD mean', 'EMD best',
                      'F-score mean', 'F-score best', 'spread']  # fmt: skip
    assert [line.split('|')[1].strip() for line in markdown.splitlines()[2:6]] == [
        'airplane', 'chair', 'mean over categories', 'mean over samples']  # fmt: skip
    rows = list(csv.DictReader((tmp_path / 'categories.csv').open()))
    assert [row['synset'] for row in rows] == ['02691156', '03001627', '', '']
    assert [row['samples'] for row in rows] == ['2', '3', '5', '5']
    expected = [metrics[key] for key in ('cd_airplane', 'cd_chair', 'cd', 'cd_overall')]
    assert [float(row['cd']) for row in rows] == expected
    each = list(csv.DictReader((tmp_path / 'samples.csv').open()))
    assert [row['model_id'] for row in each] == ['m0', 'm1', 'm2', 'm3', 'm4'] and each[0]['azimuth'] == ''
    assert np.mean([float(row['emd_best']) for row in each]) == pytest.approx(metrics['emd_best_overall'])


@pytest.mark.parametrize('points, words', [
    (None, '12 predicted and 12 true points; not'), (12, '12 predicted and 12 true points; not'),
    (10, '10 of 12 predicted and 10 of 12 true points; thinned at random, seed 0'),
])  # fmt: skip
def test_the_protocol_says_what_was_thinned(tmp_path, points, words):
    evaluate([sample(0), sample(1)], out_dir=str(tmp_path), points=points)
    assert words in (tmp_path / 'categories.md').read_text()


def test_clouds_of_which_some_are_thinned(tmp_path):
    few, many = sample(0), sample(1)
    few.gt_points, many.gt_points = torch.rand(15, 3), torch.rand(20, 3)
    evaluate([few, many], out_dir=str(tmp_path), points=13, emd='sinkhorn')
    words = '12 predicted and 13 of 15 to 20 true points; thinned at random, seed 0'
    assert words in (tmp_path / 'categories.md').read_text()


def test_repeated_samples_at_the_end_do_not_count():
    """What a distributed sampler adds to fill up the last batch; results of all processes are one list."""
    alone = evaluate([sample(number) for number in range(3)])
    assert evaluate([sample(number) for number in (0, 1, 2, 0)], size=3) == alone
    first, second = (ReconstructionMetric(threshold=0.2) for _ in range(2))
    first.process(None, [sample(0).to_dict()])
    second.process(None, [sample(number).to_dict() for number in (1, 2)])
    assert first.compute_metrics(first.results + second.results) == alone


def test_samples_without_a_category():
    one = ShapeSample(gt_points=torch.rand(5, 3), pred_points=torch.rand(5, 3))
    metrics = evaluate([one])
    assert metrics['cd_all'] == metrics['cd'] == metrics['cd_overall']


def test_faults_name_the_sample():
    for field, value, message in (('pred_points', torch.zeros(0, 3), 'chair/m0/0: the prediction must be a cloud'),
                                  ('pred_points', torch.full((12, 3), torch.inf), 'chair/m0/0: .* holds NaN or'),
                                  ('gt_points', torch.zeros(0, 3), 'chair/m0/0: the ground truth must be a cloud'),
                                  ('gt_points', torch.rand(9, 3), "m0/0: .* got 12 and 9: .*emd='sinkhorn'")):
        one = sample(0)
        setattr(one, field, value)
        with pytest.raises(ValueError, match=message):
            evaluate([one])
    evaluate([one], emd='sinkhorn')
    for field in ('pred_points', 'gt_points'):
        one = sample(0)
        delattr(one, field)
        with pytest.raises(ValueError, match=f'chair/m0/0: it has no {field} .*use ReconstructionMetric with'):
            evaluate([one])
    with pytest.raises(ValueError, match="scale must be one of"):
        ReconstructionMetric(scale='sphere')
