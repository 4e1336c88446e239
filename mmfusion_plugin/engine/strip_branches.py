"""Checkpoints without the branches that exist in training only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from mmfusion_plugin.compat import safe_torch_load
from mmfusion_plugin.files import whole_file
from mmfusion_plugin.models.segmentors import TwoDDATA

from .plain_state import to_plain

# State of normalisations: saved beside the parameters, but not learnt.
_STATISTICS = ('running_mean', 'running_var', 'num_batches_tracked')


@dataclass(frozen=True)
class StripReport:
    """What was taken out of a checkpoint.

    Attributes:
        before: Number of parameters read.
        after: Number of parameters written.
        dropped: Number of parameters of each branch that was there.
    """

    before: int
    after: int
    dropped: dict[str, int]

    def __str__(self) -> str:
        lines = [f'{name:<16}{count:>14,} dropped' for name, count in self.dropped.items()]
        return '\n'.join([*lines, f'{"parameters":<16}{self.before:>14,} before', f'{"":<16}{self.after:>14,} after'])


def strip_training_branches(
    source: str | os.PathLike, target: str | os.PathLike, branches: tuple[str, ...] = TwoDDATA.TRAINING_ONLY
) -> StripReport:
    """Write the weights that prediction needs; they load strictly into the LiDAR network's own config.

    Args:
        source: Checkpoint of a ``TwoDPASS`` or ``TwoDDATA``; read without running anything in it.
        target: File to write, whole or not at all. It holds ``state_dict`` and ``meta``; optimiser, schedules, averages
            and logs stay behind.
        branches: Submodules to leave out.

    Raises:
        ValueError: ``target`` is ``source``, or ``source`` holds no ``state_dict``, none of the branches, or nothing
            beside them.
    """
    source, target = Path(source), Path(target)
    if source.resolve() == target.resolve() or (target.exists() and source.exists() and source.samefile(target)):
        raise ValueError(f'{target} is the input itself, which would be lost: name another output')
    checkpoint = safe_torch_load(source, map_location='cpu')
    weights = checkpoint.get('state_dict') if isinstance(checkpoint, dict) else None
    if not weights:
        raise ValueError(f'{source} holds no state_dict: give a checkpoint that tools/train.py has written')
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for name, value in weights.items():
        parts.setdefault(name.partition('.')[0], {})[name] = value
    kept = {name: value for name, value in weights.items() if name.partition('.')[0] not in branches}
    if len(kept) == len(weights):
        raise ValueError(
            f'{source} holds none of {", ".join(branches)}: it was stripped before, or is not of a model with branches '
            f'for training; it has {", ".join(sorted(parts))}'
        )
    if not kept:
        raise ValueError(f'{source} holds nothing but {", ".join(branches)}: no weights to predict with')
    with whole_file(target) as partial:
        torch.save({'meta': to_plain(checkpoint.get('meta') or {}), 'state_dict': kept}, partial)
    return StripReport(_count(weights), _count(kept), {name: _count(parts[name]) for name in branches if name in parts})


def _count(weights: dict[str, torch.Tensor]) -> int:
    """Learnt numbers in a state dict."""
    return sum(value.numel() for name, value in weights.items() if name.rpartition('.')[2] not in _STATISTICS)
