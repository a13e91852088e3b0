"""Which network, configuration and functions belong to each stage of the manifest."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from . import decoder, image_encoder, previewer, prior, stage_a, text_encoder
from .blocks import Foldable
from .checkpoint import Checkpoint, component_of, read_config
from .configuration import check_class, check_config, check_together
from .errors import ExportError, reason
from .files import weight_files
from .layouts import ENCODER, NETWORK
from .lora import FittedLora, Lora, fit_loras, merge_lora
from .weights import build, load_module, read_tensors

TEXT_CONFIG = [
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
    "hidden_act",
    "layer_norm_eps",
]


@dataclass(frozen=True)
class TensorSpec:
    """A tensor of a program. `dtype` None is the program's own; a dimension is a number, a symbol, or a symbol divided
    or multiplied by a number (`height/4`)."""

    name: str
    shape: tuple[int | str, ...]
    dtype: str | None = None

    def dtype_in(self, own: torch.dtype) -> torch.dtype:
        """In a program that computes in `own`."""
        return own if self.dtype is None else getattr(torch, self.dtype)


@dataclass(frozen=True)
class Function:
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True)
class Stage:
    name: str
    config: dict
    files: tuple[Path, ...]
    build: Callable[[dict], nn.Module]
    rename: Callable[[str], str]
    ignore: Callable[[str], bool]
    functions: dict[str, Function]
    unit: int  # height and width are multiples of this
    loras: tuple[FittedLora, ...] = ()
    inside: tuple[str, ...] = NETWORK  # the dictionaries of a file that may hold its tensors, the first that is there
    # What the checkpoint's tensors add to the manifest's constants.
    constants: Callable[[dict[str, Tensor]], dict[str, float]] = lambda _: {}

    def load(self) -> tuple[nn.Module, int, dict[str, Tensor]]:
        """The module, ready to export, in float32, with its LoRAs; how many parameters its checkpoint has; its tensors there."""
        module, parameters, used = self.read()
        if isinstance(module, Foldable):
            module.fold()
        return module.requires_grad_(False).eval(), parameters, used

    def read(self) -> tuple[nn.Module, int, dict[str, Tensor]]:
        """The same with the checkpoint's own weights, nothing folded: LoRAs are merged into those."""
        tensors = {self.rename(name): tensor for name, tensor in read_tensors(list(self.files), self.inside).items()}
        module = load_module(self.build, self.config, tensors, self.ignore, where=str(self.files[0].parent))
        parameters = sum(parameter.numel() for parameter in module.parameters())
        used = {name: tensors[name] for name in module.state_dict() if name in tensors}
        for lora in self.loras:
            merge_lora(module, lora)
        return module, parameters, used


def stages_of(checkpoint: Checkpoint, loras: tuple[Lora, ...] = ()) -> list[Stage]:
    """Every stage that the checkpoint has, in the order in which an image is made, with what `loras` change in it."""
    text_defaults = {key: text_encoder.DEFAULTS[key] for key in TEXT_CONFIG}
    parts = {
        "priorTextEncoder": (checkpoint.prior_text_encoder, text_defaults, {}),
        "prior": (checkpoint.prior, prior.DEFAULTS, prior.PUBLISHED),
        "decoderTextEncoder": (checkpoint.decoder_text_encoder, text_defaults, {}),
        "decoder": (checkpoint.decoder, decoder.DEFAULTS, {}),
        "vqDecoder": (checkpoint.vqgan, stage_a.DEFAULTS, {}),
        "vqEncoder": (checkpoint.vqgan, stage_a.DEFAULTS, {}),
    }
    if checkpoint.previewer:
        parts["previewer"] = (checkpoint.previewer, previewer.DEFAULTS, {})
    found = {name: configured(name, *part, checkpoint.variant) for name, part in parts.items()}
    prior_config, decoder_config = found["prior"][0], found["decoder"][0]
    if not any(decoder_config["inject_effnet"]):  # no weight depends on it, and the embeddings are passed all the same
        decoder_config["effnet_embd"] = prior_config["c_in"]
    stages = [stage_of(name, *part) for name, part in found.items()]
    if checkpoint.image_encoder:
        stages.append(image_encoder_stage(checkpoint.image_encoder, checkpoint.variant))
    check_together({stage.name: stage.config for stage in stages})
    check_variant(stages, checkpoint.variant)
    # All are built before the first is exported, which may take minutes: a configuration that makes no network ends here.
    modules = {stage.name: build(stage.build, stage.config, str(stage.files[0].parent)) for stage in stages}
    fitted = fit_loras(loras, {name: modules[name] for name in ("priorTextEncoder", "prior")})
    return [replace(stage, loras=fitted.get(stage.name, ())) for stage in stages]


def check_variant(stages: list[Stage], variant: str | None) -> None:
    """Components may lack a variant, as in diffusers, but if all do, its name is wrong."""
    if variant and not any(f".{variant}" in file.name for stage in stages for file in stage.files):
        raise ExportError(f"Expected weights of the variant {variant} in at least one directory but found none")


def configured(name: str, path: Path, defaults: dict, published: dict, variant: str | None) -> tuple[dict, tuple[Path, ...]]:
    """What a component's config.json says, if its network can be built, and the files of its weights."""
    directory = path if path.is_dir() else path.parent
    if (directory / "config.json").is_file():
        check_class(name, directory)
    config, files = component_of(path, defaults, published, variant)
    check_config(name, config, str(directory / "config.json"))
    return config, files


def stage_of(name: str, config: dict, files: tuple[Path, ...] = ()) -> Stage:
    """A stage by its name in the manifest and its configuration there; it can be loaded where its files are given."""
    describe = {
        "prior": prior_stage,
        "decoder": decoder_stage,
        "vqDecoder": vq_decoder_stage,
        "vqEncoder": vq_encoder_stage,
        "imageEncoder": image_stage,
        "previewer": previewer_stage,
    }
    try:
        check_config(name, config, f"the configuration of {name}")
        return text_stage(name, config, files) if name.endswith("TextEncoder") else describe[name](config, files)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise ExportError(f"Expected the configuration of a network for {name} but it makes none: {reason(error)}") from error


def same(name: str) -> str:
    return name


def nothing(name: str) -> bool:
    return False


def text_stage(name: str, config: dict, files: tuple[Path, ...]) -> Stage:
    ids = TensorSpec("ids", ("batch", "text"), "int64")
    mask = TensorSpec("mask", ("batch", "text"), "int64")
    embeddings = TensorSpec("embeddings", ("batch", "text", config["hidden_size"]))
    return Stage(
        name,
        config,
        files,
        text_encoder.TextEncoder,
        # Published files say text_model.embeddings.token_embedding.weight, files of transformers 5 leave out text_model.
        rename=lambda key: key.removeprefix("text_model.").removeprefix("embeddings."),
        ignore=lambda key: (
            key in ("position_ids", "text_projection.weight", "logit_scale")
            or key.startswith(("vision_model.", "visual_projection."))  # a whole CLIP model
        ),
        functions={"forward": Function((ids, mask), (embeddings,))},
        unit=1,
    )


def prior_stage(config: dict, files: tuple[Path, ...]) -> Stage:
    heads = config["nhead"]
    text = TensorSpec("text", ("batch", "text", config["c_cond"]))
    shape = ("batch", config["depth"], "text", 2, heads, config["c"] // heads)
    condition = (TensorSpec("kv", shape),) if config["depth"] else ()
    latents = TensorSpec("latents", ("batch", config["c_in"], "height", "width"))
    ratio = TensorSpec("ratio", ("batch",), "float32")
    noise = TensorSpec("noise", latents.shape, "float32")
    functions = {"condition": Function((text,), condition), "step": Function((latents, ratio, *condition), (noise,))}
    return Stage("prior", config, files, prior.Prior, same, nothing, functions, unit=1)


def decoder_stage(config: dict, files: tuple[Path, ...]) -> Stage:
    patch, levels = config["patch_size"], len(config["c_hidden"])
    latents = TensorSpec("latents", ("batch", config["c_in"], "height", "width"))
    ratio = TensorSpec("ratio", ("batch",), "float32")
    embeddings = TensorSpec("embeddings", ("batch", config["effnet_embd"], "gridHeight", "gridWidth"))
    text = TensorSpec("text", ("batch", "text", config["clip_embd"]))
    maps, keys_values = [], []
    for i in range(levels):
        scale, heads = patch * 2**i, config["nhead"][i]
        if i in decoder.effnet_levels(config):
            shape = ("batch", f"height/{scale}", f"width/{scale}", config["effnet_embd"])
            maps.append(TensorSpec(f"effnet.{i}", shape))
        if i in decoder.attention_levels(config):
            blocks = 2 * config["blocks"][i] * config["level_config"][i].count("A")  # on the way down and up
            keys_values.append(TensorSpec(f"kv.{i}", ("batch", blocks, "text", 2, heads, config["c_hidden"][i] // heads)))
    condition = (*maps, *keys_values)
    noise = TensorSpec("noise", ("batch", config["c_out"], "height", "width"))
    functions = {
        "condition": Function((latents, embeddings, text), condition),
        "step": Function((latents, ratio, *condition), (noise,)),
    }
    return Stage("decoder", config, files, decoder.Decoder, same, nothing, functions, unit=patch * 2 ** (levels - 1))


def vq_decoder_stage(config: dict, files: tuple[Path, ...]) -> Stage:
    scale = config["up_down_scale_factor"] * 2 ** (config["levels"] - 1)
    latents = TensorSpec("latents", ("batch", config["latent_channels"], "height", "width"))
    pixels = TensorSpec("pixels", ("batch", config["out_channels"], f"height*{scale}", f"width*{scale}"))
    encoder_half = ("in_block.", "down_blocks.", "vquantizer.")
    return Stage(
        "vqDecoder",
        config,
        files,
        stage_a.StageADecoder,
        same,
        lambda key: key.startswith(encoder_half),
        {"forward": Function((latents,), (pixels,))},
        unit=1,
    )


def vq_encoder_stage(config: dict, files: tuple[Path, ...]) -> Stage:
    scale = config["up_down_scale_factor"] * 2 ** (config["levels"] - 1)
    pixels = TensorSpec("pixels", ("batch", config["in_channels"], "height", "width"))
    latents = TensorSpec("latents", ("batch", config["latent_channels"], f"height/{scale}", f"width/{scale}"))
    decoder_half = ("up_blocks.", "out_block.", "vquantizer.")
    return Stage(
        "vqEncoder",
        config,
        files,
        stage_a.StageAEncoder,
        same,
        lambda key: key.startswith(decoder_half),
        {"forward": Function((pixels,), (latents,))},
        unit=scale,
    )


def image_encoder_stage(path: Path, variant: str | None = None) -> Stage:
    has_config = path.is_dir() and (path / "config.json").is_file()
    config = read_config(path, image_encoder.DEFAULTS) if has_config else dict(image_encoder.DEFAULTS)
    check_config("imageEncoder", config, str(path))
    if config["effnet"] != "efficientnet_v2_s" and config["stages"] is image_encoder.DEFAULTS["stages"]:
        raise ExportError(f"Expected efficientnet_v2_s, or a table of stages, for effnet but received {config['effnet']!r}")
    return image_stage(config, tuple(weight_files(path, variant)) if path.is_dir() else (path,))


def image_stage(config: dict, files: tuple[Path, ...]) -> Stage:
    strides = 2
    for stage in config["stages"]:
        strides *= stage["stride"]
    pixels = TensorSpec("pixels", ("batch", 3, "height", "width"))
    embeddings = TensorSpec("embeddings", ("batch", config["c_latent"], f"height/{strides}", f"width/{strides}"))
    return Stage(
        "imageEncoder",
        config,
        files,
        image_encoder.ImageEncoder,
        same,
        nothing,
        {"forward": Function((pixels,), (embeddings,))},
        unit=strides,
        inside=ENCODER,
        constants=lambda tensors: {"embeddingStd": image_encoder.embedding_std(tensors)},
    )


def previewer_stage(config: dict, files: tuple[Path, ...]) -> Stage:
    scale = 2 ** (len(config["widths"]) - 1)
    latents = TensorSpec("latents", ("batch", config["c_in"], "height", "width"))
    pixels = TensorSpec("pixels", ("batch", 3, f"height*{scale}", f"width*{scale}"))
    return Stage(
        "previewer",
        config,
        files,
        previewer.Previewer,
        same,
        nothing,
        {"forward": Function((latents,), (pixels,))},
        unit=1,
    )
