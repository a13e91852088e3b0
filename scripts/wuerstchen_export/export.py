"""The whole run: stage by stage, every file verified, and all of it made visible at the end."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from . import manifest as manifests
from . import torchscript
from .checkpoint import Checkpoint
from .hub.card import NAMELESS
from .hub.origin import Origin, origin_of
from .lora import Lora
from .publish import partial_directory, publish
from .stages import Stage, stages_of
from .tokenizer import read_tokenizer
from .versions import made_for_all
from .weights import file_sha256

LONGEST_LICENSE = 256  # characters (lib/model/manifest.ts)


@dataclass(frozen=True)
class Options:
    out: Path
    dtype: str
    storage: str
    device: str
    name: str
    license: str | None  # None: what is known of it
    width: int | None  # None: near 1024
    height: int | None
    loras: tuple[Lora, ...] = ()
    origins: dict[Path, Origin] = field(default_factory=dict)  # of directories that were fetched


def export(checkpoint: Checkpoint, options: Options, report: Callable[[str], None]) -> dict:
    """Writes or extends the model directory and returns its manifest.

    Everything is written into a `.partial-` directory inside `out` and renamed at the end, the manifest last: an export that
    is killed leaves the model directory as it was.
    """
    stages = stages_of(checkpoint, options.loras)
    existing = manifests.read_manifest(options.out)
    origins = {stage.name: origin_of(stage.files, options.origins, report) for stage in stages}
    license = options.license or license_of(origins, existing)
    with partial_directory(options.out) as partial:
        manifest = manifests.new_manifest(checkpoint, stages, options.name, license, options.width, options.height)
        manifest["tokenizers"] = write_tokenizers(checkpoint, stages, partial)
        if existing:
            manifests.check_same_model(existing, manifest, options.out)
        for stage in stages:
            entry, constants = export_stage(stage, options, partial, existing, origins[stage.name], report)
            manifest["stages"][stage.name] = entry
            manifest["constants"].update(constants)
        if existing:
            manifest = manifests.merge(existing, manifest)
        publish(partial, options.out, manifests.FILE, manifests.dump(manifest))
    return manifest


def license_of(origins: dict[str, Origin | None], existing: dict | None) -> str:
    """What the model cards say, each licence once; else what the model directory says."""
    known = dict.fromkeys(origin.license for origin in origins.values() if origin and origin.license != NAMELESS)
    return ", ".join(known)[:LONGEST_LICENSE] or (existing or {}).get("license") or NAMELESS


def export_stage(
    stage: Stage,
    options: Options,
    partial: Path,
    existing: dict | None,
    origin: Origin | None,
    report: Callable[[str], None],
) -> tuple[dict, dict[str, float]]:
    """One stage in, one file out; nothing of it stays in memory. Returns its entry and what it adds to the constants."""
    started = time.monotonic()
    dtype, storage = getattr(torch, options.dtype), getattr(torch, options.storage)
    size = sum(file.stat().st_size for file in stage.files)
    report(f"{stage.name}: reading {size / 1e6:,.1f} MB, {', '.join(file.name for file in stage.files)}")
    module, parameters, tensors = stage.load()
    entry: dict = {"parameters": parameters, "config": stage.config, "fingerprint": manifests.fingerprint(tensors, stage.loras)}
    if origin:
        entry["origin"] = origin.entry()
    if stage.loras:
        entry["loras"] = [lora.entry() for lora in stage.loras]
    entry["artefacts"] = []
    constants = stage.constants(tensors)
    del tensors
    if existing:
        manifests.check_same_model(existing, {**existing, "tokenizers": {}, "stages": {stage.name: entry}}, options.out)

    module = module.to(options.device, storage).to(dtype)  # the weights that the runtime has after loading
    cases = torchscript.make_cases(module, stage, dtype, options.device)
    file = partial / f"{stage.name}.{options.dtype}.{options.device}{torchscript.SUFFIX}"
    report(f"{stage.name}: writing {file.name}")
    torchscript.write(module, cases, file, storage)
    del module
    gc.collect()  # traced modules are cyclic; otherwise the weights stay in memory during the verification
    error = torchscript.verify(file, stage, cases, dtype, options.device)
    entry["artefacts"].append(
        {
            "kind": torchscript.KIND,
            "file": file.name,
            "dtype": options.dtype,
            "storage": options.storage,
            "device": options.device,
            "isa": None,
            "gpuArch": None,
            **made_for_all(),
            "size": file.stat().st_size,
            "sha256": file_sha256(file),
            "functions": manifests.functions_entry(stage.functions, options.dtype),
        }
    )
    report(
        f"{stage.name}: {parameters:,} parameters, {file.stat().st_size / 1e6:,.1f} MB written, "
        f"differs from the module by {error:.0e}, {time.monotonic() - started:.1f} s"
    )
    return entry, constants


def write_tokenizers(checkpoint: Checkpoint, stages: list[Stage], partial: Path) -> dict:
    entries = {}
    sources = {
        "priorTextEncoder": ("prior_tokenizer.json", checkpoint.prior_tokenizer),
        "decoderTextEncoder": ("decoder_tokenizer.json", checkpoint.decoder_tokenizer),
    }
    for stage in stages:
        if stage.name in sources:
            name, directory = sources[stage.name]
            tokenizer = read_tokenizer(directory, stage.config["max_position_embeddings"], stage.config["vocab_size"])
            file = partial / name
            file.write_text(tokenizer.json, encoding="utf-8")
            entries[stage.name] = {
                "file": name,
                "size": file.stat().st_size,
                "sha256": file_sha256(file),
                "maxLength": tokenizer.max_length,
                "padTokenId": tokenizer.pad_token_id,
            }
    return entries
