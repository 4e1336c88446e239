"""GatedFusion against 2DPASS's MSFSKD written out in plain torch and numpy from its description."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS
from torch import Tensor

from mmfusion_plugin.models.fusion import GatedFusion, GatedFusionUnit

CHANNELS, CLASSES, LEVELS = 6, 4, 2


def build(**options: object) -> GatedFusion:
    sizes = dict(channels=CHANNELS, num_levels=LEVELS, num_classes=CLASSES, hidden=5, ignore_index=CLASSES)
    return MODELS.build({'type': 'GatedFusion', **sizes, **options}).double()


def batch(points: int = 30, voxels: int = 12, seen: int = 17) -> dict:
    """Random features; each voxel has a point, some labels are ignored."""
    inverse = [torch.cat([torch.arange(min(voxels, points)), torch.randint(max(voxels, 1), (max(points - voxels, 0),))])
               for _ in range(LEVELS)]
    return dict(
        voxel_features=[torch.randn(voxels, CHANNELS, dtype=torch.float64, requires_grad=True) for _ in range(LEVELS)],
        voxel_inverse=inverse,
        image_features=[torch.randn(seen, CHANNELS, dtype=torch.float64, requires_grad=True) for _ in range(LEVELS)],
        labels=torch.randint(CLASSES + 1, (points,)),
        seen=torch.randint(max(points, 1), (seen,)),
    )


def linear(x: Tensor, module: torch.nn.Linear) -> Tensor:
    return x @ module.weight.T + module.bias


def mlp(x: Tensor, head: torch.nn.Sequential) -> Tensor:
    return linear(linear(x, head[0]).clamp(min=0), head[2])


def lovasz(probabilities: Tensor, labels: Tensor) -> Tensor:
    """The Lovasz extension by its definition: ranked errors times the change of the set function on each prefix."""
    terms = []
    for c in labels.unique().tolist():
        truth = (labels == c).to(probabilities.dtype)
        errors = (truth - probabilities[:, c]).abs()
        order = errors.detach().argsort(descending=True)
        value, before = 0.0, 0.0
        wrong: set[int] = set()
        for i in order.tolist():
            wrong.add(i)
            positives = set(truth.nonzero()[:, 0].tolist())
            jaccard = 1 - len(positives - wrong) / len(positives | wrong)
            value = value + errors[i] * (jaccard - before)
            before = jaccard
        terms.append(value)
    return sum(terms) / len(terms)


def segmentation(logits: Tensor, labels: Tensor) -> Tensor:
    kept = labels != CLASSES
    logits, labels = logits[kept], labels[kept]
    picked = logits.softmax(1)[torch.arange(len(labels)), labels]
    return -picked.log().mean() + lovasz(logits.softmax(1), labels)


def vote(labels: Tensor, inverse: Tensor, voxels: int) -> Tensor:
    winners = []
    for voxel in range(voxels):
        here = labels[inverse == voxel].numpy()
        counts = np.bincount(here[here != CLASSES], minlength=CLASSES)
        winners.append(int(counts.argmax()) if counts.any() else CLASSES)
    return torch.tensor(winners)


def reference(model: GatedFusion, data: dict, image_skip: bool) -> dict[str, Tensor]:
    """The reference page's section on the distillation module, line by line."""
    totals = {name: 0.0 for name in ('loss_fusion_voxel', 'loss_fusion_image', 'loss_fusion_kl')}
    fused_all, seen_labels = [], data['labels'][data['seen']]
    for level in range(LEVELS):
        features, inverse = data['voxel_features'][level], data['voxel_inverse'][level]
        image, unit = data['image_features'][level], model.units[level]
        full = mlp(features, model.voxel_heads[level])
        seen_features, seen_logits = features[inverse][data['seen']], full[inverse][data['seen']]
        learned = linear(seen_features, unit.learner).clamp(min=0)
        cat = linear(torch.cat([image, learned], 1), unit.join)
        fused = (cat / (1 + torch.exp(-linear(cat, unit.gate)))).clamp(min=0)
        if image_skip:
            fused = fused + image
        fused_all.append(fused)
        logits = mlp(fused, model.fused_heads[level])
        target = logits.detach().softmax(1)
        divergence = (target * (target.log() - seen_logits.log_softmax(1))).mean()
        totals['loss_fusion_voxel'] += segmentation(full, vote(data['labels'], inverse, len(features)))
        totals['loss_fusion_image'] += segmentation(logits, seen_labels) / LEVELS
        totals['loss_fusion_kl'] += 0.05 * divergence / LEVELS
    totals['loss_fusion_all'] = segmentation(mlp(torch.cat(fused_all, 1), model.all_head), seen_labels)
    return totals


@pytest.mark.parametrize('image_skip', [False, True])
def test_losses_and_gradients_equal_the_reference(image_skip):
    model, data = build(image_skip=image_skip), batch()
    ours, theirs = model.loss(**data), reference(model, data, image_skip)
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=1e-9, msg=name)
    inputs = [*data['voxel_features'], *data['image_features'], *model.parameters()]
    for ours_grad, theirs_grad in zip(
        torch.autograd.grad(sum(ours.values()), inputs), torch.autograd.grad(sum(theirs.values()), inputs)
    ):
        torch.testing.assert_close(ours_grad, theirs_grad, rtol=0, atol=1e-9)


def test_size_at_the_nuscenes_setting():
    model = MODELS.build(dict(type='GatedFusion', channels=256, num_levels=6, num_classes=17, ignore_index=17))
    assert sum(p.numel() for p in model.parameters()) == 2_197_469


def test_the_teacher_is_not_taught():
    model, data = build(seg_weight=0.0), batch()
    kl = model.loss(**data)['loss_fusion_kl']
    grads = torch.autograd.grad(kl, [*model.fused_heads.parameters(), *model.units.parameters()], allow_unused=True)
    assert all(grad is None for grad in grads)
    kl = model.loss(**data)['loss_fusion_kl']
    assert all(grad.any() for grad in torch.autograd.grad(kl, data['voxel_features']))


@pytest.mark.parametrize('case', ['no point seen', 'all ignored', 'no points', 'one point', 'no voxels'])
def test_total(case):
    sizes = {'no point seen': (30, 12, 0), 'no points': (0, 0, 0), 'no voxels': (0, 0, 0), 'one point': (1, 1, 1)}
    model, data = build(), batch(*sizes.get(case, (30, 12, 17)))
    if case == 'all ignored':
        data['labels'].fill_(CLASSES)
    losses = model.loss(**data)
    assert all(value.ndim == 0 and value.isfinite() for value in losses.values())
    if case != 'one point':
        assert losses['loss_fusion_image'] == 0 and losses['loss_fusion_all'] == 0
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_wrong_number_of_levels():
    data = batch()
    data['image_features'].pop()
    with pytest.raises(ValueError, match='2 levels need as many features, got 2 of voxels, 2 indices and 1 of images'):
        build().loss(**data)


def test_unit_gradients():
    unit = GatedFusionUnit(3).double()
    points, image = (torch.randn(5, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(unit, (points, image))
    order = torch.randperm(5)
    torch.testing.assert_close(unit(points[order], image[order]), unit(points, image)[order])


def test_reference_vote_has_ties_and_empty_voxels():
    """The reference itself: the lowest class wins a tie, a voxel of ignored points is ignored."""
    labels, inverse = torch.tensor([1, 0, CLASSES, 2]), torch.tensor([0, 0, 1, 2])
    assert vote(labels, inverse, 4).tolist() == [0, CLASSES, 2, CLASSES]
