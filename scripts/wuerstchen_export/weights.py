"""Reads tensors of a checkpoint and puts them into a module; every missing, surplus or misshapen tensor is named."""

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from .errors import ExportError, listed, reason
from .layouts import NETWORK, renamed, unwrapped


def file_sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def read_tensors(files: list[Path], inside: tuple[str, ...] = NETWORK) -> dict[str, Tensor]:
    """All tensors of `files` by the names that our modules have for them, mapped from disk rather than read where the format
    allows; of a file with more than tensors the first of the dictionaries `inside`."""
    tensors: dict[str, Tensor] = {}
    for file in files:
        if not file.is_file():  # a pipe would never end
            raise ExportError(f"Expected a file of tensors but {file} is none")
        read = renamed(_read_safetensors(file) if file.suffix == ".safetensors" else _read_pickle(file, inside))
        twice = sorted(read.keys() & tensors.keys())
        if twice:
            raise ExportError(f"Expected every tensor once but {file} has {twice[0]} again")
        tensors.update(read)
    return tensors


def read_header(file: Path) -> dict[str, str]:
    """What a safetensors file says besides its tensors."""
    with safe_open(file, framework="pt") as opened:
        return opened.metadata() or {}


def _read_safetensors(file: Path) -> dict[str, Tensor]:
    try:
        with safe_open(file, framework="pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}
    except Exception as error:  # dtypes that torch lacks, sizes beyond memory, and whatever else a damaged header leads to
        raise ExportError(f"Expected a safetensors file but {file} cannot be read: {reason(error)}") from error


def _read_pickle(file: Path, inside: tuple[str, ...]) -> dict[str, Tensor]:
    """A .bin or .pt file of tensors only: weights_only, because a pickle is otherwise a program."""
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except Exception as error:  # damaged pickles end in every exception there is
        raise ExportError(f"Expected a file of tensors but {file} cannot be read: {reason(error)}") from error
    tensors = unwrapped(loaded, inside)
    if not isinstance(tensors, dict) or not all(isinstance(key, str) for key in tensors):
        raise ExportError(f"Expected a dictionary of tensors in {file} but found something else")
    for key, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise ExportError(f"Expected tensors only in {file} but {key} is of type {type(tensor).__name__}")
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta or tensor.is_nested:
            raise ExportError(f"Expected plain tensors in {file} but {key} is sparse, quantized or without values")
    return {key: tensor.detach() for key, tensor in tensors.items()}


def build(factory: Callable[[dict], nn.Module], config: dict, where: str) -> nn.Module:
    """The network of a configuration, without weights."""
    try:
        with torch.device("meta"):
            return factory(config)
    except Exception as error:  # torch's and transformers' checks have many classes
        raise ExportError(f"Expected the configuration of a network in {where} but it makes none: {reason(error)}") from error


def load_module(
    factory: Callable[[dict], nn.Module], config: dict, tensors: dict[str, Tensor], ignore: Callable[[str], bool], where: str
) -> nn.Module:
    """A float32 module for inference with exactly these tensors; `ignore` says which keys of the file are not for it."""
    module = build(factory, config, where)
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
