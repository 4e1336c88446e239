"""ReConstNet and its head: published sizes, torchvision's ResNet, the forward pass by hand, reproducible samples."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np
import pytest
import torch
from geomloss import SamplesLoss
from mmdet3d.registry import MODELS
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torchvision.models import resnet50

from mmfusion_plugin.evaluation import ReconstructionMetric
from mmfusion_plugin.models.heads import ReConstNetHead
from mmfusion_plugin.models.heads.gaussian_code import GaussianCode
from mmfusion_plugin.models.layers.image_noise import noise_of_images
from mmfusion_plugin.structures import ShapeSample

pytest.importorskip('mmpretrain')
TRUNK = dict(type='ResNet', depth=18, stem_channels=8, base_channels=8)
SMALL = dict(num_points=6, fc_channels=9, latent_channels=5, hidden_channels=(7, 8))
DIVERSE = dict(loss_diversity=dict(type='DiversityLoss'), kl_weight=0.1)
OPTIONS = dict(
    default={}, shared=dict(shared_fc=True), certain=dict(latent='none'), all=DIVERSE, bare=dict(fc_channels=None),
    chamfer=dict(loss_emd=None), emd=dict(loss_chamfer=None),
)  # fmt: skip


def head(in_channels: int = 4, **options: Any) -> ReConstNetHead:
    torch.manual_seed(0)
    return ReConstNetHead(in_channels, **{**SMALL, **options})


def build(**options: Any) -> nn.Module:
    torch.manual_seed(0)
    return MODELS.build(dict(type='ReConstNet', backbone=TRUNK, head={**SMALL, **options}))


def samples(*sizes: int, **metainfo: Any) -> list:
    found = []
    for number, size in enumerate(sizes):
        meta = dict(synset='03001627', model_id=f'chair{number}', view=2, azimuth=3.0, img_path=f'{number}.png')
        found.append(ShapeSample(metainfo={**meta, **metainfo}, gt_points=torch.rand(size, 3) - 0.5))
    return found


def size(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_published_sizes_and_torchvision_s_features():
    model = MODELS.build(dict(type='ReConstNet')).eval()
    reference = resnet50(num_classes=1000).eval()
    for module in reference.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
    weights = reference.state_dict()
    model.head.fc.load_state_dict({key: weights.pop(f'fc.{key}') for key in ('weight', 'bias')})
    model.backbone.load_state_dict(weights)
    assert size(model) == 29_483_056
    larger = ReConstNetHead(2048, num_points=2048)
    assert size(model.backbone) + size(larger) == 32_631_856
    image = torch.rand(1, 3, 128, 128) * 255
    with torch.no_grad():
        maps = model.extract_feat(dict(img=image))
        assert maps[-1].shape == (1, 2048, 4, 4)  # whose mean is the released AvgPool2d(4)
        code, expected = model.head.encode(maps), reference(image)
        torch.testing.assert_close(code.mean, model.head.mean(expected), rtol=1e-4, atol=1e-4)
        assert model(dict(img=image)).shape == (1, 1024, 3)


def by_hand(model: ReConstNetHead, features: Tensor, noise: Tensor) -> Dict[str, Tensor]:
    weights = model.state_dict()

    def linear(name: str, x: Tensor) -> Tensor:
        return x @ weights[f'{name}.weight'].T + weights[f'{name}.bias']

    hidden = linear('fc', features)
    mean, log_variance = linear('mean', hidden), linear('log_variance', hidden)
    x = mean + log_variance.exp().sqrt() * noise
    for layer in ('mlp.0', 'mlp.2'):
        x = linear(layer, x)
        x = torch.where(x > 0, x, 0.01 * x)
    x = linear('mlp.4', x).tanh().reshape(len(x), 3, -1)
    points = torch.stack([x[:, axis] for axis in range(3)], 2)
    return dict(mean=mean, log_variance=log_variance, points=points)


def test_forward_pass_by_hand():
    model, features, noise = head(), torch.randn(3, 4), torch.randn(3, 5)
    code, expected = model.encode(features), by_hand(model, features, noise)
    torch.testing.assert_close(code.mean, expected['mean'])
    torch.testing.assert_close(code.sigma, expected['log_variance'].exp().sqrt())
    torch.testing.assert_close(model.decode(code.at(noise)), expected['points'])
    torch.testing.assert_close(model(features), by_hand(model, features, torch.zeros(3, 5))['points'])


def test_losses_by_hand():
    model, features, data = head(**DIVERSE), torch.randn(3, 4), samples(9, 4, 6)
    data[1].set_metainfo(dict(azimuth=None))
    torch.manual_seed(5)
    losses = model.loss(features, data)
    torch.manual_seed(5)
    expected, truth = by_hand(model, features, torch.randn(3, 5)), [sample.gt_points for sample in data]
    assert set(losses) == {'loss_chamfer', 'loss_emd', 'loss_diversity', 'loss_kl'}
    distance = [torch.cdist(x, y).square() for x, y in zip(expected['points'], truth)]
    chamfer = np.mean([float(d.amin(0).mean() + d.amin(1).mean()) for d in distance])
    assert float(losses['loss_chamfer']) == pytest.approx(chamfer, rel=1e-4)
    divergence = SamplesLoss('sinkhorn', p=2, blur=0.05, scaling=0.5, diameter=2 * 3**0.5)
    transport = torch.stack([divergence(x, y) for x, y in zip(expected['points'], truth)]).mean()
    torch.testing.assert_close(losses['loss_emd'], transport, rtol=1e-4, atol=1e-6)
    sigma = (expected['log_variance'] / 2).exp()
    wanted = 0.2 * np.exp(-((3.0 - np.pi) ** 2) / np.deg2rad(20) ** 2)
    spread = sigma.mean(1)[[0, 2]] - wanted
    torch.testing.assert_close(losses['loss_diversity'], 10 * spread.square().mean(), rtol=1e-4, atol=1e-6)
    nats = kl_divergence(Normal(expected['mean'], sigma), Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(losses['loss_kl'], 0.1 * nats)


@pytest.mark.parametrize('name', OPTIONS)
@pytest.mark.parametrize('sizes', [(9, 4), (9, 0), (0, 0), (5,)])
def test_every_parameter_has_a_gradient(name, sizes):
    model = build(**OPTIONS[name]).train()
    data = dict(inputs=dict(img=torch.rand(len(sizes), 3, 64, 64) * 255), data_samples=samples(*sizes, azimuth=None))
    losses = model(**data, mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert total.isfinite() and set(losses) >= {'chamfer': {'loss_chamfer'}, 'emd': {'loss_emd'}}.get(name, set())
    assert ('loss_emd' in losses) == (name != 'chamfer') and ('loss_chamfer' in losses) == (name != 'emd')
    missing = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not missing


def test_gradients_of_the_head():
    model, noise = head(**DIVERSE).double(), torch.randn(2, 5, dtype=torch.float64)
    features = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    target = [torch.rand(4, 3, dtype=torch.float64) for _ in range(2)]

    def total(x: Tensor) -> Tensor:
        code = model.encode(x)
        return model.cloud_losses['loss_chamfer'](model.decode(code.at(noise)), target) + code.divergence()

    assert torch.autograd.gradcheck(total, (features,))


def test_a_cloud_can_be_learned():
    model, features, data = head(num_points=32, loss_emd=None), torch.randn(1, 4), samples(32)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    values = []
    for _ in range(100):
        optimizer.zero_grad()
        loss = model.loss(features, data)['loss_chamfer']
        loss.backward()
        optimizer.step()
        values.append(float(loss.detach()))
    assert np.mean(values[-10:]) < 0.2 * values[0]


def test_features_of_any_backbone():
    model, maps = head(), torch.randn(3, 4, 2, 5)
    pooled = torch.stack([maps[..., i, j] for i in range(2) for j in range(5)]).mean(0)
    torch.testing.assert_close(model(maps), model(pooled))
    assert torch.equal(model((torch.randn(3, 2), maps)), model(maps))
    for wrong in (torch.randn(3, 5), torch.randn(3, 4, 7), (maps[:, :2],)):
        with pytest.raises(ValueError, match='need features .B, 4. or maps .* set in_channels'):
            model(wrong)


def test_sizes_of_the_variants():
    plain = size(head())
    assert plain - size(head(shared_fc=True)) == 2 * (9 + 1) * 5 - (9 + 1) * 5 - 2 * (5 + 1) * 5
    assert plain - size(head(latent='none')) == (9 + 1) * 5
    assert plain - size(head(fc_channels=None)) == (4 + 1) * 9 + 2 * (9 - 4) * 5


def test_fc_takes_weights_of_a_classifier(tmp_path):
    path, fc = tmp_path / 'resnet.pth', nn.Linear(4, 9)
    weights = {'backbone.conv1.weight': torch.zeros(1), **{f'head.fc.{k}': v for k, v in fc.state_dict().items()}}
    torch.save(dict(state_dict=weights, meta={}), path)
    model = head(init_cfg=dict(type='Pretrained', checkpoint=str(path), prefix='head.'))
    model.init_weights()
    assert torch.equal(model.fc.weight, fc.weight) and torch.equal(model.fc.bias, fc.bias)
    assert torch.equal(model.mean.weight, head().mean.weight)


def predicted(model: nn.Module, images: Tensor, data: list) -> list:
    with torch.no_grad():
        return model.eval()(dict(img=images), data, mode='predict')


@pytest.mark.parametrize('draws', [1, 3])
@pytest.mark.parametrize('mode', ['mean', 'sample'])
def test_predictions(mode, draws):
    model, images = build(test_mode=mode, num_samples=draws), torch.rand(3, 3, 64, 64) * 255
    found = predicted(model, images, samples(4, 4, 4))
    with torch.no_grad():
        code = model.head.encode(model.extract_feat(dict(img=images)))
        clouds = model.head.decode(code.at(noise_of_images(found, draws, 5, 0)))
        mean = model(dict(img=images))
    for row, sample in enumerate(found):
        torch.testing.assert_close(sample.pred_points, mean[row] if mode == 'mean' else clouds[0, row])
        assert ('pred_samples' in sample) == (draws > 1)
        if draws > 1:
            torch.testing.assert_close(sample.pred_samples, clouds[:, row])
            assert not torch.equal(sample.pred_samples[0], sample.pred_samples[1])
    fresh = predicted(build(), images, None)
    assert [sample.pred_points.shape for sample in fresh] == [(6, 3)] * 3


def test_samples_do_not_depend_on_batch_and_order():
    model, images = build(test_mode='sample', num_samples=2), torch.rand(3, 3, 64, 64) * 255
    together = predicted(model, images, samples(4, 4, 4))
    backwards = predicted(model, images.flip(0), samples(4, 4, 4)[::-1])[::-1]
    alone = predicted(model, images[1:2], samples(4, 4, 4)[1:2])
    torch.testing.assert_close(alone[0].pred_samples, together[1].pred_samples)
    for one, other in zip(together, backwards):
        torch.testing.assert_close(one.pred_samples, other.pred_samples)
    again = predicted(build(test_mode='sample', num_samples=2, seed=1), images, samples(4, 4, 4))
    assert not torch.allclose(again[0].pred_samples, together[0].pred_samples)


def test_noise_is_normal_and_differs_between_images():
    noise = noise_of_images(samples(*[1] * 40), 50, 20, 3)
    assert noise.shape == (50, 40, 20) and abs(float(noise.mean())) < 0.02 and abs(float(noise.std()) - 1) < 0.02
    rows = noise.transpose(0, 1).flatten(1)
    assert float((torch.corrcoef(rows) - torch.eye(40)).abs().max()) < 0.2
    assert noise_of_images([], 2, 3, 0).shape == (2, 0, 3)
    nameless = noise_of_images([ShapeSample(), ShapeSample()], 1, 3, 0)
    assert not torch.equal(nameless[:, 0], nameless[:, 1])
    code = GaussianCode(torch.ones(40, 20), torch.full((40, 20), 4.0).log())
    assert abs(float(code.at(noise).std()) - 2) < 0.05


@pytest.mark.parametrize('scope', ['mmdet3d', 'mmpretrain'])
def test_builds_in_configs_of_both_libraries(scope):
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(dict(type='mmdet3d.ReConstNet', backbone=TRUNK, head=dict(SMALL, type='ReConstNetHead')))
    assert isinstance(model.head, ReConstNetHead) and model.head.in_channels == 64


def test_clear_errors():
    for wrong in (dict(latent='vae'), dict(test_mode='best'), dict(num_samples=0)):
        with pytest.raises(ValueError, match=f'got .*{next(iter(wrong.values()))}'):
            head(**wrong)
    for wrong in (dict(test_mode='sample'), dict(num_samples=2), dict(kl_weight=1.0), DIVERSE):
        with pytest.raises(ValueError, match="latent='none' has no spread"):
            head(latent='none', **wrong)
    with pytest.raises(KeyError, match="have \\['points'\\], but no 'img'"):
        build()(dict(points=[]))
    with pytest.raises(ValueError, match="mode must be .* got 'train'"):
        build()(dict(img=torch.zeros(1, 3, 64, 64)), mode='train')
    with pytest.raises(ValueError, match='chairs/7.png has no gt_points'):
        head().loss(torch.randn(1, 4), [ShapeSample(metainfo=dict(img_path='chairs/7.png'))])
    with pytest.raises(ValueError, match='MobileNetV2 does not say .*: give in_channels in head'):
        MODELS.build(dict(type='ReConstNet', backbone=dict(type='MobileNetV2')))


def test_from_packed_samples_to_scores():
    """As a loader hands them over: training steps with mmengine's wrapper, then predictions in the metric."""
    model = build(loss_diversity=dict(type='DiversityLoss'), num_samples=2).train()
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), 1e-3))
    data = [dict(inputs=dict(img=torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)), data_samples=sample)
            for sample in samples(6, 6, category='chair')]  # fmt: skip
    log = model.train_step(pseudo_collate(data), wrapper)
    assert set(log) == {'loss', 'loss_chamfer', 'loss_emd', 'loss_diversity'} and log['loss'].isfinite()
    metric = ReconstructionMetric()
    with torch.no_grad():
        metric.process(None, [one.to_dict() for one in model.eval().test_step(pseudo_collate(data))])
    scores = metric.evaluate(2)
    assert scores['cd'] == scores['cd_chair'] > 0 and scores['cd_best'] <= scores['cd_mean'] and scores['spread'] > 0
