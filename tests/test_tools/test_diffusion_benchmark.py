"""The benchmark of diffusion sampling: all ways find the same noise, and what is not measured is marked."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmfusion_plugin.models.diffusion import SamplingOptions

DENOISER = dict(model_channels=8, channel_mult=(1, 2), num_res_blocks=1, attention_at=(2,), num_groups=4, embed_dim=6,
                num_tokens=2, token_channels=5)  # fmt: skip
MODEL = dict(type='IC3D', denoiser=DENOISER, voxel_size=4, diffusion=dict(num_steps=60))


@pytest.fixture()
def benchmark(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(repo_root / 'tools/benchmarks'))
    return importlib.import_module('diffusion')


def test_both_ways_of_guidance_find_one_noise(benchmark: ModuleType) -> None:
    cases = importlib.import_module('sampling_cases')
    init_default_scope('mmdet3d')
    denoiser = MODELS.build(MODEL).denoiser
    for parameter in denoiser.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    x, t, embedding = torch.randn(2, 1, 4, 4, 4), torch.tensor([3, 40]), torch.randn(2, 6)
    with torch.no_grad():
        plain, one, two = (cases.noise_in(denoiser, way, embedding, 1.5)(x, t) for way in cases.WAYS)
    torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)
    assert (plain - one).abs().max() > 1e-3


@pytest.mark.parametrize('timed', [None, 3])
def test_as_many_steps_are_timed_as_asked_for(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, timed) -> None:
    """By a clock that goes on by a second whenever it is asked, each step takes one."""
    cases = importlib.import_module('sampling_cases')
    init_default_scope('mmdet3d')
    seconds = iter(range(1000))
    monkeypatch.setattr(cases, '_now', lambda device: float(next(seconds)))
    row = cases.measure(MODELS.build(MODEL).eval(), cases.WAYS[1], SamplingOptions(), 4, timed)
    assert (row['timed'], row['steps'], row['step_s'], row['shape_s']) == (timed or 60, 60, 1.0, 15.0)
    assert row['peak_mb'] > 0 and next(seconds) == (timed or 60) + 1


def test_benchmark_command(benchmark: ModuleType, monkeypatch, capsys, tmp_path) -> None:
    config = tmp_path / 'ic3d.py'
    Config(dict(model=MODEL)).dump(config)
    arguments = ['diffusion.py', '--device', 'cpu', '--config', str(config)]
    monkeypatch.setattr(sys, 'argv', [*arguments, '--timed-steps', '2', '--batch', '2'])
    assert benchmark.main() == 0
    text = capsys.readouterr().out
    rows = [line for line in text.splitlines() if line.startswith('DD')]
    assert [row.split(',')[0] for row in rows] == ['DDPM-60'] * 3 + ['DDIM-50'] * 3
    assert 'DDPM-60, w = 0 ' in text and 'unguided' not in text, 'that would be w = -1'
    assert all(re.search(r' 2 +\d+\.\d+ +~\d+\.\d+ +\d+$', row) for row in rows)
    assert 'the median of 2 timed steps, times all' in text and 'parameters of the denoiser' in text
    monkeypatch.setattr(sys, 'argv', arguments)
    assert benchmark.main() == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith('DD')]
    assert all(re.search(r' 20 +\d+\.\d+ +~\d+\.\d+ +\d+$', row) for row in rows[:3])
    assert all(re.search(r' 50 +\d+\.\d+ +\d+\.\d+ +\d+$', row) for row in rows[3:]) and len(rows) == 6
    narrow = benchmark.build(benchmark.NARROW)
    assert narrow.denoiser.embed_dim and narrow.voxel_size == 32
    other = tmp_path / 'other.py'
    Config(dict(model=dict(type='VoxelCNN'))).dump(other)
    for words, more in (('of a VoxelCNN: need one of an IC3D', ['--config', str(other)]), ('nowhere.py', [
            '--config', 'nowhere.py']), ('at least 1', ['--batch', '0']), ('no device', ['--device', 'abacus'])):
        monkeypatch.setattr(sys, 'argv', ['diffusion.py', *more])
        assert benchmark.main() == 1 and words in capsys.readouterr().err
