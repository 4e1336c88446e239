"""Fixtures that run the real launch scripts as a user does, and their single-process counterpart in this process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

TOY_FOLDER = Path(__file__).resolve().parents[1] / 'test_engine'
sys.path.insert(0, str(TOY_FOLDER))


@pytest.fixture
def run_script(repo_root: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess]:
    """``run_script('dist_train.sh', CONFIG, 2, ...)`` runs a script of ``tools/`` from another folder."""

    def run(name: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess:
        env = {key: value for key, value in os.environ.items() if key not in ('LOCAL_RANK', 'OMP_NUM_THREADS')}
        paths = [str(TOY_FOLDER), str(repo_root), env.get('PYTHONPATH', '')]
        env.update(PYTHONPATH=os.pathsep.join(filter(None, paths)), PYTHON=sys.executable, PORT='auto', **environment)
        command = ['bash', str(repo_root / 'tools' / name), *map(str, arguments)]
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=800)
        assert done.returncode == 0, f'{" ".join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}'
        return done

    return run


@pytest.fixture
def single_process() -> Callable[..., Runner]:
    """``single_process(CONFIG, work_dir, **options)``: the runner that ``tools/train.py`` would build."""
    from mmfusion_plugin.engine.launch import build_runner

    def build(config: Path, work_dir: Path, **options: object) -> Runner:
        cfg = Config.fromfile(config)
        cfg.merge_from_dict(options)
        cfg.update(work_dir=str(work_dir), launcher='none', experiment_name=f'{work_dir.parent.name}_{work_dir.name}')
        return build_runner(cfg)

    return build


@pytest.fixture
def toy_config(tmp_path: Path) -> Path:
    """The toy model's config as a file."""
    import toy_training

    path = tmp_path / 'toy.py'
    path.write_text(toy_training.CONFIG)
    return path
