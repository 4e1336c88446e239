"""LocalObjectBranch against loops over points and boxes, its options by hand, and batches that hold nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.logging import MessageHub
from torch import Tensor

from mmfusion_plugin.converters.nuscenes_taxonomy import CLASSES as NUSCENES_CLASSES
from mmfusion_plugin.converters.nuscenes_taxonomy import FINE_NAMES, FINE_TO_CLASS
from mmfusion_plugin.models.fusion import LocalObjectBranch
from mmfusion_plugin.models.fusion.class_embedding import NUSCENES_INTEREST, ClassEmbedding
from mmfusion_plugin.models.fusion.points_in_boxes import merge_overlapping
from mmfusion_plugin.structures import Boxes2D

from .test_gated_fusion import linear, mlp, segmentation

CHANNELS, CLASSES, LEVELS = 6, 4, 2
INTEREST = ((20, 0), (21, 0), (22, 2))  # two categories of class 0, one of class 2; classes 1 and 3 share a vector


def build(**options: object) -> LocalObjectBranch:
    sizes = dict(channels=CHANNELS, num_levels=LEVELS, num_classes=CLASSES, hidden=5, ignore_index=CLASSES)
    if options.get('embedding', 'interest') == 'interest':
        sizes['interest'] = INTEREST
    return MODELS.build(dict(type='LocalObjectBranch', **{**sizes, **options})).double()


def make_boxes(rows: list[tuple]) -> Boxes2D:
    """Rows of xyxy, category, label, visibility, view, depth."""
    def column(i: int, dtype: torch.dtype) -> Tensor:
        return torch.tensor([row[i] for row in rows], dtype=dtype)
    count = len(rows)
    return Boxes2D(
        xyxy=torch.tensor([row[0] for row in rows], dtype=torch.float32).view(count, 4),
        category=column(1, torch.int64), label=column(2, torch.int64), visibility=column(3, torch.int64),
        truncation=torch.zeros(count), view=column(4, torch.int64), depth=column(5, torch.float32))


BOXES = [
    ((0, 0, 10, 10), 20, 0, 4, 0, 9.0),
    ((5, 5, 15, 15), 22, 2, 1, 0, 4.0),
    ((0, 0, 20, 20), 7, 1, 4, 0, 1.0),  # not of interest; class 1
    ((8, 8, 12, 12), 21, 0, 2, 1, 0.0),  # depth unknown
    ((8, 8, 30, 30), 22, 2, 3, 1, 30.0),
    ((90, 90, 95, 95), 20, 0, 4, 1, 3.0),  # holds nothing
]


def batch(points: int = 40, rows: list[tuple] = BOXES) -> dict:
    def features() -> list[Tensor]:
        return [torch.randn(points, CHANNELS, dtype=torch.float64, requires_grad=True) for _ in range(LEVELS)]
    return dict(
        point_features=features(), image_features=features(), labels=torch.randint(CLASSES + 1, (points,)),
        pixels=torch.rand(points, 2) * 20, image=torch.randint(3, (points,)), boxes=make_boxes(rows))


def holders(data: dict, options: dict) -> list[list[int]]:
    """Boxes that hold each point, by comparing numbers."""
    found = []
    for (u, v), image in zip(data['pixels'].tolist(), data['image'].tolist()):
        here = []
        for k, ((x1, y1, x2, y2), category, _, visibility, view, _) in enumerate(options['rows']):
            counts = options.get('embedding', 'interest') == 'classes' or category in dict(INTEREST)
            seen = view == image and visibility >= options.get('min_visibility', 0)
            if counts and seen and x1 <= u <= x2 and y1 <= v <= y2:
                here.append(k)
        found.append(here)
    return found


def point_vector(model: LocalObjectBranch, scores: Tensor, feature: Tensor, options: dict) -> Tensor:
    table = model.embedding.table.weight
    if options.get('point_class') == 'learned':
        return linear(feature, model.embedding.project)
    if options.get('embedding', 'interest') == 'classes':
        vectors = list(table)
    else:
        vectors = [(table[0] + table[1]) / 2, table[3], table[2], table[3]]
    if options.get('point_class') == 'argmax':
        return vectors[int(scores.argmax())]
    return sum(p * vector for p, vector in zip(scores.detach().softmax(0), vectors))


def point_weight(model: LocalObjectBranch, vector: Tensor, boxes: list[int], options: dict) -> Tensor:
    found = {}
    for k in boxes:
        _, category, label, *_, depth = options['rows'][k]
        row = label if options.get('embedding') == 'classes' else [key for key, _ in INTEREST].index(category)
        other = model.embedding.table.weight[row]
        cosine = vector @ other / torch.clamp(vector.norm() * other.norm(), min=1e-8)
        activation = options.get('activation', 'raw')
        if activation == 'relu':
            cosine = cosine.clamp(min=0)
        elif activation == 'sigmoid':
            cosine = 1 / (1 + torch.exp(-cosine))
        found[k] = (depth if depth > 0 else math.inf, cosine)
    overlap = options.get('overlap', 'max')
    if overlap == 'nearest':
        return min(found.values(), key=lambda pair: pair[0])[1]
    values = torch.stack([cosine for _, cosine in found.values()])
    return values.max() if overlap == 'max' else values.mean()


def reference(model: LocalObjectBranch, data: dict, **options: object) -> dict[str, Tensor]:
    """The branch, point by point."""
    options.setdefault('rows', BOXES)
    held = holders(data, options)
    inside = [i for i, boxes in enumerate(held) if boxes]
    labels = data['labels'][inside]
    totals = {f'loss_object_{name}': 0.0 for name in ('point', 'fused', 'kl')}
    fused_all = []
    for level in range(LEVELS):
        unit, fused = model.units[level], []
        scores = mlp(data['point_features'][level][inside], model.point_heads[level])
        for row, i in enumerate(inside):
            feature, image = data['point_features'][level][i], data['image_features'][level][i]
            vector = point_vector(model, scores[row], feature, options)
            weighed = feature * point_weight(model, vector, held[i], options)
            cat = linear(torch.cat([image, linear(weighed, unit.learner).clamp(min=0)]), unit.join)
            fused.append((cat * torch.sigmoid(linear(cat, unit.gate))).clamp(min=0))
        fused_all.append(torch.stack(fused))
        teacher = mlp(fused_all[-1], model.fused_heads[level])
        target = teacher.detach().softmax(1)
        totals['loss_object_point'] += segmentation(scores, labels) / LEVELS
        totals['loss_object_fused'] += segmentation(teacher, labels) / LEVELS
        totals['loss_object_kl'] += 0.05 / LEVELS * (target * (target.log() - scores.log_softmax(1))).mean()
    totals['loss_object_all'] = segmentation(mlp(torch.cat(fused_all, 1), model.all_head), labels)
    return totals


@pytest.mark.parametrize('options', [
    {}, dict(embedding='classes'), dict(point_class='argmax'), dict(point_class='learned'), dict(overlap='nearest'),
    dict(overlap='mean'), dict(activation='relu'), dict(activation='sigmoid'), dict(min_visibility=2),
], ids=str)  # fmt: skip
def test_losses_and_gradients_equal_loops(options):
    model, data = build(**options), batch()
    ours, theirs = model.loss(**data), reference(model, data, **options)
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=1e-6, msg=name)
    inputs = [*data['point_features'], *data['image_features'], *model.parameters()]
    ours_grads, theirs_grads = (torch.autograd.grad(sum(side.values()), inputs) for side in (ours, theirs))
    for ours_grad, theirs_grad in zip(ours_grads, theirs_grads):
        torch.testing.assert_close(ours_grad, theirs_grad, rtol=0, atol=1e-6)


def test_interest_classes_are_the_papers():
    names = [FINE_NAMES[category].split('.')[-1] for category, _ in NUSCENES_INTEREST]
    assert names == ['adult', 'child', 'bicycle', 'car', 'truck', 'motorcycle']
    assert all(FINE_TO_CLASS[category] == label for category, label in NUSCENES_INTEREST)
    assert ClassEmbedding(len(NUSCENES_CLASSES), 8).table.weight.shape == (7, 8)


@pytest.mark.parametrize('case', ['no points', 'no boxes', 'no point in a box', 'all ignored', 'one point', 'filtered'])
def test_total(case):
    model = build(min_visibility=4 if case == 'filtered' else 0)
    data = batch(0 if case == 'no points' else 1 if case == 'one point' else 40)
    if case == 'no boxes':
        data['boxes'] = Boxes2D.empty().to('cpu')
    elif case == 'no point in a box':
        data['pixels'] += 200
    elif case == 'all ignored':
        data['labels'].fill_(CLASSES)
    elif case == 'filtered':
        data['boxes'].visibility.fill_(1)
    elif case == 'one point':
        data['pixels'][:] = 9.0
        data['image'][:], data['labels'][:] = 0, 1
    losses = model.loss(**data)
    assert set(losses) == {f'loss_object_{name}' for name in ('point', 'fused', 'kl', 'all')}
    assert all(value.ndim == 0 and value.isfinite() for value in losses.values())
    empty = case not in ('one point', 'all ignored')
    assert not empty or all(value == 0 for value in losses.values())
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_masks_keep_points_out():
    """A mask whose left half alone is set: points in the right half of the box are outside."""
    model, data = build(), batch(4, [((0, 0, 10, 10), 20, 0, 4, 0, 9.0)])
    data['pixels'] = torch.tensor([[1.0, 5.0], [4.0, 5.0], [6.0, 5.0], [9.0, 5.0]])
    data['image'][:] = 0
    mask = torch.zeros(1, 2, 2, dtype=torch.bool)
    mask[:, :, 0] = True
    data['boxes'].mask = mask
    data['labels'] = torch.tensor([0, 1, 2, 3])
    left = {**data, **{key: [rows[:2] for rows in data[key]] for key in ('point_features', 'image_features')},
            'labels': data['labels'][:2], 'pixels': data['pixels'][:2], 'image': data['image'][:2]}
    masked, alone = model.loss(**data), model.loss(**left)
    assert masked['loss_object_point'] > 0
    for name in masked:
        torch.testing.assert_close(masked[name], alone[name])


def test_weight_schedule_follows_the_iteration():
    hub, data = MessageHub.get_current_instance(), batch()
    constant = build(kl_weight=0.2)
    ramp = build(kl_weight=0.2, kl_schedule=dict(type='linear', begin=10, end=30))
    ramp.load_state_dict(constant.state_dict())
    full = float(constant.loss(**data)['loss_object_kl'])
    before = hub.runtime_info.get('iter')
    try:
        shares = []
        for iteration in (0, 10, 15, 30, 99):
            hub.update_info('iter', iteration)
            shares.append(float(ramp.loss(**data)['loss_object_kl']) / full)
    finally:
        hub.runtime_info.pop('iter') if before is None else hub.update_info('iter', before)
    assert np.allclose(shares, [0, 0, 0.25, 1, 1])


@pytest.mark.parametrize('options, message', [
    (dict(embedding='six'), "embedding must be one of interest, classes, got 'six'"),
    (dict(overlap='min'), "overlap must be one of max, nearest, mean, got 'min'"),
    (dict(min_visibility=9), 'min_visibility must be a level 0 to 4, got 9'),
    (dict(activation='tanh'), "activation must be one of raw, relu, sigmoid, got 'tanh'"),
    (dict(point_class='hard'), "point_class must be 'soft', 'argmax' or 'learned', got 'hard'"),
    (dict(embedding='classes', interest=INTEREST), "belongs to embedding='interest'"),
    (dict(interest=((1, 9),)), 'names a class that is not among the 4 classes'),
    (dict(kl_schedule=dict(type='linear', begin=5, end=5)), '0 <= begin < end, got begin=5, end=5'),
    (dict(kl_schedule=dict(type='cosine')), "must be 'constant' or 'linear', got 'cosine'"),
], ids=str)  # fmt: skip
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_nearest_box_has_the_least_known_depth():
    """Unknown depths (0, negative, infinite, NaN) come last, the first of equals wins."""
    similarity = torch.arange(9.0)
    member = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2])
    depth = torch.tensor([5.0, 3.0, 3.0, 0.0, 70.0, math.nan, math.inf, -1.0, 0.0])
    assert merge_overlapping(similarity, member, depth, 3, 'nearest').tolist() == [1, 4, 5]
