"""ShapeGenerationMetric: scores by hand, sets, files, several processes, and clear refusals."""

from __future__ import annotations

import csv
import pickle

import numpy as np
import pytest
import torch
from mmdet3d.registry import METRICS
from mmengine.evaluator import Evaluator
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from mmfusion_plugin.evaluation.generation_protocol import GenerationProtocol
from mmfusion_plugin.evaluation.voxel_scores import voxel_cloud
from mmfusion_plugin.structures import ShapeSample

CATEGORIES = [('03001627', 'chair'), ('02691156', 'airplane'), ('03001627', 'chair')]
FEW = dict(points=16, threshold=0.2)


def voxels(number: int, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, 5, 5, 5, generator=torch.Generator().manual_seed(number)) < 0.2


def sample(number: int, draws: int = 3, copy: bool = False) -> ShapeSample:
    synset, category = CATEGORIES[number % 3]
    one = ShapeSample(metainfo=dict(synset=synset, category=category, model_id=f'm{number}', view=0))
    one.gt_voxels = voxels(number)
    one.pred_voxels = one.gt_voxels.expand(draws, 5, 5, 5) if copy else voxels(number + 100, draws)
    return one


def replaced(one: ShapeSample, **values) -> dict:
    return dict(one.to_dict(), **values)


def evaluate(samples: list, **options) -> dict[str, float]:
    evaluator = Evaluator([METRICS.build(dict(type='ShapeGenerationMetric', **{**FEW, **options}))])
    for one in samples:
        evaluator.process([one], None)
    return evaluator.evaluate(len(samples))


def scores(prediction: torch.Tensor, truth: torch.Tensor) -> list[float]:
    """IoU, CD, EMD and F-score, with numpy and scipy alone, of given clouds' voxels."""
    overlap = 100 * float((prediction & truth).sum() / (prediction | truth).sum())
    distance = cdist(voxel_cloud(prediction, 16).double(), voxel_cloud(truth, 16).double())
    there, back = distance.min(1), distance.min(0)
    precision, recall = (there < 0.2).mean(), (back < 0.2).mean()
    moved = distance[linear_sum_assignment(distance)].mean()
    chamfer = (there**2).mean() + (back**2).mean()
    return [overlap, 100 * chamfer, 100 * moved, 200 * precision * recall / max(precision + recall, 1e-9)]


def test_mean_and_best_by_hand():
    samples = [sample(number) for number in range(5)]
    each = np.array([[scores(drawn, one.gt_voxels) for drawn in one.to_dict()['pred_voxels']] for one in samples])
    mean, best = each.mean(axis=1), each.min(axis=1)
    best[:, [0, 3]] = each[:, :, [0, 3]].max(axis=1)
    metrics = evaluate(samples)
    keys = ('iou', 'cd', 'emd', 'f_score')
    for suffix, expected in (('mean', mean), ('best', best)):
        chair, airplane = expected[[0, 2, 3]].mean(0), expected[[1, 4]].mean(0)
        for where, row in (('', (chair + airplane) / 2), ('_overall', expected.mean(0)), ('_chair', chair)):
            assert [metrics[f'{key}_{suffix}{where}'] for key in keys] == pytest.approx(row.tolist(), rel=1e-5)
    assert metrics['empty'] == 0


def test_copies_of_the_truth():
    metrics = evaluate([sample(number, copy=True) for number in range(5)], set_distances=('cd', 'emd'))
    expected = dict(iou_mean=100, f_score_best=100, cd_mean=0, emd_best=0)
    for name in ('cd', 'emd'):
        expected.update({f'nna_{name}': 0, f'cov_{name}': 100, f'mmd_{name}': 0, f'cov_{name}_chair': 100})
    assert {key: metrics[key] for key in expected} == pytest.approx(expected, abs=1e-6)


def test_far_shapes_are_recognised():
    # On the grid: what is generated lies in one corner, the truth in the other.
    samples = []
    for number in range(0, 12, 3):
        low, high = torch.zeros(2, 12, 12, 12, dtype=torch.bool)
        low[:3, :3, : 1 + number % 4], high[8:, 8:, 8 + number % 4:] = True, True
        samples.append(replaced(sample(number), pred_voxels=low[None], gt_voxels=high))
    metrics = evaluate(samples, scale='grid', set_distances=('cd', 'emd'))
    assert metrics['nna_cd'] == metrics['nna_emd'] == 100
    assert metrics['cov_cd'] < 100 and metrics['mmd_cd'] > 10 and metrics['iou_best'] == metrics['f_score_best'] == 0


def test_sets_are_within_a_category_and_of_one_sample_a_model():
    samples = [sample(number) for number in (0, 2, 3, 1, 0)]  # three chairs, one of them twice; one airplane
    metrics = evaluate(samples)
    first = torch.stack([voxel_cloud(one.to_dict()['pred_voxels'][0], 16) for one in samples[:3]])
    truth = torch.stack([voxel_cloud(one.gt_voxels, 16) for one in samples[:3]])
    expected = GenerationProtocol(points=16).score_sets(first, truth)
    for key, values in expected.items():
        assert metrics[f'{key}_chair'] == pytest.approx(sum(values) / 3)
    assert 'nna_cd_airplane' not in metrics and metrics['cov_cd_airplane'] == 100
    assert metrics['nna_cd'] == metrics['nna_cd_chair'] == metrics['nna_cd_overall']
    assert metrics['mmd_cd_overall'] == pytest.approx((3 * metrics['mmd_cd_chair'] + metrics['mmd_cd_airplane']) / 4)


def test_size_of_the_sets_and_no_sets(tmp_path):
    samples = [sample(3 * number) for number in range(7)]
    metrics = evaluate(samples, set_size=4, out_dir=str(tmp_path))
    rows = list(csv.DictReader((tmp_path / 'samples.csv').open()))
    kept = [row for row in rows if row['mmd_cd']]
    assert len(kept) == 4 and np.mean([float(row['mmd_cd']) for row in kept]) == pytest.approx(metrics['mmd_cd'])
    assert ', 4 of each' in (tmp_path / 'categories.md').read_text()
    without = evaluate(samples, set_distances=(), emd='none', out_dir=str(tmp_path))
    assert set(without) == {f'{key}{where}' for where in ('', '_overall', '_chair') for key in
                            ('iou_mean', 'iou_best', 'cd_mean', 'cd_best', 'f_score_mean', 'f_score_best', 'empty')}
    assert '1-NNA' not in (tmp_path / 'categories.md').read_text()


def test_files_state_the_protocol(tmp_path):
    evaluate([sample(number) for number in range(5)], out_dir=str(tmp_path), set_distances=['cd', 'emd'])
    text = (tmp_path / 'categories.md').read_text()
    for words in ('3 generated per image, occupied above 0.5', "16 points on the voxels' outer faces (random, seed 0)",
                  'each shape scaled to the unit cube', 'CD: mean squared distance, both ways added, x100',
                  'EMD: mean distance by exact assignment', 'F-score in % at 0.2', 'by CD and EMD', '2 to 3 of each'):
        assert words in text, words
    titles = [title.strip() for title in text.splitlines()[0].split('|')[3:-1]]
    assert titles == ['IoU mean', 'IoU best', 'CD mean', 'CD best', 'EMD mean', 'EMD best', 'F-score mean',
                      'F-score best', 'empty', '1-NNA CD', 'COV CD', 'MMD CD', '1-NNA EMD', 'COV EMD', 'MMD EMD']
    assert 'Sinkhorn, p = 1' in GenerationProtocol('sinkhorn').describe('1', '2')
    assert len(list(csv.DictReader((tmp_path / 'categories.csv').open()))) == 4


def test_empty_predictions_are_the_worst_and_counted():
    one = sample(0)
    drawn = torch.stack([torch.zeros(5, 5, 5, dtype=torch.bool), one.gt_voxels])
    metrics = evaluate([replaced(one, pred_voxels=drawn), sample(3)], emd='exact')
    scored = GenerationProtocol(**FEW).score(drawn, one.gt_voxels)
    assert scored['empty'] == 50 and scored['iou_mean'] == 50 and scored['f_score_mean'] == 50
    assert scored['cd_best'] == 0 < scored['cd_mean'] and metrics['empty'] == 25
    middle = voxel_cloud(one.gt_voxels, 16).double().norm(dim=1)
    assert 2 * scored['emd_mean'] == pytest.approx(100 * float(middle.mean()))


def test_several_processes_and_views():
    samples = [sample(number) for number in range(6)]
    alone = evaluate(samples)
    parts = [METRICS.build(dict(type='ShapeGenerationMetric', **FEW)) for _ in range(2)]
    for row, one in enumerate(samples):
        parts[row % 2].process(None, [one.to_dict()])
    joined = [record for pair in zip(parts[0].results, parts[1].results) for record in pair]
    assert parts[1].compute_metrics(pickle.loads(pickle.dumps(joined))) == alone


def test_numbers_are_cut_at_the_threshold():
    one = sample(0)
    sure = replaced(one, pred_voxels=one.to_dict()['pred_voxels'].float().mul(0.4).numpy())
    assert evaluate([sure], occupied=0.3) == evaluate([one]) != evaluate([sure])


def test_faults_name_the_sample():
    one = sample(0)
    for values, message in ((dict(pred_voxels=None), 'it has no pred_voxels .*use ShapeGenerationMetric with'),
                            (dict(gt_voxels=None), 'it has no gt_voxels'),
                            (dict(gt_voxels=torch.zeros(5, 5, 5)), 'a truth .* with at least one occupied voxel'),
                            (dict(pred_voxels=torch.zeros(5, 5, 5)), 'need predictions .K, R, R, R'),
                            (dict(pred_voxels=torch.zeros(2, 4, 5, 5)), 'grids of one size'),
                            (dict(pred_voxels=torch.full((1, 5, 5, 5), torch.nan)), 'NaN or infinite')):
        with pytest.raises(ValueError, match=f'chair/m0/0: .*{message}'):
            evaluate([replaced(one, **values)])


@pytest.mark.parametrize('wrong', [dict(emd='auction'), dict(scale='sphere'), dict(points=0), dict(points=4096),
                                   dict(set_size=1), dict(set_distances=('iou',)), dict(threshold=0.0),
                                   dict(set_distances=('emd',), emd='none')])  # fmt: skip
def test_unknown_protocols_are_refused(wrong):
    with pytest.raises(ValueError, match=f'{next(iter(wrong))}.* got '):
        GenerationProtocol(**wrong)
