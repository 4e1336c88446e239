"""Batches without end, none of which holds a sample twice."""

from __future__ import annotations

from typing import Iterator, Optional, Sized

import torch
from mmdet3d.registry import DATA_SAMPLERS
from mmengine.dataset import InfiniteSampler


@DATA_SAMPLERS.register_module()
class DistinctInfiniteSampler(InfiniteSampler):
    """mmengine's ``InfiniteSampler`` whose permutations end with a whole batch.

    A contrastive loss takes all others of a batch for negatives. The original lets a batch reach from one permutation
    into the next: of 210 samples, 27% of the batches of 64 hold one of them twice, against which the loss then pulls.
    What is left over of a permutation is dropped here; the next permutation has it again.

    Args:
        dataset: What is sampled.
        batch_size: Samples of a batch on each process; together with those of the others they are distinct.
        shuffle: Draw a permutation for each pass, or always count up.
        seed: Of the permutations; None: one for all processes.

    Raises:
        ValueError: If a batch has more samples than there are.
    """

    def __init__(self, dataset: Sized, batch_size: int, shuffle: bool = True, seed: Optional[int] = None) -> None:
        super().__init__(dataset, shuffle, seed)
        together = batch_size * self.world_size
        if batch_size < 1 or together > self.size:
            raise ValueError(f'batch_size {batch_size} on {self.world_size} process(es) cannot hold distinct samples '
                             f'of {self.size}: lower it here and in the loader, or use more data')  # fmt: skip
        self.used = self.size // together * together

    def _infinite_indices(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed)
        while True:
            order = torch.randperm(self.size, generator=generator) if self.shuffle else torch.arange(self.size)
            yield from order[: self.used].tolist()

    def __iter__(self) -> Iterator[int]:
        """From the start each time, so that a loader that begins again (to resume) is not in the middle."""
        yield from self._indices_of_rank()
