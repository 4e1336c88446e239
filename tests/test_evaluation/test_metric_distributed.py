"""Two and three real gloo processes give the score of one, whatever the sampler does with the rest."""

from __future__ import annotations

import json
import socket

import numpy as np
import pytest
import torch.multiprocessing as mp

from mmfusion_plugin.evaluation.confusion import segmentation_scores

from . import frames
from .metric_worker import CASES, main


@pytest.fixture(scope='module', params=[2, pytest.param(3, marks=pytest.mark.slow)])
def outcome(request, tmp_path_factory):
    """What each process got, and the folder they wrote to."""
    folder = tmp_path_factory.mktemp(f'world{request.param}')
    # Not a rendezvous by file: its clean-up can wait for a file that another process has just removed.
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    mp.spawn(main, args=(request.param, str(folder), port), nprocs=request.param)
    return [json.loads((folder / f'rank{rank}.json').read_text()) for rank in range(request.param)], folder


def test_every_case_equals_the_brute_force_count(outcome):
    ranks, _ = outcome
    for number, (size, batch, round_up) in enumerate(CASES):
        expected = frames.brute_force(range(size))
        miou = segmentation_scores(expected).miou
        for rank in ranks:
            got = rank['cases'][number]
            np.testing.assert_array_equal(got['matrix'], expected, err_msg=f'{size=} {batch=} {round_up=}')
            assert got['metrics']['miou'] == pytest.approx(miou, abs=1e-12)


def test_the_cases_contain_repetitions_and_idle_processes(outcome):
    ranks, _ = outcome
    totals = [sum(len(rank['cases'][i]['seen']) for rank in ranks) for i in range(len(CASES))]
    assert any(total > size for total, (size, _, _) in zip(totals, CASES))
    idle = CASES.index((1, 1, False))
    assert [len(rank['cases'][idle]['seen']) for rank in ranks] == [1] + [0] * (len(ranks) - 1)


def test_shuffled_repetition_is_found(outcome):
    for rank in outcome[0]:
        np.testing.assert_array_equal(rank['shuffled']['matrix'], frames.brute_force(range(5)))


def test_wrong_counts_fail_on_every_process(outcome):
    for rank in outcome[0]:
        assert 'dataset holds 8' in rank['missing'] and 'DefaultSampler' in rank['missing']
        assert 'dataset holds 5' in rank['twice']


def test_submission_of_several_processes_is_whole(outcome):
    ranks, folder = outcome
    for number in range(5):
        written = np.fromfile(folder / 'sub/lidarseg/val' / f'{frames.token(number)}_lidarseg.bin', np.uint8)
        np.testing.assert_array_equal(written, frames.labels(number)[1] + 1)
    assert sorted(path.name for path in (folder / 'sub').iterdir()) == ['lidarseg', 'val']
    assert len(list((folder / 'sub/lidarseg/val').iterdir())) == 5
    np.testing.assert_array_equal(ranks[0]['submission'], frames.brute_force(range(5)))


def test_refusal_reaches_every_process_and_keeps_what_was_there(outcome):
    ranks, folder = outcome
    assert all('notes.txt' in rank['refused'] for rank in ranks)
    assert (folder / 'taken/lidarseg/val/notes.txt').read_text() == 'mine'
