"""Configs of 3D-ReConstNet: each runs a training and a prediction step, and has the numbers of the paper's code."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from mmengine.runner import Runner
from shapenet_hand_world import CHAIR, MODELS, PLANE, VIEWS, make_pix3d, make_shapenet

ROOT = Path(__file__).resolve().parents[1] / 'configs'
CONFIGS = sorted(ROOT.glob('reconstnet/*.py'))
PIX3D, FULL = 'reconstnet_1xb32_pix3d', 'reconstnet_1xb32-50e_shapenet'
TINY = 'reconstnet-tiny_1xb16_synthetic-shapenet'
NARROW = dict(type='mmpretrain.ResNet', depth=18, stem_channels=8, base_channels=8)
CHAIRS_OF_2048 = dict(points=2048, categories=['chair'])
# What a config differs in from the paper's: one network for all categories, 1024 points, Chamfer and EMD 1 to 1.
PAPER = dict(
    points=1024, categories=None, losses=dict(chamfer=1.0, emd=1.0), gaussian=True, shared_fc=False, epochs=50,
    test=dict(emd='exact', scale='none', align='icp', points=None), test_mode='mean',
)  # fmt: skip
DIFFERENCES = {
    '50e_shapenet': {},
    '50e_shapenet-2048': dict(points=2048),
    '50e_shapenet-airplane': dict(categories=['airplane']),
    '50e_shapenet-chair': dict(categories=['chair']),
    '50e_shapenet-2048-chair': CHAIRS_OF_2048,
    '50e_shapenet-2048-chair-diversity': dict(CHAIRS_OF_2048, losses=dict(chamfer=1.0, emd=1.0, diversity=10.0)),
    '50e_shapenet-cd': dict(losses=dict(chamfer=1.0)),
    '3e_shapenet-ncsu': dict(losses=dict(chamfer=1.0), epochs=3, shared_fc=True),
    'psgn-mlp_1xb32-50e_shapenet': dict(gaussian=False),
    '50e_shapenet-released-test': dict(
        test=dict(emd='exact', scale='none', align='icp_legacy', points=None), test_mode='sample'),
    '50e_shapenet-2048-lmnet-test': dict(
        points=2048, test=dict(emd='exact', scale='unit_cube', align='icp_legacy', points=1024), test_points=1024),
}  # fmt: skip


def stem(path: Path) -> str:
    return path.stem


def read(name: str) -> Config:
    cfg = Config.fromfile(ROOT / f'reconstnet/{name}.py')
    init_default_scope(cfg.default_scope)
    return cfg


def built(cfg: Any, narrow: bool = True) -> Any:
    """The model; wiring shows at any width of the image network."""
    from mmdet3d.registry import MODELS

    return MODELS.build(dict(cfg['model'], backbone=NARROW) if narrow else cfg['model'])


# --- steps -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return dict(ShapeNetR2N2Dataset=make_shapenet(tmp_path_factory.mktemp('shapenet')),
                Pix3DDataset=make_pix3d(tmp_path_factory.mktemp('pix3d')))  # fmt: skip


@pytest.mark.parametrize('path', CONFIGS, ids=stem)
def test_one_training_and_one_prediction_step(path: Path, worlds: dict) -> None:
    from mmdet3d.registry import DATASETS

    cfg, sets = read(path.stem), {}
    assert (cfg.get('train_dataloader') is None) == (path.stem == PIX3D), 'nothing is trained on photographs'
    for split in ('train', 'val', 'test'):
        if f'{split}_dataloader' in cfg:
            options = cfg[f'{split}_dataloader'].dataset
            options.update(data_root=f'{worlds[options.type]}/')
            if 'num_views' in options:
                options.num_views = VIEWS
            sets[split] = DATASETS.build(options)
    cfg.model.head.update(num_points=64, hidden_channels=[16], fc_channels=16)
    model = built(cfg)
    batches = {}
    for split, data in sets.items():
        loader = cfg[f'{split}_dataloader'].to_dict()
        loader.update(dataset=data, batch_size=2, num_workers=0, persistent_workers=False)
        batches[split] = next(iter(Runner.build_dataloader(loader, seed=0)))
    if 'train' in sets:
        batch = batches['train']
        losses = model.train_step(batch, build_optim_wrapper(model, cfg.optim_wrapper))
        wanted = {key for key in ('loss_chamfer', 'loss_emd', 'loss_diversity') if cfg.model.head.get(key)}
        assert set(losses) == {'loss', *wanted} and all(map(math.isfinite, map(float, losses.values()))), losses

    samples = batches['test']
    with torch.no_grad():
        results = model.eval().test_step(samples)
    assert all(result.pred_points.shape == (64, 3) for result in results)
    best = cfg.default_hooks.checkpoint
    for key in ('val_evaluator', 'test_evaluator'):
        if key in cfg:
            evaluator = Evaluator(dict(cfg[key], points=64))
            evaluator.process(results, samples)
            scores = evaluator.evaluate(2)
            assert ('emd' in scores) == (key == 'test_evaluator') and all(map(math.isfinite, scores.values()))
            assert best.save_best in scores and best.rule == 'less'
    assert 'visualization' not in cfg.default_hooks


def test_what_is_trained_and_tested_on(worlds: dict) -> None:
    from mmdet3d.registry import DATASETS

    def build(name: str, split: str) -> Any:
        options = read(name)[f'{split}_dataloader'].dataset
        return DATASETS.build(dict(options, data_root=str(worlds['ShapeNetR2N2Dataset']), num_views=VIEWS))

    train, val, test = (build(FULL, split) for split in ('train', 'val', 'test'))
    assert [len(train), len(val), len(test)] == [3 * VIEWS, 2, 2 * VIEWS], 'val scores one view of each model'
    assert {val.get_data_info(k)['model_id'] for k in range(2)} == {MODELS[CHAIR][2], MODELS[PLANE][1]}
    assert {test.get_data_info(k)['model_id'] for k in range(2 * VIEWS)} == {MODELS[CHAIR][2], MODELS[PLANE][1]}
    for name, synset in (('chair', CHAIR), ('airplane', PLANE)):
        parts = [build(f'{FULL}-{name}', split) for split in ('train', 'val', 'test')]
        assert {part.get_data_info(0)['synset'] for part in parts} == {synset} and len(parts[2]) == VIEWS
    sample = train[0]
    assert sample['inputs']['img'].shape == (3, 128, 128) and sample['data_samples'].gt_points.shape == (1024, 3)
    assert sample['data_samples'].azimuth == pytest.approx(math.radians(100.5))
    assert build(f'{FULL}-2048', 'train')[0]['data_samples'].gt_points.shape == (2048, 3)
    for split, points in (('train', 512), ('val', 1024), ('test', 1024)):
        narrow = build(TINY, split)[0]
        assert narrow['inputs']['img'].shape == (3, 64, 64)
        assert narrow['data_samples'].gt_points.shape == (points, 3), 'what is tested is not thinned'


# --- numbers ---------------------------------------------------------------------------------------------------------


def facts(cfg: Config) -> dict:
    """Read from what is built, as far as it is."""
    from mmdet3d.registry import METRICS

    head, protocol = built(cfg).head, METRICS.build(cfg.test_evaluator).protocol
    losses = {key[5:]: loss.loss_weight for key, loss in head.cloud_losses.items()}
    if head.loss_diversity is not None:
        losses['diversity'] = head.loss_diversity.loss_weight
        found = [head.loss_diversity.eta, *np.degrees([head.loss_diversity.delta, head.loss_diversity.centre])]
        assert found == pytest.approx([0.2, 20, 180])
    if 'emd' in losses:
        options = head.cloud_losses['loss_emd'].options
        assert [options[key] for key in ('p', 'blur', 'scaling')] == [2, 0.05, 0.5], 'geomloss.SamplesLoss()'
    assert head.cloud_losses['loss_chamfer'].squared and not head.kl_weight and not protocol.squared
    assert [head.fc.out_features, head.latent_channels] == [1000, 100] and protocol.factor == 100
    assert [layer.out_features for layer in head.mlp[::2]] == [512, 1024, 3 * head.num_points]
    categories = {str(cfg[f'{split}_dataloader'].dataset.categories) for split in ('train', 'val', 'test')}
    assert categories == {str(cfg.test_dataloader.dataset.categories)}
    assert {cfg[f'{split}_dataloader'].dataset.num_points for split in ('train', 'val')} == {head.num_points}
    return dict(
        points=head.num_points, categories=cfg.test_dataloader.dataset.categories, losses=losses,
        gaussian=head.log_variance is not None, shared_fc=isinstance(head.shared, torch.nn.Linear),
        epochs=cfg.train_cfg.max_epochs, test_points=cfg.test_dataloader.dataset.num_points, test_mode=head.test_mode,
        test={key: getattr(protocol, key) for key in ('emd', 'scale', 'align', 'points')},
    )  # fmt: skip


@pytest.mark.parametrize('name, differences', DIFFERENCES.items(), ids=DIFFERENCES.keys())
def test_numbers_of_the_paper(name: str, differences: dict) -> None:
    cfg = read(name if name.startswith('psgn') else f'reconstnet_1xb32-{name}')
    expected = {**PAPER, **differences}
    assert facts(cfg) == {'test_points': expected['points'], **expected}
    assert cfg.train_dataloader.batch_size == 32 and cfg.train_dataloader.sampler.shuffle
    assert cfg.optim_wrapper.optimizer == dict(type='Adam', lr=5e-5)
    # Halved after 20 and after 40 epochs.
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=cfg.optim_wrapper.optimizer.lr)
    (scheduler,) = (PARAM_SCHEDULERS.build(dict(item, optimizer=optimizer)) for item in cfg.param_scheduler)
    assert scheduler.by_epoch
    rates = []
    for _ in range(50):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([5e-5] * 20 + [2.5e-5] * 20 + [1.25e-5] * 10)


def test_every_config_of_the_paper_is_looked_at() -> None:
    names = {name if name.startswith('psgn') else f'reconstnet_1xb32-{name}' for name in DIFFERENCES}
    assert names == {path.stem for path in CONFIGS if 'tiny' not in path.stem} - {PIX3D}


@pytest.mark.parametrize('name, count', [(FULL, 29_483_056), (f'{FULL}-2048', 32_631_856), (PIX3D, 29_483_056)])
def test_published_sizes(name: str, count: int) -> None:
    assert sum(parameter.numel() for parameter in built(read(name), narrow=False).parameters()) == count


def test_pixels_are_rgb_of_0_to_255() -> None:
    bgr = torch.tensor([10, 100, 200], dtype=torch.uint8)[:, None, None].expand(3, 4, 4)
    models = [read(name).model for name in (FULL, PIX3D, TINY)] + [dict(type='ReConstNet')]
    for model in models:
        image = built(dict(model=model)).data_preprocessor(dict(inputs=dict(img=[bgr])))['inputs']['img']
        assert image.dtype == torch.float32 and image[0, :, 0, 0].tolist() == [200, 100, 10]


def test_imagenets_weights_with_their_fc(tmp_path: Path) -> None:
    """A checkpoint in MMPreTrain's layout stands in for the one that the config names, which is not downloaded."""
    from mmdet3d.registry import MODELS

    cfg = read(FULL)
    backbone, head = cfg.model.backbone, cfg.model.head
    for part in (backbone, head):
        assert part.init_cfg.checkpoint.endswith('resnet50_8xb32_in1k_20210831-ea4938fc.pth')
        part.init_cfg.checkpoint = str(tmp_path / 'imagenet.pth')
    backbone.update(NARROW)
    model = MODELS.build(cfg.model)
    shapes = {key: value.shape for key, value in model.state_dict().items() if value.is_floating_point()}
    weights = {key: torch.rand(shape) for key, shape in shapes.items() if key.startswith(('backbone.', 'head.fc.'))}
    torch.save(dict(state_dict=weights), tmp_path / 'imagenet.pth')
    model.init_weights()
    found = model.state_dict()
    assert {'backbone.conv1.weight', 'head.fc.weight', 'head.fc.bias'} <= set(weights)
    assert all(torch.equal(found[key], value) for key, value in weights.items())


def test_pix3d_is_tested_as_3d_lmnet_has_it() -> None:
    cfg = read(PIX3D)
    dataset = cfg.test_dataloader.dataset
    assert dataset.categories == ['chair', 'sofa', 'table'] and dataset.cloud_frame == 'pix3d_to_lmnet'
    assert sorted(dataset['drop']) == ['occluded', 'slightly_occluded', 'truncated']
    expected = dict(type='ReconstructionMetric', emd='exact', scale='unit_cube', align='icp', points=1024)
    assert cfg.test_evaluator == expected


def test_the_narrow_ones() -> None:
    """Nothing is downloaded; each differs from the first in what its name says."""
    same = {key: read(f'{TINY}{key}') for key in ('', '-cd', '-diversity')}
    same['psgn'] = read('psgn-mlp-tiny_1xb16_synthetic-shapenet')
    assert {path.stem for path in CONFIGS if 'tiny' in path.stem} == {Path(cfg.filename).stem for cfg in same.values()}
    root = same[''].model.to_dict()
    assert 'http' not in str(root) and root['head']['num_points'] == 512
    changes = {'': {}, '-cd': dict(loss_emd=None), 'psgn': dict(latent='none'),
               '-diversity': dict(loss_diversity=dict(type='DiversityLoss', loss_weight=10.0))}  # fmt: skip
    for key, change in changes.items():
        assert same[key].model.to_dict() == {**root, 'head': {**root['head'], **change}}
        for part in ('train_dataloader', 'test_dataloader', 'optim_wrapper', 'train_cfg', 'test_evaluator'):
            assert same[key][part] == same[''][part]
