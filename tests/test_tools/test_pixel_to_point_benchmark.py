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
    image, mask = benchmark.photograph((30, 20), whole)
    count = int(mask.sum())
    assert whole or count / mask.size == pytest.approx(1 / 3, abs=0.03)
    for case, options in benchmark.CASES.items():
        if options.get('foreground') == 'nonblack':
            assert image.any(axis=2).all(), 'else there are fewer points'
        clouds = [pixel_to_point(image, mask, num_points=count, **options).points,
                  benchmark.plain(image, mask, num_points=count, **options)]
        ours, theirs = (cloud[np.lexsort(cloud.T)] for cloud in clouds)
        np.testing.assert_allclose(ours, theirs, atol=1e-6, err_msg=case)


def test_command(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(sys, 'argv', ['pixel_to_point.py', '--megapixels', '0.3', '--repeats', '1', '--points', '102'])
    benchmark.main()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith('640x480')]
    assert len(rows) == 2 * len(benchmark.CASES)
    assert all(re.search(r' \d+\.\d+ +\d+\.\d+ +\d+\.\dx$', row) for row in rows)
