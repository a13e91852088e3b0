"""Training checkpoints → one checkpoint in the published diffusers layout, ready for the ordinary exporter.

WORK/checkpoint/{decoder,prior}/... as in the published repositories, plus image_encoder/ and previewer/. Weights are rounded
to half precision (stored as float32), so that a float16 export loses nothing. With --check the assembled checkpoint makes a
picture with diffusers' own pipelines, which must be the picture that the training side makes.
"""

import argparse
import copy
import json
import shutil
from pathlib import Path

import torch
from diffusers import DDPMWuerstchenScheduler
from diffusers.pipelines.deprecated.wuerstchen.modeling_paella_vq_model import PaellaVQModel
from diffusers.pipelines.deprecated.wuerstchen.modeling_wuerstchen_diffnext import WuerstchenDiffNeXt
from diffusers.pipelines.deprecated.wuerstchen.modeling_wuerstchen_prior import WuerstchenPrior
from diffusers.pipelines.deprecated.wuerstchen.pipeline_wuerstchen import WuerstchenDecoderPipeline
from diffusers.pipelines.deprecated.wuerstchen.pipeline_wuerstchen_prior import DEFAULT_STAGE_C_TIMESTEPS, WuerstchenPriorPipeline
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTokenizer

from .nets import LATENT_MEAN, PREVIEWER
from .sampling import Model
from .training import default_work

DECODER_INDEX = {
    "_class_name": "WuerstchenDecoderPipeline",
    "_diffusers_version": "0.42.1",
    "latent_dim_scale": 10.67,
    "decoder": ["wuerstchen", "WuerstchenDiffNeXt"],
    "vqgan": ["wuerstchen", "PaellaVQModel"],
    "scheduler": ["diffusers", "DDPMWuerstchenScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizerFast"],
}
PRIOR_INDEX = {
    "_class_name": "WuerstchenPriorPipeline",
    "_diffusers_version": "0.42.1",
    "latent_mean": 42.0,
    "latent_std": 1.0,
    "resolution_multiple": 42.67,
    "prior": ["wuerstchen", "WuerstchenPrior"],
    "scheduler": ["diffusers", "DDPMWuerstchenScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizerFast"],
}


def in_embedding_space(decoder: WuerstchenDiffNeXt) -> WuerstchenDiffNeXt:
    """Stage B was trained on z = (e + 1) / 42 and is published for e: W z + b = (W / 42) e + (b + sum(W) / 42)."""
    decoder = copy.deepcopy(decoder)
    decoder.__class__ = WuerstchenDiffNeXt  # as the configuration file names it
    with torch.no_grad():
        for mapper in decoder.effnet_mappers:
            mapper.weight /= LATENT_MEAN  # [c_cond, 16, 1, 1]
            mapper.bias += mapper.weight.sum((1, 2, 3))
    return decoder


def rounded(module):
    with torch.no_grad():
        for tensor in [*module.parameters(), *module.buffers()]:
            if tensor.is_floating_point():
                tensor.copy_(tensor.half().float())
    return module


def save_tokenizer(tokenizer: CLIPTokenizer, folder: Path) -> None:
    tokenizer.save_pretrained(folder)
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")


def write(model: Model, out: Path) -> None:
    for half, index, text, parts in (
        ("decoder", DECODER_INDEX, model.text, {"decoder": in_embedding_space(model.decoder), "vqgan": model.vqgan}),
        ("prior", PRIOR_INDEX, model.prior_text, {"prior": model.prior}),
    ):
        for name, part in {**parts, "text_encoder": text}.items():
            rounded(part).save_pretrained(out / half / name, safe_serialization=True)
        DDPMWuerstchenScheduler(scaler=1.0, s=0.008).save_pretrained(out / half / "scheduler")
        save_tokenizer(model.tokenizer, out / half / "tokenizer")
        (out / half / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    rounded(model.encoder).save(out / "image_encoder")
    folder = out / "previewer"
    folder.mkdir()
    save_file(rounded(model.previewer).state_dict(), folder / "diffusion_pytorch_model.safetensors")
    (folder / "config.json").write_text(json.dumps(PREVIEWER, indent=2) + "\n")


def replace_folder(fresh: Path, path: Path) -> None:
    old = path.with_name(path.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        path.rename(old)
    fresh.rename(path)
    shutil.rmtree(old, ignore_errors=True)


class DiffusersPipelines:
    """diffusers' own pipelines around an assembled checkpoint, loaded part by part as its users must."""

    def __init__(self, folder: Path):
        prior, decoder = folder / "prior", folder / "decoder"

        def common(half):
            return dict(
                tokenizer=CLIPTokenizer.from_pretrained(half / "tokenizer"),
                text_encoder=CLIPTextModel.from_pretrained(half / "text_encoder"),
                scheduler=DDPMWuerstchenScheduler.from_pretrained(half, subfolder="scheduler"),
            )

        self.prior = WuerstchenPriorPipeline(prior=WuerstchenPrior.from_pretrained(prior, subfolder="prior"), **common(prior))
        self.decoder = WuerstchenDecoderPipeline(
            decoder=WuerstchenDiffNeXt.from_pretrained(decoder, subfolder="decoder"),
            vqgan=PaellaVQModel.from_pretrained(decoder, subfolder="vqgan"),
            latent_dim_scale=10.67,
            **common(decoder),
        )
        for pipeline in (self.prior, self.decoder):
            pipeline.set_progress_bar_config(disable=True)

    def __call__(self, prompt: str, seed: int, width=128, height=128) -> torch.Tensor:
        """→ [3, height, width] in [0, 1]"""
        generator = torch.Generator().manual_seed(seed)
        e = self.prior(
            prompt,
            height=height,
            width=width,
            timesteps=DEFAULT_STAGE_C_TIMESTEPS,
            guidance_scale=4.0,
            generator=generator,
            output_type="pt",
        ).image_embeddings
        images = self.decoder(e, prompt, num_inference_steps=12, guidance_scale=0.0, generator=generator, output_type="np").images
        return torch.from_numpy(images[0]).permute(2, 0, 1)


def check(model: Model, folder: Path) -> None:
    pipelines = DiffusersPipelines(folder)
    for seed, prompt in enumerate(("a cat on a blue background", "a fire engine on a white background", "a castle")):
        generator = torch.Generator().manual_seed(seed)
        expected = model.decode(model.embed([prompt], generator=generator), [prompt], generator=generator)[0]
        difference = (pipelines(prompt, seed) - expected).abs().mean().item() * 255
        print(f"{prompt}: mean difference {difference:.4f} of 255")
        if difference > 0.5:
            raise SystemExit("the assembled checkpoint does not make the picture that training makes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=default_work())
    parser.add_argument(
        "--round", help="a finished round (a folder in WORK/checkpoints), like rung1; otherwise the newest weights"
    )
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    model, fresh = Model(args.work, finished=args.round), args.work / "checkpoint.partial"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    write(model, fresh)
    if args.check:
        check(model, fresh)
    replace_folder(fresh, args.work / "checkpoint")
    print(args.work / "checkpoint")


if __name__ == "__main__":
    main()
