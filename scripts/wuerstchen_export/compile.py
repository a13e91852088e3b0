"""Compiled libraries for the programs of a model directory, made on the machine that is to run them, or for a GPU elsewhere.

A library (AOTInductor) is one function of one program: code without weights, generic in batch and size. Its weights are the
TorchScript program's own tensors, so they are in memory once, whatever is compiled, and the program still runs what no library
covers. No checkpoint is needed: the networks are built from the manifest's configurations and the programs' weights.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from . import aoti
from . import manifest as manifests
from .blocks import Foldable
from .checkpoint import read_json
from .cross import pretend
from .cross import write as elsewhere
from .cross.gpus import Gpu
from .errors import ExportError, listed
from .publish import partial_directory, publish
from .stages import Stage, stage_of
from .weights import file_sha256

FOLDER = "compiled"
FILE = "compiled.json"
FORMAT_VERSION = 2


@dataclass(frozen=True)
class Options:
    model: Path
    dtypes: tuple[str, ...]  # empty: all stages of the model
    device: str
    stages: tuple[str, ...]
    gpu: Gpu | None = None  # that is not here; this process then compiles for no other


def compile_model(options: Options, report: Callable[[str], None]) -> Path:
    """Writes `compiled/` into the model directory, or adds to it, and returns its index. A library becomes visible with the
    index that names it, and only after it has given what its program gives; one for a GPU that is not here is marked instead."""
    manifest = manifests.read_manifest(options.model)
    if manifest is None:
        raise ExportError(f"Expected a model directory with a {manifests.FILE} but {options.model} has none")
    folder = options.model / FOLDER
    target = aoti.gpu_target(options.gpu.arch) if options.gpu else aoti.target_of(options.device)
    existing = read_index(folder)
    entries = []
    with partial_directory(folder) as partial, tempfile.TemporaryDirectory(prefix="wuerstchen-") as scratch:
        if options.gpu:
            pretend.pretend(options.gpu, Path(scratch))
        for name, entry in manifest["stages"].items():
            stage = stage_of(name, entry["config"])
            for artefact in programs_for(entry["artefacts"], options.device):
                wanted = not options.dtypes or artefact["dtype"] in options.dtypes
                if wanted and name in options.stages:
                    size = manifest["defaults"]["width"], manifest["defaults"]["height"]
                    entries.append(compile_program(stage, artefact, size, manifest, options, target, partial, report))
        if not entries:
            raise ExportError(
                f"Expected programs for {options.device} in {' or '.join(options.dtypes) or 'any dtype'} but found none"
            )
        publish(partial, folder, FILE, manifests.dump(merge(existing, entries)))
    return folder / FILE


def programs_for(artefacts: list[dict], device: str) -> list[dict]:
    """The programs that libraries for `device` are made for. A program has no device in it: one that was made on a CPU serves a
    GPU, where there is none of its dtype that was made on one."""
    own = [artefact for artefact in artefacts if artefact["device"] == device]
    if device == "cpu":
        return own
    known = {artefact["dtype"] for artefact in own}
    return own + [artefact for artefact in artefacts if artefact["dtype"] not in known]


def compile_program(
    stage: Stage,
    artefact: dict,
    size: tuple[int, int],
    manifest: dict,
    options: Options,
    target: dict,
    partial: Path,
    report: Callable[[str], None],
) -> dict:
    """One program in, a library for each of its functions that is worth one out; every library verified where that can be."""
    file = checked_file(options.model, artefact)
    dtype = getattr(torch, artefact["dtype"])
    device = "cpu" if options.gpu else options.device
    program = torch.jit.load(str(file), map_location=device)
    module = rebuild(program, stage, file).to(device, dtype)  # also the buffers that the file does not hold
    program = program.to(dtype)
    libraries = {}
    for function in aoti.compiled_functions(stage):
        started = time.monotonic()
        name = "-".join([stage.name, function, artefact["dtype"], options.device, target["isa"] or target["gpuArch"]])
        library = partial / f"{name}.so"
        report(f"{stage.name}.{function}: compiling {library.name}")
        limits = aoti.limits_of(stage, function)
        optimal = aoti.hint(stage, limits, manifest, size)
        if options.gpu:
            facts = elsewhere.write(module, stage, function, optimal, dtype, options.gpu, library)
        else:
            packed = aoti.write(module, stage, function, optimal, dtype, device, library)
            error = aoti.verify(library, packed, program, stage, function, dtype, device)
            facts = f"differs from the program by {error:.0e}"
        libraries[function] = {
            "file": f"{FOLDER}/{library.name}",
            "size": library.stat().st_size,
            "sha256": file_sha256(library),
            "limits": limits,
        }
        report(f"{stage.name}.{function}: {library.stat().st_size / 1e6:,.1f} MB, {facts}, {time.monotonic() - started:.1f} s")
    return {
        "stage": stage.name,
        "program": {"file": artefact["file"], "sha256": artefact["sha256"]},
        **target,
        **({"verified": False} if options.gpu else {}),
        "libraries": libraries,
    }


def checked_file(model: Path, artefact: dict) -> Path:
    file = model / artefact["file"]
    if file_sha256(file) != artefact["sha256"]:
        raise ExportError(f"Expected the sha256 of {manifests.FILE} for {file} but it is another file")
    return file


def rebuild(program: torch.jit.ScriptModule, stage: Stage, file: Path) -> nn.Module:
    """The network whose trace the program is, with the program's tensors."""
    with torch.device("meta"):
        module = stage.build(stage.config)
        if isinstance(module, Foldable):
            module.fold()
    there = dict(program.state_dict())
    expected = {name: tensor.shape for name, tensor in [*module.named_parameters(), *module.named_buffers()]}
    problems = [f"missing {name}" for name in sorted(expected.keys() - there.keys())]
    problems += [f"unexpected {name}" for name in sorted(there.keys() - expected.keys())]
    problems += [
        f"{name} has shape {list(there[name].shape)}"
        for name in sorted(expected.keys() & there.keys())
        if there[name].shape != expected[name]
    ]
    if problems:
        raise ExportError(
            f"{file} was exported by another version of this exporter: export the checkpoint again\n{listed(problems)}"
        )
    module.load_state_dict(there, strict=False, assign=True)
    return module.requires_grad_(False).eval()


def read_index(folder: Path) -> dict:
    """The index already there, or one without libraries."""
    file = folder / FILE
    if not file.is_file():
        return {"formatVersion": FORMAT_VERSION, "artefacts": []}
    index = read_json(file)
    if index.get("formatVersion") != FORMAT_VERSION:
        version = index.get("formatVersion")
        raise ExportError(f"Expected format version {FORMAT_VERSION} in {file} but received {version!r}: remove {folder} first")
    return index


def merge(existing: dict, entries: list[dict]) -> dict:
    """`existing` with `entries` in place of those for the same program and machine."""

    def identity(entry: dict) -> tuple:
        return entry["stage"], entry["program"]["file"], entry["device"], entry["isa"], entry["gpuArch"]

    replaced = {identity(entry) for entry in entries}
    kept = [entry for entry in existing["artefacts"] if identity(entry) not in replaced]
    return {"formatVersion": FORMAT_VERSION, "artefacts": kept + entries}
