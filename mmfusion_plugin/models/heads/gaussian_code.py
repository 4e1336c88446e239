"""A code that is a Gaussian rather than a point, and reproducible draws from it."""

from __future__ import annotations

import zlib
from pathlib import PurePath
from typing import NamedTuple, Sequence

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor


class GaussianCode(NamedTuple):
    """Independent normal distributions.

    Attributes:
        mean: (B, D).
        log_variance: (B, D); minus infinity for a code that is certain.
    """

    mean: Tensor
    log_variance: Tensor

    @property
    def sigma(self) -> Tensor:
        """Standard deviations (B, D)."""
        return (self.log_variance / 2).exp()

    def at(self, noise: Tensor) -> Tensor:
        """``mean + sigma * noise`` for standard normal noise (..., B, D): a sample, differentiable in both moments."""
        return self.mean + self.sigma * noise

    def divergence(self) -> Tensor:
        """Kullback-Leibler divergence from the standard normal distribution, mean over the batch; 0 without any."""
        nats = (self.mean.square() + self.log_variance.exp() - 1 - self.log_variance).sum() / 2
        return nats / max(len(self.mean), 1)


def noise_of_images(samples: Sequence[BaseDataElement], draws: int, channels: int, seed: int) -> Tensor:
    """Standard normal noise that follows from the seed and from which image it is for.

    So the draws of different images are independent, and those of one image the same in any batch, order, number of
    processes and on any device.

    Args:
        samples: Told apart by ``synset``, ``model_id``, ``view`` and the file name of ``img_path``; those that have
            none of them by their place in the batch.
        draws: S.
        channels: D.
        seed: Any integer.

    Returns:
        (S, B, D) float32 on the CPU.
    """
    rows = [torch.empty(draws, 0, channels)]
    for number, sample in enumerate(samples):
        name = [sample.get(key) for key in ('synset', 'model_id', 'view')]
        name.append(PurePath(str(sample.get('img_path') or '')).name)
        identity = [str(part) for part in name] if any(part not in (None, '') for part in name) else number
        generator = torch.Generator().manual_seed(zlib.crc32(repr((seed, identity)).encode()))
        rows.append(torch.randn(draws, 1, channels, generator=generator))
    return torch.cat(rows, dim=1)
