"""Scores of two clouds against scipy, and the steps of the protocol in numpy."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from torch import Tensor

from mmfusion_plugin.evaluation.reconstruction_protocol import ReconstructionProtocol
from mmfusion_plugin.evaluation.reconstruction_scores import (
    chamfer,
    earth_mover,
    f_score,
    sample_spread,
    unit_cube,
)


def pair(prediction: int = 40, target: int = 50) -> tuple[Tensor, Tensor]:
    return torch.rand(prediction, 3), torch.rand(target, 3) * torch.tensor([1.0, 0.5, 0.8])


def nearest(x: Tensor, y: Tensor) -> tuple[np.ndarray, np.ndarray]:
    return cKDTree(y.double()).query(x.double())[0], cKDTree(x.double()).query(y.double())[0]


def test_chamfer_and_f_score_equal_the_tree():
    x, y = pair()
    there, back = nearest(x, y)
    assert chamfer(x, y) == pytest.approx(there.mean() + back.mean())
    assert chamfer(x, y, squared=True) == pytest.approx((there**2).mean() + (back**2).mean())
    for threshold in (0.05, 0.1, 0.3):
        precision, recall = (there < threshold).mean(), (back < threshold).mean()
        expected = 2 * precision * recall / (precision + recall)
        assert 0 < expected < 1 and f_score(x, y, threshold) == pytest.approx(expected)
    assert f_score(x, y + 9) == 0 and f_score(x, x.flip(0)) == 1


def test_earth_mover_equals_all_permutations():
    x, y = pair(6, 6)
    best = min(np.linalg.norm(x.double() - y.double()[list(order)], axis=1).mean()
               for order in itertools.permutations(range(6)))  # fmt: skip
    assert earth_mover(x, y) == pytest.approx(best)
    assert earth_mover(x, y, 'sinkhorn') == pytest.approx(best, abs=0.01)
    with pytest.raises(ValueError, match="'exact' or 'sinkhorn', got 'auction'"):
        earth_mover(x, y, 'auction')
    for sizes in ((6, 7), (2049, 2049)):
        with pytest.raises(ValueError, match=f'of one size of at most 2048 points, got {sizes[0]} and {sizes[1]}'):
            earth_mover(*pair(*sizes))


def test_unit_cube():
    cloud = torch.rand(30, 3) * torch.tensor([1.0, 4.0, 2.0]) + 7
    scaled = unit_cube(cloud)
    low, high = scaled.amin(0), scaled.amax(0)
    torch.testing.assert_close(low, -high, atol=1e-5, rtol=0)
    assert float((high - low).max()) == pytest.approx(1, abs=1e-5)
    sides = torch.linalg.vector_norm(cloud[0] - cloud[1]), torch.linalg.vector_norm(scaled[0] - scaled[1])
    assert float(sides[1] / sides[0]) == pytest.approx(1 / float((cloud.amax(0) - cloud.amin(0)).max()), rel=1e-4)
    assert torch.equal(unit_cube(torch.full((4, 3), 5.0)), torch.zeros(4, 3))


def test_spread_is_the_standard_deviation_of_a_point():
    noise = torch.randn(4000, 5, 3) * 0.1
    assert sample_spread(torch.rand(5, 3) + noise) == pytest.approx(0.1 * 3**0.5, rel=0.02)
    assert sample_spread(torch.rand(1, 5, 3).expand(3, 5, 3)) == pytest.approx(0, abs=1e-7)
    assert sample_spread(torch.rand(1, 5, 3)) == 0


@pytest.mark.parametrize('wrong, what', [(torch.zeros(0, 3), 'at least one point, got .0, 3'),
                                         (torch.zeros(4, 2), 'at least one point, got .4, 2'),
                                         (torch.full((4, 3), torch.nan), 'NaN or infinite')])  # fmt: skip
@pytest.mark.parametrize('score', [chamfer, earth_mover, f_score, ReconstructionProtocol(align='icp').score])
def test_clouds_that_cannot_be_compared_are_refused(score, wrong, what):
    good = torch.rand(4, 3)
    with pytest.raises(ValueError, match=f'the prediction .*{what}'):
        score(wrong, good)
    with pytest.raises(ValueError, match=f'the ground truth .*{what}'):
        score(good, wrong)


def test_protocol_scales_then_thins():
    x, y = pair(90, 60)
    protocol = ReconstructionProtocol(scale='unit_cube', points=50, squared=True, factor=10, threshold=0.1, seed=4)
    small, truth = protocol.prepare(x, y)
    for thin, whole in ((small, unit_cube(x.double())), (truth, unit_cube(y.double()))):
        distance, row = cKDTree(whole).query(thin)
        assert len(set(row)) == 50 and distance.max() == 0
    there, back = nearest(small, truth)
    scores = protocol.score(x, y)
    assert scores['cd'] == pytest.approx(10 * ((there**2).mean() + (back**2).mean()))
    assert scores['emd'] == pytest.approx(10 * earth_mover(small, truth))
    assert scores['f_score'] == pytest.approx(100 * f_score(small, truth, 0.1))
    assert protocol.score(x, y) == scores != replace(protocol, seed=5).score(x, y)
    assert set(replace(protocol, emd='none').score(x, y)) == {'cd', 'f_score'}
    # A prediction that is the truth, row by row, is not thinned to the same rows.
    assert replace(protocol, scale='none').score(y, y)['cd'] > 0


def test_alignment_and_the_published_mistake():
    truth = torch.rand(60, 3, dtype=torch.float64) * torch.tensor([1.0, 0.5, 0.3]) + 0.5
    turn = torch.from_numpy(Rotation.from_euler('xyz', [6, 4, 8], degrees=True).as_matrix())
    prediction = truth @ turn.T + 0.02
    cd = {mode: ReconstructionProtocol(align=mode).score(prediction, truth)['cd']
          for mode in ('none', 'icp', 'icp_legacy')}  # fmt: skip
    assert cd['icp'] < 1e-6 and cd['none'] > 1
    # The true cloud is registered to the prediction by R = turn and t = 0.02, and both codes go back so.
    assert cd['icp_legacy'] == pytest.approx(100 * chamfer(prediction @ turn - 0.02, truth)) and cd['icp_legacy'] > 0.1


def test_protocol_says_what_it_does():
    plain = ReconstructionProtocol().describe('8 points')
    assert plain == ('8 points; not scaled; not aligned; CD: mean distance, both ways added, x100; '
                     'EMD: mean distance by exact assignment, x100; F-score in % at 0.03162')  # fmt: skip
    other = ReconstructionProtocol('sinkhorn', True, 0.01, 'unit_cube', 'icp_legacy', 1024, 1.0, 3)
    other = other.describe('few', True)
    for words in ('few; thinned at random, seed 3', 'unit cube', 'wrong inverse',
                  'mean squared distance, both ways added, x1;', 'Sinkhorn, p = 1, blur 0.005', 'at 0.01'):
        assert words in other
    assert 'random' not in ReconstructionProtocol(points=8).describe('8 points'), 'nothing was thinned'
    assert 'EMD' not in ReconstructionProtocol(emd='none').describe('few')


@pytest.mark.parametrize('wrong', [dict(emd='auction'), dict(scale='sphere'), dict(align='kabsch'), dict(points=0),
                                   dict(threshold=0.0), dict(factor=-1.0)])  # fmt: skip
def test_unknown_protocols_are_refused(wrong):
    with pytest.raises(ValueError, match=f'{next(iter(wrong))}.* got .*{next(iter(wrong.values()))}'):
        ReconstructionProtocol(**wrong)
