"""Every shipped config of a segmentor parses, builds, and runs one training and one prediction step on generated data;
those of images and shapes do so in files of their own."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmfusion_plugin.converters.scannet import create_scannet_infos
from mmfusion_plugin.converters.scannet_frames import ScanOptions
from mmfusion_plugin.engine.launch import adapt_to_cpu
from mmfusion_plugin.synthetic.scannet import make_scannet

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {'cisp': 'test_configs_cisp.py', 'ic3d': 'test_configs_cisp.py',
             'simnet': 'test_configs_simnet.py', 'unet': 'test_configs_simnet.py',
             'reconstnet': 'test_configs_reconstnet.py'}  # fmt: skip
CONFIGS = sorted(p for base in ('configs', 'projects') for p in (ROOT / base).rglob('*.py')
                 if '_base_' not in p.parts and 'configs' in p.parts and p.parent.name not in ELSEWHERE)
METAFILES = sorted(ROOT.glob('configs/*/metafile.yml'))
# The reference widths take minutes on two cores and prove nothing more about a config's wiring. Keyed by `type`.
NARROW = {
    'SPVEncoder': dict(hidden=16),
    'GatedFusion': dict(hidden=16),
    'LocalObjectBranch': dict(hidden=16),
    'ResNetFCN': dict(depth=18, base_channels=16),
    'UNetResNet34': dict(depth=18, base_channels=16, trunk_init_cfg=None),
    'SamplePoints': dict(num_points=512),
    'SelectViews': dict(num_views=2),
    'RandomCropImages': dict(size=(16, 16)),
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def rewrite(node: object, data_root: str, new_root: str) -> object:
    """The same config on another data root and with narrow networks."""
    if isinstance(node, dict):
        changed = {key: rewrite(value, data_root, new_root) for key, value in node.items()}
        return {**changed, **NARROW.get(node.get('type'), {})}
    if isinstance(node, (list, tuple)):
        return type(node)(rewrite(value, data_root, new_root) for value in node)
    if isinstance(node, str) and node.startswith(data_root):
        return new_root + node[len(data_root):]
    return node


@pytest.fixture(scope='module')
def world(tiny_nuscenes_infos, tmp_path_factory) -> Path:
    """The generated world, with info files under each name that a config reads."""
    root = tmp_path_factory.mktemp('world')
    for entry in tiny_nuscenes_infos.iterdir():
        (root / entry.name).symlink_to(entry, target_is_directory=entry.is_dir())
    for kind in ('detector', 'masks'):
        (root / f'nuscenes_infos_train_{kind}.json').symlink_to(tiny_nuscenes_infos / 'nuscenes_infos_train.json')
    return root


@pytest.fixture(scope='module')
def rooms(tmp_path_factory) -> Path:
    """A generated room of each split, converted."""
    root = tmp_path_factory.mktemp('rooms')
    make_scannet(
        root / 'raw', scenes=2, frames=4, val_scenes=1, test_scenes=0, color_size=(160, 120), depth_size=(160, 120),
        mesh_edge=0.3, progress=False,
    )  # fmt: skip
    create_scannet_infos(root / 'raw', root / 'out', ScanOptions((32, 24)))
    return root / 'out'


@pytest.fixture(params=CONFIGS, ids=name)
def cfg(request) -> Config:
    loaded = Config.fromfile(request.param)
    init_default_scope(loaded.default_scope)
    root = request.getfixturevalue('rooms' if 'ScanNet' in loaded.dataset_type else 'world')
    adapted = Config(rewrite(loaded.to_dict(), loaded.data_root, f'{root}/'))
    adapted.launcher = 'none'
    if not torch.cuda.is_available():
        adapt_to_cpu(adapted)
    return adapted


def test_one_training_and_one_prediction_step(cfg):
    from mmdet3d.registry import DATASETS, METRICS, MODELS

    model = MODELS.build(cfg.model)
    batch_size = cfg.train_dataloader.batch_size
    train_set = DATASETS.build(cfg.train_dataloader.dataset)
    batch = pseudo_collate([train_set[i % len(train_set)] for i in range(min(batch_size, 2))])
    optim = build_wrapper(model, cfg)
    losses = model.train_step(batch, optim)
    assert losses and all(math.isfinite(float(value)) for value in losses.values()), losses

    test_set = DATASETS.build(cfg.test_dataloader.dataset)
    sample = pseudo_collate([test_set[0]])
    metric = METRICS.build(cfg.test_evaluator)
    metric.dataset_meta = test_set.metainfo
    model.eval()
    result = model.test_step(sample)
    if 'points' in sample['inputs']:
        count = len(sample['inputs']['points'][0])
        assert len(result[0].pred_pts_seg.pts_semantic_mask) == count, 'every point gets a prediction'
    else:
        assert result[0].pred_sem_seg.sem_seg.shape == sample['data_samples'][0].gt_sem_seg.sem_seg.shape
    metric.process(sample, [item.to_dict() for item in result])
    scores = metric.evaluate(1)
    assert 0 <= scores['miou'] <= 1


def build_wrapper(model, cfg):
    from mmengine.optim import build_optim_wrapper
    return build_optim_wrapper(model, cfg.optim_wrapper)


def test_tta_of_every_config_builds(cfg):
    from mmdet3d.registry import MODELS
    if cfg.model.type == 'ViewSegmentor':  # images alone: nothing to rotate
        assert 'tta_model' not in cfg and 'tta_pipeline' not in cfg
        return
    if 'tta_model' not in cfg:
        pytest.fail('no tta_model: tools/test.py --tta would not work with this config')
    first, votes = cfg.tta_pipeline[0], cfg.tta_pipeline[-1].transforms
    if 'ScanNet' in cfg.dataset_type:  # the same steps as without votes, whatever a leaf has changed
        assert [first, *[step for (step,) in votes[1:]]] == list(cfg.test_dataloader.dataset.pipeline)
    tta = MODELS.build(dict(cfg.tta_model, module=cfg.model))
    assert tta.module is not None


@pytest.mark.parametrize('folder', ELSEWHERE)
def test_other_configs_run_elsewhere(folder):
    """The file is there, and takes all of the folder."""
    text = (Path(__file__).parent / ELSEWHERE[folder]).read_text()
    assert list((ROOT / 'configs' / folder).glob('*.py'))
    assert f"glob('{folder}/*.py')" in text or (f'configs/{folder}' in text and "glob('*.py')" in text)


@pytest.mark.parametrize('metafile', METAFILES, ids=name)
def test_metafile_is_true(metafile):
    meta = yaml.safe_load(metafile.read_text())
    collections = {entry['Name'] for entry in meta['Collections']}
    for entry in meta['Models']:
        config = ROOT / entry['Config']
        assert config.is_file() and config.stem == entry['Name'], entry['Config']
        assert entry['In Collection'] in collections
    named = {(ROOT / entry['Config']).name for entry in meta['Models']}
    assert named == {path.name for path in metafile.parent.glob('*.py')}, 'each config has its entry'
