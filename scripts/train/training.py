"""What every training process shares: one thread, a resumable state, a learning rate, a log."""

import argparse
import copy
import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn

from .muon import Muon
from .sizes import size_of

Module = TypeVar("Module", bound=nn.Module)


def default_work() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wuerstchen-train"


def arguments(description: str, steps: int, batch: int, lr: float, mixture: str, ema=0.998) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--work", type=Path, default=default_work(), help="emoji, checkpoints, logs")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1, help="one thread a process is fastest when every core is busy")
    parser.add_argument("--steps", type=int, default=steps, help="optimiser steps until the learning rate reaches its floor")
    parser.add_argument(
        "--minutes", type=float, help="reach the floor after this long, all sessions together, if that is sooner than the steps"
    )
    parser.add_argument(
        "--from-step", type=int, default=0, help="where this learning rate cycle began (to go on after an earlier one)"
    )
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--lr", type=float, default=lr)
    parser.add_argument("--mixture", default=mixture, help="domain levels with shares, like 1:0.8,4:0.2")
    parser.add_argument(
        "--precision",
        choices=["float32", "bfloat16"],
        default="float32",
        help="of the networks' arithmetic; weights and averages stay float32. bfloat16 pays on GPUs and on CPUs with AMX or "
        "AVX512-BF16",
    )
    parser.add_argument(
        "--compile",
        default="",
        help="picture sizes whose steps run through torch.compile, like 128,256: faster after minutes of compiling each",
    )
    parser.add_argument(
        "--optimizer",
        choices=["adamw", "muon"],
        default="adamw",
        help="muon makes the steps of all matrices of the diffusion network orthogonal; everything else stays with AdamW",
    )
    parser.add_argument("--ema", type=float, default=ema, help="what a step keeps of the averaged weights")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def prepare(args) -> None:
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)  # nearly dead weights would otherwise make CPU steps several times slower
    torch.backends.cuda.enable_flash_sdp(args.device != "cpu")  # on the CPU its backward is slow over few tokens
    if args.device != "cpu":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    torch.manual_seed(args.seed)
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:  # started by torchrun: the processes share each step's batch
        dist.init_process_group("gloo")
    for folder in ("checkpoints", "samples", "logs"):
        (args.work / folder).mkdir(parents=True, exist_ok=True)


def precision(args) -> torch.autocast:
    """Runs what is inside in `--precision`."""
    return torch.autocast(torch.device(args.device).type, torch.bfloat16, enabled=args.precision == "bfloat16")


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def learning_rate(args, step: int, seconds: float) -> float:
    """Short warm-up, then a half cosine down to 2 %."""
    done = min(1.0, progress(args, step, seconds))
    return args.lr * min(1.0, (step - args.from_step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))


def compiled(args, network: nn.Module) -> Callable[[tuple[int, int]], Callable]:
    """The network for pictures of a size: compiled where `--compile` names the size, a graph for each."""
    chosen, fast = [size_of(size) for size in args.compile.split(",") if size], torch.compile(network, dynamic=False)
    return lambda size: fast if size in chosen else network


def progress(args, step: int, seconds: float) -> float:
    """Of this learning-rate cycle; ends at 1."""
    by_clock = seconds / (60 * args.minutes) if args.minutes else 0.0
    return max(by_clock, (step - args.from_step) / max(1, args.steps - args.from_step))


def save_atomically(value, path: Path) -> None:
    partial = path.with_suffix(".partial")
    torch.save(value, partial)
    partial.rename(path)


class Training:
    """Modules with their averages, the optimiser, the step: saved together, restored together."""

    def __init__(self, name: str, args, modules: dict[str, nn.Module], groups: list[dict], save_seconds=180):
        self.name, self.args, self.modules = name, args, modules
        self.path = args.work / "checkpoints" / f"{name}.pt"
        self.averages = {key: copy.deepcopy(module).eval().requires_grad_(False) for key, module in modules.items()}
        self.optimizers = optimizers(args, modules, groups)
        self.step, self.seconds, self.started = 0, 0.0, time.time()
        self.save_seconds, self.saved = save_seconds, time.time()
        self._log = (args.work / "logs" / f"{name}.jsonl").open("a")
        self._running: dict[str, torch.Tensor] = {}
        self._stopping = False
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, *_) -> None:
        """An ordinary kill ends the process after its current step, with nothing lost."""
        self._stopping = True

    def restore(self) -> bool:
        """Goes on from the last checkpoint, if there is one; gives every process its own random numbers."""
        state = torch.load(self.path, map_location=self.args.device, weights_only=True) if self.path.exists() else {}
        found = "modules" in state  # finished weights, as restore.py writes them, are nothing to resume
        if found:
            self._load(state)
        if self.step < self.args.from_step:
            sys.exit(f"{self.name}: at step {self.step}, before --from-step {self.args.from_step}")
        if rank() > 0:
            torch.manual_seed(self.data_seed)
        return found

    @property
    def data_seed(self) -> int:
        return self.args.seed + self.step + 1_000_003 * rank()

    def _load(self, state: dict) -> None:
        for key, module in self.modules.items():
            module.load_state_dict(state["modules"][key])
            self.averages[key].load_state_dict(state["averages"][key])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        for group in self.optimizers[0].param_groups:
            group.update(fused=True, foreach=None)
        self.step, self.seconds = state["step"], state["seconds"]
        torch.set_rng_state(state["rng"].cpu())
        print(f"{self.name}: resumed at step {self.step} after {self.seconds / 60:.0f} min", flush=True)

    def save(self) -> None:
        if rank() > 0:
            return
        save_atomically(
            {
                "modules": {key: module.state_dict() for key, module in self.modules.items()},
                "averages": {key: module.state_dict() for key, module in self.averages.items()},
                "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
                "step": self.step,
                "seconds": self.elapsed(),
                "rng": torch.get_rng_state(),
            },
            self.path,
        )
        self.saved = time.time()

    def elapsed(self) -> float:
        return self.seconds + time.time() - self.started

    def update(self, loss: torch.Tensor, **metrics: torch.Tensor) -> None:
        """One optimiser step, averages, log, and a checkpoint every few minutes. It waits for a GPU only to write the log."""
        rate = learning_rate(self.args, self.step, self.elapsed())
        groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]
        for group in groups:
            group["lr"] = rate * group["scale"]
        trained = [p for group in groups for p in group["params"]]
        for parameter in trained:
            parameter.grad = None
        loss.backward()
        if dist.is_initialized():
            _average_gradients(trained)
        norm = nn.utils.clip_grad_norm_(trained, 1.0, foreach=True)
        broken = (~torch.isfinite(norm)).float()
        for optimizer in self.optimizers:
            # Such a batch teaches nothing. Fused optimisers read this, and the class does not declare it.
            optimizer.found_inf = broken  # type: ignore[attr-defined]
            optimizer.step()
        self.step += 1
        self._average()
        for key, value in {"loss": loss.detach(), "norm": norm, **metrics}.items():
            self._running[key] = value.float().lerp(self._running.get(key, value.float()), 0.98)
        if self.step % 50 == 0 and rank() == 0:
            row = {
                "step": self.step,
                "seconds": round(self.elapsed()),
                "lr": rate,
                **{k: round(v.item(), 5) for k, v in self._running.items()},
            }
            self._log.write(json.dumps(row) + "\n")
            self._log.flush()
        if self._stopping or time.time() - self.saved > self.save_seconds:
            self.save()
        if self._stopping:
            sys.exit(f"{self.name}: stopped at step {self.step}")

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.args.ema, (1 + self.step) / (10 + self.step))  # a young average follows quickly
        for key, module in self.modules.items():
            average = self.averages[key]
            ours, theirs = [p.detach() for p in average.parameters()], [p.detach() for p in module.parameters()]
            torch._foreach_lerp_(ours, theirs, 1 - keep)
            for a, b in zip(average.buffers(), module.buffers(), strict=True):
                a.copy_(b)

    @property
    def progress(self) -> float:
        """Of this learning-rate cycle; ends at 1."""
        return progress(self.args, self.step, self.elapsed())

    @property
    def done(self) -> bool:
        return self.progress >= 1


def optimizers(args, modules: dict[str, nn.Module], groups: list[dict]) -> list[torch.optim.Optimizer]:
    """AdamW, and with --optimizer muon a second one for the weights of the diffusion network's Linear layers."""
    muon = set()
    if args.optimizer == "muon":
        linear = [m for key in ("decoder", "prior") if key in modules for m in modules[key].modules() if isinstance(m, nn.Linear)]
        muon = {module.weight for module in linear}

    def part(of_muon: bool) -> list[dict]:
        chosen = [{"scale": 1.0, **group, "params": [p for p in group["params"] if (p in muon) == of_muon]} for group in groups]
        return [group for group in chosen if group["params"]]

    result: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(part(False), lr=args.lr, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    ]
    if muon:
        result.append(Muon(part(True), lr=args.lr, weight_decay=0.01))
    return result


def _average_gradients(trained: list[nn.Parameter]) -> None:
    gradients = [p.grad for p in trained if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])  # one message instead of hundreds
    dist.all_reduce(flat)
    for gradient, part in zip(gradients, flat.div_(dist.get_world_size()).split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def load_average(work: Path, name: str, key: str, module: Module, device="cpu") -> Module:
    """The averaged weights of one module of another training process, frozen."""
    state = torch.load(work / "checkpoints" / f"{name}.pt", map_location=device, weights_only=True)
    module.load_state_dict(state["averages"][key])
    return module.to(device).eval().requires_grad_(False)
