"""Two ways to make the pictures that are scored: the package itself (what counts), and diffusers (the reference)."""

import json
import subprocess
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .efficientnet import ImageEncoder, encoder_input

Job = dict  # {"prompt", "seed", "width", "height"} and, for a reconstruction, "image" (path of a PNG)


def read_png(path: Path) -> torch.Tensor:
    """→ [3, H, W] in [0, 1]"""
    return torch.from_numpy(np.asarray(Image.open(path).convert("RGB"), np.float32) / 255).permute(2, 0, 1)


def write_png(picture: torch.Tensor, path: Path) -> Path:
    Image.fromarray((picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()).save(path)
    return path


class NodeBackend:
    """models/tiny through Pipeline.generate and Pipeline.reconstruct, with the package's default sampling."""

    def __init__(self, model: Path, folder: Path):
        self.model, self.folder = model, folder

    def __call__(self, jobs: list[Job]) -> list[torch.Tensor]:
        lines = "".join(json.dumps({"id": str(i), **job}) + "\n" for i, job in enumerate(jobs))
        script = Path(__file__).with_name("generate.mjs")
        subprocess.run(
            ["node", str(script), str(self.model), str(self.folder)],
            input=lines,
            text=True,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return [read_png(self.folder / f"{i}.png") for i in range(len(jobs))]


class DiffusersBackend:
    """The assembled checkpoint through diffusers' pipelines."""

    def __init__(self, checkpoint: Path, folder: Path):
        from .assemble import DiffusersPipelines

        self.pipelines, self.folder = DiffusersPipelines(checkpoint), folder
        self.encoder = ImageEncoder.load(checkpoint / "image_encoder")

    @torch.no_grad()
    def __call__(self, jobs: list[Job]) -> list[torch.Tensor]:
        pictures = []
        for i, job in enumerate(jobs):
            if "image" in job:
                e = self.encoder(encoder_input(read_png(Path(job["image"]))[None]))
                generator = torch.Generator().manual_seed(job["seed"])
                images = self.pipelines.decoder(
                    e, job["prompt"], num_inference_steps=12, guidance_scale=0.0, generator=generator, output_type="np"
                ).images
                picture = torch.from_numpy(images[0]).permute(2, 0, 1)
            else:
                picture = self.pipelines(job["prompt"], job["seed"], job["width"], job["height"])
            # through 8 bits, as a saved picture goes
            pictures.append(read_png(write_png(picture, self.folder / f"{i}.png")))
        return pictures
