"""Denoising diffusion (Ho et al., NeurIPS 2020, arXiv 2006.11239): the schedule of noise and what follows from it."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np
import torch
from torch import Tensor

PREDICTIONS = ('noise', 'start')


class GaussianDiffusion:
    """Noise is added in T steps: ``q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t)``, t = 0 .. T-1.

    IC3D's released code has the defaults (``gaussian_diffusion.py``), which are those of Ho et al. Tables are float64;
    results have the dtype and the device of the values handed over.

    Args:
        num_steps: T.
        beta_start: beta_0.
        beta_end: beta_{T-1}; linear in between.
        prediction: What the network returns: the ``'noise'`` in x_t, or the ``'start'`` x_0 (ours). Either follows from
            the other, but their errors weigh differently: a network that has learned little finds a shape by its start
            and not by its noise, of which it would need to know all but a thousandth.

    Attributes:
        betas: (T,) float64, variance of a step.
        alphas_bar: (T,) float64, products of ``1 - beta`` up to and with the step: the share of the signal's power.
        alphas_bar_before: (T,) float64, the same without the step itself; 1 at the first.
        timesteps: (T,) int64, the step of the training's schedule that a row stands for; what the network is told.

    Raises:
        ValueError: There is no step, a beta lies outside (0, 1), or the prediction is unknown.
    """

    def __init__(
        self, num_steps: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02, prediction: str = 'noise'
    ) -> None:
        if num_steps < 1 or not 0 < beta_start < 1 or not 0 < beta_end < 1:
            raise ValueError('need num_steps >= 1 and betas between 0 and 1, got '
                             f'num_steps={num_steps}, beta_start={beta_start} and beta_end={beta_end}')
        if prediction not in PREDICTIONS:
            raise ValueError(f'prediction must be one of {PREDICTIONS}, got {prediction!r}')
        self.prediction = prediction
        betas = torch.linspace(beta_start, beta_end, num_steps, dtype=torch.float64)
        self._set((1 - betas).cumprod(0), torch.arange(num_steps))

    def _set(self, alphas_bar: Tensor, timesteps: Tensor) -> None:
        self.alphas_bar, self.timesteps = alphas_bar, timesteps
        self.alphas_bar_before = torch.cat([alphas_bar.new_ones(1), alphas_bar[:-1]])
        self.betas = 1 - alphas_bar / self.alphas_bar_before

    @property
    def num_steps(self) -> int:
        """T."""
        return len(self.betas)

    def respaced(self, steps: Optional[int]) -> GaussianDiffusion:
        """The diffusion that passes through ``steps`` evenly spaced steps of this one, the first and the last too.

        None takes all of them.

        Raises:
            ValueError: It has not as many.
        """
        if steps is None:
            return self
        if not 1 <= steps <= self.num_steps:
            raise ValueError(f'steps must be 1 to {self.num_steps}, as many as the diffusion has, got {steps}')
        rows = np.linspace(self.num_steps - 1, 0, steps).round().astype(np.int64)[::-1].copy()
        fewer = object.__new__(GaussianDiffusion)
        fewer.prediction = self.prediction
        fewer._set(self.alphas_bar[rows], self.timesteps[rows])
        return fewer

    def q_sample(self, start: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """A draw from ``q(x_t | x_0)``: (B, ...) values x_0, (B,) int64 steps, and standard normal noise (B, ...)."""
        return _at(self.alphas_bar.sqrt(), t, start) * start + _at((1 - self.alphas_bar).sqrt(), t, start) * noise

    def predict_start(self, x: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """x_0 (B, ...) of x_t and the noise in it."""
        return (x - _at((1 - self.alphas_bar).sqrt(), t, x) * noise) / _at(self.alphas_bar.sqrt(), t, x)

    def start_of(self, output: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """x_0 (B, ...) by what the network returned for x_t."""
        return output if self.prediction == 'start' else self.predict_start(x, t, output)

    def posterior(self, start: Tensor, x: Tensor, t: Tensor) -> Tuple[Tensor, Tensor]:
        """Mean (B, ...) and variance (B, 1, ...) of ``q(x_{t-1} | x_t, x_0)``; at t = 0 they are x_0 and 0."""
        rest, before = 1 - self.alphas_bar, self.alphas_bar_before
        of_start = _at(self.betas * before.sqrt() / rest, t, x)
        of_x = _at((1 - before) * (1 - self.betas).sqrt() / rest, t, x)
        return of_start * start + of_x * x, _at(self.betas * (1 - before) / rest, t, x)

    def loss(self, denoiser: Callable[..., Tensor], start: Tensor, **condition: Any) -> Tensor:
        """Mean squared error of what is predicted at random steps (equation 14); 0 with a graph without a sample.

        Args:
            denoiser: ``(x_t, t, **condition)`` to the noise, or to x_0, all (B, ...).
            start: x_0 (B, ...).
            condition: Handed on.
        """
        t = torch.randint(self.num_steps, (len(start),), device=start.device)
        errors = self._errors(denoiser, start, t, torch.randn_like(start), condition)
        return errors.square().sum() / max(errors.numel(), 1)

    def noise_errors(
        self, denoiser: Callable[..., Tensor], start: Tensor, t: Tensor, noise: Tensor, **condition: Any
    ) -> Tensor:
        """Squared errors (B, ...) of the noise (B, ...) at steps (B,), whichever is predicted."""
        errors = self._errors(denoiser, start, t, noise, condition)
        if self.prediction == 'start':
            errors = errors * _at((self.alphas_bar / (1 - self.alphas_bar)).sqrt(), t, start)
        return errors.square()

    def _errors(
        self, denoiser: Callable[..., Tensor], start: Tensor, t: Tensor, noise: Tensor, condition: Dict[str, Any]
    ) -> Tensor:
        """Of what is predicted."""
        found = denoiser(self.q_sample(start, t, noise), self.timesteps.to(t.device)[t], **condition)
        return found - (start if self.prediction == 'start' else noise)


def _at(table: Tensor, t: Tensor, like: Tensor) -> Tensor:
    """Entries of a table for steps (B,), to be multiplied with values (B, ...)."""
    return table.to(like)[t].view(-1, *[1] * (like.dim() - 1))
