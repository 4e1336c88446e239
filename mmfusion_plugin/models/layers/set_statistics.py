"""Layers that two kinds of rows pass one after the other, each normalised by its own statistics."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator, List

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class SetStatistics(nn.Module):
    """Running statistics of a second set of rows in batch normalisations whose weights both sets share.

    In training each pass through a normalisation is normalised by its own batch. With one running average for both
    sets, testing would normalise either by the mixture of the two, which neither has been trained with.

    Args:
        layers: What holds the normalisations; it must keep as many.
    """

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.kept = nn.ModuleList(_Buffers(norm) for norm in norms_of(layers))

    @contextmanager
    def used_in(self, layers: nn.Module) -> Iterator[None]:
        """Within the block the normalisations of ``layers`` use, and in training update, the statistics kept here."""
        self._exchange(layers)
        try:
            yield
        finally:
            self._exchange(layers)

    def _exchange(self, layers: nn.Module) -> None:
        for norm, kept in zip(norms_of(layers), self.kept):
            norm._buffers, kept._buffers = kept._buffers, norm._buffers


class _Buffers(nn.Module):
    """A copy of a module's buffers."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        for name, buffer in module.named_buffers(recurse=False):
            self.register_buffer(name, buffer.clone())


def norms_of(layers: nn.Module) -> List[nn.Module]:
    """The batch normalisations among modules, in their order."""
    return [module for module in layers.modules() if isinstance(module, _BatchNorm)]
