"""Writes the programs that fuzzing begins with: python test/fuzz/make_programs.py"""

from pathlib import Path

import torch

FOLDER = Path(__file__).parent / "corpus" / "program"


class Traced(torch.nn.Module):
    """Weights of two kinds, and nothing that depends on a size."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(4, 3, 1)
        self.second = torch.nn.Linear(3, 3)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.second(self.first(latents).permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


class Scripted(torch.nn.Module):
    """Control flow and numbers in the source."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(3, 4))

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        for index in range(latents.shape[2]):
            if index > 4:
                latents = latents * 2.0
        return torch.einsum("bchw,dc->bdhw", latents, self.weight)


torch.manual_seed(0)
FOLDER.mkdir(parents=True, exist_ok=True)
torch.jit.trace(Traced().eval(), torch.zeros(1, 4, 8, 8)).save(str(FOLDER / "traced.pt"))
torch.jit.script(Scripted().eval()).save(str(FOLDER / "scripted.pt"))
