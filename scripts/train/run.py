"""Trains the tiny model from nothing to an assembled checkpoint; run it again after any interruption and it goes on.

python scripts/train/run.py            the recipe below, one process after another, on CPU or GPU
python scripts/train/run.py --list     the steps and how far each has come

On a CPU, Stage B and Stage C may run side by side once the encoder is frozen: start the two commands that --list prints by hand.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import torch

from training import default_work

HERE = Path(__file__).parent

# Name of the checkpoint, steps it must reach, command: what models/tiny was made with, and a longer Stage A decoder.
# Widening the domain: README.md.
RECIPE = [
    ("text", 700, "train_text.py"),
    ("vqgan", 1100, "train_vqgan.py"),
    ("encoder-decoder", 1100, "train_image_encoder_decoder.py --batch 24"),
    ("decoder", 2600, "train_image_encoder_decoder.py --freeze-encoder --mixture 1 --batch 28 --unnamed 0.05"),
    ("prior", 1720, "train_prior.py"),
    ("vqgan-decoder", 2500, "train_vqgan.py --freeze-encoder --lr 1e-3"),
    ("classifier", 800, "classifier.py"),
]


def reached(work: Path, name: str) -> int:
    path = work / "checkpoints" / f"{name}.pt"
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)["step"] if path.exists() else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=default_work())
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    if not (HERE / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE, check=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # the processes set their own number of threads
    for name, steps, command in RECIPE:
        script, *flags = command.split()
        line = [sys.executable, str(HERE / script), "--work", str(args.work), "--steps", str(steps), *flags]
        done = reached(args.work, name)
        print(f"{name}: step {done} of {steps}" + ("" if done >= steps else f"   {' '.join(line)}"), flush=True)
        if done < steps and not args.list:
            subprocess.run(line, check=True, env=environment)
    if not args.list:
        subprocess.run([sys.executable, str(HERE / "assemble.py"), "--work", str(args.work), "--check"], check=True, env=environment)


if __name__ == "__main__":
    main()
