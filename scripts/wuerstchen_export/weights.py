"""Reads tensors of a checkpoint and puts them into a module; every missing, surplus or misshapen tensor is named."""

import hashlib
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from .errors import ExportError, listed

STEMS = ["diffusion_pytorch_model", "model", "pytorch_model"]


def weight_files(directory: Path) -> list[Path]:
    """The weight files of a component: one .safetensors, else one .bin, else the shards that an index names."""
    for suffix in [".safetensors", ".bin"]:
        for stem in STEMS:
            file = directory / f"{stem}{suffix}"
            if file.is_file():
                return [file]
            index = directory / f"{stem}{suffix}.index.json"
            if index.is_file():
                names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
                return [directory / name for name in names]
    raise ExportError(f"Expected weights ({' or '.join(STEMS)}, .safetensors or .bin) in {directory} but found none")


def file_sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def read_tensors(files: list[Path]) -> dict[str, Tensor]:
    """All tensors of `files`, mapped from disk rather than read where the format allows."""
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors.update(_read_safetensors(file) if file.suffix == ".safetensors" else _read_pickle(file))
    return tensors


def _read_safetensors(file: Path) -> dict[str, Tensor]:
    try:
        with safe_open(file, framework="pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}
    except (SafetensorError, OSError) as error:
        raise ExportError(f"Expected a safetensors file but {file} cannot be read: {error}") from error


def _read_pickle(file: Path) -> dict[str, Tensor]:
    """A .bin or .pt file of tensors only: weights_only, because a pickle is otherwise a program."""
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError) as error:
        raise ExportError(f"Expected a file of tensors but {file} cannot be read: {error}") from error
    if isinstance(loaded, dict) and isinstance(loaded.get("effnet_state_dict"), dict):
        loaded = loaded["effnet_state_dict"]  # the original release: model_v2_stage_b.pt holds Stage B and the encoder
    if not isinstance(loaded, dict) or not all(isinstance(tensor, Tensor) for tensor in loaded.values()):
        raise ExportError(f"Expected a dictionary of tensors in {file} but found something else")
    return loaded


def load_module(
    factory: Callable[[dict], nn.Module], config: dict, tensors: dict[str, Tensor], ignore: Callable[[str], bool], where: str
) -> nn.Module:
    """A float32 module for inference with exactly these tensors; `ignore` says which keys of the file are not for it."""
    with torch.device("meta"):
        module = factory(config)
    expected = module.state_dict()
    counters = {name for name in expected if name.endswith(".num_batches_tracked")}  # used only in training
    given = {name: tensor for name, tensor in tensors.items() if not ignore(name)}
    problems = []
    for name in sorted(expected.keys() - given.keys() - counters):
        problems.append(f"missing {name} {list(expected[name].shape)}")
    for name in sorted(given.keys() - expected.keys()):
        problems.append(f"unexpected {name} {list(given[name].shape)}")
    for name in sorted(expected.keys() & given.keys()):
        actual, asked = list(given[name].shape), list(expected[name].shape)
        if actual != asked:
            problems.append(f"{name} has shape {actual}, the configuration asks for {asked}")
        elif not given[name].is_floating_point() and name not in counters:
            problems.append(f"{name} has type {given[name].dtype}, expected floating point")
    if problems:
        raise ExportError(f"{where}: {len(problems)} tensors do not fit the configuration\n{listed(problems)}")
    floats = {name: tensor.float() for name, tensor in given.items() if name not in counters}
    module.load_state_dict(floats, strict=False, assign=True)
    return module.requires_grad_(False).eval()
