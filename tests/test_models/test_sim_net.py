"""SIMNet: sizes in closed form, the loss by hand, each branch alone, and what MMPreTrain's metrics read."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from mmengine.registry import DefaultScope
from torch import Tensor, nn
from torchvision.models import resnet101

from .test_point_net import mlp_size, transform_size

pytest.importorskip('mmpretrain')
from mmpretrain.evaluation import Accuracy, SingleLabelMetric  # noqa: E402
from mmpretrain.structures import DataSample  # noqa: E402

IMAGE = dict(type='ResNet', depth=18, stem_channels=8, base_channels=8)
CLOUD = dict(type='PointNet', local_channels=(4, 5), global_channels=(6, 7), transform_channels=(5, 6),
             transform_hidden=(5,))  # fmt: skip
CLOUD2 = dict(type='PointNet2Cls', sa_channels=((6,), (8,)), num_centroids=(16, 8), radii=(0.4, 0.8),
              max_neighbours=(6, 5), global_channels=(9, 7))  # fmt: skip
ATTENTION = dict(channels=8, num_heads=2)
HEAD = dict(num_classes=3)
BRANCHES = {
    'image': dict(image_backbone=IMAGE),
    'points': dict(point_backbone=CLOUD),
    'points++': dict(point_backbone=CLOUD2),
    'concat': dict(image_backbone=IMAGE, point_backbone=CLOUD),
    'concat++': dict(image_backbone=IMAGE, point_backbone=CLOUD2),
    **{name: dict(image_backbone=IMAGE, point_backbone=CLOUD, fusion=dict(ATTENTION, direction=name))
       for name in ('image-to-point', 'point-to-image', 'both')},
}  # fmt: skip


def build(branches: str = 'concat', **options) -> nn.Module:
    torch.manual_seed(0)
    return MODELS.build({'type': 'SIMNet', 'head': HEAD, **BRANCHES[branches], **options})


def batch(sizes=(20, 1, 0)) -> Dict[str, Any]:
    inputs = dict(img=torch.randn(len(sizes), 3, 64, 64), points=[torch.rand(size, 3) for size in sizes])
    return dict(inputs=inputs, data_samples=[DataSample().set_gt_label(i % 3) for i in range(len(sizes))])


def size(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def head_size(width: int, classes: int) -> int:
    linear = sum((before + 1) * after for before, after in ((width, 512), (512, 256), (256, classes)))
    return linear + 2 * 512 + 2 * 256


def test_the_paper_s_size_in_closed_form():
    with torch.device('meta'):
        trunk = size(resnet101()) - (2048 + 1) * 1000
    parts = dict(image_backbone=dict(type='ResNet', depth=101), point_backbone=dict(type='PointNet'))
    model = MODELS.build(dict(type='SIMNet', head=dict(num_classes=2), **parts))
    images = MODELS.build(dict(type='SIMNet', head=dict(num_classes=2), image_backbone=parts['image_backbone']))
    looking = MODELS.build(dict(type='SIMNet', head=dict(num_classes=2), fusion='both', **parts))
    points = mlp_size(3, (64, 64)) + mlp_size(64, (64, 128, 1024)) + transform_size(3) + transform_size(64)
    assert model.head.in_channels == 3072 and size(model) == trunk + points + head_size(3072, 2)
    assert images.head.in_channels == 2048 and size(images) == trunk + head_size(2048, 2)
    attention = (2048 + 1024 + 2) * 512 + 2 * (4 * 512 * 512 + 6 * 512)
    assert looking.head.in_channels == 1024 and size(looking) == trunk + points + attention + head_size(1024, 2)


@pytest.mark.parametrize('branches', BRANCHES)
@pytest.mark.parametrize('sizes', [(20, 1, 0), (20,), (0,)])
def test_every_parameter_has_a_gradient(branches, sizes):
    model, data = build(branches).train(), batch(sizes)
    losses = model(**data, mode='loss')
    alone = branches in ('image', 'points++', 'concat++')
    assert set(losses) == ({'loss_cls'} if alone else {'loss_cls', 'loss_orthogonality'})
    total, log = model.parse_losses(losses)
    total.backward()
    assert total.isfinite() and float(log['loss']) == pytest.approx(float(sum(losses.values())))
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_concatenation_and_loss_by_hand():
    model, data = build().eval(), batch((20, 15))
    image = model.image_backbone(data['inputs']['img'])[-1]
    cells = torch.stack([image[..., v, u] for v in range(2) for u in range(2)])
    fused = torch.cat([cells.mean(0), model.point_backbone(data['inputs']['points']).pooled], 1)
    x = fused
    for layer in model.head.layers:
        x = F.linear(x, layer.fc.weight, layer.fc.bias)
        if layer.norm is not None:
            norm = layer.norm
            x = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias).relu()
    torch.testing.assert_close(model(data['inputs']), x)
    losses = model(**data, mode='loss')
    torch.testing.assert_close(losses['loss_cls'], F.cross_entropy(x, torch.tensor([0, 1])))


@pytest.mark.parametrize('branches, idle', [('image', 'points'), ('points', 'img')])
def test_a_branch_alone_needs_no_other_input(branches, idle):
    data = batch((20, 15))
    del data['inputs'][idle]
    assert build(branches).eval()(data['inputs']).shape == (2, 3)


def test_both_branches_are_heard():
    model, data = build().eval(), batch((20, 15))
    before = model(data['inputs'])
    for key, change in (('img', torch.randn(2, 3, 64, 64)), ('points', [torch.rand(9, 3), torch.rand(9, 3)])):
        assert not torch.allclose(model(dict(data['inputs'], **{key: change})), before)


def scores(samples: List[DataSample], truth: Tensor) -> Dict[str, float]:
    found = {}
    for metric in (Accuracy(), SingleLabelMetric(num_classes=3, items=('f1-score',))):
        metric.process(None, [sample.to_dict() for sample in samples])
        found.update(metric.evaluate(len(truth)))
    return found


def macro_f1(labels: List[int], truth: List[int], classes: int = 3) -> float:
    """2 TP / (2 TP + FP + FN) of each class, 0 where nothing is of it; their mean."""
    pairs, found = list(zip(labels, truth)), []
    for k in range(classes):
        hits = sum(label == real == k for label, real in pairs)
        found.append(2 * hits / max(labels.count(k) + truth.count(k), 1))
    return sum(found) / classes


def test_predictions_are_read_by_the_metrics():
    model, data = build().eval(), batch((20, 15, 9, 0))
    with torch.no_grad():
        samples = model(**data, mode='predict')
        chances = model(data['inputs']).softmax(1)
        new = model(data['inputs'], mode='predict')
    torch.testing.assert_close(torch.stack([sample.pred_score for sample in samples]), chances)
    torch.testing.assert_close(torch.stack([sample.pred_score for sample in new]), chances)
    labels, truth = torch.cat([sample.pred_label for sample in samples]), torch.tensor([0, 1, 2, 0])
    assert torch.equal(labels, chances.argmax(1))
    found = scores(samples, truth)
    assert found['accuracy/top1'] == pytest.approx(100 * float((labels == truth).float().mean()))
    assert found['single-label/f1-score'] == pytest.approx(100 * macro_f1(labels.tolist(), truth.tolist()))


def test_the_metrics_average_over_classes():
    """Accuracy 3/5; F1 of 4/5, 0 and 2/3."""
    labels, truth = [0, 0, 0, 2, 2], [0, 0, 1, 2, 1]
    assert macro_f1(labels, truth) == pytest.approx((4 / 5 + 0 + 2 / 3) / 3)
    samples = [DataSample().set_gt_label(t).set_pred_score(F.one_hot(torch.tensor(k), 3).float()).set_pred_label(k)
               for k, t in zip(labels, truth)]  # fmt: skip
    found = scores(samples, torch.tensor(truth))
    assert found['accuracy/top1'] == pytest.approx(60)
    assert found['single-label/f1-score'] == pytest.approx(100 * macro_f1(labels, truth))


@pytest.mark.parametrize('scope', ['mmdet3d', 'mmpretrain'])
def test_builds_in_configs_of_both_libraries(scope):
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(dict(type='mmdet3d.SIMNet', head=HEAD, fusion='image-to-point', **BRANCHES['concat']))
        own = dict(type='mmpretrain.LinearClsHead', num_classes=3)
        trunk = dict(IMAGE, type='mmpretrain.ResNet')
        baseline = MODELS.build(dict(type='mmdet3d.SIMNet', head=own, image_backbone=trunk))
    assert model.fusion.out_channels == 1024 and baseline.head.in_channels == 64
    assert type(baseline.head).__name__ == 'LinearClsHead'


def test_clear_errors():
    with pytest.raises(ValueError, match='SIMNet has no branch'):
        MODELS.build(dict(type='SIMNet', head=HEAD))
    with pytest.raises(ValueError, match="fusion='both' needs image_backbone and point_backbone"):
        build('image', fusion='both')
    with pytest.raises(KeyError, match="have \\['img'\\], but no 'points': put PixelToPoint into the pipeline"):
        build()(dict(img=torch.randn(1, 3, 64, 64)))
    with pytest.raises(ValueError, match='MobileNetV2 does not say .*: give image_channels'):
        build('image', image_backbone=dict(type='MobileNetV2'))
    data = batch((20, 15))
    data['data_samples'][1] = DataSample(metainfo=dict(img_path='sheets/7.jpg'))
    with pytest.raises(ValueError, match='sheets/7.jpg has no gt_label'):
        build()(**data, mode='loss')
