"""What diffusers' own samplers make on Würstchen's noise schedule, in double precision: `python samplers_reference.py`.

diffusers has no DDIM or DPM-Solver++ for this schedule. Its samplers take any table of betas, however, so the cosine is given to
them at a thousand timesteps, k/1000. The network is a formula that test/cpp/schedule.test.cc has too.
"""

import math
from typing import Any

import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

COUNT = 1000
S = 0.008


def alpha_cumprod(t: float) -> float:
    initial = math.cos(S / (1 + S) * math.pi / 2) ** 2
    return min(max(math.cos((t + S) / (1 + S) * math.pi / 2) ** 2 / initial, 1e-4), 0.9999)


def betas() -> list[float]:
    alphas = [1.0] + [alpha_cumprod(k / COUNT) for k in range(1, COUNT + 1)]
    return [1 - after / before for before, after in zip(alphas, alphas[1:], strict=False)]


def network(x: torch.Tensor, t: float) -> torch.Tensor:
    """A noise prediction that bends with both arguments."""
    return 0.8 * torch.sin(x) + 0.3 * t * x + 0.1 * t * t


def run(scheduler: Any, timesteps: list[int]) -> float:
    x = torch.tensor([0.7], dtype=torch.float64)
    for step in timesteps:
        # Table entry k has the noise of t = (k + 1)/1000.
        x = scheduler.step(network(x, (step + 1) / COUNT), step, x).prev_sample
    return x.item()


def exact(scheduler: Any) -> None:
    """The table in double: diffusers rounds it to float32."""
    scheduler.alphas_cumprod = torch.tensor([alpha_cumprod(k / COUNT) for k in range(1, COUNT + 1)], dtype=torch.float64)
    if hasattr(scheduler, "lambda_t"):
        scheduler.alpha_t = torch.sqrt(scheduler.alphas_cumprod)
        scheduler.sigma_t = torch.sqrt(1 - scheduler.alphas_cumprod)
        scheduler.lambda_t = torch.log(scheduler.alpha_t) - torch.log(scheduler.sigma_t)
    else:
        scheduler.final_alpha_cumprod = scheduler.alphas_cumprod[0]


def main() -> None:
    ddim: Any = DDIMScheduler(trained_betas=betas(), clip_sample=False, set_alpha_to_one=False, timestep_spacing="leading")
    exact(ddim)
    for steps in (4, 10, 20):
        ddim.set_timesteps(steps)
        print("ddim", steps, [(t + 1) / COUNT for t in ddim.timesteps.tolist()], run(ddim, ddim.timesteps.tolist()))
    for timesteps in ([999, 799, 599, 399, 199, 99], [949, 899, 799, 649, 499, 349, 249, 149, 49]):
        solver: Any = DPMSolverMultistepScheduler(
            trained_betas=betas(),
            algorithm_type="dpmsolver++",
            solver_order=2,
            solver_type="midpoint",
            lower_order_final=True,
            final_sigmas_type="sigma_min",
        )
        exact(solver)
        solver.set_timesteps(timesteps=timesteps)
        print("dpm-solver++", [(t + 1) / COUNT for t in timesteps], run(solver, solver.timesteps.tolist()))


if __name__ == "__main__":
    main()
