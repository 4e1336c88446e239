"""ChamferLoss, SinkhornLoss and DiversityLoss against scipy, geomloss and the formula; and where nothing counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from geomloss import SamplesLoss
from mmdet3d.registry import MODELS
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from torch import Tensor

from mmfusion_plugin.models.losses import ChamferLoss, DiversityLoss, SinkhornLoss

BOTH = [ChamferLoss(), SinkhornLoss()]


def clouds(batch: int, size: int) -> Tensor:
    return torch.rand(batch, size, 3, dtype=torch.float64) - torch.rand(batch, 1, 3, dtype=torch.float64)


@pytest.mark.parametrize('power', [1, 2])
def test_chamfer_equals_the_tree(power):
    prediction, targets = clouds(3, 20), [clouds(1, size)[0] for size in (30, 1, 25)]
    found = float(ChamferLoss(squared=power == 2, loss_weight=3.0)(prediction, targets))
    both = [(cKDTree(y).query(x)[0], cKDTree(x).query(y)[0]) for x, y in zip(prediction, targets)]
    assert found == pytest.approx(3 * np.mean([(a**power).mean() + (b**power).mean() for a, b in both]), rel=1e-9)


def test_sinkhorn_is_half_the_squared_transport_cost():
    prediction, targets = clouds(3, 30), list(clouds(3, 30))
    exact = []
    for x, y in zip(prediction, targets):
        cost = cdist(x, y, 'sqeuclidean')
        exact.append(cost[linear_sum_assignment(cost)].mean() / 2)
    loss = SinkhornLoss(blur=1e-3, scaling=0.95, loss_weight=2.0)
    assert float(loss(prediction, targets)) == pytest.approx(2 * np.mean(exact), rel=1e-2)


def test_sinkhorn_has_geomloss_s_defaults():
    prediction, targets = clouds(3, 30), clouds(3, 40)
    expected = float(SamplesLoss()(prediction, targets).mean())
    assert float(SinkhornLoss(diameter=None)(prediction, list(targets))) == pytest.approx(expected, rel=1e-9)
    assert float(SinkhornLoss()(prediction, list(targets))) == pytest.approx(expected, rel=2e-2)


@pytest.mark.parametrize('loss', BOTH)
def test_a_sample_s_loss_does_not_depend_on_the_others(loss):
    prediction, targets = clouds(3, 20), [clouds(1, size)[0] for size in (30, 10, 25)]
    alone = [float(loss(prediction[i : i + 1], targets[i : i + 1])) for i in range(3)]
    assert float(loss(prediction, targets)) == pytest.approx(np.mean(alone), rel=1e-12)


@pytest.mark.parametrize('loss', BOTH)
def test_samples_without_a_cloud_do_not_count(loss):
    prediction, (target,) = clouds(2, 20).requires_grad_(), clouds(1, 15)
    empty = target[:0]
    assert float(loss(prediction, [empty, target])) == float(loss(prediction[1:], [target]))
    loss(prediction, [empty, target]).backward()
    assert prediction.grad.isfinite().all() and not prediction.grad[0].any() and prediction.grad[1].any()
    for nothing in (loss(prediction, [empty, empty]), loss(prediction[:0], [])):
        assert nothing == 0 and torch.equal(torch.autograd.grad(nothing, prediction)[0], torch.zeros(2, 20, 3))
    with pytest.raises(ValueError, match='2 predicted clouds for 1 true ones'):
        loss(prediction, [target])


@pytest.mark.parametrize('loss', BOTH)
def test_a_prediction_that_is_not_finite_is_seen_in_the_loss(loss):
    prediction, targets = clouds(2, 20), list(clouds(2, 15))
    prediction[1, 3, 0] = torch.nan
    assert loss(prediction, targets).isnan()


@pytest.mark.parametrize('loss', BOTH)
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float32])
def test_mixed_precision_calculates_in_float32(loss, dtype):
    prediction, targets = clouds(2, 20).to(dtype), [target.float() for target in clouds(2, 15)]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = loss(prediction, targets)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, loss(prediction.float(), targets))


@pytest.mark.parametrize('cfg', [dict(type='ChamferLoss'), dict(type='ChamferLoss', squared=False),
                                 dict(type='SinkhornLoss', blur=0.5, scaling=0.95, diameter=2.0),
                                 dict(type='SinkhornLoss', p=1, blur=0.5, scaling=0.95, diameter=2.0)])  # fmt: skip
def test_gradients(cfg):
    loss, targets = MODELS.build(cfg), [clouds(1, 3)[0], clouds(1, 2)[0]]
    prediction = clouds(2, 2).requires_grad_()
    # Sinkhorn's gradient is exact at convergence, which 5 % a step come near to.
    close = 1e-6 if isinstance(loss, ChamferLoss) else 1e-3
    assert torch.autograd.gradcheck(lambda x: loss(x, targets), (prediction,), eps=1e-5, atol=close)


def test_diversity_equals_the_formula():
    sigma, degrees = torch.rand(5, 7, dtype=torch.float64), [0.0, 90.0, 170.0, 180.0, 359.0]
    wanted = [0.2 * math.exp(-((angle - 180) ** 2) / 20**2) for angle in degrees]
    expected = np.mean([(float(row.mean()) - one) ** 2 for row, one in zip(sigma, wanted)])
    azimuth = torch.tensor(degrees).deg2rad()
    assert float(DiversityLoss()(sigma, azimuth)) == pytest.approx(10 * expected, rel=1e-6)
    turned = azimuth + 2 * math.pi * torch.tensor([1, -1, 0, -2, 1])
    assert float(DiversityLoss(loss_weight=1.0)(sigma, turned)) == pytest.approx(expected, rel=1e-4)


def test_diversity_masks_unknown_azimuths():
    loss, sigma = DiversityLoss(), torch.rand(3, 7, dtype=torch.float64, requires_grad=True)
    known = torch.tensor([3.0, torch.nan, 2.9])
    assert float(loss(sigma, known)) == pytest.approx(float(loss(sigma[[0, 2]], known[[0, 2]])))
    for nothing in (loss(sigma, known.fill_(torch.nan)), loss(sigma[:0], known[:0])):
        assert nothing == 0 and not torch.autograd.grad(nothing, sigma)[0].any()
    assert torch.autograd.gradcheck(lambda x: loss(x, torch.tensor([3.0, torch.nan, 1.0])), (sigma,))
    with pytest.raises(ValueError, match='delta must be positive'):
        DiversityLoss(delta=0)
