"""Checks of the numbers that a config gives to transforms: a typing error ends in a message, not in odd data."""

from __future__ import annotations

import math
from typing import Sequence


def check_number(name: str, value: float, least: float, most: float = math.inf) -> None:
    """Check ``least <= value <= most``.

    Raises:
        ValueError: It is not, or ``value`` is no number.
    """
    if not isinstance(value, (int, float)) or not (least <= value <= most and math.isfinite(value)):
        raise ValueError(f'{name} must be a number in {least}..{most}, got {value!r}')


def check_range(name: str, bounds: Sequence[float], above: float = -math.inf) -> None:
    """Check that ``bounds`` is a pair ``above < low <= high`` of finite numbers.

    Raises:
        ValueError: It is not.
    """
    if isinstance(bounds, (int, float)) or len(bounds) != 2:
        raise ValueError(f'{name} must be a pair [low, high], got {bounds!r}')
    low, high = bounds
    if not (above < low <= high < math.inf):
        raise ValueError(f'{name} must be [low, high] with {above} < low <= high, got {bounds!r}')
