"""diffusers' and transformers' models of the random checkpoint, and what they make of each case.

diffusers 0.42.1 cannot load the published pipelines as a whole (its issue 14008), so the components are loaded one by one.
Every image runs alone with a generator of its own, which the prior hands on to the decoder: the reference's decoder takes
one prompt at a time, and images of one batch would share one stream.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDPMWuerstchenScheduler
from diffusers.pipelines.deprecated.wuerstchen import (
    DEFAULT_STAGE_C_TIMESTEPS,
    PaellaVQModel,
    WuerstchenDecoderPipeline,
    WuerstchenDiffNeXt,
    WuerstchenPrior,
    WuerstchenPriorPipeline,
)
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging

from .cases import DECODE, GENERATE, INPUTS, TEXTS

logging.disable_progress_bar()


class Reference:
    """Both pipelines, float32 on the CPU."""

    def __init__(self, checkpoint: Path):
        def common(pipeline: Path) -> dict:
            return {
                "tokenizer": CLIPTokenizer.from_pretrained(pipeline / "tokenizer"),
                "text_encoder": CLIPTextModel.from_pretrained(pipeline / "text_encoder").eval(),
                "scheduler": DDPMWuerstchenScheduler.from_pretrained(pipeline / "scheduler"),
            }

        prior, decoder = checkpoint / "prior", checkpoint / "decoder"
        # diffusers gives a pipeline its parts as attributes that no type names.
        self.prior: Any = WuerstchenPriorPipeline(
            prior=WuerstchenPrior.from_pretrained(prior / "prior", low_cpu_mem_usage=False).eval(), **common(prior)
        )
        self.decoder: Any = WuerstchenDecoderPipeline(
            decoder=WuerstchenDiffNeXt.from_pretrained(decoder / "decoder", low_cpu_mem_usage=False).eval(),
            vqgan=PaellaVQModel.from_pretrained(decoder / "vqgan", low_cpu_mem_usage=False).eval(),
            **common(decoder),
        )
        pipelines: list[Any] = [self.prior, self.decoder]
        for pipeline in pipelines:
            pipeline.set_progress_bar_config(disable=True)

    def embed(self, options: dict, prompt: str, generator: torch.Generator) -> Tensor:
        """Stage C for one image: embeddings (1, 16, gridHeight, gridWidth)."""
        given = {"prompt": prompt, "negative_prompt": options.get("negativePrompt")}
        if "promptEmbeds" in options:
            given = {
                "prompt_embeds": given_tensor(options["promptEmbeds"]),
                "negative_prompt_embeds": given_tensor(options["negativePromptEmbeds"]),
            }
        timesteps = options.get("priorTimesteps", None if "priorSteps" in options else DEFAULT_STAGE_C_TIMESTEPS)
        return self.prior(
            **given,
            height=options["height"],
            width=options["width"],
            timesteps=timesteps,
            num_inference_steps=options.get("priorSteps", 60),
            guidance_scale=options.get("priorGuidanceScale", 4.0),
            latents=given_tensor(options["latents"]) if "latents" in options else None,
            generator=generator,
        ).image_embeddings

    def decode(self, options: dict, prompt: str, embeddings: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Stages B and A for one image: latents (1, 4, height/4, width/4), pixels (1, height, width, 3) uint8."""
        latents = self.decoder(
            embeddings,
            prompt=prompt,
            negative_prompt=options.get("negativePrompt"),
            timesteps=options.get("decoderTimesteps"),
            num_inference_steps=options.get("decoderSteps", 12),
            guidance_scale=options.get("decoderGuidanceScale", 0.0),
            generator=generator,
            output_type="latent",
        ).images
        with torch.no_grad():  # the pipeline's own last lines
            pixels = self.decoder.vqgan.decode(self.decoder.vqgan.config.scale_factor * latents).sample.clamp(0, 1)
        return latents, (pixels.permute(0, 2, 3, 1) * 255).round().to(torch.uint8)


def given_tensor(name: str) -> Tensor:
    shape, seed, scale = INPUTS[name]
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def generate_values(reference: Reference) -> dict[str, Tensor]:
    """Embeddings, latents and pixels of every GENERATE and DECODE case, images stacked; and the inputs they were given."""
    values = {name: given_tensor(name) for name in INPUTS}
    for name, options in GENERATE.items():
        prompts = options["prompt"] if isinstance(options["prompt"], list) else [options["prompt"]]
        images = [prompt for prompt in prompts for _ in range(options.get("numImagesPerPrompt", 1))]
        results: list[tuple[Tensor, ...]] = []
        for k, prompt in enumerate(images):
            generator = torch.Generator().manual_seed(options["seed"] + k)
            embeddings = reference.embed(options, prompt, generator)
            results.append((embeddings, *reference.decode(options, prompt, embeddings, generator)))
        store(values, name, ["embeddings", "latents", "pixels"], results)
    for name, options in DECODE.items():
        results = []
        for k, embeddings in enumerate(given_tensor(options["embeddings"]).split(1)):
            generator = torch.Generator().manual_seed(options["seed"] + k)
            results.append(reference.decode(options, options["prompt"], embeddings, generator))
        store(values, name, ["latents", "pixels"], results)
    return values


def store(values: dict[str, Tensor], case: str, names: list[str], results: list[tuple[Tensor, ...]]) -> None:
    for name, tensors in zip(names, zip(*results, strict=True), strict=True):
        values[f"{case}/{name}"] = torch.cat(tensors)


@torch.no_grad()
def stage_values(reference: Reference) -> dict[str, Tensor]:
    """Every stage by itself: inputs and outputs of one call, named like the programs' inputs and outputs."""
    generator = torch.Generator().manual_seed(99)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    values: dict[str, Tensor] = {}
    for stage, pipeline in [("priorTextEncoder", reference.prior), ("decoderTextEncoder", reference.decoder)]:
        tokens = pipeline.tokenizer(TEXTS, padding="max_length", max_length=77, truncation=True, return_tensors="pt")
        hidden = pipeline.text_encoder(tokens.input_ids, attention_mask=tokens.attention_mask).last_hidden_state
        values |= prefixed(stage, ids=tokens.input_ids, mask=tokens.attention_mask, embeddings=hidden)

    latents, ratio, text = normal(2, 16, 3, 5), torch.tensor([0.9, 0.15]), normal(2, 77, 40)
    noise = reference.prior.prior(latents, ratio, text)
    values |= prefixed("prior", latents=latents, ratio=ratio, text=text, noise=noise)

    latents, embeddings, text = normal(2, 4, 32, 48), 10 * normal(2, 16, 3, 5), normal(2, 77, 32)
    noise = reference.decoder.decoder(latents, ratio, embeddings, text)
    values |= prefixed("decoder", latents=latents, ratio=ratio, embeddings=embeddings, text=text, noise=noise)

    vqgan = reference.decoder.vqgan
    latents = 0.3764 * normal(2, 4, 8, 12)
    values |= prefixed("vqDecoder", latents=latents, pixels=vqgan.decode(latents).sample)
    pixels = torch.rand((2, 3, 32, 48), generator=generator)
    values |= prefixed("vqEncoder", pixels=pixels, latents=vqgan.encode(pixels).latents)
    return values


def prefixed(stage: str, **tensors: Tensor) -> dict[str, Tensor]:
    return {f"{stage}/{name}": tensor for name, tensor in tensors.items()}


def largest_difference(actual: Tensor, expected: Tensor) -> float:
    """Floats: relative to the largest expected value. Pixels: in steps of 1/255. Ids: 0 or infinity."""
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        return float("inf")
    difference = np.abs(actual.double().numpy() - expected.double().numpy()).max()
    if actual.is_floating_point():
        return float(difference / max(expected.abs().max().item(), sys.float_info.min))
    if actual.dtype == torch.uint8:
        return float(difference)
    return 0.0 if difference == 0 else float("inf")
