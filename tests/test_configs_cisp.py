"""Configs of CISP and IC3D: each trains, is validated and tested for a step, and has its paper's numbers."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from shapenet_hand_world import CHAIR, CISP, MODELS, PLANE, VIEWS, make_shapenet

from mmfusion_plugin.models.diffusion import GaussianDiffusion

ROOT = Path(__file__).resolve().parents[1] / 'configs'
CONFIGS = sorted(ROOT.glob('cisp/*.py')) + sorted(ROOT.glob('ic3d/*.py'))
NAMES = {path.stem for path in CONFIGS}
FULL, IC3D = 'cisp_1xb64-100e_shapenet', 'ic3d_1xb4-300e_shapenet-cisp'
TINY, TINY_IC3D = 'cisp-tiny_1xb64_synthetic-shapenet', 'ic3d-tiny_1xb16_synthetic-shapenet-cisp'
CLASSIFIER, FILE = 'image-classifier-tiny_1xb64_synthetic-shapenet', 'ic3d-tiny_1xb16_synthetic-shapenet-file'
CATEGORIES = ['aeroplane', 'car', 'chair', 'table', 'watercraft']
# Depth and widths take time and prove nothing about a config's wiring; the width of a feature does, and stays.
WIDTHS = {'deit-base': (768, 12), 'large': (1024, 16), 'small': (384, 6), 'base': (768, 12)}
DENOISER = dict(model_channels=8, channel_mult=(1, 2), num_res_blocks=1, attention_at=(2,), num_groups=8, patch_size=8)


def stem(path: Path) -> str:
    return path.stem


def read(name: str) -> Config:
    (path,) = [path for path in CONFIGS if path.stem == name]
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    return cfg


def thin(node: Any) -> Any:
    """The same model with a layer per transformer, and a denoiser of a few cells."""
    if not isinstance(node, dict):
        return node
    node = {key: thin(value) for key, value in node.items()}
    if isinstance(node.get('arch'), str):
        width, heads = WIDTHS[node['arch']]
        node['arch'] = dict(embed_dims=width, num_layers=1, num_heads=heads, feedforward_channels=16)
    if str(node.get('type')).endswith('CISPImageEncoder') and 'backbone' not in node:  # its default, DeiT-B
        default = dict(type='DistilledVisionTransformer', img_size=224, patch_size=16, arch='deit-base')
        node['backbone'] = thin(default)
    return {**node, **DENOISER} if node.get('type') == 'UNet3D' else node


def built(model: Any, **options: Any) -> Any:
    from mmdet3d.registry import MODELS

    return MODELS.build({**model, **options})


def size(module: torch.nn.Module, trained: bool = False) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trained)


# --- steps -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With embeddings of 64 and of 512 numbers for each picture."""
    root = make_shapenet(tmp_path_factory.mktemp('shapenet'))
    keys = [f'{synset}/{model}/{view:02d}' for synset, models in MODELS.items() for model in models
            for view in range(VIEWS)]  # fmt: skip
    for width in (64, 512):
        vectors = np.random.default_rng(width).normal(size=(len(keys), width)).astype(np.float32)
        np.savez(root / f'{width}.npz', keys=keys, vectors=vectors)
    return root


def dataset(cfg: Config, part: str, world: Path) -> Any:
    from mmdet3d.registry import DATASETS

    options = cfg[f'{part}_dataloader'].dataset.to_dict()
    assert [options['split'], options['categories'], options['part']] == ['cisp', CATEGORIES, part]
    for step in options['pipeline']:
        if step['type'] == 'LoadEmbedding':
            step['path'] = f"{world / str(step['channels'])}.npz"
    changes = dict(data_root=f'{world}/', categories=['aeroplane', 'chair'], num_views=VIEWS)
    return DATASETS.build({**options, **changes})


def first_batch(cfg: Config, part: str, world: Path) -> dict:
    """Two samples as the config's own loader hands them over."""
    loader = cfg[f'{part}_dataloader'].to_dict()
    if 'batch_size' in loader['sampler']:
        assert loader['sampler']['batch_size'] == loader['batch_size']
        loader['sampler']['batch_size'] = 2
    loader.update(dataset=dataset(cfg, part, world), batch_size=2, num_workers=0, persistent_workers=False)
    return next(iter(Runner.build_dataloader(loader, seed=0)))


@pytest.mark.parametrize('path', CONFIGS, ids=stem)
def test_one_step_of_training_validation_and_test(path: Path, world: Path) -> None:
    cfg = read(path.stem)
    model = cfg.model.to_dict()
    if model['type'] == 'ReConstNet':
        model['head'].update(num_points=64, hidden_channels=[16])
    model = built(thin(model))
    if path.parent.name == 'ic3d':
        model.sampling = replace(model.sampling, num_samples=2, steps=2)
    batch = first_batch(cfg, 'train', world)
    assert len(batch['data_samples']) == 2
    cfg.optim_wrapper.pop('loss_scale', None)
    wrapper = build_optim_wrapper(model, dict(cfg.optim_wrapper, type='OptimWrapper'))
    for _ in range(2):
        losses = model.train_step(batch, wrapper)
        assert all(map(math.isfinite, map(float, losses.values()))), losses

    model.eval()
    scores = {}
    for part, step in (('val', model.val_step), ('test', model.test_step)):
        batch = first_batch(cfg, part, world)
        evaluator = cfg[f'{part}_evaluator']
        if evaluator.type in ('ReconstructionMetric', 'ShapeGenerationMetric'):
            evaluator.points = 64
        evaluator = Evaluator(evaluator)
        with torch.no_grad():
            evaluator.process(step(batch), batch)
        scores[part] = evaluator.evaluate(len(batch['data_samples']))
        assert all(map(math.isfinite, scores[part].values())), scores
    best = cfg.default_hooks.checkpoint
    assert best.save_best in scores['val']
    assert best.rule == ('less' if best.save_best in ('noise_error', 'cd') else 'greater')
    wanted = {'CISP': 'i2s_top10_overall', 'IC3D': 'iou_best', 'SIMNet': 'accuracy/top1', 'ReConstNet': 'f_score'}
    assert wanted.get(cfg.model.type, 'emd') in scores['test'], scores
    assert 'visualization' not in cfg.default_hooks


def test_what_is_trained_and_tested_on(world: Path) -> None:
    random, fixed = dataset(read(FULL), 'train', world), dataset(read(IC3D), 'train', world)
    assert len(random) == len(fixed) == 2 and {random.get_data_info(k)['model_id'] for k in range(2)} == {'3c', '5e'}
    assert {random.get_data_info(0)['view'] for _ in range(50)} == set(range(VIEWS))
    assert {fixed.get_data_info(0)['view'] for _ in range(50)} == {0}, 'the released code embeds view 0 of each shape'
    val, test = (dataset(read(FULL), part, world) for part in ('val', 'test'))
    assert [val.get_data_info(0)['model_id'], len(val)] == [CISP[CHAIR]['val'][0], 1]
    assert {test.get_data_info(k)['model_id'] for k in range(2)} == {MODELS[CHAIR][0], MODELS[PLANE][0]}
    assert {test.get_data_info(k)['view'] for k in range(len(test))} == {0}
    sample = test[0]
    assert sample['inputs']['img'].shape == (3, 224, 224) and sample['data_samples'].gt_voxels.shape == (32, 32, 32)
    image = sample['inputs']['img']
    assert (image[:, 0, 0] == 240).all() and 'gt_points' not in sample['data_samples']
    assert dataset(read(TINY), 'test', world)[0]['inputs']['img'].shape == (3, 64, 64)
    assert set(dataset(read(FILE), 'test', world)[0]['inputs']) == {'embedding'}, 'no picture is opened'
    assert dataset(read(TINY_IC3D.replace('-cisp', '-unguided')), 'test', world)[0]['inputs'] == {}
    labels = dataset(read(CLASSIFIER), 'train', world)
    assert sorted(int(labels[k]['data_samples'].gt_label) for k in range(2)) == [0, 2]


NO_IMAGE = [name.replace('-cisp', end) for name, end in ((IC3D, '-unguided'), (IC3D, '-clip-file'),
                                                         (TINY_IC3D, '-unguided'), (TINY_IC3D, '-file'))]  # fmt: skip


@pytest.mark.parametrize('name', [FULL, TINY, CLASSIFIER, IC3D, TINY_IC3D, *NO_IMAGE])
def test_no_file_is_asked_for_that_is_not_loaded(name: str, world: Path, tmp_path: Path) -> None:
    for path in (world / 'ShapeNetRendering').glob('*/*/rendering/*.png'):
        link = tmp_path / path.relative_to(world)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    for part in ('ShapeNetVox32', 'ShapeNet.json', '64.npz', '512.npz'):
        (tmp_path / part).symlink_to(world / part)
    for part in ('train', 'val', 'test'):
        assert set(dataset(read(name), part, tmp_path)[0]) == {'inputs', 'data_samples'}
    shutil.rmtree(tmp_path / 'ShapeNetRendering')
    for part in ('train', 'val', 'test'):
        if name in NO_IMAGE:
            assert dataset(read(name), part, tmp_path)[0]['data_samples'].gt_voxels.any()
        else:
            with pytest.raises(FileNotFoundError, match='lack files'):
                dataset(read(name), part, tmp_path)


@pytest.mark.parametrize('path', [*CONFIGS, *ROOT.glob('reconstnet/*.py')], ids=stem)
def test_what_is_scored_does_not_depend_on_chance(path: Path) -> None:
    """Training may draw views and points; validation and test have the same ones each time, in the same order."""
    cfg = Config.fromfile(path)
    for part in ('val', 'test'):
        if f'{part}_dataloader' not in cfg:
            assert path.stem == 'reconstnet_1xb32_pix3d' and part == 'val'
            continue
        loader = cfg[f'{part}_dataloader']
        assert 'random' not in str(loader.to_dict()).lower(), (path.stem, part)
        assert loader.dataset.test_mode and loader.sampler == dict(type='DefaultSampler', shuffle=False)


def test_the_points_that_are_scored(world: Path) -> None:
    narrow = read('reconstnet-cisp-tiny_1xb16_synthetic-shapenet')
    for part, points in (('train', 512), ('val', 1024), ('test', 1024)):
        first, second = (dataset(narrow, part, world)[0]['data_samples'].gt_points for _ in range(2))
        assert first.shape == (points, 3) and torch.equal(first, second) == (part != 'train')


# --- numbers ---------------------------------------------------------------------------------------------------------

# What a config of CISP differs in from the released code's.
CODE = dict(embed=256, batch=64, shape='VoxelViT', shape_size=21_516_672, imagenet=False)
CISP_DIFFERENCES = {
    '1xb64-100e_shapenet': {},
    '1xb64-100e_shapenet-imagenet': dict(imagenet=True),
    '1xb64-100e_shapenet-cnn': dict(shape='VoxelCNN', shape_size=14_050_752),
    '1xb64-100e_shapenet-deit-b': dict(shape_size=12 * (12 * 768 + 13) * 768 + (513 + 66) * 768 + 2 * 768),
    '1xb64-100e_shapenet-128d': dict(embed=128),
    '1xb64-100e_shapenet-512d': dict(embed=512),
    **{f'1xb{size}-100e_shapenet': dict(batch=size) for size in (16, 32, 128, 256)},
}


@pytest.mark.parametrize('name, differences', CISP_DIFFERENCES.items(), ids=CISP_DIFFERENCES.keys())
def test_numbers_of_cisp(name: str, differences: dict) -> None:
    cfg = read(f'cisp_{name}')
    with torch.device('meta'):
        model = built(cfg.model)
    image, shape = model.image_encoder, model.shape_encoder
    found = dict(
        embed=image.out_channels, batch=cfg.train_dataloader.batch_size, shape=type(shape.backbone).__name__,
        shape_size=size(shape.backbone), imagenet='init_cfg' in cfg.model.image_encoder.backbone,
    )  # fmt: skip
    assert found == {**CODE, **differences} and shape.out_channels == image.out_channels
    assert type(image.backbone).__name__ == 'DistilledVisionTransformer' and size(image.backbone) == 85_800_192
    loss = model.loss_contrastive
    assert [loss.max_log_scale, loss.positives] == [pytest.approx(math.log(100)), 'pair']
    assert cfg.model.loss.temperature == 0.07 and cfg.train_cfg.max_epochs == 100 and 'param_scheduler' not in cfg
    expected = dict(type='AdamW', lr=1e-4, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.01)
    assert cfg.optim_wrapper == dict(type='OptimWrapper', optimizer=expected)
    assert cfg.train_dataloader.dataset.views == 'random' and cfg.test_dataloader.dataset.views == [0]


# What a config of IC3D differs in from the released code's: width of the embedding, sampling, network of images.
IC3D_CODE = dict(embed=256, guidance=1.5, sampler='ddpm', steps=None, encoder='CISPImageEncoder', size=83_160_833)
IC3D_DIFFERENCES = {
    '-cisp': {},
    '-cisp-w0': dict(guidance=0.0),
    '-cisp-w3': dict(guidance=3.0),
    '-cisp-ddim50': dict(sampler='ddim', steps=50),
    '-cisp-ddim250': dict(sampler='ddim', steps=250),
    '-clip-file': dict(embed=512, encoder=None, size=83_456_001),
    '-clip-vit-l': dict(embed=1024, encoder='VisionTransformer', size=84_046_337),
    '-deit': dict(embed=768, encoder='DistilledVisionTransformer', size=83_751_169),
    '-unguided': dict(embed=None, encoder=None, size=80_561_793),
}


@pytest.mark.parametrize('name, differences', IC3D_DIFFERENCES.items(), ids=IC3D_DIFFERENCES.keys())
def test_numbers_of_ic3d(name: str, differences: dict) -> None:
    cfg = read(f'ic3d_1xb4-300e_shapenet{name}')
    with torch.device('meta'):
        model = built(cfg.model)
    sampling, encoder = model.sampling, model.image_encoder
    found = dict(
        embed=model.denoiser.embed_dim, guidance=sampling.guidance, sampler=sampling.sampler, steps=sampling.steps,
        encoder=encoder and type(encoder).__name__, size=size(model, trained=True),
    )  # fmt: skip
    assert found == {**IC3D_CODE, **differences}
    width = {None: 0, 'CISPImageEncoder': 256, 'DistilledVisionTransformer': 768, 'VisionTransformer': 1024}
    assert encoder is None or width[type(encoder).__name__] == model.denoiser.embed_dim
    assert [sampling.num_samples, sampling.clip, sampling.threshold, model.p_uncond] == [10, False, 0.5, 0.1]
    assert cfg.train_dataloader.batch_size == 4 and cfg.train_cfg.max_epochs == 300
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper' and cfg.optim_wrapper.optimizer == dict(type='AdamW', lr=3e-4)
    (plateau,) = cfg.param_scheduler
    assert [plateau.type, plateau.patience] == ['ReduceOnPlateauLR', 7]
    assert plateau.monitor == cfg.default_hooks.checkpoint.save_best == 'noise_error' and plateau.rule == 'less'


@pytest.mark.parametrize('path', [path for path in CONFIGS if path.parent.name == 'ic3d'], ids=stem)
def test_schedule_of_noise(path: Path) -> None:
    """Ho et al.'s in every config; only the narrow ones predict the start."""
    diffusion = GaussianDiffusion(**read(path.stem).model.diffusion)
    np.testing.assert_allclose(diffusion.betas, np.linspace(1e-4, 0.02, 1000), rtol=1e-9)
    assert diffusion.prediction == ('start' if 'tiny' in path.stem else 'noise')


def test_every_config_is_looked_at() -> None:
    of_cisp = {f'cisp_{name}' for name in CISP_DIFFERENCES} | {'reconstnet-cisp_1xb32-50e_shapenet'}
    of_ic3d = {f'ic3d_1xb4-300e_shapenet{name}' for name in IC3D_DIFFERENCES}
    assert {name for name in NAMES if 'tiny' not in name} == of_cisp | of_ic3d


def test_pixels_are_rgb() -> None:
    bgr = torch.tensor([10, 100, 200], dtype=torch.uint8)[:, None, None].expand(3, 4, 4)
    rgb = torch.tensor([200.0, 100, 10])
    imagenet = [torch.tensor(values) for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
    clip = [torch.tensor(values) for values in ([0.48145466, 0.4578275, 0.40821073],
                                                [0.26862954, 0.26130258, 0.27577711])]  # fmt: skip
    names = {FULL: (0.5, 0.5), IC3D: (0.5, 0.5), TINY: (0.5, 0.5), TINY_IC3D: (0.5, 0.5), CLASSIFIER: (0.5, 0.5),
             'ic3d_1xb4-300e_shapenet-deit': imagenet, 'ic3d_1xb4-300e_shapenet-clip-vit-l': clip,
             'reconstnet-cisp_1xb32-50e_shapenet': (0.5, 0.5)}  # fmt: skip
    for name, (mean, std) in names.items():
        preprocessor = built(read(name).model.data_preprocessor)
        image = preprocessor(dict(inputs=dict(img=[bgr])))['inputs']['img']
        torch.testing.assert_close(image[0, :, 0, 0], (rgb / 255 - mean) / std, rtol=1e-4, atol=1e-4)


# --- weights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', ['ic3d_1xb4-300e_shapenet-deit', 'ic3d_1xb4-300e_shapenet-clip-vit-l',
                                  'cisp_1xb64-100e_shapenet-imagenet'])  # fmt: skip
def test_weights_of_mmpretrain(name: str, tmp_path: Path) -> None:
    """A checkpoint in MMPreTrain's layout stands in for the one that the config names, which is not downloaded."""
    cfg = thin(read(name).model.to_dict())
    network = cfg['image_encoder'].get('backbone') or cfg['image_encoder']
    assert network['init_cfg']['checkpoint'].startswith('https://download.openmmlab.com/mmclassification/v0/')
    network['init_cfg']['checkpoint'] = str(tmp_path / 'mmpretrain.pth')
    model = built(cfg)
    found = getattr(model.image_encoder, 'backbone', model.image_encoder)
    weights = {f'backbone.{key}': torch.rand_like(value) for key, value in found.state_dict().items()}
    torch.save(dict(state_dict={**weights, 'head.fc.weight': torch.zeros(2, 2)}), tmp_path / 'mmpretrain.pth')
    model.init_weights()
    assert all(torch.equal(value, weights[f'backbone.{key}']) for key, value in found.state_dict().items())


@pytest.mark.parametrize('name, trained', [
    (IC3D, FULL), (TINY_IC3D, TINY), (TINY_IC3D.replace('-cisp', '-classifier'), CLASSIFIER),
    ('reconstnet-cisp_1xb32-50e_shapenet', FULL), ('reconstnet-cisp-tiny_1xb16_synthetic-shapenet', TINY),
])  # fmt: skip
def test_weights_of_the_config_that_is_trained_first(name: str, trained: str, tmp_path: Path) -> None:
    """The path is where training leaves them, and they fit; they are not trained further."""
    cfg, first = read(name), read(trained)
    model = thin(cfg.model.to_dict())
    network = model['backbone' if model['type'] == 'ReConstNet' else 'image_encoder']
    length = first.train_cfg.get('max_iters') or first.train_cfg.max_epochs
    last = f'{"iter" if "max_iters" in first.train_cfg else "epoch"}_{length}.pth'
    assert network['init_cfg']['checkpoint'] == cfg.encoder_checkpoint == f'work_dirs/{trained}/{last}'
    network['init_cfg']['checkpoint'] = str(tmp_path / last)
    source = built(thin(first.model.to_dict()))
    torch.save(dict(state_dict=source.state_dict()), tmp_path / last)
    part = source.image_backbone if trained == CLASSIFIER else source.image_encoder
    model = built(model)
    model.init_weights()
    found = model.backbone if name.startswith('reconstnet') else model.image_encoder
    expected = part.state_dict()
    assert set(found.state_dict()) == set(expected) and not any(p.requires_grad for p in found.parameters())
    assert all(torch.equal(value, expected[key]) for key, value in found.state_dict().items())


def test_the_narrow_ones() -> None:
    """Nothing is downloaded, and each differs from the first in what its name says."""
    root = read(TINY).model.to_dict()
    for name in NAMES:
        if 'tiny' in name:
            assert 'http' not in str(read(name).model), name
    narrow = read(TINY.replace('1xb64', '1xb16'))
    assert narrow.model.to_dict() == root and narrow.train_dataloader.batch_size == 16
    few = read(f'{TINY}-16d').model.to_dict()
    assert {few[key].pop('embed_channels') for key in ('image_encoder', 'shape_encoder')} == {16}
    cnn = read(f'{TINY}-cnn').model.to_dict()
    assert cnn['shape_encoder'].pop('backbone') == dict(type='VoxelCNN', channels=[16, 32, 64])
    same = read(TINY).model.to_dict()
    same['shape_encoder'].pop('backbone')
    assert cnn == same
    base = read(TINY_IC3D)
    for kind, width in (('classifier', 128), ('random', 64), ('file', 64), ('unguided', None)):
        other = read(TINY_IC3D.replace('-cisp', f'-{kind}'))
        assert other.model.denoiser.to_dict() == {**base.model.denoiser.to_dict(), 'embed_dim': width}
        for part in ('sampling', 'p_uncond', 'diffusion'):
            assert other.model[part] == base.model[part]
        for part in ('optim_wrapper', 'train_cfg', 'test_evaluator', 'custom_hooks'):
            assert other[part] == base[part]
    assert 'init_cfg' not in {key for key, value in
                              read(TINY_IC3D.replace('-cisp', '-random')).model.image_encoder.items() if value}
