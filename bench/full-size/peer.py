"""One stage of the published size in diffusers. Started by compare.mjs:

    python bench/full-size/peer.py inputs STAGE DIR
    python bench/full-size/peer.py run CASE STAGE DIR CHECKPOINT THREADS RUNS DEVICE DTYPE

`inputs` writes DIR/inputs.safetensors. `run` prints one line of JSON, its times after two calls that do not count, and writes the
result to DIR/CASE.bin in float32. CASE is eager, or compiled: torch.compile. Memory is the process's on the CPU and the device's
on a GPU, where nothing else may run.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import reference
import torch
from safetensors.torch import load_file, save_file

ROWS = {"prior": 2, "decoder": 1}  # Stage C with guidance; Stage B has none by default


def used_bytes(device: str) -> int:
    if device == "cpu":
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout) * 2**20


def write_inputs(stage: str, directory: Path) -> None:
    tensors = reference.inputs(stage)
    save_file({name: torch.cat([tensor] * ROWS[stage]) for name, tensor in tensors.items()}, directory / "inputs.safetensors")


def run(
    case: str, stage: str, directory: Path, checkpoint: Path, threads: int, runs: int, device: str, dtype: torch.dtype
) -> dict:
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    before = used_bytes(device)
    given = {name: tensor.to(device, dtype) for name, tensor in load_file(directory / "inputs.safetensors").items()}
    step = reference.reference(stage, checkpoint, device, dtype)
    if case == "compiled":
        step = torch.compile(step)
    times = []
    with torch.inference_mode():
        output = step(given)
        wait()
        used = used_bytes(device) - before
        for _ in range(runs + 1):
            start = time.perf_counter()
            step(given)
            wait()
            times.append((time.perf_counter() - start) * 1000)
    output.float().cpu().contiguous().numpy().tofile(directory / f"{case}.bin")
    return {"step": times[1:], "usedBytes": used}


if __name__ == "__main__":
    action, *rest = sys.argv[1:]
    if action == "inputs":
        stage, directory = rest
        write_inputs(stage, Path(directory))
    else:
        case, stage, directory, checkpoint, threads, runs, device, dtype = rest
        facts = run(case, stage, Path(directory), Path(checkpoint), int(threads), int(runs), device, getattr(torch, dtype))
        print(json.dumps(facts))
