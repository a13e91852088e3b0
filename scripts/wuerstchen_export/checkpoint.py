"""Where the parts of a checkpoint lie (the layout that diffusers publishes, or the authors' files) and what their configurations
say."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ExportError
from .files import weight_files
from .jsons import read_json

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
LONGEST_LIST = 64


@dataclass(frozen=True)
class Checkpoint:
    """Directories of the components, or files of their weights; `image_encoder` and `previewer` may be absent."""

    prior: Path
    prior_text_encoder: Path
    prior_tokenizer: Path
    decoder: Path
    decoder_text_encoder: Path
    decoder_tokenizer: Path
    vqgan: Path
    image_encoder: Path | None
    previewer: Path | None
    variant: str | None
    constants: dict
    prior_scheduler: dict
    decoder_scheduler: dict


@dataclass(frozen=True)
class Places:
    """What the options name. `prior` and `decoder` are pipeline directories, or networks by themselves: a directory with
    config.json and weights (as warp-ai's `wuerstchen-prior-model-*`), or a file of weights (as the authors' .pt files)."""

    prior: Path
    decoder: Path
    prior_text: Path | None = None  # whose text encoder and tokenizer belong to a prior by itself
    decoder_text: Path | None = None
    vqgan: Path | None = None  # another Stage A than the decoder's pipeline has
    image_encoder: Path | None = None
    previewer: Path | None = None
    variant: str | None = None


def find_checkpoint(places: Places) -> Checkpoint:
    """Finds every component of the two pipelines."""
    for directory in filter(None, [places.prior_text, places.decoder_text, places.previewer]):
        if not directory.is_dir():
            raise ExportError(f"Expected a directory but {directory} is none")
    for path in filter(None, [places.prior, places.decoder, places.vqgan, places.image_encoder]):
        if not path.is_dir() and not path.is_file():
            raise ExportError(f"Expected a directory or a file of weights but {path} is neither")
    prior_alone, decoder_alone = is_network(places.prior, "prior"), is_network(places.decoder, "decoder")
    prior_text = text_of(places.prior, places.prior_text, prior_alone, "prior")
    decoder_text = text_of(places.decoder, places.decoder_text, decoder_alone, "decoder")
    # Constants and schedules are the pipeline's: of a network by itself, those of the pipeline that its text encoder is from.
    pipelines = [prior_text if prior_alone else places.prior, decoder_text if decoder_alone else places.decoder]
    index, decoder_index = (
        read_model_index(pipelines[0], ["prior", *SHARED]),
        read_model_index(pipelines[1], ["decoder", "vqgan", *SHARED]),
    )
    if decoder_alone and not places.vqgan and not (decoder_text / "vqgan").is_dir():
        raise ExportError(f"Expected a Stage A for {places.decoder} but it has none: name its directory or file with --vqgan")
    return Checkpoint(
        prior=places.prior if prior_alone else part(places.prior, "prior"),
        prior_text_encoder=text_part(prior_text, "text_encoder"),
        prior_tokenizer=text_part(prior_text, "tokenizer"),
        decoder=places.decoder if decoder_alone else part(places.decoder, "decoder"),
        decoder_text_encoder=text_part(decoder_text, "text_encoder"),
        decoder_tokenizer=text_part(decoder_text, "tokenizer"),
        vqgan=places.vqgan or part(pipelines[1], "vqgan"),
        image_encoder=places.image_encoder,
        previewer=places.previewer,
        variant=places.variant,
        constants={
            **{key: number(index, key, value) for key, value in PRIOR_CONSTANTS.items()},
            **{key: number(decoder_index, key, value) for key, value in DECODER_CONSTANTS.items()},
        },
        prior_scheduler=read_scheduler(pipelines[0]),
        decoder_scheduler=read_scheduler(pipelines[1]),
    )


def is_network(path: Path, component: str) -> bool:
    """Whether a path is a network by itself, and no pipeline that has it in a directory."""
    return path.is_file() or (path / "config.json").is_file() and not (path / component).is_dir()


def text_of(path: Path, text: Path | None, alone: bool, name: str) -> Path:
    """The directory that has a network's text encoder: a pipeline's, or one that is a text encoder with its tokenizer."""
    if text:
        return text
    if alone and not (path / "text_encoder").is_dir():
        raise ExportError(
            f"Expected a text encoder for {path} but it is a {name} by itself: "
            f"name the pipeline directory that has it with --{name}-text-encoder"
        )
    return path


def text_part(directory: Path, name: str) -> Path:
    """A component of a pipeline, or the directory itself, where a text encoder lies with its tokenizer (laion's repositories)."""
    alone = (directory / "config.json").is_file() and not (directory / "text_encoder").is_dir()
    return directory if alone else part(directory, name)


def part(pipeline: Path, name: str) -> Path:
    directory = pipeline / name
    if not directory.is_dir():
        raise ExportError(f"Expected a directory {name} in {pipeline} but found none")
    return directory


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
    if not least <= value <= most:
        raise ExportError(f"Expected a number from {least:g} to {most:g} for {key} but received {value!r}")
    return float(value)


def component_of(path: Path, defaults: dict, published: dict, variant: str | None) -> tuple[dict, tuple[Path, ...]]:
    """Configuration and weight files of a component: of a directory, or of a file of weights, which has the published
    configuration if no config.json lies beside it."""
    if path.is_dir():
        return read_config(path, defaults), tuple(weight_files(path, variant))
    beside = path.parent / "config.json"
    return read_config(path.parent, defaults) if beside.is_file() else {**defaults, **published}, (path,)


def read_config(directory: Path, defaults: dict) -> dict:
    """config.json of a component over the class's defaults; keys that the class does not know are left out."""
    file = directory / "config.json"
    given = read_json(file)
    if isinstance(given.get("text_config"), dict):  # a whole CLIP model's, with the image encoder's beside it
        given = given["text_config"]
    config = {key: given.get(key, value) for key, value in defaults.items()}
    for key, value in config.items():
        if key != "dropout":  # a number, or one number for each level; not used here
            check_setting(value, defaults[key], key, str(file))
    return config


def check_setting(value: Any, like: Any, key: str, where: str) -> None:
    """Refuses what is no value like `like`: of its type, of at most so many elements. Numbers have bounds in configuration.py."""
    expected = type(like)
    takes: Any = (int, float) if expected in (int, float) else expected
    if not isinstance(value, takes):
        raise ExportError(
            f"Expected {expected.__name__} for {key} in {where} but received {shown(value)} of type {type(value).__name__}"
        )
    if isinstance(like, (list, dict, str)) and len(value) > max(LONGEST_LIST, len(like)):
        raise ExportError(f"Expected at most {LONGEST_LIST} elements for {key} in {where} but received {len(value)}")


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"
