"""One stage at full size: seeded inputs, and what diffusers makes of them. check.py runs it in a process of its own:

    PYTHONPATH=scripts python bench/full-size/reference.py inputs STAGE DIR
    PYTHONPATH=scripts python bench/full-size/reference.py reference STAGE DIR CHECKPOINT

The first writes the stage's inputs. The second runs diffusers on them and prints seconds and peak memory as JSON.
"""

import json
import resource
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

# A picture of 1024 x 1024: a grid of 24, latents of 256. One row, as without guidance.
GRID, LATENTS, PIXELS = 24, 256, 1024
TEXT_WIDTH = {"prior": 1280, "decoder": 1024}


def inputs(stage: str) -> dict[str, Tensor]:
    """By the names of the program's inputs; what `condition` makes is left out."""
    generator = torch.Generator().manual_seed(7)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    if stage.endswith("TextEncoder"):
        mask = (torch.arange(77) < 20).long()[None]
        return {"ids": torch.randint(0, 49408, (1, 77), generator=generator), "mask": mask}
    # 5000 positions, exact in half precision too, where diffusers computes them in it.
    ratio = torch.tensor([0.5])
    if stage == "prior":
        return {"text": normal(1, 77, 1280), "latents": normal(1, 16, GRID, GRID), "ratio": ratio}
    if stage == "decoder":
        return {
            "latents": normal(1, 4, LATENTS, LATENTS),
            "embeddings": 10 * normal(1, 16, GRID, GRID),
            "text": normal(1, 77, 1024),
            "ratio": ratio,
        }
    if stage == "vqDecoder":
        return {"latents": 0.3764 * normal(1, 4, LATENTS, LATENTS)}
    if stage == "vqEncoder":
        return {"pixels": torch.rand((1, 3, PIXELS, PIXELS), generator=generator)}
    return {"pixels": normal(1, 3, 32 * GRID, 32 * GRID)}


def load(factory, directory: Path):
    """A diffusers model without its initialisation, which takes minutes at this size only to be overwritten."""
    with torch.device("meta"):
        model = factory.from_config(factory.load_config(directory))
    model.load_state_dict(load_file(directory / "diffusion_pytorch_model.safetensors"), assign=True)
    return model.eval()


def reference(stage: str, checkpoint: Path, device: str = "cpu", dtype: torch.dtype = torch.float32):
    """A function of the inputs that runs the stage's reference. Device and dtype are those of the two networks."""
    from diffusers.pipelines.deprecated.wuerstchen import PaellaVQModel, WuerstchenDiffNeXt, WuerstchenPrior
    from transformers import CLIPTextModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    if stage.endswith("TextEncoder"):
        encoder = CLIPTextModel.from_pretrained(checkpoint / stage.removesuffix("TextEncoder") / "text_encoder").eval()
        return lambda x: encoder(x["ids"], attention_mask=x["mask"]).last_hidden_state
    if stage == "prior":
        prior = load(WuerstchenPrior, checkpoint / "prior" / "prior").to(device, dtype)
        return lambda x: prior(x["latents"], x["ratio"], x["text"])
    if stage == "decoder":
        decoder = load(WuerstchenDiffNeXt, checkpoint / "decoder" / "decoder").to(device, dtype)
        return lambda x: decoder(x["latents"], x["ratio"], x["embeddings"], x["text"])
    if stage == "imageEncoder":  # not in diffusers: our module before folding, which tests compare with torchvision
        from wuerstchen_export.stages import image_encoder_stage
        from wuerstchen_export.weights import load_module, read_tensors

        found = image_encoder_stage(checkpoint / "image_encoder")
        encoder = load_module(
            found.build, found.config, read_tensors(list(found.files), found.inside), found.ignore, "image_encoder"
        )
        return lambda x: encoder(x["pixels"])
    vqgan = load(PaellaVQModel, checkpoint / "decoder" / "vqgan")
    if stage == "vqDecoder":
        return lambda x: vqgan.decode(x["latents"]).sample
    return lambda x: vqgan.encode(x["pixels"]).latents


def main(action: str, stage: str, directory: str, checkpoint: str = "") -> None:
    file = Path(directory) / "inputs.safetensors"
    if action == "inputs":
        save_file(inputs(stage), file)
        return
    given = load_file(file)
    with torch.inference_mode():
        run = reference(stage, Path(checkpoint))
        started = time.monotonic()
        output = run(given)
    seconds = time.monotonic() - started
    save_file({"output": output.clone().contiguous()}, Path(directory) / "reference.safetensors")
    print(json.dumps({"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main(*sys.argv[1:])
