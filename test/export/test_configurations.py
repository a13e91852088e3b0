"""Whatever configuration diffusers runs gives its numbers. What cannot run is refused in a sentence, before weights are read."""

import json
import math
import os
import shutil
from pathlib import Path

import pytest
import torch
from conftest import ROOT

from checks.parity.configuration_cases import BASE, CASES
from checks.parity.configurations import build, configured
from wuerstchen_export import checkpoint as checkpoints
from wuerstchen_export import configuration, decoder, prior, stage_a
from wuerstchen_export.sizes import side_of, sides_of
from wuerstchen_export.torchscript import relative_error
from wuerstchen_export.weights import load_module

TOLERANCE = 1e-5  # relative to the largest value; float32 rounding through a few dozen layers is about 1e-6


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def ours(network, config: dict, reference: torch.nn.Module, ignored: tuple[str, ...] = ()):
    module = load_module(network, config, reference.state_dict(), lambda key: key.startswith(ignored), where="")
    module.fold()
    return module


def cases_of(component: str) -> list[str]:
    return [name for name, changes in CASES.items() if component in changes]


@torch.no_grad()
@pytest.mark.parametrize("name", cases_of("prior"))
def test_prior(name):
    config = configured(CASES[name])["prior"]
    configuration.check_config("prior", config, name)
    reference = build("prior", config, seed=20)
    module = ours(prior.Prior, config, reference)
    latents, text = normal(2, config["c_in"], 3, 5), normal(2, 7, config["c_cond"], seed=1)
    ratio = torch.tensor([0.9, 0.15])
    condition = module.condition(text)
    actual = module.step(latents, ratio, *((condition,) if isinstance(condition, torch.Tensor) else condition))
    assert relative_error(actual, reference(latents, ratio, text)) < TOLERANCE


@torch.no_grad()
@pytest.mark.parametrize("name", cases_of("decoder"))
def test_decoder(name):
    config = configured(CASES[name])["decoder"]
    configuration.check_config("decoder", config, name)
    reference = build("decoder", config, seed=21)
    module = ours(decoder.Decoder, config, reference)
    unit = config["patch_size"] * 2 ** (len(config["c_hidden"]) - 1)
    latents, text = normal(2, config["c_in"], 2 * unit, 3 * unit), normal(2, 7, config["clip_embd"], seed=1)
    ratio, embeddings = torch.tensor([0.9, 0.15]), 10 * normal(2, config["effnet_embd"], 3, 5, seed=2)
    actual = module.step(latents, ratio, *module.condition(latents, embeddings, text))
    assert relative_error(actual, reference(latents, ratio, embeddings, text)) < TOLERANCE


@torch.no_grad()
@pytest.mark.parametrize("name", cases_of("vqgan"))
def test_stage_a(name):
    config = {**stage_a.DEFAULTS, **configured(CASES[name])["vqgan"]}
    configuration.check_config("vqDecoder", config, name)
    reference = build("vqgan", configured(CASES[name])["vqgan"], seed=22)
    latents = normal(2, 4, 3, 5)
    module = ours(stage_a.StageADecoder, config, reference, ("in_block.", "down_blocks.", "vquantizer."))
    pixels = reference.decode(latents).sample
    assert relative_error(module(latents), pixels) < TOLERANCE
    module = ours(stage_a.StageAEncoder, config, reference, ("up_blocks.", "out_block.", "vquantizer."))
    assert relative_error(module(pixels), reference.encode(pixels).latents) < TOLERANCE


PRIOR, DECODER, VQGAN, TEXT = "prior/prior", "decoder/decoder", "decoder/vqgan", "prior/text_encoder"
CONFIG = "config.json"

# What is changed in which file, and what the one sentence says. The small checkpoint has c 48, c_cond 40 and four levels.
REFUSED = {
    "c_r below 4": (PRIOR, {"c_r": 3}, "an integer from 4 to 513 for c_r"),
    "c_r above 513": (DECODER, {"c_r": 514}, "an integer from 4 to 513 for c_r"),
    "c_r that is no integer": (PRIOR, {"c_r": 16.5}, "an integer from 4 to 513 for c_r"),
    "c_r that is nothing": (PRIOR, {"c_r": None}, "Expected int for c_r"),
    "c 0": (PRIOR, {"c": 0}, "an integer from 1 to 65536 for c "),
    "c beyond 64 bits": (PRIOR, {"c": 2**70}, "an integer from 1 to 65536 for c "),
    "c true": (PRIOR, {"c": True}, "an integer from 1 to 65536 for c "),
    "c_in -1": (PRIOR, {"c_in": -1}, "for c_in"),
    "depth -1": (PRIOR, {"depth": -1}, "an integer from 0 to 1024 for depth"),
    "no head in the prior": (PRIOR, {"nhead": 0}, "an integer from 1 to 48 for nhead"),
    "more heads than channels": (PRIOR, {"nhead": 49}, "an integer from 1 to 48 for nhead"),
    "prior of another width of text": (PRIOR, {"c_cond": 41}, "Expected hidden_size 41 (prior's c_cond) for priorTextEncoder"),
    "prior of other embeddings": (PRIOR, {"c_in": 8}, "Expected effnet_embd 8 (prior's c_in) for decoder but received 16"),
    "prior of another class": (PRIOR, {"_class_name": "StableCascadeUNet"}, "Expected WuerstchenPrior for prior"),
    "-1 heads where there is attention": (DECODER, {"nhead": [-1, -1, 4, 2]}, "an integer from 1 to 24 for nhead[1]"),
    "0 heads where there is attention": (DECODER, {"nhead": [-1, 3, 0, 2]}, "an integer from 1 to 32 for nhead[2]"),
    "too few heads": (DECODER, {"nhead": [-1, 3, 4]}, "a list of 4, one for each of c_hidden, for nhead"),
    "too many blocks": (DECODER, {"blocks": [1, 2, 2, 1, 1]}, "a list of 4, one for each of c_hidden, for blocks"),
    "blocks -1": (DECODER, {"blocks": [1, -1, 2, 1]}, "an integer from 0 to 1024 for blocks[1]"),
    "a block of another kind": (DECODER, {"level_config": ["CT", "CTX", "CTA", "CTA"]}, "C, T and A for level_config[1]"),
    "a level that is a number": (DECODER, {"level_config": ["CT", 7, "CTA", "CTA"]}, "C, T and A for level_config[1]"),
    "inject_effnet of a word": (DECODER, {"inject_effnet": ["no", True, True, True]}, "true or false for inject_effnet[0]"),
    "no levels": (DECODER, {"c_hidden": []}, "a list of 1 to 7 widths for c_hidden"),
    "a level of width 0": (DECODER, {"c_hidden": [16, 0, 32, 32]}, "an integer from 1 to 65536 for c_hidden[1]"),
    "an even kernel": (DECODER, {"kernel_size": 4}, "an odd integer for kernel_size"),
    "patch 0": (DECODER, {"patch_size": 0}, "an integer from 1 to 64 for patch_size"),
    "patch 16 of four levels": (DECODER, {"patch_size": 16}, "at most 64 / 8, with 4 levels, for patch_size"),
    "c_out other than c_in": (DECODER, {"c_out": 8}, "c_in, 4, for c_out"),
    "latents of other channels": (DECODER, {"c_in": 8, "c_out": 8}, "Expected latent_channels 8 (decoder's c_in) for vqDecoder"),
    "another width of texts": (DECODER, {"clip_embd": 16}, "hidden_size 16 (decoder's clip_embd) for decoderTextEncoder"),
    "decoder of another class": (DECODER, {"_class_name": "UNet2DModel"}, "Expected WuerstchenDiffNeXt for decoder"),
    "grey images": (VQGAN, {"out_channels": 1}, "an integer from 3 to 3 for out_channels"),
    "images with transparency": (VQGAN, {"in_channels": 4}, "an integer from 3 to 3 for in_channels"),
    "vq without levels": (VQGAN, {"levels": 0}, "an integer from 1 to 7 for levels"),
    "vq too narrow": (VQGAN, {"embed_dim": 1}, "an integer from 2 to 65536 for embed_dim"),
    "vq of 128 pixels a latent": (VQGAN, {"up_down_scale_factor": 64}, "at most 64 / 2, with 2 levels, for up_down_scale_factor"),
    "vq of 8 pixels a latent": (VQGAN, {"levels": 3}, "resolution_multiple is pixels a cell"),
    "scale_factor 0": (VQGAN, {"scale_factor": 0.0}, "a number from 0.0001 to 10000 for scale_factor"),
    "scale_factor NaN": (VQGAN, {"scale_factor": math.nan}, "a number from 0.0001 to 10000 for scale_factor"),
    "vq of another class": (VQGAN, {"_class_name": "AutoencoderKL"}, "Expected PaellaVQModel for vqgan"),
    "a text encoder of another kind": (TEXT, {"model_type": "t5"}, "Expected model_type clip_text_model for priorTextEncoder"),
    "an unknown activation": (TEXT, {"hidden_act": "wave"}, "an activation that transformers has for hidden_act"),
    "heads that do not divide a text's width": (TEXT, {"num_attention_heads": 7}, "a divisor of hidden_size, 40,"),
    "no position": (TEXT, {"max_position_embeddings": 0}, "an integer from 3 to 65536 for max_position_embeddings"),
    "no vocabulary": (TEXT, {"vocab_size": 0}, "an integer from 1 to 1048576 for vocab_size"),
    "an infinite epsilon": (TEXT, {"layer_norm_eps": math.inf}, "a number from 0 to 1 for layer_norm_eps"),
}
INDEX, DECODER_INDEX, SCHEDULE = "prior/model_index.json", "decoder/model_index.json", "decoder/scheduler/scheduler_config.json"
REFUSED_FILES = {
    "another scheduler": (SCHEDULE, {"_class_name": "DDIMScheduler"}, "Expected DDPMWuerstchenScheduler for scheduler"),
    "a scheduler by the index": (INDEX, {"scheduler": ["diffusers", "DDIMScheduler"]}, "Expected DDPMWuerstchenScheduler"),
    "a text encoder by the index": (
        INDEX,
        {"text_encoder": ["transformers", "T5EncoderModel"]},
        "Expected CLIPTextModel or CLIPTextModelWithProjection for text_encoder",
    ),
    "a tokenizer by the index": (INDEX, {"tokenizer": ["transformers", "T5Tokenizer"]}, "Expected CLIPTokenizer or"),
    "a vqgan by the index": (DECODER_INDEX, {"vqgan": ["diffusers", "AutoencoderKL"]}, "Expected PaellaVQModel for vqgan"),
    "scaler 0": (SCHEDULE, {"scaler": 0}, "a number from 0.1 to 10 for scaler"),
    "s of a word": (SCHEDULE, {"s": "small"}, "Expected a number for s"),
    "latent_mean 0": (INDEX, {"latent_mean": 0.0}, "a number from 0.001 to 10000 for latent_mean"),
    "latent_std infinite": (INDEX, {"latent_std": -math.inf}, "a number from -10000 to 10000 for latent_std"),
    "sizes that fit no side": (INDEX, {"resolution_multiple": 20.0}, "with which an image has the size that was asked for"),
    "latent_dim_scale 0": (DECODER_INDEX, {"latent_dim_scale": 0}, "a number from 1 to 4096 for latent_dim_scale"),
}


@pytest.fixture
def changed(checkpoint, tmp_path):
    """A copy of the checkpoint, its weights linked, with other values in one JSON file."""

    def change(file: str, changes: dict) -> Path:
        directory = tmp_path / "checkpoint"
        shutil.copytree(checkpoint, directory, copy_function=os.link)
        content = json.loads((directory / file).read_text())
        (directory / file).unlink()  # it is a link to the original
        (directory / file).write_text(json.dumps({**content, **changes}))
        return directory

    return change


TABLE = {**{name: (f"{part}/{CONFIG}", *rest) for name, (part, *rest) in REFUSED.items()}, **REFUSED_FILES}


@pytest.mark.parametrize("name", list(TABLE))
def test_refused_in_one_sentence(changed, export, tmp_path, name):
    file, changes, message = TABLE[name]
    result = export(changed(file, changes), tmp_path / "model")
    lines = result.stderr.splitlines()
    assert (result.code, result.stdout, len(lines)) == (1, "", 1)
    assert lines[0].startswith("error: ") and message in lines[0]
    assert not (tmp_path / "model").exists() or list((tmp_path / "model").iterdir()) == []


def test_the_base_is_accepted():
    """Else the cases above would be refused for another reason."""
    for stage, component in {"prior": "prior", "decoder": "decoder"}.items():
        configuration.check_config(stage, BASE[component], "base")


def test_bounds_are_those_of_the_manifest():
    schema = json.loads((ROOT / "docs/wuerstchen.schema.json").read_text())
    constants = schema["properties"]["constants"]["properties"]
    scheduler = schema["$defs"]["scheduler"]["properties"]
    bounds = {**checkpoints.BOUNDS, "scale_factor": configuration.SCALE}
    names = {
        "latent_mean": constants["latentMean"],
        "latent_std": constants["latentStd"],
        "resolution_multiple": constants["resolutionMultiple"],
        "latent_dim_scale": constants["latentDimScale"],
        "scale_factor": constants["scaleFactor"],
        "scaler": scheduler["scaler"],
        "s": scheduler["s"],
    }
    assert {name: (entry["minimum"], entry["maximum"]) for name, entry in names.items()} == bounds
    assert constants["latentUnit"]["maximum"] == constants["pixelsPerLatent"]["maximum"] == configuration.LARGEST_UNIT


def test_sides():
    """Those of test/model/size.test.ts."""
    published = {"resolutionMultiple": 42.67, "latentDimScale": 10.67, "latentUnit": 16, "pixelsPerLatent": 4}
    assert sides_of(published) == list(range(128, 8193, 128))
    assert side_of(4, {**published, "latentUnit": 2}) == 168
    assert sides_of({**published, "pixelsPerLatent": 8}) == []


def test_default_size(checkpoint, export, tmp_path):
    result = export(checkpoint, tmp_path / "model", "--default-size", "1000x1024")
    assert (result.code, "for the default width but received 1000; near is 1024" in result.stderr) == (1, True)
