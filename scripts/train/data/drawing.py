"""Draws scenes: emoji bitmaps (made once by render.mjs) composed on a plain background."""

import subprocess
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .catalogue import OBJECTS
from .scenes import Scene

_SIDE = 256  # of the cached bitmaps: the largest drawing in a 256-px picture


def render_emoji(work: Path) -> Path:
    folder = work / "emoji"
    missing = [thing.icon for thing in OBJECTS if not (folder / f"{thing.icon}.rgba").exists()]
    if missing:
        subprocess.run(["node", str(Path(__file__).with_name("render.mjs")), str(folder), str(_SIDE), *missing], check=True)
    return folder


class Painter:
    """Picture of a scene as float32 [3, height, width] in [0, 1]."""

    def __init__(self, work: Path):
        folder = render_emoji(work)
        # "RGBa" is premultiplied alpha, which is what resvg writes and what resizing needs to keep edges clean.
        self._bitmaps = {
            thing.name: Image.frombytes("RGBa", (_SIDE, _SIDE), (folder / f"{thing.icon}.rgba").read_bytes())
            for thing in OBJECTS
        }

    def paint(self, scene: Scene, width: int, height: int | None = None) -> np.ndarray:
        height = height or width
        canvas = np.empty((height, width, 3), np.float32)
        canvas[:] = np.asarray(scene.rgb, np.float32) / 255
        for placed in scene.placed:
            side = round(placed.scale * min(width, height))
            bitmap = self._bitmaps[placed.thing.name]
            drawing = np.asarray(bitmap if side == _SIDE else bitmap.resize((side, side), Image.Resampling.BOX), np.float32) / 255
            left, top = round(placed.x * width - side / 2), round(placed.y * height - side / 2)
            x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
            drawing = drawing[y0 - top : y1 - top, x0 - left : x1 - left]
            region = canvas[y0:y1, x0:x1]
            region *= 1 - drawing[..., 3:]
            region += drawing[..., :3]
        return canvas.transpose(2, 0, 1)  # [3, H, W]

    def paint_all(self, scenes: list[Scene], side: int) -> torch.Tensor:
        """Square pictures of scenes, [B, 3, side, side]."""
        return torch.stack([torch.from_numpy(self.paint(scene, side)) for scene in scenes])
