"""IC3D: where embeddings come from, its loss, samples that follow from the seed, and mmengine's moving average."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.dataset import pseudo_collate
from mmengine.hooks import EMAHook
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch import Tensor, nn

from mmfusion_plugin.models.diffusion import IC3D
from mmfusion_plugin.models.layers.image_noise import noise_of_images
from mmfusion_plugin.structures import ShapeSample

pytest.importorskip('mmpretrain')
SIDE, WIDTH = 4, 64
DENOISER = dict(model_channels=8, channel_mult=(1, 2), num_res_blocks=1, attention_at=(2,), num_groups=4,
                embed_dim=WIDTH, num_tokens=2, token_channels=5)  # fmt: skip
ENCODER = dict(type='mmpretrain.ResNet', depth=18, stem_channels=8, base_channels=8)
SOURCES = dict(
    embedding={}, encoder=dict(image_encoder=ENCODER), trained=dict(image_encoder=ENCODER, freeze_encoder=False),
    nothing=dict(denoiser=dict(DENOISER, embed_dim=None)),
)  # fmt: skip


def build(**options: Any) -> IC3D:
    """A model in which nothing starts at zero."""
    torch.manual_seed(0)
    model = MODELS.build({**dict(type='IC3D', denoiser=DENOISER, voxel_size=SIDE, diffusion=dict(num_steps=8)),
                          **options})  # fmt: skip
    for parameter in model.denoiser.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model


def samples(count: int, voxels: bool = True) -> list:
    made = [ShapeSample(metainfo=dict(synset='1', model_id=f'chair{n}', view=n, img_path=f'{n}.png'))
            for n in range(count)]  # fmt: skip
    for sample in made if voxels else ():
        sample.gt_voxels = torch.rand(SIDE, SIDE, SIDE) > 0.7
    return made


def inputs(source: str, count: int) -> Dict[str, Tensor]:
    if source == 'nothing':
        return {}
    image = torch.rand(count, 3, 64, 64)
    return dict(embedding=torch.randn(count, WIDTH)) if source == 'embedding' else dict(img=image)


@pytest.mark.parametrize('source', SOURCES)
@pytest.mark.parametrize(('count', 'p_uncond'), [(3, 0.5), (1, 0.0), (1, 1.0), (0, 0.5)])
def test_every_parameter_has_a_gradient(source, count, p_uncond):
    if count == 0 and source == 'trained':
        pytest.skip('batch normalisation of an encoder in training needs an image')
    model = build(p_uncond=p_uncond, **SOURCES[source]).train()
    losses = model(inputs(source, count), samples(count), mode='loss')
    assert set(losses) == {'loss_noise'} and losses['loss_noise'].isfinite()
    losses['loss_noise'].backward()
    frozen = {key for key, p in model.named_parameters() if not p.requires_grad}
    assert all(key.startswith('image_encoder.') for key in frozen) and bool(frozen) == (source == 'encoder')
    gradients = {key: p.grad for key, p in model.named_parameters() if key not in frozen}
    assert not [key for key, grad in gradients.items() if grad is None or not grad.isfinite().all()]
    if count:
        silent = {key for key, grad in gradients.items() if not grad.any()}
        if p_uncond == 1:  # the null token goes the embedding's ways
            assert silent == {key for key in gradients if key.startswith('image_encoder.')}
        elif p_uncond == 0:
            assert silent == {key for key in gradients if key == 'denoiser.condition.null'}


def test_loss_by_hand():
    model, data, given = build(p_uncond=0.4), samples(5), inputs('embedding', 5)
    torch.manual_seed(9)
    loss = model(given, data, mode='loss')['loss_noise']
    torch.manual_seed(9)
    drop, t, noise = torch.rand(5) < 0.4, torch.randint(8, (5,)), torch.randn(5, 1, SIDE, SIDE, SIDE)
    assert 0 < drop.sum() < 5
    share = (1 - torch.linspace(1e-4, 0.02, 8)).cumprod(0)[t].view(5, 1, 1, 1, 1)
    voxels = torch.stack([sample.gt_voxels.float() for sample in data])[:, None]
    embedding = torch.where(drop[:, None], model.denoiser.condition.null, given['embedding'])
    with torch.no_grad():
        found = model.denoiser(share.sqrt() * voxels + (1 - share).sqrt() * noise, t, embedding)
    assert float(loss) == pytest.approx(float((found - noise).square().mean()), rel=1e-4)


def test_validation_by_the_noise():
    model, data, given = build(validation='noise').eval(), samples(3), inputs('embedding', 3)
    batch = dict(inputs=dict(embedding=list(given['embedding'])), data_samples=data)
    found = model.val_step(batch)
    assert [sample.model_id for sample in found] == ['chair0', 'chair1', 'chair2']
    assert all('noise_error' in sample for sample in found)
    share = (1 - torch.linspace(1e-4, 0.02, 8)).cumprod(0)
    noises = noise_of_images(data, 4, SIDE**3, 0)
    for row, sample in enumerate(found):
        assert 'pred_voxels' not in sample and sample.noise_error.shape == ()
        errors = []
        for noise, t in zip(noises[:, row].view(4, 1, 1, SIDE, SIDE, SIDE), (1, 3, 5, 7)):
            x = share[t].sqrt() * sample.gt_voxels.float() + (1 - share[t]).sqrt() * noise
            with torch.no_grad():
                guess = model.denoiser(x, torch.tensor([t]), given['embedding'][row : row + 1])
            errors.append(float((guess - noise).square().mean()))
        assert float(sample.noise_error) == pytest.approx(sum(errors) / 4, rel=1e-4)
    (alone,) = model.find_noise(dict(embedding=given['embedding'][1:2]), samples(3)[1:2])
    again = model.find_noise(dict(embedding=given['embedding'][1:2]), [alone])[0].noise_error
    assert torch.equal(again, alone.noise_error), 'it does not depend on chance'
    assert model.find_noise(dict(embedding=torch.zeros(0, WIDTH)), []) == []
    free = build(validation='noise', **SOURCES['nothing'])
    assert free.val_step(dict(inputs={}, data_samples=samples(1)))[0].noise_error > 0
    assert 'pred_voxels' in build().eval().val_step(batch)[0], 'samples are drawn unless noise is asked for'


def test_the_start_in_place_of_the_noise():
    model, data, given = build(diffusion=dict(num_steps=8, prediction='start')), samples(5), inputs('embedding', 5)
    torch.manual_seed(9)
    losses = model(given, data, mode='loss')
    torch.manual_seed(9)
    drop, t, noise = torch.rand(5) < 0.1, torch.randint(8, (5,)), torch.randn(5, 1, SIDE, SIDE, SIDE)
    share = (1 - torch.linspace(1e-4, 0.02, 8)).cumprod(0)[t].view(5, 1, 1, 1, 1)
    voxels = torch.stack([sample.gt_voxels.float() for sample in data])[:, None]
    with torch.no_grad():
        found = model.denoiser(share.sqrt() * voxels + (1 - share).sqrt() * noise, t, given['embedding'], drop)
    assert list(losses) == ['loss_start']
    assert float(losses['loss_start']) == pytest.approx(float((found - voxels).square().mean()), rel=1e-4)
    assert model.eval().draw(given, data, steps=2).isfinite().all()


def test_embeddings_of_every_source():
    image, model = torch.rand(2, 3, 32, 32), build(image_encoder=ENCODER).eval()
    maps = model.image_encoder(image)[-1]
    torch.testing.assert_close(model.extract_feat(dict(img=image)), maps.flatten(2).mean(2))
    given = torch.randn(2, WIDTH)
    assert torch.equal(model.extract_feat(dict(img=image, embedding=given)), given)
    assert torch.equal(model.extract_feat(dict(embedding=list(given.double()))), given)
    vit = dict(img_size=32, patch_size=8, out_type='cls_token',
               arch=dict(embed_dims=WIDTH, num_layers=1, num_heads=2, feedforward_channels=8))  # fmt: skip
    model = build(image_encoder=dict(vit, type='mmpretrain.VisionTransformer')).eval()
    torch.testing.assert_close(model.extract_feat(dict(img=image)), model.image_encoder(image)[-1])
    model = build(image_encoder=dict(vit, type='mmpretrain.DistilledVisionTransformer')).eval()
    nn.init.normal_(model.image_encoder.dist_token)
    cisp = dict(type='CISPImageEncoder', embed_channels=WIDTH, backbone=dict(vit, type='DistilledVisionTransformer'))
    assert build(image_encoder=cisp).eval().extract_feat(dict(img=image)).shape == (2, WIDTH)
    ((token, other),) = model.image_encoder(image)
    assert torch.equal(model.extract_feat(dict(img=image)), token) and not torch.equal(token, other)
    assert build(**SOURCES['nothing']).extract_feat(dict(img=image)) is None


def test_a_frozen_encoder_stays_as_it_is():
    model = build(image_encoder=ENCODER).train()
    assert model.denoiser.training and not any(part.training for part in model.image_encoder.modules())
    before = {key: value.clone() for key, value in model.image_encoder.state_dict().items()}
    assert not model.extract_feat(inputs('encoder', 4)).requires_grad
    assert all(torch.equal(value, before[key]) for key, value in model.image_encoder.state_dict().items())
    trained = build(image_encoder=ENCODER, freeze_encoder=False).train()
    assert trained.image_encoder.training and trained.extract_feat(inputs('encoder', 4)).requires_grad


def test_predictions():
    model = build(sampling=dict(num_samples=3)).eval()
    given, data = inputs('embedding', 2), samples(2, voxels=False)
    values, found = model(given, data), model(given, data, mode='predict')
    assert values.shape == (3, 2, SIDE, SIDE, SIDE) and not values.requires_grad and found is data
    for number, sample in enumerate(found):
        assert sample.pred_voxels.dtype == torch.bool and torch.equal(sample.pred_voxels, values[:, number] > 0.5)
    (other,) = model.predict(dict(embedding=given['embedding'][:1]), samples(1), threshold=0.2, num_samples=1)
    torch.testing.assert_close(other.pred_voxels, values[:1, 0] > 0.2)
    assert [s.pred_voxels.shape[0] for s in model.predict(given)] == [3, 3]
    assert model.predict(dict(embedding=torch.zeros(0, WIDTH)), []) == []
    assert model.predict(dict(embedding=torch.zeros(0, WIDTH))) == []


@pytest.mark.parametrize('options', [dict(), dict(sampler='ddim', steps=3), dict(guidance=0.0)])
def test_samples_follow_from_the_seed_and_not_from_the_batch(options):
    model, given, data = build().eval(), torch.randn(3, WIDTH), samples(3)

    def draw(rows: list, seed: int = 4, draws: int = 2, **more: Any) -> Tensor:
        chosen = [data[row] for row in rows]
        return model.draw(dict(embedding=given[rows]), chosen, seed=seed, num_samples=draws, **options, **more)

    torch.manual_seed(1)
    together = draw([0, 1, 2])
    torch.manual_seed(2)
    assert torch.equal(draw([0, 1, 2]), together)
    for one in (draw([2, 1, 0]).flip(1), draw([0, 1, 2], rows_at_once=1), draw([0, 1, 2], rows_at_once=4)):
        torch.testing.assert_close(one, together, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(draw([1]), together[:, 1:2], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(draw([0, 1, 2], draws=1), together[:1], rtol=1e-3, atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=0.1)
    assert not torch.allclose(draw([0, 1, 2], seed=5), together, atol=0.1)


def test_one_seed_begins_alike_for_all_samplers():
    model, seen, first = build().eval(), [], []
    model.denoiser.register_forward_hook(lambda module, args, out: seen.append(args[:2]))
    for options in (dict(), dict(sampler='ddim'), dict(steps=3)):
        seen.clear()
        model.draw(inputs('embedding', 1), samples(1), guidance=0.0, **options)
        assert len(seen) == options.get('steps', 8) and seen[0][1].tolist() == [7] and seen[-1][1].tolist() == [0]
        first.append(seen[0][0])
    assert torch.equal(first[0], first[1]) and torch.equal(first[0], first[2])


def test_guidance_moves_from_unconditional_to_conditional():
    model, given = build().eval(), inputs('embedding', 2)
    null = dict(embedding=model.denoiser.condition.null.detach().expand(2, -1))
    draw = lambda inputs, w: model.draw(inputs, samples(2), guidance=w)  # noqa: E731
    torch.testing.assert_close(draw(given, -1.0), draw(null, 0.0), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(draw(given, 1e-7), draw(given, 0.0), rtol=1e-3, atol=1e-4)
    assert not torch.allclose(draw(given, 1.5), draw(given, 0.0), atol=1e-2)
    free = build(**SOURCES['nothing']).eval()
    assert torch.equal(free.draw({}, samples(2), guidance=1.5), free.draw({}, samples(2), guidance=0.0))


class Knowing(nn.Module):
    """A denoiser that knows the one shape there is: x_t = sqrt(a) shape + sqrt(1 - a) noise, solved for the noise."""

    embed_dim = None

    def __init__(self, shape: Tensor) -> None:
        super().__init__()
        self.shape, self.share = nn.Parameter(shape.float()), (1 - torch.linspace(1e-4, 0.02, 8)).cumprod(0)

    def forward(self, x: Tensor, t: Tensor, embedding: None) -> Tensor:
        share = self.share[t].view(-1, 1, 1, 1, 1)
        return (x - share.sqrt() * self.shape) / (1 - share).sqrt()


@pytest.mark.parametrize('options', [dict(), dict(sampler='ddim'), dict(steps=3), dict(clip=True, num_samples=3)])
def test_the_only_shape_is_drawn(options):
    model, (sample,) = build(**SOURCES['nothing']), samples(1)
    model.denoiser = Knowing(sample.gt_voxels)
    (found,) = model.predict({}, [sample], **options)
    assert (found.pred_voxels == sample.gt_voxels).all() and found.gt_voxels.any()
    assert float((model.draw({}, [sample], **options) - sample.gt_voxels.float()).abs().max()) < 1e-4


def test_noise_of_a_shape_can_be_learned():
    model, data = build(**SOURCES['nothing']), samples(1) * 16
    optimizer, values = torch.optim.Adam(model.parameters(), 1e-2), []
    for _ in range(60):
        optimizer.zero_grad()
        loss = model.loss({}, data)['loss_noise']
        loss.backward()
        optimizer.step()
        values.append(float(loss.detach()))
    assert sum(values[-5:]) < 0.7 * sum(values[:5])


class Pairs(torch.utils.data.Dataset):
    """Samples as a packer hands them over."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Dict[str, Any]:
        return dict(inputs=dict(embedding=torch.full((WIDTH,), float(index))), data_samples=samples(4)[index])


def test_moving_average_of_mmengine():
    model = build(image_encoder=ENCODER)
    average, expected = ExponentialMovingAverage(model, momentum=0.1), None
    for _ in range(3):
        now = {key: p.detach().clone() for key, p in model.named_parameters()}
        expected = now if expected is None else {key: 0.9 * old + 0.1 * now[key] for key, old in expected.items()}
        average.update_parameters(model)
        with torch.no_grad():
            for parameter in model.denoiser.parameters():
                parameter.add_(torch.randn_like(parameter))
    for key, parameter in average.module.named_parameters():
        torch.testing.assert_close(parameter, expected[key])
    assert average.module.eval().draw(inputs('encoder', 1), samples(1), steps=2).isfinite().all()


def run(folder: Path, hook: EMAHook) -> Runner:
    torch.manual_seed(0)
    loader = dict(dataset=Pairs(), sampler=dict(type='DefaultSampler', shuffle=False), batch_size=2,
                  collate_fn=dict(type='pseudo_collate'))  # fmt: skip
    saving = dict(type='CheckpointHook', by_epoch=False, interval=3)
    runner = Runner(
        build(), str(folder), loader, train_cfg=dict(by_epoch=False, max_iters=3), custom_hooks=[hook],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.5)), default_hooks=dict(checkpoint=saving),
        randomness=dict(seed=0), log_level='ERROR', default_scope='mmdet3d',
        experiment_name=f'{folder.parent.name}_{folder.name}',
    )  # fmt: skip
    runner.train()
    return runner


def test_moving_average_in_a_run(tmp_path):
    """A checkpoint holds the averages; a second run makes the same."""
    class Watching(EMAHook):
        """Notes the weights after each iteration."""

        def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
            super().after_train_iter(runner, *args, **kwargs)
            notes.append({key: p.detach().clone() for key, p in runner.model.named_parameters()})

    notes: list = []
    runner = run(tmp_path / 'first', Watching(momentum=0.25))
    key = 'denoiser.stem.weight'
    expected = notes[0][key]
    for step in notes[1:]:
        expected = 0.75 * expected + 0.25 * step[key]
    saved = torch.load(tmp_path / 'first' / 'iter_3.pth', weights_only=False)
    torch.testing.assert_close(saved['state_dict'][key], expected)
    torch.testing.assert_close(saved['ema_state_dict'][f'module.{key}'], notes[-1][key])
    assert not torch.equal(expected, notes[-1][key]) and torch.equal(runner.model.denoiser.stem.weight, notes[-1][key])
    run(tmp_path / 'second', EMAHook(momentum=0.25))
    again = torch.load(tmp_path / 'second' / 'iter_3.pth', weights_only=False)
    assert all(torch.equal(value, saved['state_dict'][name]) for name, value in again['state_dict'].items())


def test_from_packed_samples_to_voxels():
    model = build(sampling=dict(sampler='ddim', steps=2, num_samples=2)).train()
    data = pseudo_collate([Pairs()[0], Pairs()[1]])
    log = model.train_step(data, OptimWrapper(torch.optim.SGD(model.parameters(), 1e-3)))
    assert set(log) == {'loss', 'loss_noise'} and log['loss'].isfinite()
    with torch.no_grad():
        found = model.eval().test_step(data)
    assert [sample.to_dict()['pred_voxels'].shape for sample in found] == [(2, SIDE, SIDE, SIDE)] * 2


@pytest.mark.parametrize('scope', ['mmdet3d', 'mmpretrain'])
def test_builds_in_configs_of_both_libraries(scope):
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(dict(type='mmdet3d.IC3D', denoiser=DENOISER, image_encoder=ENCODER))
    assert type(model.denoiser).__name__ == 'UNet3D' and model.voxel_size == 32


def test_errors_of_the_model():
    with pytest.raises(ValueError, match='p_uncond is a share from 0 to 1, got 2'):
        build(p_uncond=2)
    with pytest.raises(ValueError, match="validation must be 'samples' or 'noise', got 'loss'"):
        build(validation='loss')
    with pytest.raises(ValueError, match='no embed_dim, so that the image_encoder'):
        build(image_encoder=ENCODER, **SOURCES['nothing'])
    with pytest.raises(ValueError, match="mode must be .* got 'train'"):
        build()({}, mode='train')
    with pytest.raises(KeyError, match="have \\['img'\\], but no 'embedding', .*or give an image_encoder"):
        build().predict(dict(img=torch.zeros(1, 3, 32, 32)))
    with pytest.raises(KeyError, match="have \\[\\], but no 'img' or 'embedding'"):
        build(image_encoder=ENCODER).predict({}, samples(1))
    with pytest.raises(ValueError, match=r'embeddings must be \(B, 64\), got \(1, 7\): set embed_dim'):
        build().predict(dict(embedding=torch.zeros(1, 7)))
    with pytest.raises(ValueError, match='2 data samples for 1 embeddings'):
        build().predict(dict(embedding=torch.zeros(1, WIDTH)), samples(2))
    with pytest.raises(ValueError, match='neither data samples nor inputs say how many shapes'):
        build(**SOURCES['nothing']).predict({})
    with pytest.raises(ValueError, match=r'1.png has no gt_voxels, but .*\(4, 4, 4\): load them'):
        build().loss(inputs('embedding', 2), samples(1) + samples(2, voxels=False)[1:])
    with pytest.raises(ValueError, match=r'sample 0 has gt_voxels \(5, 5, 5\), .* or set voxel_size'):
        build().loss(inputs('embedding', 1), [ShapeSample(gt_voxels=torch.zeros(5, 5, 5))])
