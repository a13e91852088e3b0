"""Which files of a component hold its weights, by their names: of a directory, or of a list of files that are elsewhere."""

import re
from collections.abc import Collection
from pathlib import Path

from .errors import ExportError
from .jsons import read_json

STEMS = ["diffusion_pytorch_model", "model", "pytorch_model"]
SUFFIXES = [".safetensors", ".bin"]


def weight_files(directory: Path, variant: str | None = None) -> list[Path]:
    """The weight files of a component: one file, or the shards that an index names."""
    names = {file.name for file in directory.iterdir() if file.is_file()}
    chosen = chosen_file(names, variant, str(directory))
    if not is_index(chosen):
        return [directory / chosen]
    files = [directory / name for name in shard_names(directory / chosen)]
    for file in files:
        if not file.is_file():
            raise ExportError(f"Expected {file.name}, which {directory / chosen} names, but it is not there")
    return files


def chosen_file(names: Collection[str], variant: str | None, where: str) -> str:
    """The file of weights among `names`: a .safetensors, else a .bin, or the index of its shards.

    `variant` files come first if it is given. Without it, and with nothing else there, the only variant is taken.
    """
    found = file_of(names, variant) or file_of(names, None)
    if found:
        return found
    others = variants_of(names)
    if len(others) > 1:
        raise ExportError(f"Expected one kind of weights in {where} but found {', '.join(others)}: choose one with --variant")
    found = file_of(names, others[0]) if others else None
    if found:
        return found
    raise ExportError(f"Expected weights ({' or '.join(STEMS)}, .safetensors or .bin) in {where} but found none")


def file_of(names: Collection[str], variant: str | None) -> str | None:
    middle = f".{variant}" if variant else ""
    for suffix in SUFFIXES:
        for stem in STEMS:
            # diffusers and transformers have both spellings of a variant's index.
            forms = (
                f"{stem}{middle}{suffix}",
                f"{stem}{middle}{suffix}.index.json",
                f"{stem}{suffix}.index{middle}.json",
            )
            for name in forms:
                if name in names:
                    return name
    return None


def is_index(name: str) -> bool:
    return name.endswith(".json")


def variants_of(names: Collection[str]) -> list[str]:
    """The variants that have files: fp16 of model.fp16.safetensors, model.fp16.safetensors.index.json and their like."""
    stem, suffix = f"({'|'.join(STEMS)})", r"\.(safetensors|bin)"
    middle = r"\.(?P<variant>[A-Za-z0-9_]+)"
    forms = [rf"{stem}{middle}{suffix}(\.index\.json)?", rf"{stem}{suffix}\.index{middle}\.json"]
    matches = [re.fullmatch(form, name) for name in names for form in forms]
    return sorted({match["variant"] for match in matches if match})


def shard_names(index: Path) -> list[str]:
    """The files that an index names, which lie beside it."""
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ExportError(f"Expected a weight_map in {index} but found none")
    names = weight_map.values()
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(tuple(SUFFIXES)):
            raise ExportError(f"Expected names of weight files beside {index} but received {name!r}")
    return sorted(set(names))
