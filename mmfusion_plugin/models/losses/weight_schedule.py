"""A loss weight that changes while a model is trained."""

from __future__ import annotations

from mmengine.logging import MessageHub


class WeightSchedule:
    """Factor 0..1 of a loss weight at the present iteration of the running training.

    Args:
        type: ``'constant'``: always 1. ``'linear'``: 0 before ``begin``, 1 from ``end``, a line between.
        begin: Iteration, counted over all epochs as mmengine does.
        end: Iteration.

    Raises:
        ValueError: The type is unknown, or a line's ``end`` does not lie behind its ``begin``.
    """

    def __init__(self, type: str = 'constant', begin: int = 0, end: int = 0) -> None:
        if type not in ('constant', 'linear'):
            raise ValueError(f"schedule type must be 'constant' or 'linear', got {type!r}")
        if type == 'linear' and not 0 <= begin < end:
            raise ValueError(f'a linear schedule needs iterations 0 <= begin < end, got begin={begin}, end={end}')
        self.type, self.begin, self.end = type, begin, end

    def factor(self) -> float:
        """The factor now. mmengine's runner tells the iteration; outside a training it is 0."""
        if self.type == 'constant':
            return 1.0
        iteration = MessageHub.get_current_instance().get_info('iter', 0)
        return min(max((iteration - self.begin) / (self.end - self.begin), 0.0), 1.0)
