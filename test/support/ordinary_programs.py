"""TorchScript programs of ordinary modules, as other people's code makes them, with what Python computes.

`python ordinary_programs.py DIR` writes a file for each, and cases.json with inputs and outputs. No stage of this package
has a list, a dictionary, an enumeration or a class among its attributes; these have.
"""

import argparse
import enum
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Pair(NamedTuple):
    weight: Tensor
    count: int


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


class Convolutions(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.ConvTranspose2d(4, 2, 2, stride=2)
        )


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.Module]):
        super().__init__()
        self.network = kind(8, 6, num_layers=2, bidirectional=True, batch_first=True)

    def forward(self, x):
        return self.network(x)[0]


class Parameters(nn.Module):
    def __init__(self):
        super().__init__()
        self.list = nn.ParameterList([nn.Parameter(torch.randn(8)) for _ in range(3)])
        self.dict = nn.ParameterDict({"a": nn.Parameter(torch.randn(8))})

    def forward(self, x):
        for each in self.list:
            x = x + each
        return x * self.dict["a"]


class Attributes(nn.Module):
    integers: list[int]
    numbers: dict[str, float]
    nothing: Tensor | None
    tuple: tuple[int, str]
    tensors: list[Tensor]
    by_name: dict[str, Tensor]
    nested: list[list[int]]
    by_number: dict[int, list[Tensor]]
    pair: Pair
    pairs: list[Pair]
    anything: Any

    def __init__(self):
        super().__init__()
        self.integers, self.numbers, self.nothing, self.tuple = [1, 2], {"x": 1.5}, None, (3, "text")
        self.tensors, self.by_name = [torch.randn(8), torch.randn(8)], {"w": torch.randn(8)}
        self.nested, self.by_number = [[1], [2, 3], []], {1: [torch.ones(8)]}
        self.pair, self.pairs, self.anything = Pair(torch.randn(8), 2), [Pair(torch.ones(8), 1)], 3
        self.text = "torch._utils and _rebuild_sparse"

    def forward(self, x):
        x = x * self.integers[1] + self.numbers["x"] + self.tuple[0] + self.tensors[0] - self.tensors[1] * self.by_name["w"]
        return x + len(self.nested) + self.by_number[1][0] + self.pair.weight * self.pair.count + self.pairs[0].weight


class Enumerations(nn.Module):
    one: Colour
    several: list[Colour]

    def __init__(self):
        super().__init__()
        self.one, self.several = Colour.GREEN, [Colour.RED, Colour.GREEN]

    def forward(self, x):
        if self.one == Colour.GREEN:
            x = x * 2
        return x + 3 if self.several[0] == Colour.RED else x


class Devices(nn.Module):
    devices: list[torch.device]

    def __init__(self):
        super().__init__()
        self.devices, self.device, self.dtype = [torch.device("cpu")], torch.device("cpu"), torch.float64

    def forward(self, x):
        return x.to(self.device, self.dtype).to(self.devices[0]).float() * 2


class State(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.randn(8)
        self.training = False

    @torch.jit.export
    def __getstate__(self) -> tuple[dict[str, Tensor], list[int], bool]:
        return ({"weight": self.weight}, [1, 2], self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[dict[str, Tensor], list[int], bool]):
        self.weight = state[0]["weight"] * state[1][0]
        self.training = state[2]

    def forward(self, x):
        return x * self.weight


class Buffers(nn.Module):
    def __init__(self):
        super().__init__()
        for dtype in [
            torch.float16,
            torch.bfloat16,
            torch.float64,
            torch.int8,
            torch.uint8,
            torch.int16,
            torch.int64,
            torch.bool,
        ]:
            self.register_buffer("of_" + str(dtype).removeprefix("torch."), torch.arange(8).to(dtype))
        self.register_buffer("complex", torch.randn(8, dtype=torch.complex64))
        self.register_buffer("conjugate", torch.randn(8, dtype=torch.complex64).conj())
        self.register_buffer("empty", torch.empty(3, 0, 2))
        self.register_buffer("expanded", torch.randn(1).expand(8))
        self.register_buffer("elsewhere", torch.empty(8, device="meta"))
        whole = torch.randn(100)
        self.register_buffer("part", whole[50:58])
        self.register_buffer("strided", whole[::12][:8])
        self.register_buffer("turned", torch.randn(8, 2).t())

    def forward(self, x):
        x = x * self.complex.real + self.conjugate.imag + self.of_float16.float()
        x = x + self.of_bfloat16.float() + self.of_float64.float()
        x = x + self.of_int8 + self.of_uint8 + self.of_int16 + self.of_int64 + self.of_bool + self.empty.numel() + self.expanded
        return x + self.part * self.strided + self.turned.sum(0)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.linear = nn.Embedding(6, 4), nn.Linear(4, 6, bias=False)
        self.linear.weight = self.embedding.weight

    def forward(self, x):
        return self.linear(self.embedding(x))


class Constants(nn.Module):
    def forward(self, x):
        return x + torch.tensor([1.0, 2, 3, 4, 5, 6, 7, 8]) + torch.arange(8)


@torch.jit.script
class Scale:
    def __init__(self, weight: Tensor):
        self.weight = weight

    def apply(self, x: Tensor) -> Tensor:
        return x * self.weight


class HasClass(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = Scale(torch.randn(8))

    def forward(self, x):
        return self.scale.apply(x)


def programs() -> Iterable[tuple[str, torch.jit.ScriptModule, Tensor]]:
    image, rows, texts = torch.randn(1, 3, 8, 8), torch.randn(2, 8), torch.randn(2, 5, 8)
    ids = torch.tensor([[1, 2, 3], [4, 0, 2]])
    yield "convolutions", torch.jit.script(Convolutions().eval()), image
    yield "traced", torch.jit.trace(Convolutions().eval(), image), image
    yield "frozen", torch.jit.freeze(torch.jit.script(Convolutions().eval())), image
    yield "channels last", torch.jit.script(Convolutions().eval().to(memory_format=torch.channels_last)), image
    for kind in [nn.LSTM, nn.GRU]:
        yield kind.__name__, torch.jit.script(Recurrent(kind)), texts
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    yield "transformer", torch.jit.trace(layer, texts, check_trace=False), texts
    for module in [Parameters(), Attributes(), Enumerations(), Devices(), State(), Buffers(), HasClass()]:
        yield type(module).__name__, torch.jit.script(module), rows
    yield "Constants", torch.jit.trace(Constants(), rows), rows
    yield "Tied", torch.jit.script(Tied()), ids


def described(tensor: Tensor) -> dict:
    return {"shape": list(tensor.shape), "dtype": str(tensor.dtype).removeprefix("torch."), "data": tensor.flatten().tolist()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    torch.manual_seed(0)
    cases = {}
    with torch.no_grad():
        for name, program, given in programs():
            program.save(str(directory / f"{name}.pt"))
            cases[name] = {"input": described(given), "output": described(program(given))}
    (directory / "cases.json").write_text(json.dumps(cases))


if __name__ == "__main__":
    main()
