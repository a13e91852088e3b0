"""Writes or checks the expected values of the tests of image modification (test/parity/modify/).

    PYTHONPATH=scripts python -m checks.parity.modify_reference [--check]

Without --check it rewrites them. With it, it computes them again and compares.

diffusers 0.42.1 has neither image to image nor inpainting for Würstchen. The loops here are written from its scheduler's
`add_noise` and `step` and from its networks; the image encoder is the exporter's module, which tests compare with torchvision.
"""

import json
import math
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

if TYPE_CHECKING:
    from .reference import Reference

FOLDER = Path(__file__).parents[3] / "test" / "parity" / "modify"
CAT, NEGATIVE = "a photo of a cat sitting on a red chair", "low quality, blurry, watermark"
FEW = {"priorSteps": 8, "decoderSteps": 3}

# `image`: width and height of the formula's picture. `mask`: the white rectangle, left, top, right, bottom; `grey`: its grey.
CASES = {
    "reconstruct": {"call": "reconstruct", "image": [128, 128], "seed": 1, "decoderSteps": 3},
    "vary": {"call": "vary", "image": [128, 128], "strength": 0.5, "seed": 2, **FEW},
    "vary with a prompt": {
        "call": "vary",
        "image": [101, 66],
        "strength": 0.98,
        "prompt": CAT,
        "negativePrompt": NEGATIVE,
        "seed": 3,
        **FEW,
    },
    "edit": {
        "call": "edit",
        "image": [300, 200],
        "width": 256,
        "height": 128,
        "fit": "fill",
        "strength": 0.995,
        "prompt": CAT,
        "seed": 4,
        **FEW,
    },
    "edit with a mask": {
        "call": "edit",
        "image": [128, 128],
        "mask": [30, 20, 90, 128],
        "strength": 1,
        "feather": 5,
        "prompt": CAT,
        "seed": 5,
        **FEW,
    },
    "mask and strength": {
        "call": "edit",
        "image": [256, 128],
        "width": 256,
        "height": 128,
        "mask": [0, 0, 100, 128],
        "strength": 0.99,
        "feather": 0,
        "prompt": CAT,
        "negativePrompt": NEGATIVE,
        "priorGuidanceScale": 6.0,
        "seed": 6,
        **FEW,
    },
}
CASES["grey mask"] = {**CASES["edit with a mask"], "grey": 77, "seed": 8}
REFINE = {"image": [128, 128], "strength": 0.4, "prompt": CAT, "seed": 7, "decoderSteps": 8}
# Sizes of pictures and of what the encoder sees of them, in cells of 32 pixels.
PREPROCESS: dict[str, dict[str, Any]] = {
    "as large": {"image": [96, 96], "grid": [3, 3], "fit": "cover"},
    "enlarged": {"image": [40, 30], "grid": [3, 4], "fit": "fill"},
    "reduced and cut": {"image": [333, 177], "grid": [3, 3], "fit": "cover"},
    "cut by half pixels": {"image": [101, 66], "grid": [3, 3], "fit": "cover"},
    "cut above and below": {"image": [64, 131], "grid": [3, 6], "fit": "cover"},
    "much reduced": {"image": [900, 700], "grid": [2, 2], "fit": "fill"},
}
EVERY = 5  # of the preprocessed pixels, a fifth a side is kept


def picture(width: int, height: int) -> Tensor:
    """(height, width, 3) uint8, the same formula as in the test."""
    x, y, c = torch.arange(width)[None, :, None], torch.arange(height)[:, None, None], torch.arange(3)[None, None]
    return ((x * (3 + 5 * c) + y * (7 + 2 * c) + x * y // (9 + c)) % 256).to(torch.uint8)


def preprocess(pixels: Tensor, grid_height: int, grid_width: int, fit: str) -> Tensor:
    """(1, 3, 32 gridHeight, 32 gridWidth): what torchvision's Resize(antialias), CenterCrop and Normalize do."""
    image, height, width = pixels.permute(2, 0, 1)[None].float() / 255, 32 * grid_height, 32 * grid_width
    size = (height, width)
    if fit == "cover":
        scale = max(height / image.shape[2], width / image.shape[3])
        size = (max(height, int(image.shape[2] * scale)), max(width, int(image.shape[3] * scale)))
    image = F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)
    top, left = round((size[0] - height) / 2), round((size[1] - width) / 2)
    image = image[:, :, top : top + height, left : left + width]
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (image - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)


def timesteps(strength: float, spread: float, steps: int, s: float = 0.008) -> Tensor:
    """t with noise of tan(strength π/2) times the spread, by bisection; then equally far apart down to 0."""

    def ratio(t: float) -> float:
        alpha = math.cos((t + s) / (1 + s) * math.pi / 2) ** 2 / math.cos(s / (1 + s) * math.pi / 2) ** 2
        return math.sqrt((1 - alpha) / max(alpha, 1e-300))

    low, high = 0.0, 1.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if ratio(middle) < math.tan(strength * math.pi / 2) * spread else (low, middle)
    count = max(1, math.ceil(steps * strength))
    start = 1.0 if strength == 1 else high
    return torch.tensor([start * (1 - k / count) for k in range(count + 1)], dtype=torch.float64).float()


def mask_of(case: dict) -> Tensor | None:
    """(height, width) of zeros and ones."""
    if "mask" not in case:
        return None
    (width, height), (left, top, right, bottom) = case["image"], case["mask"]
    mask = torch.zeros(height, width)
    mask[top:bottom, left:right] = 1
    return mask


def grid_mask(mask: Tensor, grid_height: int, grid_width: int) -> Tensor:
    """Shares of the cells that are not black, grown by a blur of (1, 2, 1) / 4 both ways."""
    shares = F.avg_pool2d(mask.repeat_interleave(3, 0).repeat_interleave(3, 1)[None, None], 128)
    assert shares.shape[2:] == (grid_height, grid_width)
    kernel = torch.tensor([1.0, 2.0, 1.0]) / 4
    soft = F.conv2d(F.pad(shares, (1, 1, 1, 1), mode="replicate"), (kernel[:, None] * kernel)[None, None])
    return torch.maximum(shares, soft).clamp(max=1)


def blend_mask(mask: Tensor, feather: int) -> Tensor:
    """0 outside, then one share of the feather more with every pixel further in."""
    blend, inside = torch.zeros_like(mask), mask
    for _ in range(feather + 1):
        blend = blend + inside / (feather + 1)
        inside = -F.max_pool2d(-inside[None, None], 3, stride=1, padding=1)[0, 0]
    return blend


class Modifier:
    """The loops, over the reference's networks."""

    def __init__(self, checkpoint: Path, reference: "Reference"):
        from wuerstchen_export.image_encoder import embedding_std
        from wuerstchen_export.stages import image_encoder_stage

        self.reference = reference
        self.encoder, _, tensors = image_encoder_stage(checkpoint / "image_encoder").load()
        self.spread = embedding_std(tensors) / 42

    def denoise(self, source: Tensor, case: dict, generator: torch.Generator, mask: Tensor | None) -> Tensor:
        """Stage C from z, noised, under the prompt: z again."""
        pipeline = self.reference.prior
        scheduler = pipeline.scheduler
        scale = case.get("priorGuidanceScale", 4.0 if "prompt" in case else 0.0)
        prompt, negative = pipeline.encode_prompt("cpu", 1, scale > 1, [case.get("prompt", "")], [case.get("negativePrompt", "")])
        texts = torch.cat([prompt, negative]) if scale > 1 else prompt
        levels = timesteps(case["strength"], self.spread, case["priorSteps"])
        scheduler.set_timesteps(timesteps=levels)

        def noised(t: Tensor) -> Tensor:
            return scheduler.add_noise(source, torch.randn(source.shape, generator=generator), t)

        latents = noised(levels[:1])
        for t in levels[:-1].split(1):
            if mask is not None:
                latents = mask * latents + (1 - mask) * noised(t)
            rows = len(texts)
            noise = pipeline.prior(latents.expand(rows, -1, -1, -1), t.expand(rows), texts)
            if rows == 2:
                noise = torch.lerp(noise[1:], noise[:1], scale)
            latents = scheduler.step(noise, t, latents, generator).prev_sample
        return latents if mask is None else mask * latents + (1 - mask) * source

    def run(self, case: dict) -> dict[str, Tensor]:
        width, height = case.get("width", 128), case.get("height", 128)
        grid = height * 3 // 128, width * 3 // 128
        pixels, mask = picture(*case["image"]), mask_of(case)
        encoded = self.encoder(preprocess(pixels, *grid, case.get("fit", "cover")))
        generator = torch.Generator().manual_seed(case["seed"])
        embeddings = encoded
        if case["call"] != "reconstruct":
            cells = None if mask is None else grid_mask(mask, *grid)
            embeddings = 42 * self.denoise((encoded + 1) / 42, case, generator, cells) - 1
        decoding = {"decoderSteps": case["decoderSteps"], "negativePrompt": case.get("negativePrompt")}
        _, made = self.reference.decode(decoding, case.get("prompt", ""), embeddings, generator)
        if mask is not None:
            # Grey says how much of the new image is mixed in. 8 is black and 247 is white, in whole steps of 1/255.
            level = round(255 * min(1.0, max(0.0, (case.get("grey", 255) - 8) / 239))) / 255
            blend = (level * blend_mask(mask, case["feather"]))[None, :, :, None]
            made = (pixels[None] + blend * (made.float() - pixels[None].float())).add(0.5).floor().to(torch.uint8)
        return {"encoded": encoded, "embeddings": embeddings, "pixels": made}

    def refine(self, case: dict) -> dict[str, Tensor]:
        """Stage B from a picture's latents, noised."""
        pipeline, pixels = self.reference.decoder, picture(*case["image"])
        scheduler, scale = pipeline.scheduler, pipeline.vqgan.config.scale_factor
        encoded = self.encoder(preprocess(pixels, 3, 3, "cover"))
        source = pipeline.vqgan.encode(pixels.permute(2, 0, 1)[None].float() / 255).latents / scale
        generator = torch.Generator().manual_seed(case["seed"])
        text, _ = pipeline.encode_prompt([case["prompt"]], "cpu", 1, False)
        levels = timesteps(case["strength"], 1.0, case["decoderSteps"])
        scheduler.set_timesteps(timesteps=levels)
        latents = scheduler.add_noise(source, torch.randn(source.shape, generator=generator), levels[:1])
        for t in levels[:-1].split(1):
            latents = scheduler.step(pipeline.decoder(latents, t, encoded, text), t, latents, generator).prev_sample
        made = pipeline.vqgan.decode(scale * latents).sample.clamp(0, 1)
        return {"source": source, "pixels": (made.permute(0, 2, 3, 1) * 255).round().to(torch.uint8)}


@torch.no_grad()
def compute() -> dict[str, Tensor]:
    from models import random_checkpoint

    from .reference import Reference

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as directory:
        random_checkpoint.main([*random_checkpoint.TEST_OPTIONS, "--out", directory])
        modifier = Modifier(Path(directory), Reference(Path(directory)))
        results = {name: modifier.run(case) for name, case in CASES.items()} | {"refine": modifier.refine(REFINE)}
    for name, case in PREPROCESS.items():
        (width, height), (grid_height, grid_width) = case["image"], case["grid"]
        pixels = preprocess(picture(width, height), grid_height, grid_width, case["fit"])
        results[name] = {"preprocessed": pixels[:, :, ::EVERY, ::EVERY]}
    return {f"{name}/{key}": tensor.clone().contiguous() for name, values in results.items() for key, tensor in values.items()}


def check(values: dict[str, Tensor]) -> list[str]:
    """What differs from the committed files."""
    from .reference import largest_difference

    committed = load_file(FOLDER / "values.safetensors")
    problems = [] if committed.keys() == values.keys() else [f"other values: {sorted(committed.keys() ^ values.keys())}"]
    if json.loads((FOLDER / "cases.json").read_text()) != index():
        problems.append("cases.json differs")
    for name in sorted(committed.keys() & values.keys()):
        allowed = 5e-5 if values[name].is_floating_point() else 1
        if (difference := largest_difference(values[name], committed[name])) > allowed:
            problems.append(f"{name} differs by {difference:.2g}, allowed is {allowed:g}")
    return problems


def index() -> dict:
    return {"every": EVERY, "modify": CASES, "refine": REFINE, "preprocess": PREPROCESS}


def main(arguments: list[str]) -> int:
    values = compute()
    if arguments == ["--check"]:
        problems = check(values)
        print("\n".join(problems) or f"{len(values)} tensors agree")
        return 1 if problems else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "cases.json").write_text(json.dumps(index(), indent=2, ensure_ascii=False) + "\n")
    save_file(values, FOLDER / "values.safetensors")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
