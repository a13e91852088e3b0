"""diffusers, a call for each batch size. Started by bench/card.mjs:

    PYTHONPATH=scripts python bench/card/peer.py '{"network": "wuerstchen", "checkpoint": DIR, "config": "published",
        "device": "cuda", "dtype": "float16", "width": 1024, "height": 1024, "batchSizes": [1, 2], "warmUp": 1, "runs": 3,
        "prompt": "a red cat", "compile": false, "pixels": FILE}'

`network` is wuerstchen, which is loaded from the checkpoint, or sdxl, whose random weights are made on the device. Prints a line
of JSON for each batch size. The first image of the first call goes to `pixels`.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers.pipelines.deprecated.wuerstchen import DEFAULT_STAGE_C_TIMESTEPS
from sdxl import sdxl

from checks.parity.reference import Reference


def wuerstchen(options: dict, dtype: torch.dtype) -> Callable[[int, list[torch.Generator]], list]:
    reference = Reference(Path(options["checkpoint"]))
    prior, decoder = (pipeline.to(options["device"], dtype) for pipeline in (reference.prior, reference.decoder))
    if options["compile"]:
        prior.prior = torch.compile(prior.prior)
        decoder.decoder = torch.compile(decoder.decoder)
        decoder.vqgan.decode = torch.compile(decoder.vqgan.decode)

    def call(batch: int, generators: list[torch.Generator]) -> list:
        embeddings = prior(
            options["prompt"],
            height=options["height"],
            width=options["width"],
            timesteps=DEFAULT_STAGE_C_TIMESTEPS,
            guidance_scale=4.0,
            num_images_per_prompt=batch,
            generator=generators,
        ).image_embeddings
        return decoder(embeddings, options["prompt"], num_inference_steps=12, guidance_scale=0.0, generator=generators).images

    return call


def stable_diffusion_xl(options: dict, dtype: torch.dtype) -> Callable[[int, list[torch.Generator]], list]:
    pipeline = sdxl(options["config"], Path(options["checkpoint"]), options["device"], dtype)
    if options["compile"]:
        pipeline.unet = torch.compile(pipeline.unet)
        pipeline.vae.decode = torch.compile(pipeline.vae.decode)

    def call(batch: int, generators: list[torch.Generator]) -> list:
        return pipeline(
            options["prompt"],
            height=options["height"],
            width=options["width"],
            num_images_per_prompt=batch,
            generator=generators,
        ).images

    return call


NETWORKS = {"wuerstchen": wuerstchen, "sdxl": stable_diffusion_xl}


def main() -> None:
    options = json.loads(sys.argv[1])
    wait = torch.cuda.synchronize if options["device"] == "cuda" else lambda: None
    torch.set_flush_denormal(True)
    call = NETWORKS[options["network"]](options, getattr(torch, options["dtype"]))
    with torch.inference_mode():
        for batch in options["batchSizes"]:
            seconds = []
            for run in range(options["warmUp"] + options["runs"]):
                generators = [torch.Generator("cpu").manual_seed(k) for k in range(batch)]
                start = time.perf_counter()
                images = call(batch, generators)
                wait()
                seconds.append(time.perf_counter() - start)
                if run == 0 and batch == options["batchSizes"][0]:
                    Path(options["pixels"]).write_bytes(images[0].tobytes())
            print(json.dumps({"event": "batch", "batch": batch, "seconds": seconds[options["warmUp"] :]}), flush=True)


if __name__ == "__main__":
    main()
