"""Exported programs: generic in every size, free of the exporting machine, and near float32 in half precision."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
import torch

from wuerstchen_export import torchscript
from wuerstchen_export.names import DTYPES, STAGES
from wuerstchen_export.torchscript import dimension, make_cases, relative_error

# Largest difference from the float32 program, relative to the largest value: 11 and 8 bits of precision through dozens of
# layers, whose errors add up like a random walk. Measured: up to 1.4e-3 and 1.0e-2.
HALF_TOLERANCE = {"float16": 5e-3, "bfloat16": 4e-2}


def read(model: Path) -> dict:
    return json.loads((model / "wuerstchen.json").read_text())


def artefact(model: Path, stage: str, dtype: str) -> dict:
    return next(a for a in read(model)["stages"][stage]["artefacts"] if a["dtype"] == dtype)


def load(model: Path, stage: str, dtype: str):
    return torch.jit.load(str(model / artefact(model, stage, dtype)["file"])).to(getattr(torch, dtype))


def assert_fits(tensor: torch.Tensor, spec: dict, size: dict[str, int]) -> None:
    assert str(tensor.dtype) == f"torch.{spec['dtype']}"
    assert list(tensor.shape) == [dimension(symbol, size) for symbol in spec["shape"]]


def test_manifest_names_every_file_with_its_checksum(model):
    manifest = read(model)
    entries = [*manifest["tokenizers"].values(), *(a for stage in manifest["stages"].values() for a in stage["artefacts"])]
    assert sorted(manifest["stages"]) == sorted(STAGES)
    assert {file.name for file in model.iterdir()} == {"wuerstchen.json", *(entry["file"] for entry in entries)}
    for entry in entries:
        content = (model / entry["file"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["size"], entry["sha256"])


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_manifest_describes_the_program(model, stage, dtype, stages):
    """Names in the manifest's order fit the program's functions, at sizes that the exporter did not try."""
    program, entry = load(model, stage, dtype), artefact(model, stage, dtype)
    unit = stages[stage].unit
    size = {"batch": 4, "height": unit * 5, "width": unit * 3, "text": 77, "gridHeight": 4, "gridWidth": 7}
    known = {}
    for name, function in stages[stage].functions.items():
        listed = entry["functions"][name]
        inputs = torchscript.example_inputs(function, size, known, stages[stage], getattr(torch, dtype), "cpu")
        for spec, tensor in zip(listed["inputs"], inputs, strict=True):
            assert_fits(tensor, spec, size)
        with torch.no_grad():
            outputs = getattr(program, name)(*inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        for spec, tensor in zip(listed["outputs"], outputs, strict=True):
            assert_fits(tensor, spec, size)
            assert spec["shape"][0] == "batch"
            assert tensor.isfinite().all()
            known[spec["name"]] = tensor


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_near_float32(model, stage, dtype, stages):
    full, half = load(model, stage, "float32"), load(model, stage, dtype)
    known_full, known_half = {}, {}
    side = stages[stage].unit * 3
    size = {"batch": 2, "height": side, "width": side, "text": 77, "gridHeight": 3, "gridWidth": 3}
    for name, function in stages[stage].functions.items():
        inputs = torchscript.example_inputs(function, size, known_full, stages[stage], torch.float32, "cpu")
        rounded = [
            known_half.get(spec.name, tensor.to(getattr(torch, dtype)) if spec.dtype is None else tensor)
            for spec, tensor in zip(function.inputs, inputs, strict=True)
        ]
        with torch.no_grad():
            expected, actual = getattr(full, name)(*inputs), getattr(half, name)(*rounded)
        expected, actual = [x if isinstance(x, tuple) else (x,) for x in (expected, actual)]
        for spec, tensor, reference in zip(function.outputs, actual, expected, strict=True):
            assert relative_error(tensor, reference) < HALF_TOLERANCE[dtype], f"{stage}.{name} {spec.name}"
            known_full[spec.name], known_half[spec.name] = reference, tensor


@pytest.mark.parametrize("stage", STAGES)
def test_program_names_no_device_and_no_path(model, stage):
    """A constant made while tracing would stay on the tracing device; debug records name the exporter's source files."""
    program = load(model, stage, "float32")
    for name in ["forward", "condition", "step"]:
        if hasattr(program, name):
            assert "Device" not in str(getattr(program, name).inlined_graph)
    archive = zipfile.ZipFile(model / artefact(model, stage, "float32")["file"])
    assert not [name for name in archive.namelist() if name.endswith(".debug_pkl")]
    assert not [name for name in archive.namelist() if str(Path(__file__).parents[2]).encode() in archive.read(name)]


@pytest.mark.parametrize("stage", STAGES)
def test_program_is_one_flat_function(model, stage):
    """Calls of submodules would cost gigabytes of fragmented heap at full size."""
    program = load(model, stage, "float32")
    for name in artefact(model, stage, "float32")["functions"]:
        assert "prim::CallMethod" not in str(getattr(program, name).graph)


@pytest.mark.parametrize("stage", STAGES)
def test_program_has_no_whole_number_state(model, stage):
    """A loader that converts a program to a floating point dtype would convert it too."""
    state = load(model, stage, "float32").state_dict()
    assert all(tensor.is_floating_point() for tensor in state.values())


def test_half_weights_under_a_float32_program(checkpoint, export, tmp_path, model):
    """--storage halves the files; the program computes in float32 on the rounded weights."""
    result = export(checkpoint, tmp_path / "model", "--storage", "float16")
    assert result.code == 0, result.stderr
    entry, whole = artefact(tmp_path / "model", "prior", "float32"), artefact(model, "prior", "float32")
    assert (entry["dtype"], entry["storage"]) == ("float32", "float16")
    assert entry["size"] < 0.75 * whole["size"]
    stored = torch.jit.load(str(tmp_path / "model" / entry["file"]))
    assert {parameter.dtype for parameter in stored.parameters()} == {torch.float16}
    text = torch.randn((1, 77, 40), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        actual = stored.to(torch.float32).condition(text)
        expected = load(model, "prior", "float32").condition(text)
    assert actual.dtype == torch.float32
    assert 0 < relative_error(actual, expected) < HALF_TOLERANCE["float16"]


def test_verification_refuses_a_program_that_differs(stages, tmp_path):
    """Else it would prove nothing: weights changed after the module's outputs were taken."""
    stage = stages["vqDecoder"]
    module = stage.load()[0]
    cases = make_cases(module, stage, torch.float32, "cpu")
    module.out_block[0].bias += 0.01
    file = tmp_path / "program.pt"
    torchscript.write(module, cases, file, torch.float32)
    with pytest.raises(torchscript.ExportError, match="differs from the module"):
        torchscript.verify(file, stage, cases, torch.float32, "cpu")


def test_verification_refuses_weights_that_are_not_finite(stages, tmp_path):
    stage = stages["vqDecoder"]
    module = stage.load()[0]
    module.out_block[0].bias += float("nan")
    cases = make_cases(module, stage, torch.float32, "cpu")
    file = tmp_path / "program.pt"
    torchscript.write(module, cases, file, torch.float32)
    with pytest.raises(torchscript.ExportError, match="finite"):
        torchscript.verify(file, stage, cases, torch.float32, "cpu")
