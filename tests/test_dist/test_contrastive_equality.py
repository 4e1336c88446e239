"""Two gloo processes that share a contrastive batch equal one process with the joined batch, gradients included."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import contrastive_worker as worker
import pytest
import torch

from mmfusion_plugin.models.losses import ContrastiveLoss

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='module')
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """What each of two processes got."""
    folder = tmp_path_factory.mktemp('contrastive')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get('PYTHONPATH', '')]).rstrip(os.pathsep)
    environment = {**os.environ, 'PYTHONPATH': paths, 'OMP_NUM_THREADS': '1'}
    processes = [subprocess.Popen([sys.executable, worker.__file__, str(rank), '2', str(folder), port],
                                  env=environment, stderr=subprocess.PIPE, text=True) for rank in range(2)]  # fmt: skip
    try:
        errors = [process.communicate(timeout=600)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], errors[0][-3000:] + errors[1][-3000:]
    return [torch.load(folder / f'rank{rank}.pth', weights_only=True) for rank in range(2)]


def assert_close(found: torch.Tensor, wanted: torch.Tensor, name: str) -> None:
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-9, msg=lambda text: f'{name}: {text}')


@pytest.mark.slow
def test_two_processes_equal_the_joined_batch(ranks: list[dict]) -> None:
    for positives in worker.POSITIVES:
        for spread in worker.SPREADS:
            one, case = worker.model_gradients(spread, positives), f'model {spread} {positives}'
            for rank in ranks:
                assert set(rank[case]) == set(one)
                for key, value in one.items():
                    assert_close(rank[case][key], value, f'{case} {key}')
            largest = max(float(value.abs().max()) for key, value in one.items() if key != 'loss')
            assert largest > 1e-2 and float(one['loss_contrastive.log_scale'].abs()) > 1e-6
        for spread in worker.LOSS_SPREADS:
            one, case = worker.loss_gradients(spread, positives), f'loss {spread} {positives}'
            for key in ('loss', 'scale'):
                for rank in ranks:
                    assert_close(rank[case][key], one[key], f'{case} {key}')
            for key in ('image', 'shape'):
                joined = torch.cat([rank[case][key] for rank in ranks])
                assert_close(joined, one[key], f'{case} {key}')


@pytest.mark.slow
def test_without_the_other_process_s_negatives_it_would_differ(ranks: list[dict]) -> None:
    """What the comparison above would find: a mean of losses over halves is another loss."""
    torch.manual_seed(7)
    image, shape = (torch.randn(4, 5, dtype=torch.float64) for _ in range(2))
    loss = ContrastiveLoss().double()
    halves = (loss(image[:2], shape[:2]) + loss(image[2:], shape[2:])) / 2
    assert abs(float(halves.detach() - ranks[0]['loss (2, 2) pair']['loss'])) > 0.1
