"""A killed export leaves nothing that loads, and never harms the model that was there before."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys

import pytest
from conftest import ROOT, arguments


def export_until(line: str, signal_number: int, *parameters: str) -> int:
    """Starts scripts/export.py, sends the signal when a line of its progress starts with `line`; the exit code."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "export.py"), *parameters],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    seen = []
    for text in process.stderr:
        seen.append(text)
        if text.startswith(line):
            process.send_signal(signal_number)
            break
    rest = process.stderr.read()
    code = process.wait()
    assert seen and seen[-1].startswith(line), "".join(seen) + rest
    return code


def content(directory) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in directory.iterdir() if file.is_file()}


def test_killed_while_new(checkpoint, export, tmp_path):
    out = tmp_path / "model"
    assert export_until("decoder: writing", signal.SIGKILL, *arguments(checkpoint, out)) == -signal.SIGKILL
    assert content(out) == {}  # above all: no manifest
    assert len(list(out.iterdir())) == 1  # the unfinished files, out of sight
    assert export(checkpoint, out).code == 0
    assert [file.name for file in out.iterdir() if file.name.startswith(".")] == []


@pytest.mark.parametrize("signal_number, code", [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_killed_while_extending(checkpoint, model, tmp_path, signal_number, code):
    out = tmp_path / "model"
    shutil.copytree(model, out)
    before = content(out)
    parameters = arguments(checkpoint, out, "--dtype", "float16")
    assert export_until("vqDecoder: writing", signal_number, *parameters) == code
    assert content(out) == before
