"""Writes or checks the expected values of the parity tests: what diffusers 0.42.1 makes of the small random checkpoint.

    PYTHONPATH=scripts python -m checks.parity.generate_reference [--check]

Without --check it rewrites test/parity/reference/. With it, it runs diffusers again and compares with what is committed.

Files (test/parity/reference/README.md): cases.json, values.safetensors, tokens.json.gz.
"""

import argparse
import gzip
import json
import os
import sys
import tempfile
from pathlib import Path

# Before torch is imported: threads that spin at the end of every parallel region slow each other down on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

REFERENCE = Path(__file__).parents[3] / "test" / "parity" / "reference"

# Between two runs of the same diffusers, on whatever CPU: float32 rounding, grown by the loops. Pixels in steps of 1/255.
TOLERANCE = {"float": 5e-5, "pixels": 1}


def compute(texts: list[str]) -> tuple[dict, dict, list[dict]]:
    """Cases, values and token ids of `texts`, with a checkpoint written for the occasion."""
    from models import random_checkpoint

    from . import cases
    from .reference import Reference, generate_values, stage_values
    from .texts import expected_ids

    with tempfile.TemporaryDirectory() as directory:
        checkpoint = Path(directory)
        random_checkpoint.main([*random_checkpoint.TEST_OPTIONS, "--out", directory])
        reference = Reference(checkpoint)
        values = {**generate_values(reference), **stage_values(reference)}
        tokens = expected_ids(reference.prior.tokenizer, texts)
    index = {
        "checkpoint": random_checkpoint.TEST_CHECKPOINT,
        "texts": cases.TEXTS,
        "generate": cases.GENERATE,
        "decode": cases.DECODE,
    }
    return index, {name: tensor.clone().contiguous() for name, tensor in values.items()}, tokens


def committed_tokens() -> list[dict]:
    return json.loads(gzip.decompress((REFERENCE / "tokens.json.gz").read_bytes()))


def committed_texts() -> list[str]:
    """To be checked: those that would be made now depend on the Unicode version of this Python."""
    return [entry["text"] for entry in committed_tokens()]


def write(index: dict, values: dict, tokens: list[dict]) -> None:
    from safetensors.torch import save_file

    REFERENCE.mkdir(parents=True, exist_ok=True)
    (REFERENCE / "cases.json").write_text(json.dumps(index, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    save_file(values, REFERENCE / "values.safetensors")
    packed = gzip.compress(json.dumps(tokens, ensure_ascii=False).encode(), mtime=0)
    (REFERENCE / "tokens.json.gz").write_bytes(packed)
    total = sum(file.stat().st_size for file in REFERENCE.iterdir())
    print(f"{len(values)} tensors and {len(tokens)} texts, {total / 1e6:.2f} MB in {REFERENCE}", file=sys.stderr)


def check(index: dict, values: dict, tokens: list[dict]) -> list[str]:
    """What differs from the committed files."""
    from safetensors.torch import load_file

    from .reference import largest_difference

    problems = []
    if json.loads((REFERENCE / "cases.json").read_text(encoding="utf-8")) != json.loads(json.dumps(index)):
        problems.append("cases.json differs")
    if committed_tokens() != tokens:
        problems.append("tokens.json.gz differs")
    committed = load_file(REFERENCE / "values.safetensors")
    if committed.keys() != values.keys():
        problems.append(f"other values: {sorted(committed.keys() ^ values.keys())}")
    for name in sorted(committed.keys() & values.keys()):
        difference = largest_difference(values[name], committed[name])
        allowed = TOLERANCE["float"] if values[name].is_floating_point() else TOLERANCE["pixels"]
        if difference > allowed:
            problems.append(f"{name} differs by {difference:.2g}, allowed is {allowed:g}")
    return problems


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--check", action="store_true", help="compare with the committed values instead of writing them")
    options = parser.parse_args(arguments)
    if not options.check:
        from .texts import texts

        write(*compute(texts()))
        return 0
    computed = compute(committed_texts())
    problems = check(*computed)
    print("\n".join(problems) or f"{len(computed[1])} tensors and {len(computed[2])} texts agree")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
