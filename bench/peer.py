"""The peer: diffusers 0.42.1, prompt to PNG bytes. Started by compare.mjs, a process for each case:

    PYTHONPATH=scripts python bench/peer.py '{"checkpoint": DIR, "width": 256, "height": 256, "batch": 1, "threads": 2,
        "warmUp": 3, "runs": 5, "prompt": "a red cat", "compile": null, "pixels": FILE}'

`compile` is torch.compile's mode for both networks and Stage A, or null for eager mode. Prints a line of JSON when the packages
are imported, the model is loaded and the first picture is there, and one with all times.
"""

import io
import json
import resource
import sys
import time
from pathlib import Path

import torch
from diffusers.pipelines.deprecated.wuerstchen import DEFAULT_STAGE_C_TIMESTEPS

from checks.parity.reference import Reference


def say(event: str, **facts) -> None:
    print(json.dumps({"event": event, **facts}), flush=True)


def pictures(reference: Reference, options: dict) -> list:
    """A call for `batch` images of one prompt: the reference's decoder can batch no more. Image k has the stream of seed k."""
    generators = [torch.Generator("cpu").manual_seed(k) for k in range(options["batch"])]
    embeddings = reference.prior(
        options["prompt"],
        height=options["height"],
        width=options["width"],
        timesteps=DEFAULT_STAGE_C_TIMESTEPS,
        guidance_scale=4.0,
        num_images_per_prompt=options["batch"],
        generator=generators,
    ).image_embeddings
    return reference.decoder(
        embeddings,
        options["prompt"],
        num_inference_steps=12,
        guidance_scale=0.0,
        generator=generators,
    ).images


def compile_networks(reference: Reference, mode: str) -> None:
    reference.prior.prior = torch.compile(reference.prior.prior, mode=mode)
    reference.decoder.decoder = torch.compile(reference.decoder.decoder, mode=mode)
    reference.decoder.vqgan.decode = torch.compile(reference.decoder.vqgan.decode, mode=mode)


def main() -> None:
    say("imported")
    options = json.loads(sys.argv[1])
    torch.set_num_threads(options["threads"])
    torch.set_flush_denormal(True)
    reference = Reference(Path(options["checkpoint"]))
    if options["compile"] is not None:
        compile_networks(reference, options["compile"])
    say("loaded")
    times = {"generate": [], "total": []}
    with torch.inference_mode():
        for run in range(options["warmUp"] + options["runs"]):
            start = time.perf_counter()
            images = pictures(reference, options)
            generated = time.perf_counter()
            for image in images:
                image.save(io.BytesIO(), "PNG")
            times["total"].append((time.perf_counter() - start) * 1000)
            times["generate"].append((generated - start) * 1000)
            if run == 0:
                say("picture")
                Path(options["pixels"]).write_bytes(b"".join(image.tobytes() for image in images))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    say("done", times={name: values[options["warmUp"] :] for name, values in times.items()}, peakBytes=peak)


if __name__ == "__main__":
    main()
