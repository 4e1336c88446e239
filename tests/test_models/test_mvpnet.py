"""MVPNet and PointSetSegmentor as wholes: the wiring against the parts called by hand, and every batch is safe."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmfusion_plugin.models.fusion import Neighbourhoods

from .small_views import CLASSES, HEIGHT, POINTNET, WIDTH, build, logits_of, losses_of, view_batch

UNFROZEN = dict(freeze_image=False, image_weight=0.2, unprojected_weight=0.8, unprojected_radius=0.3)


def test_points_alone():
    model = build('PointSetSegmentor').eval()
    data = view_batch((40, 30), (0, 0))
    points = data['inputs']['points']
    expected = model.decode_head(model.backbone(points)).split([40, 30])
    for logits, rows in zip(logits_of(model, data), expected):
        torch.testing.assert_close(logits, rows.t())
    with_colour = build('PointSetSegmentor', backbone=dict(POINTNET, in_channels=3)).eval()
    data = view_batch((40,), (0,), columns=6)
    before = logits_of(with_colour, data)[0]
    data['inputs']['points'][0][:, 3:] += 1
    assert not torch.equal(logits_of(with_colour, data)[0], before)


def test_wiring_against_the_parts():
    """Features of the pixels, read one by one from the maps of their views."""
    model = build('MVPNet').eval()
    data = view_batch((40, 30), (50, 20))
    inputs = model.data_preprocessor(data, False)['inputs']
    with torch.no_grad():
        rows = []
        for images, index in zip(inputs['imgs'], inputs['pixel_index']):
            features, _ = model.image_backbone(images)
            view, row, column = index // (HEIGHT * WIDTH), index // WIDTH % HEIGHT, index % WIDTH
            rows.append(torch.stack([features[v, :, r, c] for v, r, c in zip(view, row, column)]))
        pair = Neighbourhoods.of_batch(inputs['points'], inputs['pixel_xyz'], 0, 3)
        fused = model.backbone(inputs['points'], model.aggregation(pair, torch.cat(rows)))
        expected = model.decode_head(fused).split([40, 30])
    for logits, theirs in zip(logits_of(model, data), expected):
        torch.testing.assert_close(logits, theirs.t(), rtol=1e-4, atol=1e-5)
    # The same when features and neighbours were found before.
    del inputs['imgs'], inputs['pixel_index']
    inputs['pixel_features'] = rows
    inputs['pixel_neighbours'] = [torch.cdist(p, q).argsort(1) for p, q in zip(inputs['points'], inputs['pixel_xyz'])]
    for logits, theirs in zip(logits_of(model, dict(inputs=inputs, data_samples=data['data_samples'])), expected):
        torch.testing.assert_close(logits, theirs.t(), rtol=1e-4, atol=1e-5)


def test_frozen_image_network_stays_as_it_is():
    model = build('MVPNet').train()
    before = {key: value.clone() for key, value in model.image_backbone.state_dict().items()}
    losses = losses_of(model, view_batch((40, 30), (50, 20)))
    assert set(losses) == {'loss_ce'}
    sum(losses.values()).backward()
    assert not model.image_backbone.training and model.training
    assert all(torch.equal(value, before[key]) for key, value in model.image_backbone.state_dict().items())
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) != name.startswith('image_backbone'), name


@pytest.mark.parametrize('weights', [UNFROZEN, dict(freeze_image=False)], ids=['losses', 'no losses'])
def test_every_parameter_learns(weights):
    model = build('MVPNet', **weights).train()
    losses = losses_of(model, view_batch((60, 50), (80, 70)))
    assert set(losses) == {'loss_ce', 'loss_unprojected'} | ({'loss_image'} if 'image_weight' in weights else set())
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_image_losses_by_hand():
    model = build('MVPNet', **UNFROZEN).train()
    model.image_backbone.dropout.p = 0.0
    data = view_batch((60, 50), (80, 3))
    losses = losses_of(model, data)
    images = torch.stack(data['inputs']['imgs']).flatten(0, 1)
    logits = model.image_backbone(images)[1]
    labels = torch.cat([sample.gt_sem_seg.sem_seg for sample in data['data_samples']])
    torch.testing.assert_close(losses['loss_image'], 0.2 * F.cross_entropy(logits, labels, ignore_index=CLASSES))
    chosen, targets = [], []
    for number, (points, xyz, index) in enumerate(zip(*(data['inputs'][key] for key in
                                                        ('points', 'pixel_xyz', 'pixel_index')))):  # fmt: skip
        flat = logits[2 * number:2 * number + 2].permute(0, 2, 3, 1).reshape(-1, CLASSES)
        distance, nearest = torch.cdist(points, xyz).min(1)
        near = distance <= 0.3
        chosen.append(flat[index[nearest[near]]])
        targets.append(data['data_samples'][number].gt_pts_seg.pts_semantic_mask[near])
    assert 0 < sum(map(len, targets)) < 110
    expected = 0.8 * F.cross_entropy(torch.cat(chosen), torch.cat(targets), ignore_index=CLASSES)
    torch.testing.assert_close(losses['loss_unprojected'], expected)


@pytest.mark.parametrize('kind', ['MVPNet', 'SAFNet'])
@pytest.mark.parametrize('case', ['no pixels', 'one pixel', 'one point', 'no points', 'all ignored', 'no views',
                                  'no images', 'one sample unseen', 'far pixels'])  # fmt: skip
def test_losses_are_total(kind, case):
    sizes = {'one point': (1, 1), 'no points': (0, 0)}.get(case, (40, 30))
    pixels = {'no pixels': (0, 0), 'one pixel': (1, 0), 'one sample unseen': (30, 0)}.get(case, (30, 20))
    if case in ('no views', 'no images'):
        pixels = (0, 0)
    model = build(kind, **UNFROZEN).train()
    data = view_batch(sizes, pixels, views=0 if case == 'no views' else 2)
    for sample, xyz in zip(data['data_samples'], data['inputs']['pixel_xyz']):
        if case == 'all ignored':
            sample.gt_pts_seg.pts_semantic_mask.fill_(CLASSES)
            sample.gt_sem_seg.sem_seg.fill_(CLASSES)
        elif case == 'far pixels':
            xyz += 50
    if case == 'no images':
        data['inputs'] = {'points': data['inputs']['points']}
    losses = losses_of(model, data)
    assert all(value.isfinite() for value in losses.values()), losses
    if case in ('no pixels', 'no points', 'all ignored', 'no images', 'far pixels'):
        assert losses['loss_unprojected'] == 0
    sum(losses.values()).backward()
    missing = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not missing
    assert all(buffer.isfinite().all() for buffer in model.buffers())


@pytest.mark.parametrize('kind', ['PointSetSegmentor', 'MVPNet', 'SAFNet'])
def test_samples_of_a_batch_are_independent(kind):
    model = build(kind).eval()
    data = view_batch((40, 1, 30), (50, 7, 0))
    for number, logits in enumerate(logits_of(model, data)):
        alone = {key: values[number:number + 1] for key, values in data['inputs'].items()}
        (single,) = logits_of(model, dict(inputs=alone, data_samples=data['data_samples'][number:number + 1]))
        torch.testing.assert_close(logits, single, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('kind', ['MVPNet', 'SAFNet'])
def test_translation_of_points_and_pixels(kind):
    model = build(kind).double().eval()
    data = view_batch((40, 30), (50, 20))
    inputs = data['inputs']
    for key in ('points', 'pixel_xyz'):
        inputs[key] = [cloud.double() for cloud in inputs[key]]
    inputs['pixel_features'] = [torch.randn(len(xyz), 4).double() for xyz in inputs['pixel_xyz']]
    before = logits_of(model, data)
    for key in ('points', 'pixel_xyz'):
        inputs[key] = [cloud + torch.tensor([3.0, -20.0, 1.0]).double() for cloud in inputs[key]]
    for ours, theirs in zip(logits_of(model, data), before):
        torch.testing.assert_close(ours, theirs)


def test_clear_errors():
    with pytest.raises(ValueError, match='image_weight=0.2 and unprojected_weight=0.8 teach the image network'):
        build('MVPNet', **dict(UNFROZEN, freeze_image=True))
    model = build('MVPNet', **UNFROZEN).train()
    data = view_batch((40,), (30,))
    data['inputs']['pixel_index'][0][3] = 2 * HEIGHT * WIDTH
    with pytest.raises(ValueError, match=f'pixel_index reaches to 3072, .* have pixels 0 to {2 * HEIGHT * WIDTH - 1}'):
        losses_of(model, data)
    data = view_batch((40,), (30,))
    del data['data_samples'][0].gt_sem_seg
    with pytest.raises(ValueError, match=r'samples \[0\] of the batch have no gt_sem_seg: .* or .* set image_weight=0'):
        losses_of(model, data)
