"""wuerstchen.json, the manifest of a model directory (schema: docs/wuerstchen.schema.json)."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from . import VERSION
from .checkpoint import Checkpoint, shown
from .errors import ExportError, listed
from .jsons import read_json
from .lora import FittedLora
from .names import DTYPES
from .schedule import default_stage_c_timesteps
from .sizes import sides_of
from .stages import Function, Stage, TensorSpec

FORMAT_VERSION = 1
FILE = "wuerstchen.json"
DEFAULT_SIDE = 1024
LARGEST_NUMBER = 1_000_000
KINDS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a whole number above 0",
    float: "a number above 0",
}


def fingerprint(tensors: dict[str, Tensor], loras: tuple[FittedLora, ...]) -> str:
    """Tells checkpoints of one configuration apart: sha256 of every tensor's name, shape and first 64 values in float32, and
    of the LoRAs merged into them."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}{list(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1)[:64].float().numpy().tobytes())
    for lora in loras:
        digest.update(lora.identity().encode())
    return digest.hexdigest()


def constants_of(checkpoint: Checkpoint, stages: list[Stage]) -> dict:
    by_name = {stage.name: stage for stage in stages}
    return {
        "latentMean": checkpoint.constants["latent_mean"],
        "latentStd": checkpoint.constants["latent_std"],
        "resolutionMultiple": checkpoint.constants["resolution_multiple"],
        "latentDimScale": checkpoint.constants["latent_dim_scale"],
        "latentUnit": by_name["decoder"].unit,
        "pixelsPerLatent": by_name["vqEncoder"].unit,
        "scaleFactor": by_name["vqDecoder"].config["scale_factor"],
        "scheduler": {"prior": checkpoint.prior_scheduler, "decoder": checkpoint.decoder_scheduler},
    }


def default_side(name: str, asked: int | None, constants: dict) -> int:
    """The side that was asked for, else the nearest to the published default that the model makes."""
    sides = sides_of(constants)
    if not sides:
        numbers = ", ".join(f"{key} {constants[key]:g}" for key in ["resolutionMultiple", "latentDimScale", "pixelsPerLatent"])
        raise ExportError(
            f"Expected constants with which an image has the size that was asked for but received {numbers}: "
            "resolution_multiple is pixels a cell, about latent_dim_scale times the pixels of a latent"
        )
    nearest = min(sides, key=lambda side: (abs(side - (asked or DEFAULT_SIDE)), side))
    if asked is not None and nearest != asked:
        raise ExportError(f"Expected a side that this model makes for the default {name} but received {asked}; near is {nearest}")
    return nearest


def new_manifest(
    checkpoint: Checkpoint, stages: list[Stage], name: str, license: str, width: int | None, height: int | None
) -> dict:
    """The manifest without artefacts."""
    constants = constants_of(checkpoint, stages)
    return {
        "formatVersion": FORMAT_VERSION,
        "name": name,
        "license": license,
        "exporter": {"version": VERSION, "torch": torch.__version__.split("+")[0]},
        "constants": constants,
        # The combined pipeline's defaults, with the timesteps that the model's authors recommend.
        "defaults": {
            "width": default_side("width", width, constants),
            "height": default_side("height", height, constants),
            "priorTimesteps": default_stage_c_timesteps(),
            "priorGuidanceScale": 4.0,
            "decoderSteps": 12,
            "decoderGuidanceScale": 0.0,
        },
        "presets": default_presets(),
        "tokenizers": {},
        "stages": {},
    }


def default_presets() -> dict:
    """Fewer steps by name, chosen by the scores of models/tiny (docs/samplers.md); not measured on any other model."""
    sampler = "dpm-solver++"
    return {
        "balanced": {"priorSampler": sampler, "priorSteps": 12, "decoderSampler": sampler, "decoderSteps": 6},
        "fast": {"priorSampler": sampler, "priorSteps": 8, "decoderSampler": sampler, "decoderSteps": 4},
    }


def functions_entry(functions: dict[str, Function], dtype: str) -> dict:
    def tensors(specs: tuple[TensorSpec, ...]) -> list[dict]:
        return [{"name": spec.name, "dtype": spec.dtype or dtype, "shape": list(spec.shape)} for spec in specs]

    return {name: {"inputs": tensors(f.inputs), "outputs": tensors(f.outputs)} for name, f in functions.items()}


def read_manifest(directory: Path) -> dict | None:
    """The manifest already there, if any."""
    file = directory / FILE
    if not file.exists():
        return None
    manifest = read_json(file)
    if manifest.get("formatVersion") != FORMAT_VERSION:
        raise ExportError(f"Expected format version {FORMAT_VERSION} in {file} but received {manifest.get('formatVersion')!r}")
    parts = [manifest.get(key) for key in ("constants", "tokenizers", "stages")]
    stages: list[Any] = list(parts[2].values()) if isinstance(parts[2], dict) else [None]
    if not all(isinstance(part, dict) for part in (*parts, *stages)):
        raise ExportError(f"Expected constants, tokenizers and stages in {file} but found something else")
    for name, stage in manifest["stages"].items():
        expect_entry(stage, {"config": dict, "artefacts": list}, f"stages.{name} in {file}")
        for index, artefact in enumerate(stage["artefacts"]):
            where = f"stages.{name}.artefacts[{index}] in {file}"
            expect_entry(artefact, dict.fromkeys(["file", "sha256", "kind", "dtype", "device"], str), where)
            if artefact["dtype"] not in DTYPES:
                raise ExportError(f"Expected {', '.join(DTYPES)} for dtype of {where} but received {artefact['dtype']!r}")
    for name, tokenizer in manifest["tokenizers"].items():
        expect_entry(tokenizer, {}, f"tokenizers.{name} in {file}")
    expect_entry(manifest["constants"], {"resolutionMultiple": float, "latentDimScale": float}, f"constants in {file}")
    expect_entry(manifest.get("defaults"), {"width": int, "height": int}, f"defaults in {file}")
    return manifest


def expect_entry(entry: Any, kinds: dict[str, type], where: str) -> None:
    """Refuses what has no such values; numbers are above 0."""
    if not isinstance(entry, dict):
        raise ExportError(f"Expected an object for {where} but received a value of type {type(entry).__name__}")
    for key, kind in kinds.items():
        value: Any = entry.get(key)
        fits = isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)
        if not fits or kind in (int, float) and not 0 < value < LARGEST_NUMBER:
            raise ExportError(f"Expected {KINDS[kind]} for {key} of {where} but received {shown(value)}")


def check_same_model(existing: dict, new: dict, directory: Path) -> None:
    """Artefacts may be added to a model directory only from the checkpoint that it was made from."""
    there, here = existing["constants"], new["constants"]  # embeddingStd comes with the image encoder, which may be added later
    different = [f"{key}: {there[key]} there, {here[key]} here" for key in there.keys() & here.keys() if there[key] != here[key]]
    for name, tokenizer in new["tokenizers"].items():
        if name in existing["tokenizers"] and existing["tokenizers"][name] != tokenizer:
            different.append(f"tokenizer of {name}")
    for name, stage in new["stages"].items():
        there = existing["stages"].get(name)
        for key in ["parameters", "config", "loras", "fingerprint"]:
            if there and there.get(key) != stage.get(key):
                different.append(f"{key} of {name}: {there.get(key)} there, {stage.get(key)} here")
    if different:
        raise ExportError(f"{directory} holds another model; choose another --out, or remove it first\n{listed(different)}")


def merge(existing: dict, new: dict) -> dict:
    """`existing` with the artefacts of `new` added. An artefact of the same kind, dtype and device is replaced. An origin that is
    known stays known: the same tensors can also be exported from a directory that says nothing of it."""

    def identity(artefact: dict) -> tuple:
        return artefact["kind"], artefact["dtype"], artefact["device"], artefact["isa"], artefact["gpuArch"]

    stages = {name: dict(stage) for name, stage in existing["stages"].items()}
    for name, stage in new["stages"].items():
        replaced = {identity(artefact) for artefact in stage["artefacts"]}
        kept = [a for a in stages.get(name, {"artefacts": []})["artefacts"] if identity(a) not in replaced]
        origin = {"origin": stages[name]["origin"]} if "origin" in stages.get(name, {}) else {}
        stages[name] = {**origin, **stage, "artefacts": kept + stage["artefacts"]}
    constants = {**existing["constants"], **new["constants"]}
    return {**new, "constants": constants, "tokenizers": {**existing["tokenizers"], **new["tokenizers"]}, "stages": stages}


def dump(manifest: dict) -> str:
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
