"""docs/wuerstchen.schema.json describes what the exporter writes, and refuses what it does not."""

import copy
import json

import pytest
from conftest import ROOT
from jsonschema import Draft202012Validator

SCHEMA = json.loads((ROOT / "docs" / "wuerstchen.schema.json").read_text())


def errors(manifest: dict) -> list[str]:
    return [error.json_path for error in Draft202012Validator(SCHEMA).iter_errors(manifest)]


def test_schema_is_valid():
    Draft202012Validator.check_schema(SCHEMA)


def test_exported_manifest_fits(model):
    assert errors(json.loads((model / "wuerstchen.json").read_text())) == []


def test_embedded_model_fits():
    assert errors(json.loads((ROOT / "models" / "tiny" / "wuerstchen.json").read_text())) == []


@pytest.mark.parametrize(
    "path, value",
    [
        ("formatVersion", 2),
        ("constants.latentMean", "42"),
        ("defaults.width", 0),
        ("defaults.decoderSteps", 5000),
        ("constants.latentDimScale", 0.5),
        ("tokenizers.priorTextEncoder.maxLength", 100000),
        ("stages.prior.artefacts.0.sha256", "0"),
        ("stages.prior.artefacts.0.file", "../prior.pt"),
        ("stages.prior.artefacts.0.dtype", "float64"),
    ],
)
def test_other_manifests_do_not(model, path, value):
    manifest = copy.deepcopy(json.loads((model / "wuerstchen.json").read_text()))
    *parents, last = path.split(".")
    target = manifest
    for key in parents:
        target = target[int(key) if key.isdigit() else key]
    target[last] = value
    assert errors(manifest) != []


def test_default_timesteps_are_the_reference_ones(model):
    from diffusers.pipelines.deprecated.wuerstchen import DEFAULT_STAGE_C_TIMESTEPS

    defaults = json.loads((model / "wuerstchen.json").read_text())["defaults"]
    assert defaults["priorTimesteps"] == [float(t) for t in DEFAULT_STAGE_C_TIMESTEPS]
    assert (defaults["width"], defaults["height"]) == (256, 128)
