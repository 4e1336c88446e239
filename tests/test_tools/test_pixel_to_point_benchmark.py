"""The benchmark of pixels to points, and that both of its sides do the same job."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mmfusion_plugin.ops.pixel_to_point import pixel_to_point


@pytest.fixture
def benchmark(repo_root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        'benchmark_pixel_to_point', repo_root / 'tools/benchmarks/pixel_to_point.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('whole', [False, True])
def test_both_sides_make_the_same_points(benchmark: ModuleType, whole: bool) -> None:
    """The same choice: a tenth of the pixels, or of as many candidates the eighth that is farthest."""
    image, mask = benchmark.photograph((90, 60), whole)
    total = int(mask.sum())
    assert whole or total / mask.size == pytest.approx(1 / 3, abs=0.03)
    assert image.any(axis=2).all(), 'else black pixels would be left out'
    for case, options in benchmark.CASES.items():
        farthest = options.get('sampling') == 'fps'
        options = dict(options, num_points=total // 80 if farthest else total // 10)
        clouds = [pixel_to_point(image, mask, rng=np.random.default_rng(3), **options).points,
                  benchmark.plain(image, mask, rng=np.random.default_rng(3), **options)]
        assert all(len(cloud) == options['num_points'] < total / 8 for cloud in clouds)
        np.testing.assert_allclose(*clouds, atol=1e-6, err_msg=case)


def test_farthest_points_by_hand(benchmark: ModuleType) -> None:
    """On a line: the far end, then the middle of the widest gap."""
    line = np.array([[0, 0, 0], [1, 0, 0], [4, 0, 0], [6, 0, 0], [9, 0, 0]], np.float32)
    assert benchmark.farthest(line, 4).tolist() == [0, 4, 2, 3]


def test_command(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(sys, 'argv', ['pixel_to_point.py', '--megapixels', '0.3', '--repeats', '1', '--points', '102'])
    benchmark.main()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith('640x480')]
    assert len(rows) == 2 * len(benchmark.CASES)
    assert all(re.search(r' \d+\.\d+ +\d+\.\d+ +\d+\.\dx$', row) for row in rows)
