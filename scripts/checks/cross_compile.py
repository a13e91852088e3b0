"""Compiles libraries for GPUs on a machine without one, and reads from their bytes what came out: nothing of it can be run here.

    PYTHONPATH=scripts VENV/bin/python -m checks.cross_compile [--gpu-arch 8.0,9.0] [--dtypes float16,float32] [--keep DIR]

VENV has a CUDA build of torch 2.14, nvidia-cuda-crt and nvidia-cuda-cccl of its CUDA version, and the other packages of
scripts/requirements.txt: 5 GB, so neither CI nor `npm test` does this. The small random model takes about five minutes on two
cores. `--config published` takes the published sizes.

At the end both silent faults are made on purpose, each in a process of its own, and must be refused: weights of one shape that
become one, and attention that becomes single operations. Exit code 1 where something is not as it should be.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from wuerstchen_export.cross import library

SCRIPTS = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
STAGES = ["prior", "decoder", "vqDecoder"]
FAULTS = {"constants": "weights but", "attention": "its attention became other operations"}
ATTENTION = ("flash", "efficient")


def run(*command: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, *command], env=ENVIRONMENT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    return done.returncode, done.stderr


def expect_done(*command: str) -> None:
    code, text = run(*command)
    if code != 0:
        sys.exit(f"{' '.join(command[:3])} ended with {code}:\n{text}")


def make_model(folder: Path, config: str, dtypes: list[str]) -> Path:
    checkpoint, model = folder / "checkpoint", folder / "model"
    if not checkpoint.exists():
        expect_done("-m", "models.random_checkpoint", "--config", config, "--out", str(checkpoint))
    parts = {"--prior": "prior", "--decoder": "decoder", "--image-encoder": "image_encoder", "--previewer": "previewer"}
    sources = [text for flag, name in parts.items() for text in (flag, str(checkpoint / name))]
    for dtype in dtypes:
        if not list(model.glob(f"prior.{dtype}.*")):
            expect_done(str(SCRIPTS / "export.py"), *sources, "--out", str(model), "--dtype", dtype)
    return model


def compile_all(model: Path, architectures: list[str], dtypes: list[str]) -> None:
    for dtype in dtypes:
        command = [str(SCRIPTS / "export.py"), "--compile", str(model), "--device", "cuda", "--dtype", dtype]
        started = time.monotonic()
        code, text = run(*command, "--gpu-arch", ",".join(architectures), "--stages", *STAGES)
        print(text, end="", flush=True)
        if code != 0:
            sys.exit(1)
        print(f"{dtype} for {', '.join(architectures)}: {time.monotonic() - started:.0f} s", flush=True)


def describe(model: Path) -> list[str]:
    """What is not as it should be; prints a line for each library."""
    wrong = []
    index = json.loads((model / "compiled" / "compiled.json").read_text())
    for entry in index["artefacts"]:
        for function, facts in entry["libraries"].items():
            content = (model / facts["file"]).read_bytes()
            code = library.machine_code(content)
            kinds = sorted(set(map(str, code)))
            attention = [name for name in ATTENTION if name.encode() + b"_attention\0" in content]
            weights = content.count(b"\0program.")
            print(
                f"{entry['stage']}.{function} {Path(facts['file']).name}: {len(content) / 1e6:.1f} MB, {len(code)} kernels for "
                f"{'/'.join(kinds)}, {weights} weights, attention {'/'.join(attention) or 'none'}"
            )
            wanted = f"sm_{entry['gpuArch'].replace('.', '')}"
            if [kind.rstrip("a") for kind in kinds] != [wanted]:
                wrong.append(f"{facts['file']} has code for {kinds}")
            if entry.get("verified") is not False:
                wrong.append(f"{facts['file']} is said to be verified")
            if any(folder.encode() in content for folder in (str(SCRIPTS), sys.prefix, f"{tempfile.gettempdir()}/")):
                wrong.append(f"{facts['file']} has a path of this machine")
    return wrong


def make_fault(name: str, model: str, architecture: str) -> int:
    """This process compiles with one of the patches left out."""
    import export
    from wuerstchen_export.cross import pretend, write

    if name == "constants":
        pretend.tell_constants_apart = lambda: None
    else:
        write.fuse = lambda attentions, exported, mode: None
    return export.main(
        ["--compile", model, "--device", "cuda", "--dtype", "float16", "--gpu-arch", architecture, "--stages", "prior"]
    )


def expect_faults(model: Path, architecture: str) -> list[str]:
    wrong = []
    before = (model / "compiled" / "compiled.json").read_bytes()
    for name, message in FAULTS.items():
        code, text = run("-m", "checks.cross_compile", "--fault", name, str(model), architecture)
        refused = code == 1 and message in text
        print(f"fault in {name}: {'refused' if refused else 'NOT REFUSED'}")
        if not refused:
            wrong.append(f"the fault in {name} ended with {code}: {text[-500:]}")
    if (model / "compiled" / "compiled.json").read_bytes() != before:
        wrong.append("a refused library changed the index")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--config", choices=["small", "published", "published-networks"], default="small")
    parser.add_argument("--gpu-arch", default="8.0,9.0")
    parser.add_argument("--dtypes", default="float16,float32")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave checkpoint and model there, and use what is there")
    parser.add_argument("--fault", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fault:
        return make_fault(*options.fault)
    architectures, dtypes = options.gpu_arch.split(","), options.dtypes.split(",")
    with tempfile.TemporaryDirectory(prefix="wuerstchen-") as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        model = make_model(folder, options.config, dtypes)
        compile_all(model, architectures, dtypes)
        wrong = describe(model) + expect_faults(model, architectures[-1])
    for line in wrong:
        print(f"WRONG: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
