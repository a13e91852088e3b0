"""What image modification does on the tiny model, measured.

    PYTHONPATH=scripts python -m checks.modify_score [--model DIR] [-n 50]

Scenes are rendered as in training (scripts/train/data), pictures are made by the built package, objects are named by the
trainer's classifier, backgrounds by the border's median colour. Every row is on fixed seeds:
  reconstruction   of scenes that training has seen, and of held-out combinations, without and with the scene's caption for
                   the decoder: object, background, PSNR
  strength         of variations without a prompt: distance to the original (root mean square, of 255) at five strengths
  edit             the same background with another object asked for, by strength: the asked object is there, the old one is
                   still there, the background is the old one
  mask             the same inside a mask around the object: also whether every pixel outside is the original's
  mix              ways from one picture to another in nine frames: largest step and sum of the steps over the distance
                   of the ends (1: straight), objects of the ends
"""

import argparse
import json
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from train.backends import read_png, write_png
from train.data.captions import plain_caption
from train.data.domains import DOMAINS
from train.data.drawing import Painter
from train.data.holdout import is_held_out
from train.data.scenes import Scene, place, sample_evaluation_scene
from train.sampling import psnr
from train.score import Judge, summary
from train.training import default_work

STRENGTHS = [0.0, 0.25, 0.5, 0.75, 1.0]
EDIT_STRENGTHS = [0.6, 0.7, 0.8, 0.9]
FRAMES = 9


class Bench:
    """Renders scenes and runs jobs."""

    def __init__(self, options: argparse.Namespace):
        self.options, self.folder = options, options.out
        self.folder.mkdir(parents=True, exist_ok=True)
        self.painter, self.judge, self.domain = Painter(options.work), Judge(options.work), DOMAINS[options.level]

    def originals(self, row: str, held_out: bool, count: int) -> tuple[list[Scene], list[Tensor], list[str]]:
        random = Random(f"modify/{row}")
        scenes = [sample_evaluation_scene(random, self.domain, held_out) for _ in range(count)]
        pictures = self.painter.paint(scenes, self.options.side)
        files = [str(write_png(picture, self.folder / f"{row}-{i}-original.png")) for i, picture in enumerate(pictures)]
        return scenes, [read_png(Path(file)) for file in files], files  # through 8 bits, as the package sees them

    def run(self, jobs: list[dict]) -> None:
        lines = "".join(json.dumps(job) + "\n" for job in jobs)
        script = Path(__file__).with_name("modify-jobs.mjs")
        subprocess.run(["node", str(script), str(self.options.model), str(self.folder)], input=lines, text=True, check=True)

    def made(self, name: str) -> Tensor:
        return read_png(self.folder / f"{name}.png")


def distance(a: Tensor, b: Tensor) -> float:
    return (a - b).square().mean().sqrt().item() * 255


def reconstruction(bench: Bench, count: int) -> dict:
    result = {}
    for name, held_out in [("seen", False), ("held-out", True)]:
        scenes, pictures, files = bench.originals(f"reconstruction-{name}", held_out, count)
        for told in ["", " with caption"]:
            jobs: list[dict] = [
                {
                    "id": f"reconstruction-{name}{told}-{i}",
                    "call": "reconstruct",
                    "image": file,
                    "options": {"seed": i, "prompt": plain_caption(scene) if told else ""},
                }
                for i, (file, scene) in enumerate(zip(files, scenes, strict=True))
            ]
            bench.run(jobs)
            made = [bench.made(job["id"]) for job in jobs]
            result[name + told] = summary(
                [
                    {**bench.judge.judge(scene, picture), "psnr": psnr(picture[None], original[None])}
                    for scene, picture, original in zip(scenes, made, pictures, strict=True)
                ]
            )
    return result


def strength(bench: Bench, count: int) -> dict:
    _, pictures, files = bench.originals("strength", False, count)
    jobs = [
        {"id": f"strength-{i}-{s}", "call": "vary", "image": file, "options": {"strength": s, "seed": i}}
        for i, file in enumerate(files)
        for s in STRENGTHS
    ]
    bench.run(jobs)
    means = {s: sum(distance(bench.made(f"strength-{i}-{s}"), pictures[i]) for i in range(count)) / count for s in STRENGTHS}
    values = list(means.values())
    return {
        "n": count,
        "distance": {s: round(value, 2) for s, value in means.items()},
        "monotone": all(a < b for a, b in pairwise(values)),
    }


def other_scenes(bench: Bench, scenes: list[Scene]) -> list[Scene]:
    """The same backgrounds with another object, of combinations that training has seen."""
    random = Random("modify/other")
    others = []
    for scene in scenes:
        assert scene.color is not None  # scenes of an evaluation have one with a name
        things = [t for t in bench.domain.things if t.name != scene.placed[0].thing.name and not is_held_out(t.name, scene.color)]
        others.append(Scene((place(random, random.choice(things)),), scene.color, scene.rgb))
    return others


def edited(bench: Bench, scene: Scene, other: Scene, picture: Tensor) -> dict:
    judged = bench.judge.judge(other, picture)
    return {
        "asked object": judged["object"],
        "old object": bench.judge.object(picture) == scene.placed[0].thing.name,
        "background": judged["background"],
    }


def edit(bench: Bench, count: int) -> dict:
    scenes, _, files = bench.originals("edit", False, count)
    others = other_scenes(bench, scenes)
    jobs = [
        {
            "id": f"edit-{i}-{s}",
            "call": "edit",
            "image": file,
            "options": {"prompt": plain_caption(other), "strength": s, "seed": i},
        }
        for i, (file, other) in enumerate(zip(files, others, strict=True))
        for s in EDIT_STRENGTHS
    ]
    bench.run(jobs)
    return {
        s: summary(
            [
                edited(bench, scene, other, bench.made(f"edit-{i}-{s}"))
                for i, (scene, other) in enumerate(zip(scenes, others, strict=True))
            ]
        )
        for s in EDIT_STRENGTHS
    }


def box_mask(scene: Scene, side: int) -> Tensor:
    """White over the object's bitmap and a small margin."""
    mask, placed = torch.zeros(3, side, side), scene.placed[0]
    half = placed.scale * side / 2 + 2
    left, right = (max(0, min(side, round(placed.x * side + sign * half))) for sign in (-1, 1))
    top, bottom = (max(0, min(side, round(placed.y * side + sign * half))) for sign in (-1, 1))
    mask[:, top:bottom, left:right] = 1
    return mask


def mask(bench: Bench, count: int) -> dict:
    scenes, pictures, files = bench.originals("mask", False, count)
    others, masks = other_scenes(bench, scenes), [box_mask(scene, bench.options.side) for scene in scenes]
    jobs = []
    for i, (file, other) in enumerate(zip(files, others, strict=True)):
        white = str(write_png(masks[i], bench.folder / f"mask-{i}-white.png"))
        jobs.append(
            {
                "id": f"mask-{i}",
                "call": "edit",
                "image": file,
                "options": {"prompt": plain_caption(other), "mask": white, "seed": i},
            }
        )
    bench.run(jobs)
    rows = []
    for i, (scene, other) in enumerate(zip(scenes, others, strict=True)):
        made = bench.made(f"mask-{i}")
        rows.append(
            {
                **edited(bench, scene, other, made),
                "outside identical": bool((made == pictures[i])[masks[i] == 0].all()),
                "share masked": masks[i].mean().item(),
            }
        )
    return summary(rows)


def mix(bench: Bench, count: int) -> dict:
    scenes, _, files = bench.originals("mix", False, 2 * count)
    jobs = [
        {"id": f"mix-{i}", "call": "mix", "images": files[2 * i : 2 * i + 2], "frames": FRAMES, "options": {"seed": i}}
        for i in range(count)
    ]
    bench.run(jobs)
    rows = []
    for i in range(count):
        frames = [bench.made(f"mix-{i}-{k}") for k in range(FRAMES)]
        steps, ends = [distance(a, b) for a, b in pairwise(frames)], distance(frames[0], frames[-1])
        objects = [
            bench.judge.object(frame) == scene.placed[0].thing.name
            for frame, scene in zip((frames[0], frames[-1]), scenes[2 * i : 2 * i + 2], strict=True)
        ]
        rows.append({"ends right": all(objects), "largest step": max(steps) / ends, "path": sum(steps) / ends})
    return summary(rows)


ROWS = {
    "reconstruction": (reconstruction, 1),
    "strength": (strength, 0.5),
    "edit": (edit, 1),
    "mask": (mask, 1),
    "mix": (mix, 0.2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path(__file__).parents[2] / "models" / "tiny")
    parser.add_argument("--work", type=Path, default=default_work(), help="the trainer's folder: emoji and classifier")
    parser.add_argument("--out", type=Path, help="where pictures go (default: WORK/scores/modify)")
    parser.add_argument("--level", type=int, default=1, help="domain level, see scripts/train/data/domains.py")
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("-n", type=int, default=50, help="pictures of reconstruction, edit and mask; others take their share")
    parser.add_argument("--rows", nargs="*", choices=list(ROWS), default=list(ROWS))
    options = parser.parse_args()
    options.out = options.out or options.work / "scores" / "modify"
    torch.set_num_threads(1)
    result: dict = {}
    bench, started = Bench(options), time.time()
    for name in options.rows:
        measure, share = ROWS[name]
        result[name] = measure(bench, max(1, round(options.n * share)))
        print(name, json.dumps(result[name]), flush=True)
    result["minutes"] = round((time.time() - started) / 60, 1)
    (options.out / "scores.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
