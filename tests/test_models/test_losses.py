"""Losses against numpy, and on batches where nothing counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS

from mmfusion_plugin.models.losses import LovaszSoftmaxLoss, PointCrossEntropyLoss, lovasz_softmax


def jaccard_loss(wrong: np.ndarray, truth: np.ndarray) -> float:
    """One minus the IoU of a class if the points of ``wrong`` are misclassified (a set function)."""
    predicted = truth ^ wrong
    return 1 - (truth & predicted).sum() / (truth | predicted).sum()


def lovasz_reference(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Lovasz extension from its definition: errors in descending order times the marginal gains of the set function."""
    losses = []
    for label in np.unique(labels):
        truth = labels == label
        errors = np.abs(truth - probabilities[:, label])
        total, before, wrong = 0.0, 0.0, np.zeros(len(labels), dtype=bool)
        for i in np.argsort(-errors, kind='stable'):
            wrong[i] = True
            now = jaccard_loss(wrong, truth)
            total += errors[i] * (now - before)
            before = now
        losses.append(total)
    return float(np.mean(losses))


@pytest.mark.parametrize('num', [1, 2, 50])
def test_lovasz_equals_its_definition(num: int) -> None:
    logits, labels = torch.randn(num, 4, dtype=torch.float64), torch.randint(0, 3, (num,))
    expected = lovasz_reference(logits.softmax(1).numpy(), labels.numpy())
    assert float(lovasz_softmax(logits.softmax(1), labels)) == pytest.approx(expected, abs=1e-9)
    ignored = torch.cat([labels, torch.full((7,), 9)])
    padded = torch.cat([logits, torch.randn(7, 4, dtype=torch.float64)])
    assert float(LovaszSoftmaxLoss(9, loss_weight=2.0)(padded, ignored)) == pytest.approx(2 * expected, abs=1e-9)


def test_lovasz_gradient() -> None:
    logits, labels = torch.randn(12, 3, dtype=torch.float64, requires_grad=True), torch.randint(0, 4, (12,))
    assert torch.autograd.gradcheck(lambda x: LovaszSoftmaxLoss(3)(x, labels), (logits,))


def test_perfect_and_opposite_predictions() -> None:
    labels = torch.tensor([0, 1, 1])
    perfect = torch.nn.functional.one_hot(labels, 2) * 100.0
    assert float(LovaszSoftmaxLoss(2)(perfect, labels)) == pytest.approx(0)
    assert float(LovaszSoftmaxLoss(2)(-perfect, labels)) == pytest.approx(1)


@pytest.mark.parametrize('weight', [None, [1.0, 2.0, 0.5]])
def test_cross_entropy_equals_numpy(weight) -> None:
    logits, labels = torch.randn(30, 3, dtype=torch.float64), torch.randint(0, 4, (30,))
    kept = labels.numpy() != 3
    rows, truth = logits.numpy()[kept], labels.numpy()[kept]
    log_p = rows - np.log(np.exp(rows).sum(1, keepdims=True))
    shares = np.ones(3)[truth] if weight is None else np.array(weight)[truth]
    expected = -(shares * log_p[np.arange(len(truth)), truth]).sum() / shares.sum()
    assert float(PointCrossEntropyLoss(3, weight, 3.0)(logits, labels)) == pytest.approx(3 * expected, rel=1e-6)


@pytest.mark.parametrize('make', [PointCrossEntropyLoss, LovaszSoftmaxLoss])
@pytest.mark.parametrize('num', [0, 5])
def test_nothing_counts(make, num: int) -> None:
    logits = torch.randn(num, 3, requires_grad=True)
    loss = make(3)(logits, torch.full((num,), 3))
    loss.backward()
    assert loss.shape == () and float(loss) == 0
    assert not logits.grad.any()


@pytest.mark.parametrize('make', [PointCrossEntropyLoss, LovaszSoftmaxLoss])
def test_half_precision_is_widened(make) -> None:
    logits, labels = torch.randn(40, 3).bfloat16(), torch.randint(0, 4, (40,))
    assert make(3)(logits, labels).dtype == torch.float32
    assert torch.equal(make(3)(logits, labels), make(3)(logits.float(), labels))


@pytest.mark.parametrize('reduction', ['mean', 'batchmean'])
def test_distillation_equals_the_sum_over_classes(reduction) -> None:
    """sum p log(p / q) in numpy, divided as the reduction says; the teacher's logits get no gradient."""
    student = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    q, p = (np.exp(x.detach().numpy()) / np.exp(x.detach().numpy()).sum(1, keepdims=True) for x in (student, teacher))
    expected = (p * np.log(p / q)).sum() / (35 if reduction == 'mean' else 7)
    loss = MODELS.build(dict(type='KLDistillationLoss', reduction=reduction, loss_weight=2.0))(student, teacher)
    np.testing.assert_allclose(float(loss), 2 * expected, rtol=1e-12)
    loss.backward()
    np.testing.assert_allclose(student.grad.numpy(), 2 * (q - p) / (35 if reduction == 'mean' else 7), atol=1e-12)
    assert teacher.grad is None


def test_distillation_without_points_and_with_certain_teachers() -> None:
    loss = MODELS.build(dict(type='KLDistillationLoss'))
    empty = torch.zeros(0, 5, requires_grad=True)
    value = loss(empty, torch.zeros(0, 5))
    value.backward()
    assert value == 0 and empty.grad.shape == (0, 5)
    certain = torch.tensor([[1000.0, 0.0, -1000.0]])
    assert loss(certain, certain) == 0 and loss(certain.half(), certain.half()).dtype == torch.float32
    with pytest.raises(ValueError, match="reduction must be 'mean' or 'batchmean', got 'sum'"):
        MODELS.build(dict(type='KLDistillationLoss', reduction='sum'))


def test_segmentation_loss_is_the_sum_of_both() -> None:
    logits, labels = torch.randn(20, 4), torch.arange(20) % 5
    parts = [MODELS.build(dict(type=name, ignore_index=4))(logits, labels)
             for name in ('PointCrossEntropyLoss', 'LovaszSoftmaxLoss')]
    both = MODELS.build(dict(type='PointSegmentationLoss', ignore_index=4, loss_lovasz=dict(loss_weight=0.5)))
    torch.testing.assert_close(both(logits, labels), parts[0] + 0.5 * parts[1])
