"""ViewSegmentor: the loss by hand, predictions per view, and weights that MVPNet and SAFNet take over."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import nn

from .small_views import CLASSES, HEIGHT, IMAGE, WIDTH, build, losses_of, view_batch


def small(**image) -> nn.Module:
    torch.manual_seed(1)
    backbone = dict(IMAGE, num_classes=CLASSES, dropout=0.0, **image)
    return MODELS.build(dict(type='ViewSegmentor', image_backbone=backbone, ignore_index=CLASSES))


def test_loss_by_hand():
    model, data = small().train(), view_batch((5, 4), (0, 0))
    losses = losses_of(model, data)
    logits = model.image_backbone(torch.cat(data['inputs']['imgs']))[1]
    labels = torch.cat([sample.gt_sem_seg.sem_seg for sample in data['data_samples']])
    assert set(losses) == {'loss_image'}
    torch.testing.assert_close(losses['loss_image'], F.cross_entropy(logits, labels, ignore_index=CLASSES))


def test_all_ignored():
    model, data = small().train(), view_batch((5,), (0,))
    data['data_samples'][0].gt_sem_seg.sem_seg.fill_(CLASSES)
    loss = losses_of(model, data)['loss_image']
    loss.backward()
    assert loss == 0 and all(p.grad is not None and not p.grad.any() for p in model.parameters())


def test_prediction_of_each_view():
    model, data = small().eval(), view_batch((5, 4), (0, 0), views=3)
    with torch.no_grad():
        samples = model(**model.data_preprocessor(data, False), mode='predict')
        for sample, images in zip(samples, data['inputs']['imgs']):
            assert sample.pred_sem_seg.sem_seg.shape == (3, HEIGHT, WIDTH)
            assert torch.equal(sample.pred_sem_seg.sem_seg, model.image_backbone(images)[1].argmax(1))


@pytest.mark.parametrize('kind', ['MVPNet', 'SAFNet'])
def test_fusion_networks_take_its_weights(kind, tmp_path):
    source, target = small(), build(kind)
    missing = target.load_state_dict(source.state_dict(), strict=False)
    assert not missing.unexpected_keys and not [key for key in missing.missing_keys if key.startswith('image_backbone')]
    torch.save(dict(state_dict=source.state_dict()), tmp_path / 'views.pth')
    pretrained = dict(type='Pretrained', checkpoint=str(tmp_path / 'views.pth'), prefix='image_backbone.')
    other = build(kind, image_backbone=dict(IMAGE, init_cfg=pretrained))
    other.init_weights()
    for key, value in source.image_backbone.state_dict().items():
        assert torch.equal(other.image_backbone.state_dict()[key], value), key
