"""Scenes recorded side by side, whatever their process has done before, and folders of other settings."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mmfusion_plugin.synthetic.recording import claim_folder

SCRIPT = """
import sys, time
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mmfusion_plugin.synthetic.recording import record_all


def record(root, name, advance):
    if name == 'fault':
        raise ValueError('no such scene')
    (root / name).write_text(str(cv2.getNumThreads()))
    advance()


if __name__ == '__main__':
    cv2.setNumThreads(3)
    for _ in range(2):  # starts OpenCV's threads, which then sleep
        cv2.remap(np.zeros((2000, 2000, 3), np.uint8), *np.random.rand(2, 2000, 2000).astype('f4'), cv2.INTER_LINEAR)
    time.sleep(0.3)
    try:
        with tqdm(disable=True) as bar:
            record_all(record, Path(sys.argv[1]), ['a', 'b', 'c', 'fault'], 2, bar)
    except ValueError as error:
        print(error, cv2.getNumThreads())
"""


def test_workers_do_not_wait_for_threads_of_their_parent(tmp_path: Path, repo_root: Path) -> None:
    script = tmp_path / 'script.py'
    script.write_text(SCRIPT)
    run = subprocess.Popen([sys.executable, str(script), str(tmp_path)], cwd=repo_root, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                           env={**os.environ, 'PYTHONPATH': str(repo_root)})  # fmt: skip
    try:
        text, errors = run.communicate(timeout=120)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)  # workers that wait for ever
    assert text.splitlines() == ['no such scene 3'], text + errors
    assert [(tmp_path / name).read_text() for name in 'abc'] == ['1'] * 3


def test_settings_there_and_asked_must_be_the_same(tmp_path: Path) -> None:
    def claim(**settings: object) -> None:
        claim_folder(tmp_path / 'world', 'stamp.json', 'stamp.json', {'generation': 1, **settings}, 'paper')

    claim(seed=3, size=[4, 5], odd=True)
    stamp = (tmp_path / 'world/stamp.json').read_bytes()
    claim(odd=True, size=[4, 5], seed=3)
    for settings, words in (
        (dict(seed=3, size=[4, 5]), r'\(odd: True there, None asked\)'),
        (dict(seed=3, size=[4, 5], odd=True, even=1), r'\(even: None there, 1 asked\)'),
        (dict(seed=3, size=[9, 5]), r'\(size: 2 .4 to 5. there, 2 .9 to 5. asked; odd: True there, None asked\)'),
    ):
        with pytest.raises(FileExistsError, match=f'world holds a paper world of other settings {words}; .* remove'):
            claim(**settings)
    assert (tmp_path / 'world/stamp.json').read_bytes() == stamp
