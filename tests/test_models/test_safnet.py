"""SAFNet as a whole: the wiring against the parts called by hand, its losses, and the rows of the ablation."""

from __future__ import annotations

import pytest
import torch

from mmfusion_plugin.models.fusion import Neighbourhoods
from mmfusion_plugin.ops.octants import octant_neighbours

from .small_views import NEIGHBOURS, build, logits_of, losses_of, view_batch

LOSSES = {'loss_ce', 'loss_points', 'loss_image', 'loss_unprojected'}


def test_wiring_against_the_parts():
    model, data = build().eval(), view_batch((40,), (60,))
    (points,), (xyz,), (index,) = (data['inputs'][key] for key in ('points', 'pixel_xyz', 'pixel_index'))
    with torch.no_grad():
        features = model.image_backbone(data['inputs']['imgs'][0])[0].permute(0, 2, 3, 1).reshape(-1, 4)[index]
        pair = Neighbourhoods.of_batch([points], [xyz], NEIGHBOURS, NEIGHBOURS)
        contextual, context = model.contextual(pair)
        similarity = model.geometric(pair) * contextual
        own = model.backbone([points], context)
        joined = model.fusion(model.aggregation(pair, features), own, similarity, torch.zeros(40).long(), 1)
        expected = model.decode_head(joined).t()
    torch.testing.assert_close(logits_of(model, data)[0], expected, rtol=1e-4, atol=1e-5)
    found, _ = model.similarities(pair, data['inputs'])
    torch.testing.assert_close(found['geometric'] * found['contextual'], similarity)


def test_what_was_searched_before_gives_the_same():
    model, data = build().eval(), view_batch((40, 30), (60, 50))
    before = logits_of(model, data)
    inputs = data['inputs']
    inputs['point_neighbours'] = [torch.cdist(p, p).argsort(1) for p in inputs['points']]
    inputs['pixel_neighbours'] = [torch.cdist(p, q).argsort(1) for p, q in zip(inputs['points'], inputs['pixel_xyz'])]
    inputs['octants'] = [octant_neighbours(p, model.contextual.radius) for p in inputs['points']]
    for ours, theirs in zip(logits_of(model, data), before):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_every_parameter_learns():
    model = build().train()
    losses = losses_of(model, view_batch((80, 70), (120, 90)))
    assert set(losses) == LOSSES and all(value > 0 and value.isfinite() for value in losses.values()), losses
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any() or parameter.ndim < 2, name


def test_weights_of_the_losses_are_the_papers():
    one, other = build().train(), build(auxiliary_weight=1.0, image_weight=1.0, unprojected_weight=1.0).train()
    data = view_batch((80, 70), (120, 90))
    found = []
    for model in (one, other):
        torch.manual_seed(1)  # of the dropout
        found.append(losses_of(model, data))
    expected = {'loss_ce': 1.0, 'loss_points': 0.8, 'loss_image': 0.2, 'loss_unprojected': 0.8}
    assert {name: round(float(found[0][name] / found[1][name]), 4) for name in expected} == expected


@pytest.mark.parametrize('left_out', [('geometric',), ('contextual',), ('geometric', 'contextual'),
                                      ('auxiliary_head',)])  # fmt: skip
def test_rows_of_the_ablation(left_out):
    model = build(**{name: None for name in left_out}).train()
    losses = losses_of(model, view_batch((60, 50), (90, 80)))
    assert set(losses) == LOSSES - ({'loss_points'} if 'auxiliary_head' in left_out else set())
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert not any(name.split('.')[0] in left_out for name, _ in model.named_parameters())
    assert model.backbone.in_channels == (0 if 'contextual' in left_out else 5)


def test_prediction_needs_no_auxiliary_head():
    taught, alone = build().eval(), build(auxiliary_head=None).eval()
    kept = {key: value for key, value in taught.state_dict().items() if key.split('.')[0] not in taught.TRAINING_ONLY}
    alone.load_state_dict(kept)
    data = view_batch((40, 30), (60, 50))
    for ours, theirs in zip(logits_of(taught, data), logits_of(alone, data)):
        assert torch.equal(ours, theirs)


def test_frozen_image_network():
    with pytest.raises(ValueError, match='teach the image network, which is frozen'):
        build(freeze_image=True)
    model = build(freeze_image=True, image_weight=0.0, unprojected_weight=0.0).train()
    assert set(losses_of(model, view_batch((40, 30), (60, 50)))) == {'loss_ce', 'loss_points'}


def test_published_sizes_as_a_whole():
    """Sum of what section 1 of the published architectures counts, at the widths of the paper."""
    from mmdet3d.registry import MODELS

    model = MODELS.build(dict(
        type='SAFNet', image_backbone=dict(type='UNetResNet34'), aggregation=dict(type='NearestPixelAggregation'),
        backbone=dict(type='PointNet2SSG'), fusion=dict(type='SimilarityFusion'),
        geometric=dict(type='GeometricSimilarity'), contextual=dict(type='ContextualSimilarity', mode='code'),
        decode_head=dict(type='PointMLPHead', channels=(192, 192, 192), dropout_after='last'),
        auxiliary_head=dict(type='PointMLPHead', channels=(128, 128)),
    ))  # fmt: skip
    count = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    assert count['image_backbone'] == 23_615_572 and count['backbone'] == 947_872 and count['aggregation'] == 12_928
    assert count['geometric'] == 7 and count['contextual'] == 116_608 + 12_544 + 4_160
    assert count['fusion'] == 4_160 + 16_512 + 1 and count['decode_head'] == 111_744 + 3_860
    assert count['auxiliary_head'] == 2 * (128 * 128 + 256) + 2_580
