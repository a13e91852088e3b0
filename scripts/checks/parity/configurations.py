"""Checkpoints of many configurations, made and run by diffusers 0.42.1, and exported: the Python half of configurations.mjs.

    PYTHONPATH=scripts python -m checks.parity.configurations --out DIR [NAME …]

For every configuration it writes DIR/<number>/model and DIR/<number>/expected.safetensors, and then one line of JSON on stdout:
name, folder, and the options of each image. Networks are diffusers' and transformers' own, with the random weights of
scripts/models/random_checkpoint.py: those predict noise near their input, as trained ones do. With torch's initial weights the
first step enlarges rounding errors a hundredfold, and a comparison then says nothing.
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch

import torch
from diffusers.pipelines.deprecated.wuerstchen import PaellaVQModel, WuerstchenDiffNeXt, WuerstchenPrior
from diffusers.utils import logging as diffusers_logging
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel
from transformers.utils import logging as transformers_logging

import export
from models.random_checkpoint import SMALL_VOCABULARY, random_tensor, write_pipeline_files
from models.random_tokenizer import write_tokenizer
from wuerstchen_export.sizes import sides_of

from .configuration_cases import BASE, CASES, QUICK
from .reference import Reference

COMPONENTS = {
    "prior": ("prior/prior", WuerstchenPrior),
    "decoder": ("decoder/decoder", WuerstchenDiffNeXt),
    "vqgan": ("decoder/vqgan", PaellaVQModel),
    "prior_text_encoder": ("prior/text_encoder", CLIPTextModel),
    "decoder_text_encoder": ("decoder/text_encoder", CLIPTextModel),
}
# Keys that published configurations leave out, because they are the class's defaults.
LEFT_OUT = ["kernel_size", "dropout", "patch_size", "effnet_embd", "c_in", "c_out", "in_channels", "scale_factor"]
CAT, NEGATIVE = "a photo of a cat sitting on a red chair", "low quality, blurry"


def configured(changes: dict[str, dict]) -> dict[str, dict]:
    return {part: {**base, **changes.get(part, {})} for part, base in BASE.items()}


def build(name: str, config: dict, seed: int) -> nn.Module:
    """The reference's network with random weights that suit it."""
    network: Any = COMPONENTS[name][1]
    if network is CLIPTextModel:
        module = network(CLIPTextConfig(vocab_size=SMALL_VOCABULARY, **config))
    else:
        module = network(**config)
    generator = torch.Generator().manual_seed(seed)
    state = {key: random_tensor(key, tensor.shape, generator) for key, tensor in sorted(module.state_dict().items())}
    module.load_state_dict(state, strict=True)
    return module.eval()


def write_checkpoint(parts: dict[str, dict], out: Path) -> None:
    """Both pipelines, as diffusers saves them."""
    files = parts["files"]
    for number, (name, (directory, _)) in enumerate(COMPONENTS.items()):
        module: Any = build(name, parts[name], seed=20 + number).to(getattr(torch, files.get("dtype", "float32")))
        shards = {"max_shard_size": "20KB"} if files.get("shards") else {}
        binary = bool(files.get("binary")) and not name.endswith("text_encoder")  # transformers 5 writes no .bin
        module.save_pretrained(out / directory, safe_serialization=not binary, **shards)
        if files.get("keys") == "least":
            edit(out / directory / "config.json", lambda config: [config.pop(key, None) for key in LEFT_OUT])
    for pipeline in ["prior", "decoder"]:
        positions = files.get("tokens", parts[f"{pipeline}_text_encoder"]["max_position_embeddings"])
        library = "wuerstchen" if files.get("root") else "diffusers"
        write_pipeline_files(pipeline, out, library, files.get("keys") != "least", positions)
        write_tokenizer(out / pipeline / "tokenizer", positions)
        edit(out / pipeline / "model_index.json", lambda index: index.update(parts["index"]))
        edit(out / pipeline / "scheduler/scheduler_config.json", lambda config: config.update(parts["scheduler"]))


def edit(file: Path, change: Any) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def export_model(checkpoint: Path, out: Path, files: dict) -> None:
    """Through the command, without its lines; they are shown where it fails."""
    prior = ["--prior", f"{checkpoint}/prior"]
    if files.get("root"):
        shutil.move(checkpoint / "prior/prior", checkpoint / "prior_at_root")
        prior = ["--prior", f"{checkpoint}/prior_at_root", "--prior-text-encoder", f"{checkpoint}/prior"]
    if files.get("bare"):
        for pipeline in ["prior", "decoder"]:
            (checkpoint / pipeline / "model_index.json").unlink()
            shutil.rmtree(checkpoint / pipeline / "scheduler")
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = export.main([*prior, "--decoder", f"{checkpoint}/decoder", "--out", str(out)])
    if code != 0:
        raise SystemExit(f"the export failed:\n{said.getvalue()}")


def images_of(model: Path) -> list[dict]:
    """Two calls: guidance everywhere on a wide image, none on a high one, near 256 and 128 pixels."""
    sides = sides_of(json.loads((model / "wuerstchen.json").read_text())["constants"])
    small, large = (min(sides, key=lambda side: abs(side - wanted)) for wanted in (128, 256))
    guided = {"priorSteps": 5, "decoderSteps": 3, "priorGuidanceScale": 4.0, "decoderGuidanceScale": 1.5}
    plain = {"priorSteps": 4, "decoderSteps": 4, "priorGuidanceScale": 0.0, "decoderGuidanceScale": 0.0}
    return [
        {"prompt": CAT, "negativePrompt": NEGATIVE, "seed": 1, "width": large, "height": small, **guided},
        {"prompt": CAT, "seed": 2, "width": small, "height": large, **plain},
    ]


def reference_of(checkpoint: Path, constants: dict) -> Reference:
    """diffusers takes a pipeline's constants from model_index.json; its parts are loaded one by one here."""
    reference = Reference(checkpoint)
    for pipeline in [reference.prior, reference.decoder]:
        pipeline.text_encoder.float()  # transformers keeps the dtype of the files, diffusers does not
    reference.prior.register_to_config(**{k: v for k, v in constants.items() if k != "latent_dim_scale"})
    reference.decoder.register_to_config(**{k: v for k, v in constants.items() if k == "latent_dim_scale"})
    return reference


@torch.no_grad()
def expected_values(reference: Reference, images: list[dict]) -> dict[str, torch.Tensor]:
    values: dict[str, torch.Tensor] = {}
    for k, options in enumerate(images):
        generator = torch.Generator().manual_seed(options["seed"])
        embeddings = reference.embed(options, options["prompt"], generator)
        _, pixels = reference.decode(options, options["prompt"], embeddings, generator)
        values |= {f"embeddings.{k}": embeddings.contiguous(), f"pixels.{k}": pixels.contiguous()}
    return values


def make(name: str, folder: Path) -> dict:
    parts = configured(CASES[name])
    checkpoint, model = folder / "checkpoint", folder / "model"
    write_checkpoint(parts, checkpoint)
    reference = reference_of(checkpoint, parts["index"])  # before the export changes the layout
    export_model(checkpoint, model, parts["files"])
    images = images_of(model)
    save_file(expected_values(reference, images), folder / "expected.safetensors")
    shutil.rmtree(checkpoint)
    return {"name": name, "folder": str(folder), "images": images}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help="(default: all)")
    parser.add_argument("--quick", action="store_true", help="three that have every unusual kind")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(arguments)
    diffusers_logging.set_verbosity_error()
    transformers_logging.set_verbosity_error()
    torch.set_num_threads(1)  # the networks are so small that a second thread only waits
    for number, name in enumerate(options.names or (QUICK if options.quick else CASES)):
        try:
            made = make(name, options.out / str(number))
        except (Exception, SystemExit) as error:  # of diffusers' networks, or the export's; the other configurations go on
            made = {"name": name, "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(made), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
