"""One of several gloo processes that share a contrastive batch; started by ``test_contrastive_equality.py``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from test_models.small_cisp import build, samples
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from mmfusion_plugin.models.losses import ContrastiveLoss

# Samples of either process.
SPREADS = [(2, 2), (3, 1), (1, 4)]
LOSS_SPREADS = [*SPREADS, (0, 3), (1, 0), (0, 0)]
POSITIVES = ('pair', 'model')


def batch(count: int) -> tuple[dict, list]:
    """``count`` pairs that are the same in every process."""
    torch.manual_seed(count)
    return dict(img=torch.randn(count, 3, 16, 16, dtype=torch.float64)), samples(count)


def model_gradients(spread: tuple[int, ...], positives: str, rank: int | None = None) -> dict[str, Tensor]:
    """Loss and gradients of a process's share under DDP, or of the joined batch where ``rank`` is None."""
    inputs, data = batch(sum(spread))
    model = build(loss=dict(positives=positives)).double()
    if rank is not None:
        mine = slice(sum(spread[:rank]), sum(spread[: rank + 1]))
        inputs, data = dict(img=inputs['img'][mine]), data[mine]
    call = model if rank is None else DistributedDataParallel(model)
    value = call(inputs, data, mode='loss')['loss_contrastive']
    value.backward()
    return dict(loss=value.detach(), **{key: p.grad for key, p in model.named_parameters()})


def loss_gradients(spread: tuple[int, ...], positives: str, rank: int | None = None) -> dict[str, Tensor]:
    """The same of the loss alone, with respect to the embeddings; what DDP divides by is divided by here."""
    torch.manual_seed(7)
    rows = [torch.randn(sum(spread), 5, dtype=torch.float64) for _ in range(2)]
    keys, loss, world = torch.arange(sum(spread)) % 2, ContrastiveLoss(positives=positives).double(), 1
    if rank is not None:
        mine, world = slice(sum(spread[:rank]), sum(spread[: rank + 1])), len(spread)
        rows, keys = [side[mine] for side in rows], keys[mine]
    image, shape = (side.requires_grad_() for side in rows)
    value = loss(image, shape, keys)
    value.backward()
    return dict(loss=value.detach(), image=image.grad / world, shape=shape.grad / world, scale=loss.log_scale.grad)


def main(rank: int, world: int, folder: str, port: int) -> None:
    """Compute every case and write what this process got."""
    dist.init_process_group('gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=world)
    results = {f'model {spread} {positives}': model_gradients(spread, positives, rank)
               for spread in SPREADS for positives in POSITIVES}  # fmt: skip
    for spread in LOSS_SPREADS:
        for positives in POSITIVES:
            results[f'loss {spread} {positives}'] = loss_gradients(spread, positives, rank)
    torch.save(results, Path(folder) / f'rank{rank}.pth')
    dist.barrier()
    # Not destroy_process_group: where the other process is gone already, gloo's clean-up sometimes waits for ever.
    os._exit(0)


if __name__ == '__main__':
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
