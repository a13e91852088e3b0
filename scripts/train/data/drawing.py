"""Draws scenes: emoji bitmaps (made once by render.mjs) composed on a plain background."""

import subprocess
from pathlib import Path

import numpy as np
import torch

from ..device import on
from .catalogue import OBJECTS
from .scenes import Placed, Scene

_SIDE = 256  # of the cached bitmaps: the largest drawing in a 256-px picture


def render_emoji(work: Path) -> Path:
    folder = work / "emoji"
    missing = [thing.icon for thing in OBJECTS if not (folder / f"{thing.icon}.rgba").exists()]
    if missing:
        subprocess.run(["node", str(Path(__file__).with_name("render.mjs")), str(folder), str(_SIDE), *missing], check=True)
    return folder


def _box(start: torch.Tensor, side: torch.Tensor, length: int) -> torch.Tensor:
    """Box filter that makes `_SIDE` samples `side` [B] ones and puts them at `start` [B] of `length`: [B, length, _SIDE].

    Each result is the mean of the samples that it covers (PIL's BOX); outside the drawing it is 0.
    """
    at = torch.arange(length, device=side.device) - start[:, None]  # [B, length], in the drawing's pixels
    scale = _SIDE / side[:, None]
    distance = torch.arange(_SIDE, device=side.device) + 0.5 - ((at + 0.5) * scale)[..., None]
    half = scale.clamp_min(1)[..., None] / 2
    covered = (distance > -half) & (distance <= half) & ((at >= 0) & (at < side[:, None]))[..., None]
    return covered / covered.sum(-1, keepdim=True).clamp_min(1)


class Painter:
    """Pictures of scenes as float32 in [0, 1], all of a batch at once."""

    def __init__(self, work: Path, device="cpu"):
        folder, self.device = render_emoji(work), device
        # Alpha is premultiplied, as resvg writes it and as resizing needs it to keep edges clean.
        bitmaps = np.stack([np.fromfile(folder / f"{thing.icon}.rgba", np.uint8).reshape(_SIDE, _SIDE, 4) for thing in OBJECTS])
        self._bitmaps = torch.from_numpy(bitmaps).transpose(2, 3).flatten(2).to(device)  # [objects, rows, 4 × columns]
        self._index = {thing.name: i for i, thing in enumerate(OBJECTS)}

    def paint(self, scenes: list[Scene], width: int, height: int | None = None) -> torch.Tensor:
        """[B, 3, height, width]; height: as width"""
        height = height or width
        rgb = on(self.device, torch.tensor([scene.rgb for scene in scenes], dtype=torch.float32)) / 255
        canvas = rgb[:, :, None, None].repeat(1, 1, height, width)
        for layer in range(max(len(scene.placed) for scene in scenes)):
            rows = [i for i, scene in enumerate(scenes) if len(scene.placed) > layer]
            drawing = self._draw([scenes[i].placed[layer] for i in rows], width, height)
            canvas[rows] = canvas[rows] * (1 - drawing[:, 3:]) + drawing[:, :3]
        return canvas

    def _draw(self, placed: list[Placed], width: int, height: int) -> torch.Tensor:
        """One object each on a transparent canvas, [B, 4, height, width]"""
        sides = [round(p.scale * min(width, height)) for p in placed]
        left = [round(p.x * width - side / 2) for p, side in zip(placed, sides, strict=True)]
        top = [round(p.y * height - side / 2) for p, side in zip(placed, sides, strict=True)]
        index, sides, left, top = on(self.device, torch.tensor([[self._index[p.thing.name] for p in placed], sides, left, top]))
        across, down = _box(left, sides, width), _box(top, sides, height) / 255
        lines = down @ self._bitmaps[index].float()  # [B, height, 4 × columns]
        pixels = lines.view(len(placed), -1, _SIDE) @ across.mT  # [B, height × 4, width]
        return pixels.view(len(placed), height, 4, width).transpose(1, 2)
