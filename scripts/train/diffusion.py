"""Würstchen's continuous cosine schedule: noising, loss weight, and the samplers of both stages."""

import math
from itertools import pairwise

import torch

from wuerstchen_export.schedule import default_stage_c_timesteps

from .nets import rows

S = 0.008
_NORM = math.cos(S / (1 + S) * math.pi / 2) ** 2
# Stage C's published list: dense in the last two thirds of the noise, 29 steps.
PRIOR_TIMESTEPS = torch.tensor(default_stage_c_timesteps())


def alpha_bar(t: torch.Tensor) -> torch.Tensor:
    return (torch.cos((t + S) / (1 + S) * math.pi / 2) ** 2 / _NORM).clamp(1e-4, 0.9999)


def add_noise(x, noise, t):
    signal = rows(alpha_bar(t))
    return signal.sqrt() * x + (1 - signal).sqrt() * noise


def sample_t(n, generator=None, device=None):
    """7.5 % of the samples are pure noise, where sampling starts."""
    u = torch.rand(n, generator=generator, device=device)
    return ((1 - u) * 1.08 + 0.001).clamp(0.001, 1.0)


def loss(noise, predicted, t):
    """Noise MSE with the P2 weight, which for k = gamma = 1 is 1 - alpha_bar."""
    per_sample = (noise - predicted).square().mean((1, 2, 3))
    return (per_sample * (1 - alpha_bar(t))).mean()


def estimate_loss(noise, predicted, t):
    """MSE of the image that the prediction stands for, (1 - alpha_bar) / alpha_bar times the noise's, weight sqrt(alpha_bar).

    More than P2 for the noisiest steps, which lay out what the later ones only sharpen. Nearest to pure noise the weight
    of the noise's error ends at 20: there a hair of it is a whole picture, and its gradient would drown all others.
    """
    bar = alpha_bar(t)
    per_sample = (noise - predicted).square().mean((1, 2, 3))
    return (per_sample * (1 - bar) / bar.sqrt().clamp_min(0.05)).mean()


@torch.no_grad()
def sample(predict, x, timesteps, generator=None):
    """DDPM ancestral sampling; predict(x, t [B]) → noise. One draw a step, also in the last one, as diffusers does."""
    for now, then in pairwise(timesteps):
        t, p = now.expand(x.shape[0]).to(x.device), then.expand(x.shape[0]).to(x.device)
        bar_t, bar_p = rows(alpha_bar(t)), rows(alpha_bar(p))
        alpha = bar_t / bar_p
        mean = (x - (1 - alpha) * predict(x, t) / (1 - bar_t).sqrt()) / alpha.sqrt()
        deviation = ((1 - alpha) * (1 - bar_p) / (1 - bar_t)).sqrt()
        noise = torch.randn(x.shape, generator=generator).to(x.device)
        x = mean + deviation * noise * (then != 0).float()
    return x


@torch.no_grad()
def sample_prior(prior, text, no_text, grid, guidance=4.0, timesteps=PRIOR_TIMESTEPS, generator=None):
    """text [B, L, C], no_text [1, L, C] → z [B, 16, grid h, grid w]"""
    n = len(text)
    both = torch.cat([text, no_text.expand(n, -1, -1)])

    def predict(x, t):
        conditional, unconditional = prior(torch.cat([x, x]), torch.cat([t, t]), both).chunk(2)
        return torch.lerp(unconditional, conditional, guidance)

    x = torch.randn(n, 16, *grid, generator=generator).to(text.device)
    return sample(predict, x, timesteps, generator)


@torch.no_grad()
def sample_decoder(decoder, z, text, size, steps=12, generator=None):
    """z [B, 16, h, w], text [B, L, C] → latents [B, 4, size] (in units of 0.3764)"""
    x = torch.randn(len(z), 4, *size, generator=generator).to(z.device)
    return sample(lambda x, t: decoder(x, t, z, text), x, torch.linspace(1, 0, steps + 1), generator)
