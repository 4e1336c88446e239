"""No batch, nor those of two processes together, holds a sample twice; a pass is a permutation cut to whole batches."""

from __future__ import annotations

from itertools import islice

import mmengine.dataset.sampler as mmengine_sampler
import pytest
import torch
from mmdet3d.registry import DATA_SAMPLERS
from mmengine.config import Config
from torch.utils.data import DataLoader

import mmfusion_plugin  # noqa: F401  (registers what is tested)


def build(size: int, batch: int, **options):
    return DATA_SAMPLERS.build(dict(type='DistinctInfiniteSampler', dataset=range(size), batch_size=batch, **options))


def test_batches_are_distinct_where_the_original_repeats():
    original = mmengine_sampler.InfiniteSampler(range(10), seed=0)
    repeats = [len(set(batch.tolist())) < 4 for batch in islice(DataLoader(range(10), 4, sampler=original), 60)]
    assert any(repeats)
    batches = [batch.tolist() for batch in islice(DataLoader(range(10), 4, sampler=build(10, 4, seed=0)), 60)]
    assert all(len(set(batch)) == 4 for batch in batches)
    for first, second in zip(batches[::2], batches[1::2]):  # a permutation of ten has two batches of four
        assert len({*first, *second}) == 8
    assert {index for batch in batches for index in batch} == set(range(10))


def test_each_pass_begins_a_permutation_of_the_seed():
    wanted = torch.Generator().manual_seed(7)
    order = [torch.randperm(10, generator=wanted)[:8].tolist() for _ in range(3)]
    sampler = build(10, 4, seed=7)
    assert list(islice(sampler, 24)) == sum(order, [])
    assert list(islice(sampler, 8)) == order[0]  # a second iterator is not in the middle
    assert list(islice(build(5, 2, shuffle=False), 8)) == [0, 1, 2, 3, 0, 1, 2, 3]


def test_processes_share_a_permutation(monkeypatch):
    samplers = []
    for rank in range(2):
        monkeypatch.setattr(mmengine_sampler, 'get_dist_info', lambda rank=rank: (rank, 2))
        samplers.append(build(11, 3, seed=1))
    for left, right in islice(zip(DataLoader(range(11), 3, sampler=samplers[0]),
                                  DataLoader(range(11), 3, sampler=samplers[1])), 20):  # fmt: skip
        assert len({*left.tolist(), *right.tolist()}) == 6
    with pytest.raises(ValueError, match='batch_size 6 on 2 .* cannot hold distinct samples of 11: lower it'):
        build(11, 6)


@pytest.mark.parametrize('batch', (0, 5))
def test_errors(batch):
    with pytest.raises(ValueError, match=f'batch_size {batch} on 1 .* of 4'):
        build(4, batch)


@pytest.mark.parametrize('name', ('1xb64_synthetic-shapenet', '1xb16_synthetic-shapenet',
                                  '1xb64_synthetic-shapenet-cnn', '1xb64_synthetic-shapenet-16d'))  # fmt: skip
def test_narrow_configs_agree_on_the_batch(repo_root, name):
    loader = Config.fromfile(repo_root / f'configs/cisp/cisp-tiny_{name}.py').train_dataloader
    assert loader.sampler == dict(type='DistinctInfiniteSampler', batch_size=loader.batch_size, shuffle=True)
