"""Pictures are written while a small model is tested on a small world, for the samples that were asked for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet3d.registry import HOOKS
from mmengine.config import Config
from mmengine.runner import Runner
from nuscenes_hand_world import make_world
from PIL import Image

from mmfusion_plugin.converters.nuscenes import create_nuscenes_infos
from mmfusion_plugin.engine import hooks, launch


@pytest.fixture(scope='module')
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three validation samples."""
    root = make_world(tmp_path_factory.mktemp('world') / 'nuscenes')
    create_nuscenes_infos(root, root, 'v1.0-trainval')
    return root


@pytest.fixture
def build(world: Path, repo_root: Path, tmp_path: Path):
    """``build(**options)``: runner of the tiny config on the world."""

    def make(tta: bool = False, **options: object) -> Runner:
        (path,) = repo_root.glob('configs/point_voxel/point-voxel-tiny_*.py')
        cfg = Config.fromfile(path)
        loader = {'dataset.data_root': f'{world}/', 'num_workers': 0, 'persistent_workers': False, 'batch_size': 2}
        for split in ('val', 'test'):
            options.update({f'{split}_dataloader.{key}': value for key, value in loader.items()})
        cfg.merge_from_dict(options)
        cfg.update(work_dir=str(tmp_path / 'work'), launcher='none', log_level='WARNING')
        cfg.experiment_name = f'{tmp_path.name}_{len(options)}'
        cfg.default_hooks.checkpoint.save_best = None
        if tta:
            launch.enable_tta(cfg, 2)
        return launch.build_runner(cfg)

    return make


def hook_options(**options: object) -> dict:
    return {f'default_hooks.visualization.{key}': value for key, value in options.items()}


@pytest.mark.parametrize('tta', [False, True])
def test_pictures_of_a_test(build, tmp_path: Path, tta: bool) -> None:
    out_dir = tmp_path / 'pictures'
    build(tta, **hook_options(out_dir=str(out_dir), interval=2)).test()
    expected = [f'{index:06d}_{kind}.png' for index in (0, 2) for kind in ('bird_eye_view', 'cameras')]
    assert sorted(path.name for path in out_dir.iterdir()) == expected
    assert all(np.ptp(np.asarray(Image.open(path))) > 200 for path in out_dir.iterdir())


def test_limit_and_validation(build, tmp_path: Path) -> None:
    build(**hook_options(out_dir=str(tmp_path / 'a'), max_samples=1)).val()
    assert not (tmp_path / 'a').exists()
    build(**hook_options(out_dir=str(tmp_path / 'b'), max_samples=1, draw_val=True)).val()
    assert len(list((tmp_path / 'b/iter_0').iterdir())) == 2


def test_nothing_is_drawn_unasked(monkeypatch) -> None:
    monkeypatch.setattr(hooks.segmentation_pictures_hook, 'draw_sample', lambda *args: pytest.fail('drawn'))
    hook = HOOKS.build(dict(type='SegmentationPicturesHook'))
    hook.after_test_iter(None, 0)
    hook.after_val_iter(None, 0)
    with pytest.raises(ValueError, match='interval must be at least 1, got 0'):
        HOOKS.build(dict(type='SegmentationPicturesHook', interval=0))


def test_processes_share_the_samples(monkeypatch, tmp_path: Path) -> None:
    """Five samples on two processes, batches of two: each is drawn once, the padded sixth is not."""
    drawn = []
    module = hooks.segmentation_pictures_hook
    monkeypatch.setattr(module, 'draw_sample', lambda *args: drawn.append((args[3], int(args[0]['inputs']['points']))))
    dataset = type('Five', (), {'__len__': lambda self: 5, 'metainfo': {}})()
    runner = SimpleNamespace(test_dataloader=SimpleNamespace(batch_size=2, dataset=dataset))
    output = SimpleNamespace(pred_pts_seg=SimpleNamespace(pts_semantic_mask=torch.zeros(1)))
    hook = module.SegmentationPicturesHook(str(tmp_path), max_samples=9)
    for rank, batches in enumerate([[[0, 2], [4]], [[1, 3], [0]]]):
        monkeypatch.setattr(module, 'get_dist_info', lambda rank=rank: (rank, 2))
        for batch_idx, samples in enumerate(batches):
            batch = dict(inputs=dict(points=torch.tensor(samples)), data_samples=samples)
            hook.after_test_iter(runner, batch_idx, batch, [output] * len(samples))
    assert sorted(drawn) == [(f'{index:06d}', index) for index in range(5)]
