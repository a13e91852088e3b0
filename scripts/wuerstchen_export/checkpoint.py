"""Where the parts of a checkpoint lie (the layout that diffusers publishes) and what their configurations say."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from .errors import ExportError

PRIOR_CONSTANTS = {"latent_mean": 42.0, "latent_std": 1.0, "resolution_multiple": 42.67}
DECODER_CONSTANTS = {"latent_dim_scale": 10.67}
SCHEDULER = {"scaler": 1.0, "s": 0.008}
# What the manifest may say (docs/wuerstchen.schema.json).
BOUNDS = {
    "latent_mean": (1e-3, 1e4),
    "latent_std": (-1e4, 1e4),
    "resolution_multiple": (1.0, 4096.0),
    "latent_dim_scale": (1.0, 4096.0),
    "scaler": (0.1, 10.0),
    "s": (1e-6, 1.0),
}
# Whatever else computes the same: a text encoder with a projection, which Würstchen does not use, and either tokenizer.
CLASSES = {
    "prior": ("WuerstchenPrior",),
    "decoder": ("WuerstchenDiffNeXt",),
    "vqgan": ("PaellaVQModel",),
    "text_encoder": ("CLIPTextModel", "CLIPTextModelWithProjection"),
    "tokenizer": ("CLIPTokenizer", "CLIPTokenizerFast"),
    "scheduler": ("DDPMWuerstchenScheduler",),
}
SHARED = ["text_encoder", "tokenizer", "scheduler"]  # of both pipelines


@dataclass(frozen=True)
class Checkpoint:
    """Directories of the components; `image_encoder` is a directory, a file of weights, or absent, `previewer` may be absent."""

    prior: Path
    prior_text_encoder: Path
    prior_tokenizer: Path
    decoder: Path
    decoder_text_encoder: Path
    decoder_tokenizer: Path
    vqgan: Path
    image_encoder: Path | None
    previewer: Path | None
    constants: dict
    prior_scheduler: dict
    decoder_scheduler: dict


def find_checkpoint(
    prior: Path, decoder: Path, image_encoder: Path | None, prior_text: Path | None, previewer: Path | None = None
) -> Checkpoint:
    """Finds every component of the two pipelines.

    `prior` is a pipeline directory, or a prior by itself (config.json and weights at its root, as in warp-ai's
    `wuerstchen-prior-model-*` repositories); the latter needs `prior_text`, the pipeline directory whose text encoder and
    tokenizer belong to it.
    """
    for directory in filter(None, [prior, decoder, prior_text, previewer]):
        if not directory.is_dir():
            raise ExportError(f"Expected a directory but {directory} is none")
    prior_at_root = (prior / "config.json").is_file() and not (prior / "prior").is_dir()
    text = prior_text or prior
    if prior_at_root and not (text / "text_encoder").is_dir():
        raise ExportError(
            f"{prior} is a prior without text encoder: name the pipeline directory that has it with --prior-text-encoder"
        )
    index = read_model_index(text if prior_at_root else prior, ["prior", *SHARED])
    decoder_index = read_model_index(decoder, ["decoder", "vqgan", *SHARED])
    if image_encoder and not image_encoder.exists():
        raise ExportError(f"Expected an image encoder but {image_encoder} does not exist")
    return Checkpoint(
        prior=prior if prior_at_root else part(prior, "prior"),
        prior_text_encoder=part(text, "text_encoder"),
        prior_tokenizer=part(text, "tokenizer"),
        decoder=part(decoder, "decoder"),
        decoder_text_encoder=part(decoder, "text_encoder"),
        decoder_tokenizer=part(decoder, "tokenizer"),
        vqgan=part(decoder, "vqgan"),
        image_encoder=image_encoder,
        previewer=previewer,
        constants={
            **{key: number(index, key, value) for key, value in PRIOR_CONSTANTS.items()},
            **{key: number(decoder_index, key, value) for key, value in DECODER_CONSTANTS.items()},
        },
        prior_scheduler=read_scheduler(text if prior_at_root else prior),
        decoder_scheduler=read_scheduler(decoder),
    )


def part(pipeline: Path, name: str) -> Path:
    directory = pipeline / name
    if not directory.is_dir():
        raise ExportError(f"Expected a directory {name} in {pipeline} but found none")
    return directory


def read_json(file: Path) -> dict:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"Expected a JSON file but {file} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ExportError(f"Expected an object in {file} but received a value of type {type(content).__name__}")
    return content


def read_model_index(pipeline: Path, components: list[str]) -> dict:
    """model_index.json, or nothing where there is none. Components are [library, class]: the published files say library
    "wuerstchen", newer ones "diffusers", so only the class is looked at."""
    file = pipeline / "model_index.json"
    index = read_json(file) if file.is_file() else {}
    for component in components:
        entry = index.get(component)
        if isinstance(entry, list) and len(entry) == 2:
            expect_class(component, entry[1], file)
    return index


def expect_class(component: str, found: object, file: Path) -> None:
    """Where a file names the class of a component, it is one whose network or formula we have."""
    if found is not None and found not in CLASSES[component]:
        raise ExportError(f"Expected {' or '.join(CLASSES[component])} for {component} in {file} but received {found}")


def read_scheduler(pipeline: Path) -> dict:
    file = pipeline / "scheduler" / "scheduler_config.json"
    config = read_json(file) if file.is_file() else {}
    expect_class("scheduler", config.get("_class_name"), file)
    return {key: number(config, key, value) for key, value in SCHEDULER.items()}


def number(config: dict, key: str, default: float) -> float:
    value = config.get(key, default)
    least, most = BOUNDS[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ExportError(f"Expected a number for {key} but received {value!r} of type {type(value).__name__}")
    if not (math.isfinite(value) and least <= value <= most):
        raise ExportError(f"Expected a number from {least:g} to {most:g} for {key} but received {value!r}")
    return float(value)


def read_config(directory: Path, defaults: dict) -> dict:
    """config.json of a component over the class's defaults; keys that the class does not know are left out."""
    given = read_json(directory / "config.json")
    config = {key: given.get(key, value) for key, value in defaults.items()}
    for key, value in config.items():
        expected = type(defaults[key])
        fits = isinstance(value, (int, float)) if expected in (int, float) else isinstance(value, expected)
        if not fits and key != "dropout":  # a number, or one number for each level; not used here
            raise ExportError(
                f"Expected {expected.__name__} for {key} in {directory / 'config.json'} "
                f"but received {value!r} of type {type(value).__name__}"
            )
    return config
