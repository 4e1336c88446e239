"""What the flags of tools/train.py and tools/test.py do to a config."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path

import pytest
import torch
import toy_training
from mmengine.config import Config

from mmfusion_plugin.engine import launch


@pytest.fixture
def cfg(tmp_path: Path) -> Config:
    config = Config.fromstring(toy_training.CONFIG, file_format='.py')
    config.work_dir = str(tmp_path)
    config.launcher = 'none'
    return config


def train_args(**changes) -> Namespace:
    defaults = dict(config='toy.py', amp=False, sync_bn='none', auto_scale_lr=False, resume=None)
    return Namespace(**{**defaults, **changes})


def test_amp_trains_in_bfloat16_without_cuda(toy_runner, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    seen = []
    config = Config(dict(optim_wrapper=dict(type='OptimWrapper')))
    launch.enable_amp(config)
    runner = toy_runner('run', optim_wrapper=dict(type=config.optim_wrapper.type), train_cfg=dict(max_epochs=1))
    runner.model.layers[0].register_forward_hook(lambda module, args, output: seen.append(output.dtype))
    runner.model.layers[1].register_forward_hook(lambda module, args, output: seen.append(module.weight.dtype))
    runner.train()
    assert set(seen) == {torch.bfloat16, torch.float32}
    assert all(value.grad is None or value.grad.dtype == torch.float32 for value in runner.model.parameters())


def test_amp_in_a_config_written_for_cuda(cfg: Config, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    cfg.optim_wrapper.update(type='AmpOptimWrapper', loss_scale='dynamic', dtype='float16')
    cfg.train_cfg.max_epochs = 1
    runner = launch.build_runner(cfg)
    runner.train()
    assert type(runner.optim_wrapper).__name__ == 'BFloat16OptimWrapper' and runner.iter > 0


def test_amp_on_cuda_scales_the_loss(cfg: Config, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    launch.apply_train_arguments(cfg, train_args(amp=True))
    assert (cfg.optim_wrapper.type, cfg.optim_wrapper.loss_scale) == ('AmpOptimWrapper', 'dynamic')


def test_amp_refuses_other_wrappers(cfg: Config) -> None:
    cfg.optim_wrapper.type = 'ApexOptimWrapper'
    with pytest.raises(ValueError, match='ApexOptimWrapper'):
        launch.enable_amp(cfg)


def test_auto_scale_lr_scales(cfg: Config) -> None:
    launch.apply_train_arguments(cfg, train_args(auto_scale_lr=True))
    cfg.train_cfg.max_epochs = 1
    cfg.param_scheduler = None
    runner = launch.build_runner(cfg)
    runner.train()
    assert runner.optim_wrapper.get_lr()['lr'] == [pytest.approx(0.05 * 2 / 8)]  # one process, batch 2, base 8


def test_auto_scale_lr_needs_a_base(cfg: Config) -> None:
    cfg.pop('auto_scale_lr')
    with pytest.raises(ValueError, match='base_batch_size'):
        launch.apply_train_arguments(cfg, train_args(auto_scale_lr=True))


def test_sync_bn(cfg: Config, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    launch.apply_train_arguments(cfg, train_args(sync_bn='torch'))
    assert cfg.sync_bn == 'torch'
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(ValueError, match='--sync_bn mmcv needs CUDA'):
        launch.apply_train_arguments(cfg, train_args(sync_bn='mmcv'))


def test_resume_flags(cfg: Config, tmp_path: Path) -> None:
    launch.apply_train_arguments(cfg, train_args())
    assert not cfg.get('resume')
    launch.apply_train_arguments(cfg, train_args(resume='auto'))
    assert cfg.resume and cfg.load_from is None
    with pytest.raises(FileNotFoundError, match='nowhere.pth'):
        launch.apply_train_arguments(cfg, train_args(resume='nowhere.pth'))


def test_resume_after_the_work_folder_was_moved(cfg: Config, tmp_path: Path) -> None:
    (tmp_path / 'epoch_3.pth').touch()
    (tmp_path / 'last_checkpoint').write_text('/formerly/here/epoch_3.pth')
    launch.apply_train_arguments(cfg, train_args(resume='auto'))
    assert cfg.load_from == str(tmp_path / 'epoch_3.pth')


def test_tta_wraps_model_and_pipeline(cfg: Config) -> None:
    with pytest.raises(ValueError, match='no tta_model and no tta_pipeline'):
        launch.enable_tta(cfg)
    cfg.tta_model = dict(type='VoteModel')
    cfg.tta_pipeline = [
        dict(type='Load'),
        dict(type='Votes', transforms=[[dict(type='Turn', vote=0, seed=5)], [dict(type='Pack')]]),
    ]
    with pytest.raises(ValueError, match='at least 1'):
        launch.enable_tta(cfg, 0)
    launch.enable_tta(cfg, 12)
    assert cfg.model == dict(type='VoteModel', module=dict(type='ToyModel'))
    votes, pack = cfg.test_dataloader.dataset.pipeline[1].transforms
    assert votes == [dict(type='Turn', vote=vote, seed=5) for vote in range(12)]
    assert pack == [dict(type='Pack')]


def show_args(**changes) -> Namespace:
    defaults = dict(task='lidar_seg', show=False, show_dir='pictures', wait_time=2.0, score_thr=0.1)
    return Namespace(**{**defaults, **changes})


def test_pictures_of_detections_are_those_of_mmdet3d(cfg: Config) -> None:
    with pytest.raises(ValueError, match='--task'):
        launch.enable_visualization(cfg, show_args(task=None))
    with pytest.raises(ValueError, match='lidar_det need default_hooks.visualization'):
        launch.enable_visualization(cfg, show_args(task='lidar_det'))
    cfg.default_hooks.visualization = dict(type='Det3DVisualizationHook')
    launch.enable_visualization(cfg, show_args(task='lidar_det', show=True))
    hook = cfg.default_hooks.visualization
    assert (hook.draw, hook.show, hook.vis_task, hook.test_out_dir) == (True, True, 'lidar_det', 'pictures')


@pytest.mark.parametrize('task', ['lidar_seg', 'multi-modality_seg'])
def test_pictures_of_segmentation_are_ours(cfg: Config, task: str) -> None:
    with pytest.raises(ValueError, match='no window .* --show-dir'):
        launch.enable_visualization(cfg, show_args(task=task, show=True))
    expected = dict(type='SegmentationPicturesHook', out_dir='pictures')
    for former in (None, dict(type='Det3DVisualizationHook'), dict(type='SegmentationPicturesHook', max_samples=3)):
        cfg.default_hooks.visualization = former
        launch.enable_visualization(cfg, show_args(task=task))
        kept = dict(max_samples=3) if former and 'max_samples' in former else {}
        assert cfg.default_hooks.visualization == {**expected, **kept}
    cfg.pop('default_hooks')
    launch.enable_visualization(cfg, show_args(task=task))
    assert cfg.default_hooks.visualization == expected


@pytest.mark.parametrize(
    'given, value',
    [
        ('my data', 'my data'), ('"my data"', 'my data'), ('3', 3), ('1e-3', 1e-3), ('false', False), ('None', None),
        ('1,2', [1, 2]), ('"[(1, 2), (3, 4)]"', [(1, 2), (3, 4)]), ('a=b', 'a=b'), ('(1,2),(3,4)', [(1, 2), (3, 4)]),
        ('my data(1)', 'my data(1)'), ("['x y','z']", ['x y', 'z']), ('[x y, z]', ['x y', 'z']), ('x y,2', ['x y', 2]),
        ("'x, y','z'", ['x, y', 'z']), ('[a,(1e-3,true)]', ['a', (1e-3, True)]), ('[]', []), ('', ''), ('"3"', 3),
        ("{'a b': [1]}", {'a b': [1]}), ('/x [old]/y', '/x [old]/y'),
    ],
)  # fmt: skip
def test_options_are_read_as_mmengine_reads_them(given: str, value: object) -> None:
    """... except that a plain text keeps its blanks."""
    parser = argparse.ArgumentParser()
    launch.add_common_arguments(parser)
    assert parser.parse_args(['--cfg-options', f'some.key={given}']).cfg_options == {'some.key': value}


@pytest.mark.parametrize('flag', ['--local_rank', '--local-rank'])
def test_both_local_rank_spellings(flag: str) -> None:
    parser = argparse.ArgumentParser()
    launch.add_common_arguments(parser)
    assert parser.parse_args([f'{flag}=3']).local_rank == 3
    assert parser.parse_args([flag, '3']).local_rank == 3


def test_missing_config_is_named() -> None:
    with pytest.raises(FileNotFoundError, match='nowhere.py'):
        launch.load_config(Namespace(config='nowhere.py'))


def test_read_config(tmp_path: Path) -> None:
    from mmengine.registry import DefaultScope

    with pytest.raises(FileNotFoundError, match='nowhere.py'):
        launch.read_config('nowhere.py')
    (tmp_path / 'c.py').write_text("default_scope = 'mmdet3d'\nmodel = dict(width=1)\n")
    assert launch.read_config(str(tmp_path / 'c.py')).model.width == 1
    assert launch.read_config(str(tmp_path / 'c.py'), {'model.width': 2}).model.width == 2
    assert DefaultScope.get_current_instance().scope_name == 'mmdet3d'


def test_schedules_follow_their_one_number(repo_root: Path) -> None:
    """The short schedule's decay ends with ``max_epochs`` whatever it is; the long one is that of 2DPASS."""
    model = torch.nn.Linear(1, 1)
    for epochs in (2, 5):
        short = Config.fromfile(repo_root / 'configs/_base_/schedules/adamw_short.py')
        lrs = learning_rates(short, model, epochs, batches=50)
        assert lrs[0] == pytest.approx(2e-4) and lrs[-1] < 2e-4 and 1.5e-3 < max(lrs)
    long = Config.fromfile(repo_root / 'configs/_base_/schedules/sgd_cosine_80e.py')
    ours = learning_rates(long, model, 80, batches=1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.24)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=76, eta_min=1e-5)
    for lr in ours:
        assert lr == pytest.approx(optimizer.param_groups[0]['lr'], rel=1e-6)
        optimizer.step()
        reference.step()


def learning_rates(cfg: Config, model: torch.nn.Module, epochs: int, batches: int) -> list[float]:
    """Learning rate of each iteration under the schedule of ``cfg``, built as the runner builds it."""
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import PARAM_SCHEDULERS

    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    schedulers = []
    for settings in cfg.param_scheduler:
        settings = dict(settings)
        settings.setdefault('end', epochs if settings.get('by_epoch', True) else epochs * batches)
        schedulers.append(
            PARAM_SCHEDULERS.build(settings, default_args=dict(optimizer=optimizer, epoch_length=batches))
        )
    rates = []
    for iteration in range(epochs * batches):
        rates.append(optimizer.get_lr()['lr'][0])
        optimizer.optimizer.step()
        for scheduler in schedulers:
            if not scheduler.by_epoch or (iteration + 1) % batches == 0:
                scheduler.step()
    return rates
