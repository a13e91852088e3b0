"""From the hub to a model directory, and what its manifest says of where it is from."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from hub_stub import PINNED, Repository, Stub, published
from test_schema import errors

from models.random_checkpoint import TEST_OPTIONS
from models.random_checkpoint import main as write

STAGES = {
    "priorTextEncoder": ("warp-ai/wuerstchen-prior", "a" * 40),
    "prior": ("warp-ai/wuerstchen-prior", "a" * 40),
    "decoderTextEncoder": ("warp-ai/wuerstchen", PINNED),
    "decoder": ("warp-ai/wuerstchen", PINNED),
    "vqDecoder": ("warp-ai/wuerstchen", PINNED),
    "vqEncoder": ("warp-ai/wuerstchen", PINNED),
    "imageEncoder": ("warp-ai/EfficientNetEncoder", "b" * 40),
}


@pytest.fixture(scope="module")
def stub(checkpoint):
    running = Stub(published(checkpoint))
    yield running
    running.close()


@pytest.fixture(scope="module")
def run(stub, tmp_path_factory):
    """Runs a script of scripts/ with one cache for all tests of this file."""
    home = tmp_path_factory.mktemp("home")

    def run(script: str, *options: str) -> subprocess.CompletedProcess:
        env = {name: value for name, value in os.environ.items() if not name.upper().endswith("_PROXY") and name[:3] != "HF_"}
        env |= {"HF_ENDPOINT": stub.endpoint, "HF_HOME": str(home), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(ROOT / "scripts" / script), *options]
        return subprocess.run(command, env=env, capture_output=True, text=True, cwd=home)

    return run


def manifest_of(directory: Path) -> dict:
    manifest = json.loads((directory / "wuerstchen.json").read_text())
    assert errors(manifest) == []
    return manifest


def origins_of(manifest: dict) -> dict:
    stages = {name: stage.get("origin") for name, stage in manifest["stages"].items()}
    return {name: origin and (origin["repository"], origin["commit"]) for name, origin in stages.items()}


@pytest.fixture(scope="module")
def pulled(run, tmp_path_factory) -> Path:
    """A model directory of one command."""
    out = tmp_path_factory.mktemp("pulled") / "model"
    result = run("pull.py", "warp-ai/wuerstchen", "--export", "--out", str(out), "--default-size", "128x128", "--json")
    assert (result.returncode, json.loads(result.stdout)["manifest"]) == (0, str(out / "wuerstchen.json")), result.stderr
    return out


def test_one_command(pulled, model):
    """The same programs as of the directories, and a record of where their weights are from."""
    manifest = manifest_of(pulled)
    assert origins_of(manifest) == STAGES
    assert {stage["origin"]["license"] for stage in manifest["stages"].values()} == {"mit"}
    assert manifest["license"] == "mit"
    expected = manifest_of(model)
    for name in STAGES:
        assert manifest["stages"][name]["fingerprint"] == expected["stages"][name]["fingerprint"]
        assert "origin" not in expected["stages"][name]


def test_repositories_instead_of_directories(run, checkpoint, tmp_path):
    """Only what was fetched has an origin. A directory that is there is taken before a repository of its name."""
    out = tmp_path / "model"
    options = ["--decoder", f"warp-ai/wuerstchen@{PINNED}", "--out", str(out), "--license", "MIT"]
    result = run("export.py", "--prior", str(checkpoint / "prior"), *options)
    assert result.returncode == 0, result.stderr
    manifest = manifest_of(out)
    halves = {name: origin if "prior" not in name else None for name, origin in STAGES.items() if name != "imageEncoder"}
    assert (origins_of(manifest), manifest["license"]) == (halves, "MIT")


def test_an_origin_stays_known_when_programs_are_added(run, pulled, checkpoint, tmp_path):
    """Also from a directory that says nothing of it: the tensors are the same."""
    places = ["--prior", str(checkpoint / "prior"), "--decoder", str(checkpoint / "decoder")]
    result = run("export.py", *places, "--dtype", "bfloat16", "--out", str(pulled))
    assert result.returncode == 0, result.stderr
    manifest = manifest_of(pulled)
    assert {artefact["dtype"] for artefact in manifest["stages"]["prior"]["artefacts"]} == {"float32", "bfloat16"}
    assert (origins_of(manifest), manifest["license"]) == (STAGES, "mit")


def test_a_pulled_directory_says_where_it_is_from_until_it_is_changed(run, tmp_path):
    checkpoint, out = tmp_path / "checkpoint", tmp_path / "model"
    assert run("pull.py", "warp-ai/wuerstchen", "--no-image-encoder", "--out", str(checkpoint)).returncode == 0
    other = tmp_path / "other"
    write([*TEST_OPTIONS, "--seed", "21", "--out", str(other)])
    weights = "prior/diffusion_pytorch_model.safetensors"
    (checkpoint / "prior" / weights).unlink()
    (other / "prior" / weights).rename(checkpoint / "prior" / weights)
    places = ["--prior", str(checkpoint / "prior"), "--decoder", str(checkpoint / "decoder")]
    result = run("export.py", *places, "--out", str(out))
    assert result.returncode == 0, result.stderr
    expected = {name: origin for name, origin in STAGES.items() if name != "imageEncoder"} | {"prior": None}
    assert origins_of(manifest_of(out)) == expected
    assert result.stderr.count("no origin is recorded") == 1


@pytest.mark.parametrize("name", ["absent/directory", "warp-ai/wuerstchen/decoder", "./warp-ai/wuerstchen", "prior.safetensors"])
def test_what_is_no_repository(run, stub, checkpoint, tmp_path, name):
    """A path of two words may be a repository's name, so the hub is asked; anything else is a path that is not there."""
    stub.log.clear()
    options = ["--prior", str(checkpoint / "prior"), "--out", str(tmp_path / "model")]
    result = run("export.py", "--decoder", name, *options)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1].startswith("error: Expected")
    assert [entry.path.startswith("/api/models/absent/directory/") for entry in stub.log] == ([True] if name[0] == "a" else [])


def test_a_path_that_is_not_there_is_known_before_anything_is_fetched(run, stub, tmp_path):
    stub.log.clear()
    options = ["--decoder", "warp-ai/wuerstchen", "--out", str(tmp_path / "model")]
    result = run("export.py", "--prior", str(tmp_path / "absent"), *options)
    assert (result.returncode, stub.log) == (1, [])
    assert result.stderr == f"error: Expected a directory or a file of weights but {tmp_path / 'absent'} is neither\n"


def test_licences_of_several_repositories(run, stub, tmp_path):
    files = stub.repositories["warp-ai/wuerstchen-prior"].files
    card = b"---\nlicense: other\nlicense_name: research-only\n---\n"
    stub.repositories["somebody/prior"] = Repository("e" * 40, {**files, "README.md": card})
    out = tmp_path / "model"
    result = run(
        "pull.py", "warp-ai/wuerstchen", "--prior", "somebody/prior", "--export", "--out", str(out), "--no-image-encoder"
    )
    assert result.returncode == 0, result.stderr
    assert "licence research-only" in result.stderr
    assert manifest_of(out)["license"] == "research-only, mit"
