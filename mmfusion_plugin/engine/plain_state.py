"""Checkpoints of plain containers, tensors and numbers, so that ``torch.load(weights_only=True)`` reads them as is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

_HISTORY = '_history_buffer'


def to_plain(value: Any, where: str = 'checkpoint') -> Any:
    """Copy ``value`` with everything replaced that a checkpoint reader would have to import code for.

    Mappings become ``dict`` (an ``OrderedDict``, such as a state dict with its version metadata, is kept), numpy
    scalars Python numbers, arrays nested lists (of more than 1,000 numbers: tensors), paths strings. mmengine's
    ``HistoryBuffer`` becomes a dict that :func:`restore_history` turns back.

    Args:
        where: Path of ``value`` inside the checkpoint, for the error message.

    Raises:
        TypeError: For an object that has no plain form, with its path and class.
    """
    if value is None or isinstance(value, (torch.Tensor, torch.dtype, torch.device)):
        return value
    if isinstance(value, (np.bool_, np.number)):
        return value.item()
    for kind in (bool, int, float, complex, str, bytes):  # after numpy: np.float64 is a float
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, HistoryBuffer):
        logs, counts = (torch.from_numpy(np.array(array)) for array in value.data)
        return {_HISTORY: True, 'logs': logs, 'counts': counts, 'max_length': value.max_length}
    if isinstance(value, np.ndarray) and value.dtype != object:
        return torch.from_numpy(value.copy()) if value.size > 1000 and value.dtype.kind in 'biuf' else value.tolist()
    if isinstance(value, Mapping):
        items = ((to_plain(key, where), to_plain(item, f'{where}[{key!r}]')) for key, item in value.items())
        if type(value) is not OrderedDict:
            return dict(items)
        plain = OrderedDict(items)
        if hasattr(value, '_metadata'):  # versions of the modules, which load_state_dict reads
            plain._metadata = to_plain(value._metadata, f'{where}._metadata')
        return plain
    if isinstance(value, (list, tuple, set, frozenset)):
        kind = next(kind for kind in (list, tuple, set, frozenset) if isinstance(value, kind))
        return kind(to_plain(item, f'{where}[{index}]') for index, item in enumerate(value))
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(
        f'{where} holds a {type(value).__module__}.{type(value).__qualname__}, which a safe checkpoint cannot hold: '
        'store its numbers, strings and tensors in dicts and lists instead'
    )


def restore_history(log_scalars: Mapping[str, Any]) -> OrderedDict[str, Any]:
    """Turn the plain form of each ``HistoryBuffer`` of mmengine's message hub back into one."""
    restored: OrderedDict[str, Any] = OrderedDict()
    for name, value in log_scalars.items():
        if isinstance(value, Mapping) and value.get(_HISTORY):
            logs, counts = value['logs'].cpu().numpy(), value['counts'].cpu().numpy()
            value = HistoryBuffer(logs, counts, max_length=value['max_length'])
        restored[name] = value
    return restored
