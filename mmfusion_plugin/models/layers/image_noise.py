"""Noise that follows from a seed and from which image it is for, not from batch, order or device."""

from __future__ import annotations

import zlib
from pathlib import PurePath
from typing import Sequence

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor


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
