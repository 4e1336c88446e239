"""IC3D conditioned on embeddings out of a file, by the documented commands: one file for all parts of the split."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

CISP = 'configs/cisp/cisp-tiny_1xb64_synthetic-shapenet.py'
IC3D = 'configs/ic3d/ic3d-tiny_1xb16_synthetic-shapenet-file.py'
LOADERS = ('train', 'val', 'test')
SMALL = """
_base_ = '{base}'
small = dict(
    batch_size=3, num_workers=0, persistent_workers=False,
    dataset=dict(data_root='{world}/', num_views=2, categories=['airplane', 'chair']))
train_dataloader = dict(small)
val_dataloader = small
test_dataloader = small
"""
SHORT = """
train_cfg = dict(max_iters=2, val_interval=2)
default_hooks = dict(checkpoint=dict(interval=2), logger=dict(interval=1))
model = dict(denoiser=dict(model_channels=16), sampling=dict(steps=2))
test_evaluator = dict(points=64)
"""


def run(root: Path, *command: object) -> str:
    """Output of a command in the project's folder."""
    settings = dict(PYTHONPATH=str(root), OMP_NUM_THREADS='1')
    done = subprocess.run([sys.executable, *map(str, command)], cwd=root, text=True, timeout=800, env={
        **os.environ, **settings}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


@pytest.mark.slow
def test_a_gallery_of_the_whole_split_is_what_the_config_needs(repo_root: Path, tmp_path: Path) -> None:
    """Nothing of the config is changed but where its files are and how large and long everything is."""
    world, file = tmp_path / 'world', tmp_path / 'embeddings.npz'
    run(repo_root, 'tools/make_synthetic.py', 'shapenet', '--out', world, '--models', 8, '--views', 2, '--categories',
        'airplane', 'chair', '--workers', 1)  # fmt: skip
    embedder, weights, config = tmp_path / 'cisp.py', tmp_path / 'cisp.pth', tmp_path / 'ic3d.py'
    embedder.write_text(SMALL.format(base=repo_root / CISP, world=world))
    torch.manual_seed(0)
    init_default_scope('mmdet3d')
    torch.save(dict(state_dict=MODELS.build(Config.fromfile(embedder).model).state_dict()), weights)
    text = run(repo_root, 'tools/embed_shapes.py', embedder, weights, '--split', 'train', 'val', 'test', '--images',
               '--views', 'all', '--device', 'cpu', '--out', file)  # fmt: skip
    assert '16 shapes, 32 images in 64 dimensions' in text

    cfg = Config.fromfile(repo_root / IC3D)
    steps = [step for loader in LOADERS for step in cfg[f'{loader}_dataloader'].dataset.pipeline]
    assert {step.path for step in steps if step.type == 'LoadEmbedding'} == {cfg.embeddings}, 'one file for all'
    config.write_text(SMALL.format(base=repo_root / IC3D, world=world) + SHORT)
    options = ['--cfg-options', *(f'{loader}_dataloader.dataset.pipeline.0.path={file}' for loader in LOADERS)]
    text = run(repo_root, 'tools/train.py', config, '--work-dir', tmp_path / 'work', *options)
    assert all(re.search(rf'\b{key}: \d+\.\d+', text) for key in ('loss_start', 'noise_error')), text[-3000:]
    text = run(repo_root, 'tools/test.py', config, tmp_path / 'work/iter_2.pth', '--work-dir', tmp_path / 'test',
               *options)  # fmt: skip
    assert re.search(r'\biou_mean: \d+\.\d+', text), text[-3000:]
    with np.load(file) as found:
        assert np.ptp(found['vectors'], axis=0).min() > 0, 'all embeddings are the same'
