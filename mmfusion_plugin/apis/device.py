"""The device that an inferencer runs on."""

from __future__ import annotations

from typing import Optional

import torch


def choose_device(name: Optional[str] = None) -> torch.device:
    """The device of this name; None takes CUDA where there is one.

    Raises:
        ValueError: There is no such device here.
    """
    if name is None:
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"there is no device {name!r} here ({reason}): name 'cpu', 'cuda' or 'cuda:1'") from error
    return device
