"""From noise to samples: ancestral and DDIM steps, and classifier-free guidance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable, Optional, Tuple

import torch
from torch import Tensor
from tqdm import tqdm

from .gaussian_diffusion import GaussianDiffusion


@dataclass(frozen=True)
class SamplingOptions:
    """How samples are drawn; the defaults are the released code's, except that it adds noise in the last step, too.

    Attributes:
        num_samples: K, samples of an image.
        guidance: w in ``(1 + w) eps_c - w eps_u``; 0 is the conditional model and -1 the unconditional one. There is
            nothing to guide in a model without embedding.
        sampler: ``'ddpm'``: ancestral with variance beta_t; ``'ddim'`` (Song et al., ICLR 2021; ours).
        steps: How many evenly spaced steps of the schedule are taken; None takes all (fewer are ours).
        eta: Of DDIM: 0 adds no noise, 1 as much as the posterior's variance.
        clip: Clamp each predicted x_0 to [0, 1] (ours).
        threshold: A voxel is full where its value is greater.
        seed: Not negative.
        rows_at_once: Samples that pass the network together, which a guided one does twice; a matter of memory.
        progress: Show a bar.

    Raises:
        ValueError: An option is out of range.
    """

    num_samples: int = 1
    guidance: float = 1.5
    sampler: str = 'ddpm'
    steps: Optional[int] = None
    eta: float = 0.0
    clip: bool = False
    threshold: float = 0.5
    seed: int = 0
    rows_at_once: int = 16
    progress: bool = False

    def __post_init__(self) -> None:
        if self.sampler not in ('ddpm', 'ddim'):
            raise ValueError(f"sampler must be 'ddpm' or 'ddim', got {self.sampler!r}")
        for name, lowest in (('num_samples', 1), ('rows_at_once', 1), ('seed', 0)):
            if getattr(self, name) < lowest:
                raise ValueError(f'{name} must be at least {lowest}, got {getattr(self, name)}')
        if self.steps is not None and self.steps < 1:
            raise ValueError(f'steps must be at least 1, or None for all of them, got {self.steps}')
        for name in ('guidance', 'threshold'):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f'{name} must be a finite number, got {getattr(self, name)}')
        if not 0 <= self.eta <= 1 or (self.eta and self.sampler == 'ddpm'):
            raise ValueError(f"eta is from 0 to 1 and for sampler='ddim', got {self.eta} for {self.sampler!r}")


def guided_noise(
    denoiser: Callable[..., Tensor], x: Tensor, t: Tensor, embedding: Optional[Tensor], guidance: float
) -> Tensor:
    """``(1 + w) eps_c - w eps_u`` (Ho and Salimans, arXiv 2207.12598), both out of one pass.

    It is the same for x_0 where that is predicted: for one x each is a linear function of the other.

    Args:
        denoiser: ``(x, t, embedding, drop)`` to the noise, as :class:`UNet3D`.
        x: (B, ...).
        t: (B,).
        embedding: (B, D), or None: without a condition.
        guidance: w.
    """
    if embedding is None or guidance == 0:
        return denoiser(x, t, embedding)
    drop = torch.arange(2 * len(x), device=x.device) >= len(x)
    both = denoiser(torch.cat([x, x]), torch.cat([t, t]), torch.cat([embedding, embedding]), drop)
    conditional, unconditional = both.chunk(2)
    return (1 + guidance) * conditional - guidance * unconditional


@torch.no_grad()
def draw_samples(
    predict: Callable[[Tensor, Tensor], Tensor],
    diffusion: GaussianDiffusion,
    options: SamplingOptions,
    noise: Callable[[int], Tensor],
) -> Tensor:
    """Walk from noise to samples.

    Args:
        predict: x (N, ...) and t (N,) of the training's schedule to the noise in x, or what else ``diffusion`` says.
        diffusion: As trained with.
        options: See there; ``num_samples``, ``guidance``, ``threshold`` and ``rows_at_once`` are not looked at.
        noise: Of a step t, standard normal and (N, ...); T asks for the beginning, so that one seed begins alike
            for every sampler and number of steps.

    Returns:
        x_0 (N, ...).
    """
    schedule = diffusion.respaced(options.steps)
    x = noise(diffusion.num_steps)
    for row in tqdm(range(schedule.num_steps - 1, -1, -1), unit='step', desc='sample', disable=not options.progress):
        t, step = torch.full((len(x),), row, device=x.device), int(schedule.timesteps[row])
        start = schedule.start_of(predict(x, torch.full_like(t, step)), x, t)
        start = start.clamp(0, 1) if options.clip else start
        if options.sampler == 'ddpm':
            mean, sigma = schedule.posterior(start, x, t)[0], float(schedule.betas[row].sqrt())
        else:
            mean, sigma = _ddim_step(schedule, x, start, row, options.eta)
        # None in the last step: the released code's adds sqrt(beta_0) = 0.01 times noise to the finished shape.
        x = mean + sigma * noise(step) if row and sigma else mean
    return x


def _ddim_step(schedule: GaussianDiffusion, x: Tensor, start: Tensor, row: int, eta: float) -> Tuple[Tensor, float]:
    """Mean and standard deviation of the next x (equations 12 and 16)."""
    now, before = float(schedule.alphas_bar[row]), float(schedule.alphas_bar_before[row])
    sigma = eta * ((1 - before) / (1 - now) * (1 - now / before)) ** 0.5
    noise = (x - now**0.5 * start) / (1 - now) ** 0.5
    return before**0.5 * start + (1 - before - sigma**2) ** 0.5 * noise, sigma
