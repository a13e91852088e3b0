"""Exports a Würstchen v2 checkpoint as a model directory that runs without Python (docs/export.md).

    python scripts/export.py --prior wuerstchen-prior --decoder wuerstchen --out model
    python scripts/export.py --prior warp-ai/wuerstchen-prior --decoder warp-ai/wuerstchen --out model
    python scripts/export.py --compile model
    python scripts/export.py --compile model --device cuda --gpu-arch 8.0,9.0

Needs torch, numpy, safetensors and transformers (scripts/requirements.txt), not diffusers. A directory is read where it lies. A
repository of the Hugging Face hub is fetched, with huggingface_hub. Progress goes to stderr, the manifest's path to stdout.
"""

import argparse
import math
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from wuerstchen_export.cross.gpus import GPUS
from wuerstchen_export.names import DTYPES, STAGES  # these modules need no torch

if TYPE_CHECKING:
    from wuerstchen_export.hub.sources import Room

Report = Callable[[str], None]
LARGEST_SCALE = 1000  # of a LoRA; the manifest's bound


def size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    if not match:
        raise argparse.ArgumentTypeError(f"Expected WIDTHxHEIGHT, in pixels, but received {text!r}")
    return int(match[1]), int(match[2])


def directory(text: str) -> Path:
    if not text:  # it would be the current directory
        raise argparse.ArgumentTypeError("Expected a directory but received ''")
    return Path(text)


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


def architectures(text: str) -> list[str]:
    named = text.split(",")
    if not all(name in GPUS for name in named):
        raise argparse.ArgumentTypeError(f"Expected some of {','.join(GPUS)} but received {text!r}")
    return list(dict.fromkeys(named))


def variant(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]+", text):
        raise argparse.ArgumentTypeError(f"Expected letters, digits and underscores but received {text!r}")
    return text


def add_sources(add: Callable) -> None:
    """What is exported, beside the decoder. scripts/pull.py has the same options."""
    add("--prior", metavar="DIR|FILE|REPO", help="the prior's pipeline, or a prior by itself")
    add("--prior-text-encoder", metavar="DIR|REPO", help="what has a lone prior's text encoder")
    add("--decoder-text-encoder", metavar="DIR|REPO", help="what has a lone Stage B's text encoder")
    add("--vqgan", metavar="DIR|FILE|REPO", help="another Stage A (default: the decoder pipeline's)")
    add("--image-encoder", metavar="DIR|FILE|REPO", help="EfficientNet encoder, or model_v2_stage_b.pt (default: none)")
    add("--previewer", metavar="DIR|REPO", help="makes small pictures of Stage C's latents (default: none)")
    add("--variant", type=variant, metavar="NAME", help="weights of this variant where they are there, for example fp16")


def add_model(add: Callable) -> None:
    """What the model directory is to be. scripts/pull.py has the same options."""
    add("--lora", type=Path, action="append", default=[], metavar="FILE", help="LoRA to merge; repeatable")
    add("--lora-scale", type=scale, action="append", default=[], metavar="S", help="of each --lora in turn (default: 1.0)")
    add("--dtype", choices=DTYPES, help="what the programs compute in (default: float32; with --compile: all that are there)")
    add("--storage", choices=DTYPES, help="what the weights are stored in (default: as --dtype)")
    add("--device", choices=["cpu", "cuda"], default="cpu", help="where the programs are made (default: cpu)")
    add("--name", default="wuerstchen", help="the model's name (default: wuerstchen)")
    add("--license", help="the weights' licence (default: what the model cards say of repositories, else unspecified)")
    add("--default-size", type=size, metavar="WxH", help="of a picture (default: 1024x1024, or the nearest that the model makes)")


def check_loras(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if len(options.lora_scale) not in (0, len(options.lora)):
        parser.error(f"Expected one --lora-scale for each of {len(options.lora)} --lora but received {len(options.lora_scale)}")
    options.lora_scale = options.lora_scale or [1.0] * len(options.lora)


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    add = parser.add_argument
    add(
        "--compile",
        type=directory,
        metavar="MODEL_DIR",
        help="compile an exported model's programs for this machine; no checkpoint",
    )
    add(
        "--verify",
        type=directory,
        metavar="MODEL_DIR",
        help="compare libraries that another machine compiled with their programs, on this one",
    )
    add(
        "--gpu-arch",
        type=architectures,
        default=[],
        metavar="LIST",
        help=f"with --compile and --device cuda: for GPUs that are not here, of {', '.join(GPUS)} (docs/export.md)",
    )
    add(
        "--stages",
        nargs="+",
        choices=STAGES,
        metavar="STAGE",
        help="what is compiled or verified, of " + ", ".join(STAGES) + " (default: all)",
    )
    add("--decoder", metavar="DIR|FILE|REPO", help="the decoder's pipeline, or a Stage B by itself")
    add_sources(add)
    add("--out", type=directory, metavar="MODEL_DIR", help="new, or made from the same checkpoint: to be extended")
    add_model(add)
    add(
        "--format",
        choices=["torchscript", "aoti", "both"],
        default="torchscript",
        help="aoti, both: compile for this machine too; the TorchScript programs hold the weights (default: torchscript)",
    )
    options = parser.parse_args(arguments)
    given = [name for name in ("prior", "decoder", "out") if getattr(options, name) is not None]
    if options.compile is not None and options.verify is not None:
        parser.error("Expected --compile or --verify, one after the other, but received both")
    whole = "compile" if options.compile is not None else "verify" if options.verify is not None else None
    if whole and given:
        parser.error(f"Expected no --{given[0]} with --{whole}, which takes all from the model directory")
    if not whole and len(given) < 3:
        parser.error("the following arguments are required: --prior, --decoder, --out, or --compile")
    if options.gpu_arch and not (options.compile is not None and options.device == "cuda"):
        parser.error("Expected --compile and --device cuda with --gpu-arch")
    check_loras(parser, options)
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)

    from wuerstchen_export.errors import ExportError
    from wuerstchen_export.hub.needed import ROLES
    from wuerstchen_export.hub.progress import Progress
    from wuerstchen_export.hub.sources import fetch_directories, source_of

    try:
        if options.verify is not None:
            print(verify_model(options, report))
        elif options.compile is None:
            given = {role: getattr(options, role) for role in ROLES if getattr(options, role) is not None}
            sources = {role: source_of(text) for role, text in given.items()}
            prepare_torch(options.device)  # before gigabytes are fetched for a GPU that is not there
            room = model_room(options.out, options.storage or options.dtype)
            _, directories, origins = fetch_directories(sources, options.variant, room, Progress(True), report)
            print(make_model(options, directories, origins, report))
        if options.compile is not None or options.verify is None and options.format != "torchscript":
            print(compile_model(options, options.compile or options.out, report))
    except (ExportError, OSError) as error:
        report(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        report("interrupted; the model directory is as it was")
        return 130
    return 0


def report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def model_room(out: Path, storage: str | None) -> "Room":
    """What the model directory will take: the weights in their new dtype. Published weights are float32, their variants half."""
    from wuerstchen_export.hub.listing import Listing
    from wuerstchen_export.hub.sources import Room, is_weights

    width = 4 if storage in (None, "float32") else 2

    def share(listing: Listing, path: str) -> float:
        return width / (2 if "16." in path else 4) if is_weights(path) else 1

    return Room(out, share, "the model")


def make_model(options: argparse.Namespace, directories: dict[str, Path], origins: dict, report: Report) -> Path:
    """The model directory of a checkpoint; returns the path of its manifest."""
    from wuerstchen_export.checkpoint import Places, find_checkpoint
    from wuerstchen_export.export import Options, export
    from wuerstchen_export.lora import read_lora

    places = Places(
        prior=directories["prior"],
        decoder=directories["decoder"],
        prior_text=directories.get("prior_text_encoder"),
        decoder_text=directories.get("decoder_text_encoder"),
        vqgan=directories.get("vqgan"),
        image_encoder=directories.get("image_encoder"),
        previewer=directories.get("previewer"),
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
            origins=origins,
        ),
        report,
    )
    return options.out / "wuerstchen.json"


def compile_model(options: argparse.Namespace, model: Path, report: Report) -> Path:
    architectures = getattr(options, "gpu_arch", [])
    if len(architectures) > 1:  # a process pretends one GPU
        for architecture in architectures[:-1]:
            compile_elsewhere(options, architecture)
        architectures = architectures[-1:]
    gpu = GPUS[architectures[0]] if architectures else None
    prepare_torch(options.device, there=gpu is None)

    from wuerstchen_export import compile as compiler

    fresh = getattr(options, "compile", None) != model  # made just now: in one dtype
    dtypes = (options.dtype,) if options.dtype else ("float32",) if fresh else ()
    stages = tuple(getattr(options, "stages", None) or STAGES)
    return compiler.compile_model(compiler.Options(model, dtypes, options.device, stages, gpu), report)


def compile_elsewhere(options: argparse.Namespace, architecture: str) -> None:
    """The same for one architecture, in a process of its own, which says itself what it does and what is wrong."""
    from wuerstchen_export.errors import ExportError

    command = [sys.executable, __file__, "--compile", str(options.compile), "--device", "cuda", "--gpu-arch", architecture]
    command += ["--dtype", options.dtype] if options.dtype else []
    command += ["--stages", *options.stages] if options.stages else []
    status = subprocess.run(command, stdout=subprocess.DEVNULL).returncode
    if status != 0:
        raise ExportError(f"Expected libraries for {architecture} but their process ended with {status}")


def verify_model(options: argparse.Namespace, report: Report) -> Path:
    prepare_torch(options.device)

    from wuerstchen_export import compile as compiler
    from wuerstchen_export import verify

    dtypes = (options.dtype,) if options.dtype else ()
    return verify.verify_model(compiler.Options(options.verify, dtypes, options.device, tuple(options.stages or STAGES)), report)


def prepare_torch(device: str, there: bool = True) -> None:
    # Before torch is imported: threads that spin at the end of every parallel region slow each other down on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for category in (DeprecationWarning, FutureWarning):  # of torch 2.13, of 2.14
        warnings.filterwarnings("ignore", category=category, message=r".*torch\.jit.*")

    import torch

    # While tracing, transformers checks whether there is a mask. There always is one.
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning, module="transformers")

    from wuerstchen_export.errors import ExportError

    if not there:
        from wuerstchen_export.cross.pretend import expect_torch

        expect_torch()
    elif device == "cuda" and not torch.cuda.is_available():
        raise ExportError(f"Expected a GPU for --device cuda but torch {torch.__version__} finds none")
    torch.backends.cudnn.allow_tf32 = False  # the ten bits of TF32 would hide the differences that verification looks for


def interrupt_once() -> None:
    """Ctrl-C reaches this process twice, from the terminal and from the command line: the second would disturb the tidying up."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)


if __name__ == "__main__":
    interrupt_once()
    sys.exit(main())
