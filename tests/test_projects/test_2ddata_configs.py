"""What the 2DPASS and 2DDATA configs promise: one LiDAR network, one schedule, one change per open question."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed

import mmfusion_plugin  # noqa: F401  (registers the models)

LIDAR = 'configs/point_voxel/point-voxel'
TINY, FULL = '-tiny_1xb2-demo_synthetic-nuscenes.py', '_4xb8-80e_nuscenes-lidarseg.py'
QUESTIONS = {
    'masks': {'train_dataloader'},
    'detector': {'train_dataloader'},
    'kl-0': {'model.object_branch'},
    'kl-0.5': {'model.object_branch'},
    'kl-ramp': {'model.object_branch'},
    'branch-alone': {'model.fusion'},
    '16-classes': {'model.object_branch'},
    'learned-points': {'model.object_branch'},
}


@pytest.fixture
def load(repo_root: Path):
    return lambda name: Config.fromfile(repo_root / name)


def meaningful(cfg: Config) -> dict:
    """Top-level settings that a runner reads, the model's one level deeper."""
    keys = [key for key in cfg if key.endswith(('dataloader', 'evaluator', 'cfg', 'wrapper', 'hooks', 'scheduler'))]
    parts = {key: cfg[key] for key in keys}
    return {**parts, **{f'model.{key}': value for key, value in cfg.model.items()}}


@pytest.mark.parametrize('ending', [TINY, FULL])
def test_three_systems_share_network_schedule_and_evaluation(load, ending):
    lidar, others = load(LIDAR + ending), [load(f'configs/{name}/{name}{ending}') for name in ('2dpass', '2ddata')]
    for other in others:
        for key, value in meaningful(lidar).items():
            if key not in ('model.type', 'train_dataloader'):
                assert meaningful(other)[key] == value, key
        assert other.train_dataloader.batch_size == lidar.train_dataloader.batch_size
        assert other.tta_pipeline == lidar.tta_pipeline and other.tta_model == lidar.tta_model
        used = lidar.train_dataloader.dataset.pipeline
        kept = [step for step in other.train_dataloader.dataset.pipeline if step in used]
        assert kept == used, 'the same augmentation of points, in the same order'
    boxes = ['LoadBoxes2D' in [step.type for step in cfg.train_dataloader.dataset.pipeline] for cfg in others]
    assert boxes == [False, True]


def test_initial_weights_depend_on_the_seed_alone(load):
    init_default_scope('mmdet3d')
    states = []
    for name in (LIDAR, 'configs/2dpass/2dpass', 'configs/2ddata/2ddata'):
        set_random_seed(5)
        model = MODELS.build(load(name + TINY).model)
        model.init_weights()
        states.append(model.state_dict())
    lidar, *others = states
    for state in others:
        assert all(torch.equal(value, state[key]) for key, value in lidar.items())
    set_random_seed(6)
    other = MODELS.build(load(LIDAR + TINY).model).state_dict()
    assert any(not torch.equal(value, other[key]) for key, value in lidar.items())


def test_small_gpus_see_as_many_samples_an_update(load):
    full = load('configs/2ddata/2ddata' + FULL)
    small = load('configs/2ddata/2ddata_4xb2-amp-80e_nuscenes-lidarseg-11g.py')
    wrapper = small.optim_wrapper
    assert 4 * small.train_dataloader.batch_size * wrapper.accumulative_counts == 32
    assert 4 * full.train_dataloader.batch_size == full.auto_scale_lr.base_batch_size == 32
    assert wrapper.type == 'AmpOptimWrapper' and wrapper.optimizer == full.optim_wrapper.optimizer
    assert small.model == full.model


@pytest.mark.parametrize('question', QUESTIONS)
def test_a_question_changes_one_thing(load, repo_root, question):
    found = sorted((repo_root / 'projects/2DDATA/configs').glob(f'*_{question}_*.py'))
    assert found
    for path in found:
        base = load('configs/2ddata/2ddata' + (TINY if '-tiny' in path.name else FULL))
        before, after = meaningful(base), meaningful(load(path))
        assert {key for key in before if before[key] != after.get(key)} == QUESTIONS[question]


def test_every_question_is_listed(repo_root):
    files = (repo_root / 'projects/2DDATA/configs').glob('*.py')
    assert {path.name.split('_')[1] for path in files} == set(QUESTIONS)
