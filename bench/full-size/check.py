"""Proves the whole path at full size: random checkpoints of the published configurations, exported, run in Node, compared
with diffusers.

    python bench/full-size/check.py --work DIR [--stages prior decoder ...] [--dtype float32]

Needs the built package (npm run setup), scripts/requirements-test.txt, about 13 GB of disk in --work for the checkpoints and as
much for the programs (half as much in half precision), and 12 GiB of memory. Every part runs in a process of its own, whose
largest resident size is reported. What is already in --work is used again; nothing is deleted unless --clean is given.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

from prepare import ENVIRONMENT, gigabytes, prepare

HERE = Path(__file__).parent
STAGES = ["priorTextEncoder", "prior", "decoderTextEncoder", "decoder", "vqDecoder", "vqEncoder", "imageEncoder"]

# Largest difference from the reference in float32, relative to the largest value. Float32: rounding through 1e9 weights.
# Half precision: 11 and 8 bits of it.
TOLERANCE = {"float32": 1e-4, "float16": 2e-2, "bfloat16": 1e-1}


def run(command: list[str]) -> str:
    """stdout of a command; its stderr goes to ours."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT).stdout


def last_line(output: str) -> dict:
    return json.loads(output.splitlines()[-1])


def check(stage: str, work: Path, dtype: str) -> bool:
    """Runs one stage here and there, prints a row of the table; whether they agree."""
    directory = work / "stages" / stage
    directory.mkdir(parents=True, exist_ok=True)
    module = [sys.executable, str(HERE / "reference.py")]
    run([*module, "inputs", stage, str(directory)])
    reference = last_line(run([*module, "reference", stage, str(directory), str(work / "checkpoint")]))
    program = work / "model" / f"{stage}.{dtype}.cpu.pt"
    node = last_line(run(["node", str(HERE / "check-stage.mjs"), str(program), str(directory)]))
    error = compare(directory, node["shape"])
    seconds = " + ".join(f"{value:.2f} ({name})" for name, value in node["seconds"].items())
    print(
        f"| {stage} | {error:.1e} | {node['loading']:.1f} | {seconds} | {reference['seconds']:.2f} | "
        f"{gigabytes(node['peak'])} | {gigabytes(reference['peak'])} |",
        flush=True,
    )
    return error <= TOLERANCE[dtype]


def compare(directory: Path, shape: list[int]) -> float:
    """Largest difference relative to the largest value of the reference."""
    import numpy as np
    from safetensors.numpy import load_file

    expected = load_file(directory / "reference.safetensors")["output"]
    actual = np.fromfile(directory / "output.bin", dtype=np.float32).reshape(shape)
    if actual.shape != expected.shape:
        raise SystemExit(f"{directory.name}: Expected shape {expected.shape} but received {actual.shape}")
    return float(np.abs(actual.astype(np.float64) - expected).max() / np.abs(expected).max())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES, help="(default: all)")
    parser.add_argument("--dtype", choices=list(TOLERANCE), default="float32", help="of the programs (default: float32)")
    parser.add_argument("--clean", action="store_true", help="delete --work at the end")
    options = parser.parse_args(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    prepare(options.work, options.dtype)
    print("| Stage | Largest difference | Loading, s | Node, s | diffusers, s | Peak in Node | Peak in diffusers |")
    print("|---|---|---|---|---|---|---|", flush=True)
    agree = [check(stage, options.work, options.dtype) for stage in options.stages]
    if options.clean:
        shutil.rmtree(options.work)
    print("all stages agree" if all(agree) else f"expected at most {TOLERANCE[options.dtype]:g}")
    return 0 if all(agree) else 1


if __name__ == "__main__":
    sys.exit(main())
