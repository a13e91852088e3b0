"""One stage of the published size in diffusers. Started by full_size.mjs:

    python bench/full_size_peer.py inputs STAGE DIR
    python bench/full_size_peer.py run STAGE DIR CHECKPOINT THREADS RUNS

`inputs` writes DIR/inputs.safetensors. `run` prints one line of JSON, its times after one call that does not count, and writes the
result to DIR/eager.bin.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
import torch  # noqa: E402
from parity import full_size  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

ROWS = {"prior": 2, "decoder": 1}  # Stage C with guidance; Stage B has none by default


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def write_inputs(stage: str, directory: Path) -> None:
    tensors = full_size.inputs(stage)
    save_file({name: torch.cat([tensor] * ROWS[stage]) for name, tensor in tensors.items()}, directory / "inputs.safetensors")


def run(stage: str, directory: Path, checkpoint: Path, threads: int, runs: int) -> dict:
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    before = resident_bytes()
    given = load_file(directory / "inputs.safetensors")
    step = full_size.reference(stage, checkpoint)
    times = []
    with torch.inference_mode():
        output = step(given)
        resident = resident_bytes() - before
        for _ in range(runs):
            start = time.perf_counter()
            step(given)
            times.append((time.perf_counter() - start) * 1000)
    output.contiguous().numpy().tofile(directory / "eager.bin")
    return {"step": times, "residentBytes": resident}


if __name__ == "__main__":
    action, stage, directory, *rest = sys.argv[1:]
    if action == "inputs":
        write_inputs(stage, Path(directory))
    else:
        checkpoint, threads, runs = rest
        print(json.dumps(run(stage, Path(directory), Path(checkpoint), int(threads), int(runs))))
