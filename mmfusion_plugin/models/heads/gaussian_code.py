"""A code that is a Gaussian rather than a point."""

from __future__ import annotations

from typing import NamedTuple

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
