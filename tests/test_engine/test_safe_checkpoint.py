"""Checkpoints: plain content, atomic files, nothing deleted before its successor is complete."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader, find_latest_checkpoint

from mmfusion_plugin import files
from mmfusion_plugin.engine.plain_state import restore_history, to_plain

HERE = Path(__file__).parent


def read(path: str | Path) -> dict:
    """Open a checkpoint as a distrustful stranger does."""
    return torch.load(path, map_location='cpu', weights_only=True)


def test_files_hold_plain_content_only(toy_runner) -> None:
    runner = toy_runner('run', train_cfg=dict(max_epochs=2))
    runner.train()
    saved = sorted(Path(runner.work_dir).glob('*.pth'))
    assert {'epoch_1.pth', 'epoch_2.pth'} <= {path.name for path in saved}
    assert any(path.name.startswith('best_score_') for path in saved)
    for path in saved:
        content = read(path)
        assert content['meta']['seed'] == 3
        assert isinstance(content['message_hub']['log_scalars']['train/loss'], dict)
    assert find_latest_checkpoint(runner.work_dir) == str(Path(runner.work_dir, 'epoch_2.pth'))
    assert not list(Path(runner.work_dir).glob(f'*{files.PARTIAL_SUFFIX}'))


def test_plain_forms() -> None:
    weights = OrderedDict(w=torch.ones(2))
    weights._metadata = OrderedDict({'': dict(version=1)})
    given = dict(
        number=np.float64(0.1),
        flag=np.bool_(True),
        small=np.arange(3),
        large=np.zeros(2000, np.float32),
        where=Path('a/b'),
        weights=weights,
        nested=[(np.int64(2), {'k': None})],
    )
    plain = to_plain(given)
    assert plain['number'] == 0.1 and type(plain['number']) is float
    assert plain['flag'] is True and plain['small'] == [0, 1, 2] and plain['where'] == 'a/b'
    assert torch.equal(plain['large'], torch.zeros(2000))
    assert plain['weights']._metadata == {'': dict(version=1)}
    assert plain['nested'] == [(2, {'k': None})] and type(plain['nested'][0][0]) is int


def test_histories_survive_the_round_trip(tmp_path: Path) -> None:
    history = HistoryBuffer([float('nan'), 0.1, 0.2], [1, 1, 2])
    torch.save(to_plain(dict(loss=history)), tmp_path / 'log.pth')
    back = restore_history(read(tmp_path / 'log.pth'))['loss']
    for one, other in zip(history.data, back.data):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert back.mean(2) == history.mean(2) == pytest.approx(0.3 / 3)


def test_an_object_is_refused_by_its_path() -> None:
    with pytest.raises(TypeError, match=r"checkpoint\['meta'\]\['hook'\]\[0\] .*object"):
        to_plain(dict(meta=dict(hook=[object()])))


def test_kept_and_best_files(toy_runner) -> None:
    runner = toy_runner('run', default_hooks=dict(checkpoint=dict(max_keep_ckpts=1)))
    runner.train()
    names = sorted(path.name for path in Path(runner.work_dir).glob('*.pth'))
    assert 'epoch_4.pth' in names and len(names) == 2 and names[0].startswith('best_score_epoch_')
    scores = runner.message_hub.get_scalar('val/score').data[0]
    assert names[0] == f'best_score_epoch_{int(np.argmax(scores)) + 1}.pth'
    info = read(Path(runner.work_dir, 'epoch_4.pth'))['message_hub']['runtime_info']
    assert info['best_score'] == max(scores) and info['best_ckpt'].endswith(names[0])


@pytest.mark.parametrize('stage', ['write', 'replace'])
def test_failed_save_keeps_the_former_files(toy_runner, monkeypatch, stage: str) -> None:
    """A full disk: the error names file and remedy, what was there stays, nothing half-written is left."""
    runner = toy_runner('run', default_hooks=dict(checkpoint=dict(max_keep_ckpts=1)))
    real, calls = os.replace, []

    def no_space(*args, **kwargs):
        calls.append(args)
        if len(calls) >= 4:  # the first epoch's files are complete by then
            raise OSError(28, 'No space left on device')
        return real(*args, **kwargs)

    if stage == 'replace':
        monkeypatch.setattr(files.os, 'replace', no_space)
    else:
        original = type(runner).save_checkpoint

        def save(self, *args, **kwargs):
            calls.append(args)
            if len(calls) >= 4:
                Path(args[0], args[1]).write_bytes(b'half')
                raise OSError(28, 'No space left on device')
            return original(self, *args, **kwargs)

        monkeypatch.setattr(type(runner), 'save_checkpoint', save)
    with pytest.raises(OSError, match='earlier checkpoints are intact.*--resume'):
        runner.train()
    latest = find_latest_checkpoint(runner.work_dir)
    assert read(latest)['meta']['epoch'] >= 1
    assert not list(Path(runner.work_dir).glob(f'*.pth{files.PARTIAL_SUFFIX}'))


def test_partial_files_of_a_killed_run_are_swept_up(toy_runner, tmp_path: Path) -> None:
    runner = toy_runner('run', train_cfg=dict(max_epochs=1))
    leftover = Path(runner.work_dir, f'epoch_9.pth{files.PARTIAL_SUFFIX}')
    leftover.write_bytes(b'half')
    runner.train()
    assert not leftover.exists()


def test_published_copy(toy_runner) -> None:
    keys = ['meta', 'state_dict']
    runner = toy_runner(
        'run',
        train_cfg=dict(max_epochs=1),
        default_hooks=dict(checkpoint=dict(published_keys=keys, save_best=None)),
    )
    runner.train()
    (published,) = Path(runner.work_dir).glob('epoch_1-*.pth')
    assert sorted(read(published)) == keys


def test_our_files_load_through_mmengine(toy_runner) -> None:
    runner = toy_runner('run', train_cfg=dict(max_epochs=1))
    runner.train()
    weights = CheckpointLoader.load_checkpoint(runner.message_hub.get_info('last_ckpt'), 'cpu')['state_dict']
    for name, value in runner.model.state_dict().items():
        assert torch.equal(weights[name], value), name


@pytest.mark.slow
def test_kill_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    """SIGKILL at 25 random moments of a process that does nothing but save: the pointer always names a whole file."""
    paths = [str(HERE.parents[1]), os.environ.get('PYTHONPATH', '')]
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, paths)), OMP_NUM_THREADS='1')
    script = [sys.executable, str(HERE / 'save_forever.py'), str(tmp_path)]
    draw = random.Random(0)
    server = subprocess.Popen(script, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pointer, interrupted = tmp_path / 'last_checkpoint', 0
    try:
        for _ in range(25):
            server.stdin.write('start\n')  # the server forks a child that saves until it is killed
            server.stdin.flush()
            child = int(server.stdout.readline())
            assert server.stdout.readline().strip() == 'saved'
            time.sleep(draw.uniform(0, 0.15))
            os.kill(child, signal.SIGKILL)
            assert server.stdout.readline().strip() == 'dead'
            content = read(pointer.read_text())
            assert content['step'] == int(Path(pointer.read_text()).stem.split('_')[1])
            interrupted += bool(list(tmp_path.glob(f'*{files.PARTIAL_SUFFIX}')))
    finally:
        server.kill()
        server.wait()
    assert interrupted > 0, 'no kill fell into a save: the test has shown nothing'
