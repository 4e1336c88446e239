"""The benchmark of whole scenes, run once as a user would: both protocols give one answer."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_both_protocols_agree(repo_root):
    config = 'configs/mvpnet/mvpnet-tiny_1xb4_synthetic-scannet.py'
    done = subprocess.run(
        [sys.executable, 'tools/benchmarks/whole_scene.py', config, '--size', '2.2', '1.6', '--points', '3000',
         '--views', '3', '--views-per-chunk', '2', '--device', 'cpu'],
        cwd=repo_root, text=True, timeout=300, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, 'PYTHONPATH': str(repo_root)})  # fmt: skip
    assert done.returncode == 0, done.stdout
    plain, whole = (re.search(rf'^{side} .*?(\d+)$', done.stdout, re.M) for side in ('plain protocol', 'whole scene'))
    assert int(whole[1]) <= 3 < int(plain[1])
    assert float(re.search(r'difference of logits (\S+),', done.stdout)[1]) < 1e-4
