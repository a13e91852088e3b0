"""Trains the tiny model from nothing to an assembled checkpoint; run it again after any interruption and it goes on.

PYTHONPATH=scripts python -m train.run            the recipe below, one process after another, on CPU or GPU
PYTHONPATH=scripts python -m train.run --list     the steps and how far each has come

On a CPU, Stage B and Stage C may run side by side once the encoder is frozen: start the two commands that --list prints by hand.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import torch

from .training import default_work

HERE = Path(__file__).parent
QUICK = "--precision bfloat16 --optimizer muon"

# Name of the checkpoint, steps it must reach, command. Each round goes on from the weights of the one before. models/tiny was
# made with them, but for four differences: a part ran on two processes; Stage B's first 700 steps of rung3 saw 256 alone; the
# first 1,050 steps of rung4 had an encoder that was given up; and Stage B's loss had the P2 weight up to rung4
# (../../models/tiny/README.md). README.md says how to widen the domain further.
ROUNDS = {
    "rung1": [
        ("text", 700, "train_text"),
        ("vqgan", 1100, "train_vqgan"),
        ("encoder-decoder", 1100, "train_image_encoder_decoder --batch 24"),
        ("decoder", 2600, "train_image_encoder_decoder --freeze-encoder --mixture 1 --batch 28 --unnamed 0.05"),
        ("prior", 1720, "train_prior"),
    ],
    "rung2": [
        (
            "encoder-decoder",
            1950,
            f"train_image_encoder_decoder --start-from rung1 --mixture 2 --batch 48 --fresh 0.1 {QUICK}",
        ),
        ("decoder", 2560, f"train_image_encoder_decoder --freeze-encoder --mixture 2 --batch 64 --fresh 0.15 {QUICK}"),
        ("prior", 1900, f"train_prior --start-from rung1 --mixture 2 --batch 96 --lr 1e-3 --fresh 0.1 {QUICK}"),
        ("vqgan-decoder", 8500, "train_vqgan --freeze-encoder --mixture 2 --lr 1.5e-3"),
        ("classifier", 800, "classifier"),
    ],
    "rung3": [
        (
            "decoder",
            3200,
            "train_image_encoder_decoder --freeze-encoder --start-from rung2 --mixture 2 --batch 64 --lr 8e-4 --fresh 0.15 "
            f"--sides 128:0.4,256:0.6 --pool 1024 {QUICK}",
        ),
        (
            "prior",
            4290,
            "train_prior --start-from rung2 --mixture 2 --batch 128 --lr 1e-3 --fresh 0.1 "
            f"--sides 128:0.3,256:0.7 --pool 3072 {QUICK}",
        ),
    ],
    # On a GPU: twenty minutes of one at most. Stage C stays, for the encoder does.
    "rung4": [
        (
            "decoder",
            2450,
            "train_image_encoder_decoder --freeze-encoder --start-from rung3 --mixture 2:0.4,4:0.6 --batch 1536 --lr 1.5e-3 "
            f"--fresh 0.25 --sides 128:0.3,256:0.5,384x256:0.1,256x384:0.1 --pool 8192 --compile 128,256 {QUICK}",
        ),
        ("vqgan-decoder", 23500, "train_vqgan --freeze-encoder --mixture 2:0.3,4:0.7 --lr 1e-3 --from-step 8500"),
    ],
    # On a GPU: eight minutes of one, Stage C beside Stage B from the moment when the encoder stands still.
    "rung5": [
        (
            "encoder-decoder",
            4870,
            "train_image_encoder_decoder --start-from rung4 --mixture 2 --batch 1024 --lr 1e-3 --ema 0.999 --freeze-at 0.46 "
            f"--fresh 0.05 --sides 128:0.3,256:0.67,384x256:0.015,256x384:0.015 --pool 8192 --compile 128,256 {QUICK}",
        ),
        (
            "prior",
            2490,
            "train_prior --start-from rung4 --mixture 2 --batch 1536 --lr 1.2e-3 --fresh 0.05 "
            f"--sides 128:0.3,256:0.4,384x256:0.15,256x384:0.15 --pool 8192 {QUICK}",
        ),
    ],
}
# What a round changes; text encoder and Stage A's encoder stay.
OF_A_ROUND = ("encoder-decoder", "image-encoder", "decoder", "prior")


def reached(work: Path, name: str) -> int:
    path = work / "checkpoints" / f"{name}.pt"
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)["step"] if path.exists() else 0


def put_aside(work: Path, name: str) -> None:
    """A finished round's checkpoints into a folder of its name."""
    checkpoints = work / "checkpoints"
    (checkpoints / name).mkdir(exist_ok=True)
    for part in OF_A_ROUND:
        if (checkpoints / f"{part}.pt").exists() and not (checkpoints / name / f"{part}.pt").exists():
            (checkpoints / f"{part}.pt").rename(checkpoints / name / f"{part}.pt")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=default_work())
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    if not (HERE / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE, check=True)
    # The processes set their own number of threads.
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent), "OMP_NUM_THREADS": "1"}
    *_, last = ROUNDS
    for before, (round_name, recipe) in zip([None, *list(ROUNDS)[:-1]], ROUNDS.items(), strict=True):
        if (args.work / "checkpoints" / round_name).exists():
            put_aside(args.work, round_name)  # whatever an interruption left
            print(f"{round_name}: done")
            continue
        trained = {name for name, *_ in recipe}
        for part, trainers in {"image-encoder": {"encoder-decoder"}, "prior": {"prior"}}.items():
            if before and not args.list and not trained & trainers:
                shutil.copy(args.work / "checkpoints" / before / f"{part}.pt", args.work / "checkpoints")  # this part stays
        for name, steps, command in recipe:
            script, *flags = command.split()
            line = [sys.executable, "-m", f"train.{script}", "--work", str(args.work), "--steps", str(steps), *flags]
            done = reached(args.work, name)
            print(f"{round_name}, {name}: step {done} of {steps}" + ("" if done >= steps else f"   {' '.join(line)}"), flush=True)
            if done < steps and not args.list:
                subprocess.run(line, check=True, env=environment)
        if args.list:
            break
        if round_name != last:
            put_aside(args.work, round_name)
    if not args.list:
        subprocess.run([sys.executable, "-m", "train.assemble", "--work", str(args.work), "--check"], check=True, env=environment)


if __name__ == "__main__":
    main()
