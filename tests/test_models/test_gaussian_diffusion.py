"""The diffusion against closed forms: moments, posterior, guidance, and denoisers that know what they were taught."""

from __future__ import annotations

import math
from typing import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from mmfusion_plugin.models.diffusion import GaussianDiffusion, SamplingOptions
from mmfusion_plugin.models.diffusion.sampling import draw_samples, guided_noise

BETA = np.linspace(1e-4, 0.02, 1000)
ALPHA_BAR = np.exp(np.log1p(-BETA).cumsum())


def test_schedule():
    diffusion = GaussianDiffusion()
    np.testing.assert_allclose(diffusion.betas, BETA, rtol=1e-9)
    np.testing.assert_allclose(diffusion.alphas_bar, ALPHA_BAR, rtol=1e-9)
    assert diffusion.num_steps == 1000 and diffusion.alphas_bar.dtype == torch.float64
    assert float(diffusion.alphas_bar[-1]) < 5e-5  # the last step is noise


def test_moments_of_q_sample():
    """40,000 draws: the mean is known to sigma / 200, the variance to 0.7 %; five of these are the tolerance."""
    diffusion, start, count = GaussianDiffusion(), torch.tensor([0.0, 1.0]), 40_000
    for t in (0, 10, 500, 999):
        noise = torch.randn(count, 2)
        x = diffusion.q_sample(start.expand(count, 2), torch.full((count,), t), noise)
        sigma = np.sqrt(1 - ALPHA_BAR[t])
        np.testing.assert_allclose(x.mean(0), np.sqrt(ALPHA_BAR[t]) * start, atol=5 * sigma / 200)
        np.testing.assert_allclose(x.var(0), sigma**2, rtol=0.036)
        found = diffusion.predict_start(x, torch.full((count,), t), noise)
        assert float((found - start).abs().max()) < 1e-3


def test_one_step_after_another_is_q_sample():
    """By definition: mean and variance carried through every single step."""
    mean, variance = 1.0, 0.0
    for t, beta in enumerate(BETA):
        mean, variance = np.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
        if t in (0, 1, 77, 999):
            at, one = torch.tensor([t]), torch.ones(1, 1, dtype=torch.float64)
            assert float(GaussianDiffusion().q_sample(one, at, 0 * one)) == pytest.approx(mean, rel=1e-9)
            assert float(GaussianDiffusion().q_sample(0 * one, at, one)) ** 2 == pytest.approx(variance, rel=1e-9)


def test_posterior_is_the_product_of_two_normal_densities():
    """q(x_{t-1} | x_t, x_0) ~ q(x_t | x_{t-1}) q(x_{t-1} | x_0): precisions add up, means weigh by precision."""
    t, generator = np.array([1, 2, 40, 500, 999]), np.random.default_rng(0)
    start, x = generator.normal(size=(2, 5, 3))
    before = ALPHA_BAR[t - 1]
    of_x, of_start = (1 - BETA[t]) / BETA[t], 1 / (1 - before)  # precisions
    variance = 1 / (of_x + of_start)
    mean = variance[:, None] * (of_x[:, None] * x / np.sqrt(1 - BETA[t])[:, None]
                                + of_start[:, None] * np.sqrt(before)[:, None] * start)  # fmt: skip
    found = GaussianDiffusion().posterior(*map(torch.from_numpy, (start, x, t)))
    np.testing.assert_allclose(found[0], mean, rtol=1e-9)
    np.testing.assert_allclose(found[1][:, 0], variance, rtol=1e-9)
    first = GaussianDiffusion().posterior(torch.from_numpy(start), torch.from_numpy(x), torch.zeros(5).long())
    np.testing.assert_allclose(first[0], start, rtol=1e-12)
    assert not first[1].any()


@pytest.mark.parametrize('steps', [1, 2, 3, 50, 999, 1000])
def test_fewer_steps_pass_through_the_same_marginals(steps):
    diffusion, fewer = GaussianDiffusion(), GaussianDiffusion().respaced(steps)
    rows = fewer.timesteps
    assert fewer.num_steps == steps == len(rows.unique()) and rows[-1] == 999 and (steps == 1 or rows[0] == 0)
    torch.testing.assert_close(fewer.alphas_bar, diffusion.alphas_bar[rows])
    torch.testing.assert_close((1 - fewer.betas).cumprod(0), fewer.alphas_bar)
    assert float(rows.double().diff().max() - rows.double().diff().min()) <= 1 if steps > 2 else True


def analytic(mean: Tensor, spread: float) -> Callable[[Tensor, Tensor], Tensor]:
    """The best denoiser for x_0 ~ N(mean, spread^2), in closed form; with 0 the data are one point."""

    def predict(x: Tensor, t: Tensor) -> Tensor:
        share = torch.from_numpy(ALPHA_BAR).to(x)[t].view(-1, *[1] * (x.dim() - 1))
        gain = share.sqrt() * spread**2 / (share * spread**2 + 1 - share)
        start = mean + gain * (x - share.sqrt() * mean)
        return (x - share.sqrt() * start) / (1 - share).sqrt()

    return predict


def drawn(denoiser: Callable, shape: tuple = (4, 1, 2, 2, 2), seed: int = 0, **options) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return draw_samples(denoiser, GaussianDiffusion(), SamplingOptions(**options),
                        lambda step: torch.randn(shape, generator=generator))  # fmt: skip


@pytest.mark.parametrize('options', [dict(), dict(steps=7), dict(sampler='ddim'), dict(sampler='ddim', steps=50),
                                     dict(sampler='ddim', steps=20, eta=1.0), dict(steps=1), dict(clip=True)])
def test_a_data_set_of_one_point_is_reproduced(options):
    """Noise in the last step, as in the released code, would leave a deviation of 0.01."""
    point = (torch.rand(1, 2, 2, 2) > 0.5).float()
    found = drawn(analytic(point, 0.0), **options)
    assert float((found - point).abs().max()) < 2e-4


@pytest.mark.parametrize(('spread', 'options', 'tolerance'), [
    (0.02, dict(), 0.06), (0.5, dict(), 0.06), (0.5, dict(sampler='ddim'), 0.06),
    (0.5, dict(sampler='ddim', steps=100), 0.1), (0.5, dict(sampler='ddim', eta=1.0), 0.06),
])  # fmt: skip
def test_a_normal_distribution_is_reproduced(spread, options, tolerance):
    """4,000 draws know a standard deviation to 1.1 %: five of these are the tolerance, and more where steps are few.

    Noise of sqrt(beta_0) = 0.01 in the last step would widen the narrow one by 12 %.
    """
    found = drawn(analytic(torch.tensor(0.3), spread), shape=(4_000, 1), **options)
    assert float(found.mean()) == pytest.approx(0.3, abs=0.1 * spread)
    assert float(found.std()) == pytest.approx(spread, rel=tolerance)


def test_one_ancestral_step_in_terms_of_the_noise():
    """Algorithm 2 of Ho et al., written with eps rather than x_0."""
    x, eps, z = torch.randn(3, 3, 2, dtype=torch.float64)
    noise = {2: x, 1: z, 0: torch.full_like(x, torch.nan)}
    between = (x - 0.5 / (1 - 0.7 * 0.5) ** 0.5 * eps) / 0.5**0.5 + 0.5**0.5 * z
    expected = (between - 0.3 / 0.3**0.5 * eps) / 0.7**0.5
    found = draw_samples(lambda x, t: eps, GaussianDiffusion(2, 0.3, 0.5), SamplingOptions(), noise.__getitem__)
    torch.testing.assert_close(found, expected)


def test_deterministic_ddim_in_closed_form():
    """The flow of a normal distribution maps quantile to quantile: x_0 = mean + spread * x_T, as T is noise."""
    begin = torch.randn(9, 1, dtype=torch.float64)
    denoiser, options = analytic(torch.tensor(0.3).double(), 0.5), SamplingOptions(sampler='ddim')
    found = draw_samples(denoiser, GaussianDiffusion(), options, {1000: begin}.__getitem__)
    share = ALPHA_BAR[-1]
    at_end = np.sqrt(share * 0.5**2 + 1 - share)
    torch.testing.assert_close(found, 0.3 + 0.5 * (begin - np.sqrt(share) * 0.3) / at_end, rtol=0, atol=0.02)


def test_clipped_values_stay_where_voxels_are():
    wild = lambda x, t: 3 * torch.ones_like(x)  # noqa: E731
    for sampler in ('ddpm', 'ddim'):
        free, clipped = (drawn(wild, sampler=sampler, clip=clip, steps=20) for clip in (False, True))
        assert clipped.min() >= 0 and clipped.max() <= 1 < free.abs().max()


def toy(x: Tensor, t: Tensor, embedding: Tensor, drop: Tensor = None) -> Tensor:
    toy.calls.append(len(x))
    kept = embedding if drop is None else torch.where(drop[:, None], torch.full_like(embedding, 0.25), embedding)
    return x * t[:, None] + kept.sin()


def test_guidance():
    x, t, embedding = torch.randn(3, 4), torch.tensor([1, 2, 3]), torch.randn(3, 4)
    toy.calls = []
    conditional, unconditional = toy(x, t, embedding), toy(x, t, torch.full((3, 4), 0.25))
    for w in (0.0, 1e-6):  # the short cut and the formula
        torch.testing.assert_close(guided_noise(toy, x, t, embedding, w), conditional)
    torch.testing.assert_close(guided_noise(toy, x, t, embedding, -1.0), unconditional)
    found = guided_noise(toy, x, t, embedding, 1.5)
    torch.testing.assert_close(found, 2.5 * conditional - 1.5 * unconditional)
    assert toy.calls[2:] == [3, 6, 6, 6]  # one pass each, twice as large where guided
    assert torch.equal(guided_noise(lambda x, t, e: x + t[:, None], x, t, None, 1.5), x + t[:, None])


def test_loss_by_hand_and_of_nothing():
    diffusion, start, seen = GaussianDiffusion(num_steps=7), torch.rand(5, 3), []

    def denoiser(x: Tensor, t: Tensor, **condition: Tensor) -> Tensor:
        seen.append((x, t, condition))
        return x * condition['factor']

    factor = torch.tensor(0.7, requires_grad=True)
    torch.manual_seed(3)
    loss = diffusion.loss(denoiser, start, factor=factor)
    torch.manual_seed(3)
    t, noise = torch.randint(7, (5,)), torch.randn(5, 3)
    share = torch.linspace(1e-4, 0.02, 7).neg().add(1).cumprod(0)[t][:, None]
    x = share.sqrt() * start + (1 - share).sqrt() * noise
    torch.testing.assert_close(loss, (0.7 * x - noise).square().mean(), rtol=1e-4, atol=0)
    assert torch.equal(seen[0][1], t) and {int(step) for step in t} <= set(range(7))
    empty = diffusion.loss(denoiser, start[:0], factor=factor)
    empty.backward()
    assert empty == 0 and factor.grad == 0


def test_a_network_that_predicts_the_start():
    """The same network told by its noise draws the same; its loss is that of x_0."""
    noisy, starting = (GaussianDiffusion(40, 1e-3, 0.3, prediction=which) for which in ('noise', 'start'))
    share = torch.cumprod(1 - torch.linspace(1e-3, 0.3, 40, dtype=torch.float64), 0)
    start_of = lambda x, t: (0.4 * x.sin() + 0.1).double()  # noqa: E731

    def noise_of(x: Tensor, t: Tensor) -> Tensor:
        a = share[t].view(-1, 1)
        return (x - a.sqrt() * start_of(x, t)) / (1 - a).sqrt()

    draws = torch.randn(41, 6, 2, dtype=torch.float64)
    for options in (dict(), dict(sampler='ddim', steps=7), dict(clip=True, steps=9)):
        found, expected = (draw_samples(network, diffusion, SamplingOptions(**options), draws.__getitem__)
                           for network, diffusion in ((start_of, starting), (noise_of, noisy)))  # fmt: skip
        torch.testing.assert_close(found, expected)
    start, noise, t = *torch.randn(2, 6, 2, dtype=torch.float64), torch.tensor([0, 1, 5, 20, 38, 39])
    errors = [diffusion.noise_errors(network, start, t, noise)
              for diffusion, network in ((starting, start_of), (noisy, noise_of))]  # fmt: skip
    torch.testing.assert_close(*errors)
    a = share[t].view(-1, 1)
    torch.testing.assert_close(errors[0], (noise_of(a.sqrt() * start + (1 - a).sqrt() * noise, t) - noise).square())
    torch.manual_seed(3)
    loss = starting.loss(start_of, start)
    torch.manual_seed(3)
    a, noise = share[torch.randint(40, (6,))].view(-1, 1), torch.randn_like(start)
    torch.testing.assert_close(loss, (start_of(a.sqrt() * start + (1 - a).sqrt() * noise, t) - start).square().mean())
    assert starting.loss(start_of, start[:0]) == 0


def test_progress_bar(capsys):
    drawn(analytic(torch.tensor(0.0), 1.0), steps=3, progress=True)
    assert '3/3' in capsys.readouterr().err
    drawn(analytic(torch.tensor(0.0), 1.0), steps=3)
    assert not capsys.readouterr().err


def test_errors_of_the_diffusion():
    for wrong in (dict(num_steps=0), dict(beta_start=0.0), dict(beta_end=1.0)):
        with pytest.raises(ValueError, match=f'got .*{next(iter(wrong))}={next(iter(wrong.values()))}'):
            GaussianDiffusion(**wrong)
    with pytest.raises(ValueError, match="prediction must be one of .'noise', 'start'., got 'v'"):
        GaussianDiffusion(prediction='v')
    for steps in (0, 1001):
        with pytest.raises(ValueError, match=f'steps must be 1 to 1000.* got {steps}'):
            GaussianDiffusion().respaced(steps)
    for wrong in (dict(sampler='euler'), dict(num_samples=0), dict(rows_at_once=0), dict(seed=-1), dict(eta=0.5),
                  dict(sampler='ddim', eta=1.5), dict(steps=0), dict(steps=-3), dict(guidance=math.nan),
                  dict(guidance=math.inf), dict(threshold=math.nan)):  # fmt: skip
        with pytest.raises(ValueError, match=f'got .*{[*wrong.values()][-1]}'):
            SamplingOptions(**wrong)
