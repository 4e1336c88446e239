"""``tools/robustness.py`` as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_apis.stub_views import WITH_VIEWS


@pytest.mark.slow
def test_compares_and_goes_on(repo_root, tmp_path):
    (tmp_path / 'config.py').write_text(WITH_VIEWS)
    torch.save(dict(state_dict=dict(shift=torch.zeros(1)), meta={}), tmp_path / 'weights.pth')
    path = os.pathsep.join(map(str, (repo_root, Path(__file__).resolve().parents[1])))

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, 'tools/robustness.py', '--model', 'Reader', tmp_path / 'config.py',
             tmp_path / 'weights.pth', '--out', tmp_path / 'out', '--pose-noise', '--depth-holes', '--black', '--swap',
             *arguments], cwd=repo_root, env={**os.environ, 'PYTHONPATH': path}, text=True, timeout=200,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout
        return done.stdout

    text = run('--views', '8', '1', '--drop', '0.5')
    assert '| model | 1 | 8 |' in text and '| Reader |' in text and '100.0 |' in text and 'Pose errors' not in text
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'logs', 'robustness.json', 'robustness.md', 'robustness.png']
    before = (tmp_path / 'out/robustness.json').read_text()
    assert [row['kind'] for row in json.loads(before)] == ['intact', 'views', 'views', 'drop']
    logs = len(list((tmp_path / 'out/logs').iterdir()))
    assert '| Reader |' in run('--views', '8', '1', '--drop')
    assert (tmp_path / 'out/robustness.json').read_text() == before
    assert len(list((tmp_path / 'out/logs').iterdir())) == logs  # nothing was tested again


@pytest.mark.parametrize('arguments, expected', [
    (['config.py', 'gone.pth'], "error: checkpoint 'gone.pth' of config does not exist"),
    (['config.py', 'text.pth'], 'text.pth'),
    (['config.py', 'weights.pth', '--views', '-1'], 'error: '),
])  # fmt: skip
def test_a_fault_ends_in_a_line(arguments, expected, repo_root, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(repo_root / 'tools'))
    import robustness

    (tmp_path / 'config.py').write_text(WITH_VIEWS)
    torch.save(dict(state_dict=dict(shift=torch.zeros(1)), meta={}), tmp_path / 'weights.pth')
    (tmp_path / 'text.pth').write_text('no weights')
    monkeypatch.chdir(tmp_path)
    few = ['--pose-noise', '--depth-holes', '--black', '--swap', '--drop']
    monkeypatch.setattr(sys, 'argv', ['robustness.py', *arguments, '--out', 'out', *few])
    assert robustness.main() == 1
    error = capsys.readouterr().err
    assert expected in error and 'error: ' in error and 'Traceback' not in error
    assert not (tmp_path / 'out/robustness.md').exists()


def test_a_model_must_be_named(repo_root, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(repo_root / 'tools'))
    import robustness

    for arguments in ([], ['config.py']):
        monkeypatch.setattr(sys, 'argv', ['robustness.py', *arguments, '--out', 'out'])
        with pytest.raises(SystemExit):
            robustness.parse_args()
        assert 'name a model: CONFIG CHECKPOINT' in capsys.readouterr().err
    monkeypatch.setattr(sys, 'argv', ['robustness.py', 'configs/a.py', 'b.pth', '--out', 'out'])
    assert robustness.parse_args().models == [['a', 'configs/a.py', 'b.pth']]
