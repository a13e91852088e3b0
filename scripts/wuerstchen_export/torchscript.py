"""One stage -> one TorchScript file with all the stage's functions, and the proof that the file computes what the module does.

TorchScript is the portable artefact. A trace is generic in batch, height, width and text length, and has no device in it
(no network here makes a constant tensor while it runs).
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .errors import ExportError
from .stages import Function, Stage

KIND = "torchscript"
SUFFIX = ".pt"

# Largest difference between program and module, relative to the largest value. Both run the same kernels on the same
# weights, so this allows for little more than another order of the same sums.
TOLERANCE = {torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 2e-2}

# (batch, height, width, text, grid height, grid width) in units of the stage: the first is traced, the others are verified.
SIZES = [(2, 3, 2, 5, 3, 2), (1, 2, 3, 7, 2, 3), (3, 4, 4, 2, 3, 3)]


@dataclass(frozen=True)
class Case:
    """Inputs of one function at one size and what the module made of them."""

    function: str
    size: dict[str, int]
    inputs: tuple[Tensor, ...]
    expected: tuple[Tensor, ...]


def dimension(symbol: int | str, size: dict[str, int]) -> int:
    """`height/4` at this size."""
    if isinstance(symbol, int):
        return symbol
    for operator, apply in [("/", int.__floordiv__), ("*", int.__mul__)]:
        if operator in symbol:
            name, factor = symbol.split(operator)
            return apply(size[name], int(factor))
    return size[symbol]


def example_inputs(
    function: Function, size: dict[str, int], known: dict[str, Tensor], stage: Stage, dtype: torch.dtype, device: str
) -> tuple[Tensor, ...]:
    """Seeded inputs; those that another function has made at this size are taken from there."""
    generator = torch.Generator().manual_seed(sum(size.values()))
    inputs = []
    for spec in function.inputs:
        shape = [dimension(symbol, size) for symbol in spec.shape]
        if spec.name in known:
            inputs.append(known[spec.name])
            continue
        if spec.name == "ids":
            tensor = torch.randint(0, stage.config["vocab_size"], shape, generator=generator)
        elif spec.name == "mask":
            real = torch.randint(1, shape[1] + 1, (shape[0], 1), generator=generator)
            tensor = (torch.arange(shape[1]) < real).long()
        elif spec.name in ("ratio", "pixels"):
            tensor = torch.rand(shape, generator=generator)
        else:
            tensor = torch.randn(shape, generator=generator)
        inputs.append(tensor.to(device, spec.dtype_in(dtype)))
    return tuple(inputs)


def make_cases(module: nn.Module, stage: Stage, dtype: torch.dtype, device: str) -> list[Case]:
    """What the module makes of seeded inputs, for every function at every size."""
    cases = []
    for batch, height, width, text, grid_height, grid_width in SIZES:
        size = {
            "batch": batch,
            "height": height * stage.unit,
            "width": width * stage.unit,
            "text": text,
            "gridHeight": grid_height,
            "gridWidth": grid_width,
        }
        known: dict[str, Tensor] = {}
        for name, function in stage.functions.items():
            inputs = example_inputs(function, size, known, stage, dtype, device)
            with torch.no_grad():
                outputs = getattr(module, name)(*inputs)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            known.update(
                {spec.name: tensor for spec, tensor in zip(function.inputs + function.outputs, inputs + outputs, strict=True)}
            )
            cases.append(Case(name, size, inputs, outputs))
    return cases


def write(module: nn.Module, cases: list[Case], file: Path, storage: torch.dtype) -> None:
    """Traces every function on the first size's inputs and saves the program with its weights in `storage`."""
    first = {case.function: case.inputs for case in reversed(cases)}
    with torch.no_grad():
        traced = torch.jit.trace_module(module, first, check_trace=False)
    for name in first:
        # One flat function instead of a call a submodule, so that every intermediate is freed after its last use. Freed at
        # the calls' ends, they leave the heap in pieces: Stage C at full size then takes 2.6 GB more.
        torch._C._jit_pass_inline(getattr(traced, name).graph)
    traced.to(storage)
    whole = file.with_suffix(".whole")
    try:
        torch.jit.save(traced, str(whole))
        _without_debug_records(whole, file)
    finally:
        whole.unlink(missing_ok=True)


def _without_debug_records(source: Path, target: Path) -> None:
    """Copies the archive without its .debug_pkl records: they name source files of the exporting machine."""
    reader = torch._C.PyTorchFileReader(str(source))
    writer = torch._C.PyTorchFileWriter(str(target))
    for name in reader.get_all_records():
        if name.endswith(".debug_pkl") or name in ("version", "byteorder", ".data/serialization_id"):
            continue  # the last three are the writer's own
        record = reader.get_record(name)
        writer.write_record(name, record, len(record))
    writer.write_end_of_file()


def verify(file: Path, stage: Stage, cases: list[Case], dtype: torch.dtype, device: str) -> float:
    """Loads the file as the runtime does and runs every case; the largest relative error, if all are within tolerance."""
    program = torch.jit.load(str(file), map_location=device).to(dtype)
    worst = 0.0
    for case in cases:
        with torch.no_grad(), torch.jit.optimized_execution(False):  # as the runtime runs it
            outputs = getattr(program, case.function)(*case.inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        for spec, output, expected in zip(stage.functions[case.function].outputs, outputs, case.expected, strict=True):
            where = f"{stage.name}.{case.function}, output {spec.name} at {case.size}"
            shape = [dimension(symbol, case.size) for symbol in spec.shape]
            wanted = spec.dtype_in(dtype)
            if list(output.shape) != shape or output.dtype != wanted:
                raise ExportError(f"Expected {shape} {wanted} for {where} but received {list(output.shape)} {output.dtype}")
            if not output.isfinite().all():
                raise ExportError(f"Expected finite numbers for {where} in {dtype}: the weights overflow it, or are not finite")
            error = relative_error(output, expected)
            if not error <= TOLERANCE[dtype]:
                allowed = TOLERANCE[dtype]
                raise ExportError(f"The program differs from the module by {error:.1e} for {where}, allowed is {allowed:.0e}")
            worst = max(worst, error)
    return worst


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest expected value."""
    scale = expected.double().abs().max().clamp(min=1e-12)
    return ((actual.double() - expected.double()).abs().max() / scale).item()
