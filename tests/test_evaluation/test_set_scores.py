"""1-NNA, COV and MMD, and the distances under them: cases with a known answer, and brute force."""

from __future__ import annotations

import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import Tensor

from mmfusion_plugin.evaluation import pairwise_distances as module
from mmfusion_plugin.evaluation.pairwise_distances import pairwise_distances
from mmfusion_plugin.evaluation.set_scores import coverage, minimum_matching_distance, one_nna, set_scores

KINDS = ('cd', 'exact', 'sinkhorn')


def clouds(count: int, points: int = 8) -> Tensor:
    return torch.rand(count, points, 3)


def distance(x: Tensor, y: Tensor, kind: str) -> float:
    """One distance, with scipy alone."""
    between = cdist(x.double(), y.double())
    if kind == 'cd':
        return (between**2).min(0).mean() + (between**2).min(1).mean()
    return between[linear_sum_assignment(between)].mean()


@pytest.mark.parametrize('kind', KINDS)
def test_distances_equal_a_loop_over_pairs(kind, monkeypatch):
    monkeypatch.setattr(module, '_PAIRS_AT_ONCE', 4)
    samples, references = clouds(3), clouds(5)
    expected = torch.tensor([[distance(x, y, kind) for y in references] for x in samples])
    tolerance = 0.01 if kind == 'sinkhorn' else 1e-6
    torch.testing.assert_close(pairwise_distances(samples, references, kind).float(), expected.float(),
                               atol=tolerance, rtol=0)  # fmt: skip


@pytest.mark.parametrize('kind', KINDS)
def test_distances_within_a_set(kind):
    samples = clouds(4)
    found = pairwise_distances(samples, kind=kind)
    assert found.dtype == torch.float64 and torch.equal(found, found.T) and not found.diagonal().any()
    torch.testing.assert_close(found, pairwise_distances(samples, samples, kind), atol=1e-6, rtol=1e-4)
    assert pairwise_distances(samples[:1], kind=kind).tolist() == [[0.0]]


def test_each_pair_of_a_set_is_calculated_once(monkeypatch):
    seen = []
    monkeypatch.setitem(module.DISTANCES, 'cd', lambda x, y, diameter: seen.append(len(x)) or torch.zeros(len(x)))
    pairwise_distances(clouds(20), kind='cd')
    assert sum(seen) == 190 and max(seen) <= 8


@pytest.mark.parametrize('wrong, message', [(dict(kind='emd'), "one of .* got 'emd'"),
                                            (dict(references=torch.rand(2, 8, 2)), 'references must be clouds'),
                                            (dict(references=torch.full((2, 8, 3), torch.nan)), 'NaN or infinite')])
def test_distances_refuse_what_is_no_cloud(wrong, message):
    with pytest.raises(ValueError, match=message):
        pairwise_distances(clouds(2), **wrong)
    with pytest.raises(ValueError, match='samples must be clouds .* at least one point'):
        pairwise_distances(torch.rand(2, 0, 3))


def line(samples: list[float], references: list[float]) -> tuple[Tensor, Tensor, Tensor]:
    """Distances of shapes that are numbers."""
    x, y = torch.tensor(samples), torch.tensor(references)
    return tuple((a[:, None] - b).abs() for a, b in ((x, x), (x, y), (y, y)))


def test_identical_sets():
    within, between, _ = line([0, 1, 3, 7], [0, 1, 3, 7])
    assert one_nna(within, between, within).tolist() == [[0] * 4] * 2  # each copy is the nearest one
    assert coverage(between).mean() == 1 and minimum_matching_distance(between).mean() == 0


def test_far_clusters():
    distances = line([0, 1, 3], [100, 101, 104])
    assert one_nna(*distances).mean() == 1
    # All samples are nearest to 100, the references nearest to 3.
    assert coverage(distances[1]).tolist() == [1, 0, 0]
    assert minimum_matching_distance(distances[1]).tolist() == [97, 98, 101]


def test_by_hand():
    #     samples 0, 10, 21 and references 1, 12, 20
    # 0 -> 1 (reference, wrong), 10 -> 12 (wrong), 21 -> 20 (wrong)
    # 1 -> 0 (wrong), 12 -> 10 (wrong), 20 -> 21 (wrong)
    assert one_nna(*line([0, 10, 21], [1, 12, 20])).mean() == 0
    #     samples 0, 2, 9 and references 5, 10, 30
    # 0 -> 2 (right), 2 -> 0 (right), 9 -> 10 (wrong); 5 -> 2 (3 away, wrong), 10 -> 9 (wrong), 30 -> 10 (right)
    distances = line([0, 2, 9], [5, 10, 30])
    assert one_nna(*distances).tolist() == [[1, 1, 0], [0, 0, 1]]
    assert coverage(distances[1]).tolist() == [1, 1, 0]
    assert minimum_matching_distance(distances[1]).tolist() == [3, 1, 21]


def test_ties():
    same = torch.zeros(3, 3)
    assert one_nna(same, same, same).tolist() == [[0.5] * 3] * 2  # nothing tells the sets apart
    # 1 is as near to the sample 0 as to the reference 2.
    assert one_nna(*line([0, 1], [2, 8])).tolist() == [[1, 0.5], [0, 1]]
    assert coverage(same).tolist() == [1, 0, 0]
    assert coverage(torch.tensor([[2.0, 1.0, 1.0]])).tolist() == [0, 1, 0]


def test_sets_of_unequal_size():
    _, between, within = line([0, 2], [5, 10, 30])
    assert coverage(between).shape == minimum_matching_distance(between).shape == (3,)
    with pytest.raises(ValueError, match='as many samples as references, at least two'):
        one_nna(torch.zeros(2, 2), between, within)
    with pytest.raises(ValueError, match='at least two'):
        one_nna(*line([1], [2]))
    with pytest.raises(ValueError, match='as many samples as references, at least one, got 2 and 3'):
        set_scores(clouds(2), clouds(3))
    for score in (coverage, minimum_matching_distance):
        for wrong in (torch.zeros(0, 3), torch.full((2, 2), torch.nan)):
            with pytest.raises(ValueError, match='between must be distances .* none NaN'):
                score(wrong)


@pytest.mark.parametrize('kind', ['cd', 'exact'])
def test_set_scores_equal_brute_force(kind):
    samples, references = clouds(5), clouds(5) * 0.9
    union, scores = [*samples, *references], set_scores(samples, references, kind)
    right = []
    for i, one in enumerate(union):
        others = [j for j in range(10) if j != i]
        nearest = min(others, key=lambda j: distance(one, union[j], kind))
        right.append((nearest < 5) == (i < 5))
    assert float(scores['nna'].mean()) == pytest.approx(sum(right) / 10)
    between = [[distance(x, y, kind) for y in references] for x in samples]
    assert float(scores['cov'].mean()) == len({row.index(min(row)) for row in between}) / 5
    assert float(scores['mmd'].mean()) == pytest.approx(sum(map(min, zip(*between))) / 5, rel=1e-5)


@pytest.mark.parametrize('kind', KINDS)
def test_set_scores_of_copies_and_of_distant_shapes(kind):
    samples = clouds(4)
    scores = set_scores(samples, samples.clone(), kind)
    assert scores['nna'].mean() == 0 and scores['cov'].mean() == 1
    assert float(scores['mmd'].mean()) == pytest.approx(0, abs=1e-6)
    far = set_scores(samples, clouds(4) + 20, kind)
    assert far['nna'].mean() == 1 and float(far['mmd'].mean()) > 10
    assert set(set_scores(samples[:1], samples[1:2], kind)) == {'cov', 'mmd'}


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
@pytest.mark.parametrize('kind', KINDS)
def test_cuda_equals_cpu(kind):
    samples, references = clouds(3), clouds(5)
    found = pairwise_distances(samples.cuda(), references.cuda(), kind)
    torch.testing.assert_close(found, pairwise_distances(samples, references, kind), atol=1e-5, rtol=1e-4)
    assert set_scores(samples.cuda(), references[:3].cuda(), kind)['nna'].device.type == 'cpu'


def test_no_graph_is_kept():
    samples = clouds(2).requires_grad_()
    assert not any(value.requires_grad for value in set_scores(samples, samples).values())
