"""What a configuration may say: whatever diffusers 0.42.1 runs, within the bounds that the run time has."""

from collections.abc import Callable
from pathlib import Path

from transformers.activations import ACT2FN

from .checkpoint import expect_class
from .errors import ExportError
from .jsons import read_json

# Wider and deeper networks than anyone has; below these bounds every size fits into 64 bits.
WIDTH = range(1, 2**16 + 1)
DEPTH = range(0, 1025)
# Frequencies are numbered in the program's dtype, and bfloat16 holds whole numbers up to 256. Below 4 the reference divides by 0.
TIME_WIDTH = range(4, 514)
# The largest divisor of a symbol (cpp/core/spec.h): pixels a latent, latents a cell of Stage B's deepest level.
LARGEST_UNIT = 64
SCALE = (1e-4, 1e4)  # of scaleFactor in docs/wuerstchen.schema.json

# What names the class in a component's own config.json: diffusers' `_class_name`, transformers' `model_type`.
COMPONENTS = {"prior": "prior", "decoder": "decoder", "vqDecoder": "vqgan"}
TEXT_MODEL_TYPE = "clip_text_model"


def refused(name: str, expected: str, received: object, where: str) -> ExportError:
    return ExportError(f"Expected {expected} for {name} in {where} but received {received!r} of type {type(received).__name__}")


def check_class(stage: str, directory: Path) -> None:
    """The component must be the class that the stage's network is written for."""
    file = directory / "config.json"
    config = read_json(file)
    if stage.endswith("TextEncoder"):
        if isinstance(config.get("text_config"), dict):  # a whole CLIP model's, with the image encoder's beside it
            config = config["text_config"]
        if config.get("model_type") not in (None, TEXT_MODEL_TYPE):
            raise ExportError(f"Expected model_type {TEXT_MODEL_TYPE} for {stage} in {file} but received {config['model_type']}")
    elif stage in COMPONENTS:
        expect_class(COMPONENTS[stage], config.get("_class_name"), file)


def check_config(stage: str, config: dict, where: str) -> None:
    """One configuration by itself."""
    check = CHECKS["textEncoder" if stage.endswith("TextEncoder") else stage]
    check(Fields(config, where))


def check_together(configs: dict[str, dict]) -> None:
    """Widths of what goes from one network to the next."""
    for stage, own, other, key in [
        ("priorTextEncoder", "hidden_size", "prior", "c_cond"),
        ("decoderTextEncoder", "hidden_size", "decoder", "clip_embd"),
        ("decoder", "effnet_embd", "prior", "c_in"),
        ("vqDecoder", "latent_channels", "decoder", "c_in"),
        ("imageEncoder", "c_latent", "prior", "c_in"),
        ("previewer", "c_in", "prior", "c_in"),
    ]:
        width, expected = configs[stage][own] if stage in configs else None, configs[other][key]
        if width not in (None, expected):
            raise ExportError(f"Expected {own} {expected} ({other}'s {key}) for {stage} but received {width}")


class Fields:
    """Values of a configuration, looked at one after the other."""

    def __init__(self, config: dict, where: str):
        self.config, self.where = config, where

    def integer(self, name: str, allowed: range) -> int:
        return self.integer_in(self.config[name], name, allowed)

    def integer_in(self, value: object, name: str, allowed: range) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
            raise self.refused(name, f"an integer from {allowed[0]} to {allowed[-1]}", value)
        return value

    def number(self, name: str, least: float, most: float) -> None:
        value = self.config[name]
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (fits and least <= value <= most):
            raise self.refused(name, f"a number from {least:g} to {most:g}", value)

    def list_of(self, name: str, length: int) -> list:
        value = self.config[name]
        if not isinstance(value, list) or len(value) != length:
            raise self.refused(name, f"a list of {length}, one for each of c_hidden,", value)
        return value

    def widths(self, name: str) -> list:
        """One number of channels for each level."""
        value = self.config[name]
        if not 1 <= len(value) <= 7:
            raise self.refused(name, "a list of 1 to 7 widths", value)
        for i, width in enumerate(value):
            self.integer_in(width, f"{name}[{i}]", WIDTH)
        return value

    def heads(self, value: object, name: str, channels: int) -> None:
        """One head is at least one channel wide."""
        self.integer_in(value, name, range(1, channels + 1))

    def refused(self, name: str, expected: str, received: object) -> ExportError:
        return refused(name, expected, received, self.where)


def check_prior(fields: Fields) -> None:
    for name in ["c_in", "c", "c_cond"]:
        fields.integer(name, WIDTH)
    fields.integer("c_r", TIME_WIDTH)
    if fields.integer("depth", DEPTH):
        fields.heads(fields.config["nhead"], "nhead", fields.config["c"])


def check_decoder(fields: Fields) -> None:
    for name in ["c_in", "c_cond", "effnet_embd", "clip_embd"]:
        fields.integer(name, WIDTH)
    fields.integer("c_r", TIME_WIDTH)
    c_hidden = fields.widths("c_hidden")
    levels = len(c_hidden)
    heads, layout = fields.list_of("nhead", levels), fields.list_of("level_config", levels)
    for i, blocks in enumerate(fields.list_of("blocks", levels)):
        fields.integer_in(blocks, f"blocks[{i}]", DEPTH)
        check_level(fields, i, layout[i])
        if blocks and "A" in layout[i]:
            fields.heads(heads[i], f"nhead[{i}]", c_hidden[i])
    for i, inject in enumerate(fields.list_of("inject_effnet", levels)):
        if not isinstance(inject, bool):
            raise fields.refused(f"inject_effnet[{i}]", "true or false", inject)
    kernel = fields.integer("kernel_size", range(1, 64))
    if kernel % 2 == 0:
        raise fields.refused("kernel_size", "an odd integer", kernel)  # an even one enlarges what the block's input is added to
    patch = fields.integer("patch_size", range(1, LARGEST_UNIT + 1))
    if patch * 2 ** (levels - 1) > LARGEST_UNIT:
        raise fields.refused("patch_size", f"at most {LARGEST_UNIT} / {2 ** (levels - 1)}, with {levels} levels,", patch)
    if fields.config["c_out"] != fields.config["c_in"]:
        raise fields.refused("c_out", f"c_in, {fields.config['c_in']},", fields.config["c_out"])


def check_level(fields: Fields, i: int, layout: object) -> None:
    kinds = list(layout) if isinstance(layout, (str, list)) else None
    if kinds is None or len(kinds) > 64 or not all(isinstance(kind, str) and kind in ("C", "T", "A") for kind in kinds):
        raise fields.refused(f"level_config[{i}]", "a word of the letters C, T and A", layout)


def check_vqgan(fields: Fields) -> None:
    for name in ["in_channels", "out_channels"]:
        fields.integer(name, range(3, 4))  # red, green, blue
    fields.integer("latent_channels", WIDTH)
    fields.integer("num_vq_embeddings", range(1, 2**24 + 1))
    fields.integer("bottleneck_blocks", DEPTH)
    levels = fields.integer("levels", range(1, 8))
    fields.integer("embed_dim", range(2 ** (levels - 1), 2**16 + 1))
    scale = fields.integer("up_down_scale_factor", range(1, LARGEST_UNIT + 1))
    if scale * 2 ** (levels - 1) > LARGEST_UNIT:
        raise fields.refused(
            "up_down_scale_factor", f"at most {LARGEST_UNIT} / {2 ** (levels - 1)}, with {levels} levels,", scale
        )
    fields.number("scale_factor", *SCALE)


def check_text_encoder(fields: Fields) -> None:
    fields.integer("vocab_size", range(1, 2**20 + 1))
    hidden = fields.integer("hidden_size", WIDTH)
    fields.integer("intermediate_size", WIDTH)
    fields.integer("num_hidden_layers", DEPTH)
    heads = fields.integer("num_attention_heads", range(1, hidden + 1))
    if hidden % heads:
        raise fields.refused("num_attention_heads", f"a divisor of hidden_size, {hidden},", heads)
    fields.integer("max_position_embeddings", range(3, 2**16 + 1))
    if fields.config["hidden_act"] not in ACT2FN:
        raise fields.refused("hidden_act", "the name of an activation that transformers has", fields.config["hidden_act"])
    fields.number("layer_norm_eps", 0, 1)


def check_image_encoder(fields: Fields) -> None:
    fields.integer("c_latent", WIDTH)
    fields.integer("c_cond", WIDTH)
    stages = fields.config["stages"]
    strides = 2
    if not 1 <= len(stages) <= 64:
        raise fields.refused("stages", "a list of 1 to 64", stages)
    for i, stage in enumerate(stages):
        for name in ["layers", "expand", "kernel", "stride", "in", "out"]:
            value = stage.get(name) if isinstance(stage, dict) else None
            fields.integer_in(value, f"stages[{i}].{name}", {"stride": range(1, 17), "kernel": range(1, 64)}.get(name, WIDTH))
        if stage.get("block") not in ("fused", "mb"):
            raise fields.refused(f"stages[{i}].block", "fused or mb", stage.get("block"))
        strides *= stage["stride"]
    if strides != 32:
        raise fields.refused("stages", "strides whose product is 16", strides // 2)  # images are fitted to 32 pixels a cell


def check_previewer(fields: Fields) -> None:
    fields.integer("c_in", WIDTH)
    fields.widths("widths")


CHECKS: dict[str, Callable[[Fields], None]] = {
    "textEncoder": check_text_encoder,
    "prior": check_prior,
    "decoder": check_decoder,
    "vqDecoder": check_vqgan,
    "vqEncoder": check_vqgan,
    "imageEncoder": check_image_encoder,
    "previewer": check_previewer,
}
