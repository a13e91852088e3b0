"""What the exporter's tests share: the small random checkpoint, its diffusers models, and its exported model directory."""

import contextlib
import io
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: spinning threads slow each other down on a busy machine
import torch  # noqa: E402

ROOT = Path(__file__).parents[2]
torch.set_num_threads(1)  # the networks are so small that a second thread only waits

import export as export_script  # noqa: E402
from models import random_checkpoint  # noqa: E402
from wuerstchen_export.checkpoint import Places, find_checkpoint  # noqa: E402
from wuerstchen_export.stages import stages_of  # noqa: E402


def pytest_configure(config) -> None:
    config.addinivalue_line("filterwarnings", r"ignore:.*torch\.jit.*:DeprecationWarning")  # TorchScript is a choice


@pytest.fixture(scope="session")
def write_checkpoint(tmp_path_factory):
    """Writes the small checkpoint, or a variant of its layout, into a directory of its own."""

    def write(*options: str) -> Path:
        directory = tmp_path_factory.mktemp("checkpoint")
        random_checkpoint.main([*random_checkpoint.TEST_OPTIONS, "--out", str(directory), *options])
        return directory

    return write


@pytest.fixture(scope="session")
def checkpoint(write_checkpoint) -> Path:
    return write_checkpoint()


@pytest.fixture(scope="session")
def reference(checkpoint):
    """diffusers' pipelines of the checkpoint."""
    from checks.parity.reference import Reference

    return Reference(checkpoint)


@pytest.fixture(scope="session")
def stages(checkpoint) -> dict:
    """Stages of the checkpoint by name."""
    return stages_at(checkpoint)


def stages_at(checkpoint: Path) -> dict:
    places = Places(
        prior=checkpoint / "prior",
        decoder=checkpoint / "decoder",
        image_encoder=checkpoint / "image_encoder",
        previewer=checkpoint / "previewer",
    )
    return {stage.name: stage for stage in stages_of(find_checkpoint(places))}


@pytest.fixture(scope="session")
def export():
    """`scripts/export.py` with the checkpoint's directories filled in; (exit code, stdout, stderr)."""

    def run(checkpoint: Path, out: Path, *options: str) -> SimpleNamespace:
        stdout, stderr = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            code = export_script.main(arguments(checkpoint, out, *options))
        return SimpleNamespace(code=code, stdout=stdout.getvalue(), stderr=stderr.getvalue())

    return run


def arguments(checkpoint: Path, out: Path, *options: str) -> list[str]:
    return ["--prior", f"{checkpoint}/prior", "--decoder", f"{checkpoint}/decoder", "--out", str(out), *options]


@pytest.fixture(scope="session")
def model(checkpoint, export, tmp_path_factory) -> Path:
    """A model directory with float32, bfloat16 and float16 programs."""
    out = tmp_path_factory.mktemp("model")
    for dtype in ["float32", "bfloat16", "float16"]:
        encoders = ["--image-encoder", f"{checkpoint}/image_encoder", "--previewer", f"{checkpoint}/previewer"]
        options = [*encoders, "--dtype", dtype, "--default-size", "256x128"]
        result = export(checkpoint, out, *options)
        assert result.code == 0, result.stderr
    return out
