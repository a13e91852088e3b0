"""Makes the small random model that tests run on: checkpoint and model directory of test/parity/reference.

    PYTHONPATH=scripts python -m models.small_model --out build/small-model [--dtypes float32 bfloat16 float16]

Ends at once when --out already holds it (same exporter, same dtypes).
"""

import argparse
import hashlib
import sys
import tempfile
from pathlib import Path

import export
from wuerstchen_export.names import DTYPES

from . import random_checkpoint
from .random_checkpoint import TEST_OPTIONS

SOURCES = ["export.py", "models/*.py", "wuerstchen_export/*.py"]


def stamp(dtypes: list[str]) -> str:
    """Changes with anything that the model is made by."""
    scripts = Path(__file__).parents[1]
    digest = hashlib.sha256(" ".join(sorted(dtypes)).encode())
    for file in sorted(file for pattern in SOURCES for file in scripts.glob(pattern)):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--out", type=Path, required=True, metavar="MODEL_DIR")
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=["float32"], help="(default: float32)")
    parser.add_argument("--compile", action="store_true", help="the stages that take most of the time, in float32")
    options = parser.parse_args(arguments)
    made_by = options.out / "made-by"
    made = stamp([*options.dtypes, "compiled"] if options.compile else options.dtypes)
    if made_by.is_file() and made_by.read_text() == made:
        return 0
    for file in filter(Path.is_file, options.out.glob("*")) if (options.out / "wuerstchen.json").is_file() else []:
        file.unlink()  # made by an older exporter
    with tempfile.TemporaryDirectory() as directory:
        random_checkpoint.main([*TEST_OPTIONS, "--out", directory])
        for dtype in options.dtypes:
            code = export.main(
                [
                    "--prior",
                    f"{directory}/prior",
                    "--decoder",
                    f"{directory}/decoder",
                    "--image-encoder",
                    f"{directory}/image_encoder",
                    "--previewer",
                    f"{directory}/previewer",
                    "--out",
                    str(options.out),
                    "--dtype",
                    dtype,
                    "--name",
                    "small-random",
                    "--license",
                    "MIT",
                    "--default-size",
                    "128x128",
                ]
            )
            if code != 0:
                return code
    if options.compile:
        code = export.main(["--compile", str(options.out), "--dtype", "float32", "--stages", "prior", "decoder", "vqDecoder"])
        if code != 0:
            return code
    made_by.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
