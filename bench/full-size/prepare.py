"""Writes the random checkpoint of a published configuration and its model directory, unless that is done.

    python bench/full-size/prepare.py DIR DTYPE DEVICE CONFIG

Each part runs in a process of its own, whose largest resident size is reported.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SCRIPTS), "OMP_WAIT_POLICY": "PASSIVE"}


def run_measured(command: list[str]) -> tuple[float, int]:
    """Seconds and largest resident bytes of a command."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(command[1:3])} ended with status {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - started, usage.ru_maxrss * 1024


def prepare(work: Path, dtype: str, device: str = "cpu", config: str = "published") -> None:
    """Writes the checkpoint and exports it, unless that is done."""
    checkpoint, model = work / "checkpoint", work / "model"
    if not (work / "checkpoint-done").exists():
        command = [sys.executable, "-m", "models.random_checkpoint", "--config", config, "--out", str(checkpoint)]
        seconds, peak = run_measured(command)
        (work / "checkpoint-done").touch()
        print(f"checkpoint: {size_of(checkpoint)}, {seconds:.0f} s, peak {gigabytes(peak)}", flush=True)
    done = work / (f"export-{dtype}-done" if device == "cpu" else f"export-{dtype}-{device}-done")
    if not done.exists():
        seconds, peak = run_measured(
            [
                sys.executable,
                str(SCRIPTS / "export.py"),
                "--out",
                str(model),
                "--dtype",
                dtype,
                "--device",
                device,
                "--name",
                "random",
                "--prior",
                str(checkpoint / "prior"),
                "--decoder",
                str(checkpoint / "decoder"),
                "--image-encoder",
                str(checkpoint / "image_encoder"),
            ]
        )
        done.touch()
        print(f"export ({dtype}, {device}): {size_of(model)}, {seconds:.0f} s, peak {gigabytes(peak)}", flush=True)


def size_of(directory: Path) -> str:
    return gigabytes(sum(file.stat().st_size for file in directory.rglob("*") if file.is_file()))


def gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB"


if __name__ == "__main__":
    directory, *choices = sys.argv[1:]
    prepare(Path(directory), *choices)
