"""Exports a Würstchen v2 checkpoint as a model directory that runs without Python (docs/export.md).

    python scripts/export.py --prior warp-ai/wuerstchen-prior --decoder warp-ai/wuerstchen --out model
    python scripts/export.py --compile model

Needs torch, numpy, safetensors and transformers (scripts/requirements.txt), not diffusers. Nothing is downloaded: the
directories are local copies of the repositories. Progress goes to stderr, the manifest's path to stdout.
"""

import argparse
import math
import os
import re
import sys
import warnings
from pathlib import Path

from wuerstchen_export.names import DTYPES, STAGES  # this module needs no torch

LARGEST_SCALE = 1000  # of a LoRA; the manifest's bound


def size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    if not match:
        raise argparse.ArgumentTypeError(f"Expected WIDTHxHEIGHT, in pixels, but received {text!r}")
    return int(match[1]), int(match[2])


def scale(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    # Negative scales are what sliders are made for.
    if number == 0 or not abs(number) <= LARGEST_SCALE:
        raise argparse.ArgumentTypeError(
            f"Expected a number other than 0, from -{LARGEST_SCALE} to {LARGEST_SCALE}, but received {text!r}"
        )
    return number


def variant(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]+", text):
        raise argparse.ArgumentTypeError(f"Expected letters, digits and underscores but received {text!r}")
    return text


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    add = parser.add_argument
    add("--compile", type=Path, metavar="MODEL_DIR", help="compile an exported model's programs for this machine; no checkpoint")
    add(
        "--stages",
        nargs="+",
        choices=STAGES,
        metavar="STAGE",
        help="what is compiled, of " + ", ".join(STAGES) + " (default: all)",
    )
    add("--prior", type=Path, metavar="DIR|FILE", help="the prior's pipeline directory, or a prior by itself")
    add("--prior-text-encoder", type=Path, metavar="DIR", help="the directory that has a lone prior's text encoder")
    add("--decoder", type=Path, metavar="DIR|FILE", help="the decoder's pipeline directory, or a Stage B by itself")
    add("--decoder-text-encoder", type=Path, metavar="DIR", help="the directory that has a lone Stage B's text encoder")
    add("--vqgan", type=Path, metavar="DIR|FILE", help="another Stage A (default: the decoder pipeline's)")
    add("--image-encoder", type=Path, metavar="DIR|FILE", help="EfficientNet encoder, or model_v2_stage_b.pt (default: none)")
    add("--previewer", type=Path, metavar="DIR", help="makes small pictures of Stage C's latents (default: none)")
    add("--variant", type=variant, metavar="NAME", help="weights of this variant where they are there, for example fp16")
    add("--out", type=Path, metavar="MODEL_DIR", help="new, or made from the same checkpoint: to be extended")
    add("--lora", type=Path, action="append", default=[], metavar="FILE", help="LoRA to merge; repeatable")
    add("--lora-scale", type=scale, action="append", default=[], metavar="S", help="of each --lora in turn (default: 1.0)")
    add("--dtype", choices=DTYPES, help="what the programs compute in (default: float32; with --compile: all that are there)")
    add("--storage", choices=DTYPES, help="what the weights are stored in (default: as --dtype)")
    add("--device", choices=["cpu", "cuda"], default="cpu", help="where the programs are made (default: cpu)")
    add(
        "--format",
        choices=["torchscript", "aoti", "both"],
        default="torchscript",
        help="aoti, both: compile for this machine too; the TorchScript programs hold the weights (default: torchscript)",
    )
    add("--name", default="wuerstchen", help="the model's name (default: wuerstchen)")
    add("--license", default="unspecified", help="the weights' licence (default: unspecified)")
    add("--default-size", type=size, metavar="WxH", help="of a picture (default: 1024x1024, or the nearest that the model makes)")
    options = parser.parse_args(arguments)
    given = [name for name in ("prior", "decoder", "out") if getattr(options, name) is not None]
    if options.compile is not None and given:
        parser.error(f"Expected no --{given[0]} with --compile, which takes all from the model directory")
    if options.compile is None and len(given) < 3:
        parser.error("the following arguments are required: --prior, --decoder, --out, or --compile")
    if len(options.lora_scale) not in (0, len(options.lora)):
        parser.error(f"Expected one --lora-scale for each of {len(options.lora)} --lora but received {len(options.lora_scale)}")
    options.lora_scale = options.lora_scale or [1.0] * len(options.lora)
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)
    # Before torch is imported: threads that spin at the end of every parallel region slow each other down on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    warnings.filterwarnings("ignore", category=DeprecationWarning, message=r".*torch\.jit.*")

    import torch

    # While tracing, transformers checks whether there is a mask. There always is one.
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning, module="transformers")

    from wuerstchen_export import compile as compiler
    from wuerstchen_export.checkpoint import Places, find_checkpoint
    from wuerstchen_export.errors import ExportError
    from wuerstchen_export.export import Options, export
    from wuerstchen_export.lora import read_lora

    def report(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    try:
        if options.device == "cuda" and not torch.cuda.is_available():
            raise ExportError(f"Expected a GPU for --device cuda but torch {torch.__version__} finds none")
        torch.backends.cudnn.allow_tf32 = False  # the ten bits of TF32 would hide the differences that verification looks for
        if options.compile is None:
            places = Places(
                prior=options.prior,
                decoder=options.decoder,
                prior_text=options.prior_text_encoder,
                decoder_text=options.decoder_text_encoder,
                vqgan=options.vqgan,
                image_encoder=options.image_encoder,
                previewer=options.previewer,
                variant=options.variant,
            )
            checkpoint = find_checkpoint(places)
            width, height = options.default_size or (None, None)
            dtype = options.dtype or "float32"
            export(
                checkpoint,
                Options(
                    out=options.out,
                    dtype=dtype,
                    storage=options.storage or dtype,
                    device=options.device,
                    name=options.name,
                    license=options.license,
                    width=width,
                    height=height,
                    loras=tuple(map(read_lora, options.lora, options.lora_scale)),
                ),
                report,
            )
            print(options.out / "wuerstchen.json")
        if options.compile is not None or options.format != "torchscript":
            model = options.compile or options.out
            dtypes = (options.dtype,) if options.dtype else () if options.compile else ("float32",)
            print(
                compiler.compile_model(compiler.Options(model, dtypes, options.device, tuple(options.stages or STAGES)), report)
            )
    except (ExportError, OSError) as error:
        report(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        report("interrupted; the model directory is as it was")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
