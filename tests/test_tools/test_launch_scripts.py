"""The shell scripts: arguments, quoting, environment. A stand-in for Python records what they would start."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

RECORDER = '#!/usr/bin/env bash\nprintf "%s\\n" "$@" > "$RECORD"\necho "OMP=${OMP_NUM_THREADS:-} PATH=$PYTHONPATH"\n'


@pytest.fixture
def script(repo_root: Path, tmp_path: Path):
    """Run a launch script; returns its process and the arguments that ``python`` or ``srun`` received."""
    (tmp_path / 'bin').mkdir()
    for name in ('python', 'srun'):
        (tmp_path / 'bin' / name).write_text(RECORDER)
        (tmp_path / 'bin' / name).chmod(0o755)

    def run(name: str | Path, *arguments: str, **environment: str) -> tuple[subprocess.CompletedProcess, list[str]]:
        record = tmp_path / 'record'
        record.unlink(missing_ok=True)
        clean = {key: os.environ[key] for key in ('HOME', 'LANG') if key in os.environ}
        env = dict(clean, PATH=f'{tmp_path}/bin:{os.environ["PATH"]}', RECORD=str(record), **environment)
        command = ['bash', str(repo_root / 'tools' / name), *arguments]
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        return done, record.read_text().splitlines() if record.exists() else []

    return run


def test_dist_train(script, repo_root: Path) -> None:
    done, arguments = script('dist_train.sh', 'my config.py', '4', '--cfg-options', 'a=b c', 'd="e f"')
    assert done.returncode == 0, done.stderr
    assert arguments == [
        '-m', 'torch.distributed.run', '--nnodes=1', '--node_rank=0', '--master_addr=127.0.0.1',
        '--nproc_per_node=4', '--master_port=29500', f'{repo_root}/tools/train.py', 'my config.py',
        '--launcher', 'pytorch', '--cfg-options', 'a=b c', 'd="e f"',
    ]  # fmt: skip


def test_environment_variables(script) -> None:
    nodes = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='10.0.0.1', PORT='1234', PYTHONPATH='/mine')
    done, arguments = script('dist_test.sh', 'c.py', 'w.pth', '8', '--tta', **nodes)
    assert {'--nnodes=2', '--node_rank=1', '--master_addr=10.0.0.1', '--master_port=1234'} <= set(arguments)
    assert arguments[-5:] == ['c.py', 'w.pth', '--launcher', 'pytorch', '--tta']
    assert done.stdout.strip().endswith('tools/..:/mine')


def test_free_port_on_one_node_only(script) -> None:
    done, _ = script('dist_train.sh', 'c.py', '1', PORT='auto', NNODES='2')
    assert done.returncode == 2 and 'PORT=auto works on one node' in done.stderr


@pytest.mark.parametrize('visible, on_gpus', [(None, True), ('0,1', True), ('', False), ('-1', False)])
@pytest.mark.parametrize('driver', [True, False])
def test_processes_without_a_gpu_share_the_cores(
    script, repo_root: Path, tmp_path: Path, driver: bool, visible: str | None, on_gpus: bool
) -> None:
    tools = tmp_path / 'tools'  # a copy that looks for the driver where this test can put it
    (tools / 'misc').mkdir(parents=True)
    shutil.copy(repo_root / 'tools/dist_train.sh', tools)
    text = (repo_root / 'tools/misc/launch.sh').read_text()
    assert text.count('/dev/nvidiactl') == 1
    (tools / 'misc/launch.sh').write_text(text.replace('/dev/nvidiactl', f'{tmp_path}/nvidiactl'))
    if driver:
        (tmp_path / 'nvidiactl').touch()
    environment = {} if visible is None else dict(CUDA_VISIBLE_DEVICES=visible)
    done, _ = script(tools / 'dist_train.sh', 'c.py', '2', **environment)
    shared = '' if driver and on_gpus else str(max(1, os.cpu_count() // 2))
    assert done.stdout.split()[0] == f'OMP={shared}'
    done, _ = script(tools / 'dist_train.sh', 'c.py', '2', OMP_NUM_THREADS='7', **environment)
    assert done.stdout.split()[0] == 'OMP=7'


@pytest.mark.parametrize(
    'name, arguments',
    [
        ('dist_train.sh', ['8', 'c.py']),
        ('dist_train.sh', ['c.py', '0']),
        ('dist_test.sh', ['c.py', '8', 'w.pth']),
    ],
)
def test_swapped_arguments_are_explained(script, name: str, arguments: list[str]) -> None:
    done, started = script(name, *arguments)
    assert done.returncode == 2 and not started
    assert 'did you swap the arguments?' in done.stderr and f'usage: {name}' in done.stderr


@pytest.mark.parametrize('name', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh', 'slurm_test.sh'])
def test_help_and_missing_arguments(script, name: str) -> None:
    helped, _ = script(name, '--help')
    assert helped.returncode == 0 and f'usage: {name}' in helped.stdout and 'set -euo' not in helped.stdout
    failed, started = script(name, 'c.py')
    assert failed.returncode == 2 and not started and 'needs' in failed.stderr


def test_slurm(script, repo_root: Path) -> None:
    settings = dict(GPUS='16', GPUS_PER_NODE='4', CPUS_PER_TASK='3', SRUN_ARGS='--time=1 --qos=low')
    done, arguments = script(
        'slurm_train.sh', 'part', 'job', 'c.py', 'my dir', '--amp', '--cfg-options', 'a=b c', **settings
    )
    assert done.returncode == 0, done.stderr
    assert arguments == [
        '-p', 'part', '--job-name=job', '--gres=gpu:4', '--ntasks=16', '--ntasks-per-node=4', '--cpus-per-task=3',
        '--kill-on-bad-exit=1', '--time=1', '--qos=low', 'python', '-u', f'{repo_root}/tools/train.py', 'c.py',
        '--work-dir=my dir', '--launcher=slurm', '--amp', '--cfg-options', 'a=b c',
    ]  # fmt: skip
    done, arguments = script('slurm_test.sh', 'part', 'job', 'c.py', 'w.pth')
    assert arguments[-6:] == ['python', '-u', f'{repo_root}/tools/test.py', 'c.py', 'w.pth', '--launcher=slurm']
