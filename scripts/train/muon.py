"""Muon (https://kellerjordan.github.io/posts/muon) with all matrices of a shape orthogonalised at once.

torch.optim.Muon takes one matrix after another: two thousand launches a step for Stage B, half of the time of a step on a GPU.
Steps are those of its `adjust_lr_fn="match_rms_adamw"`: of AdamW's size, so that one learning rate fits both.
"""

import math

import torch

# Newton-Schulz as in torch.optim.Muon.
A, B, C = 3.4445, -4.7750, 2.0315
ITERATIONS, SMALLEST_NORM = 5, 1e-7


def orthogonal(stack: torch.Tensor) -> torch.Tensor:
    """[N, rows, columns] → the nearest matrices of orthonormal rows or columns, roughly, in bfloat16"""
    tall = stack.shape[1] > stack.shape[2]
    x = stack.bfloat16().mT if tall else stack.bfloat16()
    x = x / x.flatten(1).norm(dim=1).clamp(min=SMALLEST_NORM)[:, None, None]
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=B, alpha=C), x, beta=A)
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    def __init__(self, params, lr: float, weight_decay: float, momentum=0.95):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})
        self.found_inf: torch.Tensor | None = None  # 1: the gradients are broken, this step changes only what decays by itself

    def _momentum(self, parameter: torch.Tensor) -> torch.Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        return state["momentum_buffer"]

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            alike: dict[torch.Size, list[torch.Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike.setdefault(parameter.shape, []).append(parameter)
            for (rows, columns), parameters in alike.items():
                momenta = [self._momentum(p) for p in parameters]
                gradient = torch.stack([p.grad for p in parameters])
                if self.found_inf is not None:
                    gradient.masked_fill_(self.found_inf > 0, 0.0)
                torch._foreach_lerp_(momenta, gradient.unbind(), 1 - group["momentum"])
                update = orthogonal(gradient.lerp_(torch.stack(momenta), group["momentum"]))  # Nesterov's
                torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(
                    parameters, list(update.float().unbind()), alpha=-0.2 * group["lr"] * math.sqrt(max(rows, columns))
                )
