"""Scores of the tiny model, as its card reports them: python -m train.score [--backend node|diffusers] [--level 1] [-n 200]

Every row is on fixed seeds, prior guidance 4, the published 29 prior steps, 12 decoder steps unless --options says otherwise:
  seen, held-out      one centred object, caption "a cat on a blue background"; background: nearest named colour of the border's
                      median; object: top 1 of the classifier among ALL objects of the catalogue
  left/right          a small object on one side (levels from 2); right when its centre of mass is in that half; of an oblong
                      picture the classifier sees the square around it, for it knows no smaller objects
  pairs               two objects; right when both halves are recognised (level 4); seen and held-out pairs
  reconstruction      encoder → B → A on rendered scenes of held-out combinations; PSNR and object; with the caption, and without
"""

import argparse
import json
import time
from pathlib import Path
from random import Random

import torch

from .backends import DiffusersBackend, NodeBackend, write_png
from .classifier import accuracy, background, centroid, halves, load_classifier, middle, squared
from .data.captions import plain_caption
from .data.catalogue import COLORS, OBJECTS
from .data.domains import DOMAINS
from .data.drawing import Painter
from .data.holdout import is_held_out, is_pair_held_out
from .data.scenes import Scene, place, sample_evaluation_scene
from .sampling import grid_image, psnr
from .sizes import size_of
from .training import default_work

NAMES = [thing.name for thing in OBJECTS]


def side_scene(random: Random, domain) -> Scene:
    thing, position = random.choice(domain.things), random.choice(["left", "right"])
    color = random.choice([c for c in COLORS if not is_held_out(thing.name, c)])
    return Scene((place(random, thing, "small", position),), color, COLORS[color])


def pair_scene(random: Random, domain, held_out: bool) -> Scene:
    while True:
        left, right = random.sample(domain.things, 2)
        color = random.choice(list(COLORS))
        if is_pair_held_out(left.name, right.name) == held_out and not any(is_held_out(t.name, color) for t in (left, right)):
            return Scene((place(random, left, "pair", "left"), place(random, right, "pair", "right")), color, COLORS[color])


class Judge:
    def __init__(self, work: Path):
        self.model = load_classifier(work)

    @torch.no_grad()
    def object(self, picture) -> str:
        return NAMES[self.model(squared(picture)[None]).argmax().item()]

    def judge(self, scene: Scene, picture) -> dict[str, bool]:
        row = {"background": background(picture) == scene.color}
        if len(scene.placed) == 2:
            row["both objects"] = [self.object(half) for half in halves(picture)] == [p.thing.name for p in scene.placed]
        else:
            only = scene.placed[0]
            row["object"] = self.object(picture if only.position == "center" else middle(picture)) == only.thing.name
            if only.position in ("left", "right"):
                row["position"] = (centroid(picture)[0] < 0.5) == (only.position == "left")
        return row


def file_name(row: str) -> str:
    return row.replace("/", "-").replace(",", "").replace(" ", "-")


def summary(rows: list[dict]) -> dict:
    return {"n": len(rows), **{key: round(sum(float(r[key]) for r in rows) / len(rows), 4) for key in rows[0]}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=["node", "diffusers"], default="node")
    parser.add_argument("--work", type=Path, default=default_work())
    parser.add_argument("--model", type=Path, help="model directory (node: models/tiny; diffusers: WORK/checkpoint)")
    parser.add_argument("--level", type=int, default=1, help="domain level, see data/domains.py")
    parser.add_argument("--size", default="128", help="side of the pictures, or width and height, like 384x256")
    parser.add_argument("-n", type=int, default=200, help="pictures a row")
    parser.add_argument("--rows", nargs="*", help="only these rows")
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument(
        "--options", type=json.loads, default={}, help="""options of every call (node), such as {"preset": "fast"}, as JSON"""
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    width, height = size_of(args.size)
    folder = args.work / "scores" / args.backend
    folder.mkdir(parents=True, exist_ok=True)
    model = args.model or (Path(__file__).parents[2] / "models/tiny" if args.backend == "node" else args.work / "checkpoint")
    make = (NodeBackend if args.backend == "node" else DiffusersBackend)(model, folder)
    judge, painter, domain = Judge(args.work), Painter(args.work), DOMAINS[args.level]
    started, result = (
        time.time(),
        {
            "backend": args.backend,
            "level": args.level,
            "size": args.size,
            "options": args.options,
            "judge": accuracy(judge.model, painter),
        },
    )

    rows = {
        "seen": lambda r: sample_evaluation_scene(r, domain, False),
        "held-out": lambda r: sample_evaluation_scene(r, domain, True),
    }
    if domain.positions:
        rows["left/right"] = lambda r: side_scene(r, domain)
    if domain.pairs:
        rows["pairs seen"] = lambda r: pair_scene(r, domain, False)
        rows["pairs held-out"] = lambda r: pair_scene(r, domain, True)
    rows["reconstruction"] = rows["reconstruction, no caption"] = rows["held-out"]
    for name, sampler in rows.items():
        if args.rows and name not in args.rows:
            continue
        random = Random(f"{args.seed}/{name.split(',')[0]}")
        scenes = [sampler(random) for _ in range(args.n)]
        jobs = [
            {"prompt": plain_caption(s), "seed": args.seed + i, "width": width, "height": height, **args.options}
            for i, s in enumerate(scenes)
        ]
        originals = None
        if name.startswith("reconstruction"):
            originals = painter.paint(scenes, width, height)
            for i, (job, picture) in enumerate(zip(jobs, originals, strict=True)):
                job["image"] = str(write_png(picture, folder / f"original-{i}.png"))
                if name.endswith("no caption"):
                    job["prompt"] = ""
        pictures = make(jobs)
        judged = [judge.judge(scene, picture) for scene, picture in zip(scenes, pictures, strict=True)]
        if originals is not None:
            for row, picture, original in zip(judged, pictures, originals, strict=True):
                row["psnr"] = psnr(picture[None], original[None])
        result[name] = summary(judged)
        print(f"{name:26}", result[name], flush=True)
        grid_image(pictures[:64], 16).save(folder / f"grid-{file_name(name)}.png")
        wrong = [
            f"{plain_caption(s)} (seed {args.seed + i})"
            for i, (s, row) in enumerate(zip(scenes, judged, strict=True))
            if not all(v for k, v in row.items() if k != "psnr")
        ]
        (folder / f"wrong-{file_name(name)}.txt").write_text("\n".join(wrong) + "\n")
    result["minutes"] = round((time.time() - started) / 60, 1)
    (folder / f"scores-level{args.level}-{args.size}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["judge"]), folder)


if __name__ == "__main__":
    main()
