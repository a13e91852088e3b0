"""The picture of the model card: python -m train.gallery [--backend node|diffusers] --out models/tiny/samples.png

Rows of eight: sixteen prompts of the domain (every second combination held out from training), eight seeds of one prompt, sizes,
positions and pairs where the level has them, and prompts from outside its world. Nothing is picked by hand: the scenes are drawn
at random from the seed.
"""

import argparse
from pathlib import Path
from random import Random

import torch

from .backends import DiffusersBackend, NodeBackend
from .data.captions import plain_caption
from .data.domains import DOMAINS
from .data.scenes import sample_evaluation_scene
from .sampling import grid_image
from .sizes import size_of
from .training import default_work

ONE = "a fire engine on a white background"
PLACED = [
    "a small cat on the left on a blue background",
    "a small cat on the right on a blue background",
    "a small rocket at the top on a black background",
    "a small turtle at the bottom on a green background",
    "a small star in the top left corner on a purple background",
    "a small fish in the bottom right corner on a white background",
    "a large owl on a pink background",
    "a small robot on an orange background",
]
PAIRS = [
    "a cat on the left and a dog on the right on a blue background",
    "a lion next to an apple on a white background",
    "a rocket and a moon on a black background",
    "a heart to the left of a star on a pink background",
    "a pizza on the left and a hamburger on the right on a yellow background",
    "a robot and an alien on a green background",
    "a shark and an anchor on an orange background",
    "a dragon on the left and a princess on the right on a gray background",
]
OUTSIDE = [
    "a castle",
    "two dogs",
    "a cat wearing a hat",
    "three apples",
    "a blue banana on a pink background",
    "a landscape",
    "cat",
    "",
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=["node", "diffusers"], default="node")
    parser.add_argument("--work", type=Path, default=default_work())
    parser.add_argument("--model", type=Path, help="as in score.py")
    parser.add_argument("--level", type=int, default=1)
    parser.add_argument("--size", default="128", help="side of the pictures, or width and height, like 384x256")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    folder = args.work / "scores" / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    model = args.model or (Path(__file__).parents[2] / "models/tiny" if args.backend == "node" else args.work / "checkpoint")
    make = (NodeBackend if args.backend == "node" else DiffusersBackend)(model, folder)
    random = Random(args.seed)
    prompts = [plain_caption(sample_evaluation_scene(random, DOMAINS[args.level], i % 2 == 1)) for i in range(16)]
    prompts += (
        [ONE] * 8 + (PLACED if DOMAINS[args.level].positions else []) + (PAIRS if DOMAINS[args.level].pairs else []) + OUTSIDE
    )
    width, height = size_of(args.size)
    pictures = make([{"prompt": p, "seed": args.seed + i, "width": width, "height": height} for i, p in enumerate(prompts)])
    grid_image(pictures, 8).save(args.out, optimize=True)
    for row in range(0, len(prompts), 8):
        print("; ".join(prompt or "(empty)" for prompt in prompts[row : row + 8]))


if __name__ == "__main__":
    main()
