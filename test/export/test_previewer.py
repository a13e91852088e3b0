"""The previewer from the folder that assembling writes (scripts/train/assemble.py), against the module that is trained."""

import json

import pytest
import torch
from safetensors.torch import save_file

from wuerstchen_export.previewer import Previewer
from wuerstchen_export.torchscript import TOLERANCE, relative_error

CONFIG = {"c_in": 16, "widths": [24, 16, 12, 8]}


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(5)
    return Previewer(CONFIG).eval()


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    directory = tmp_path_factory.mktemp("previewer")
    save_file(trained.state_dict(), directory / "diffusion_pytorch_model.safetensors")
    (directory / "config.json").write_text(json.dumps(CONFIG))
    return directory


def test_program_makes_what_the_trained_module_makes(checkpoint, export, trained, folder, tmp_path):
    result = export(checkpoint, tmp_path / "model")
    assert result.code == 0, result.stderr
    assert "previewer" not in json.loads((tmp_path / "model" / "wuerstchen.json").read_text())["stages"]
    result = export(checkpoint, tmp_path / "model", "--previewer", str(folder))  # comes later as well
    assert result.code == 0, result.stderr
    stage = json.loads((tmp_path / "model" / "wuerstchen.json").read_text())["stages"]["previewer"]
    assert stage["parameters"] == sum(parameter.numel() for parameter in trained.parameters())
    [artefact] = stage["artefacts"]
    assert artefact["functions"]["forward"]["outputs"] == [
        {"name": "pixels", "dtype": "float32", "shape": ["batch", 3, "height*8", "width*8"]}
    ]
    program = torch.jit.load(str(tmp_path / "model" / artefact["file"]))
    for shape in [(1, 16, 3, 3), (2, 16, 5, 4)]:
        z = torch.randn(shape)
        with torch.no_grad():
            assert relative_error(program.forward(z), trained(z)) <= TOLERANCE[torch.float32]


def test_another_prior_is_named(checkpoint, export, folder, tmp_path):
    (folder / "config.json").write_text(json.dumps({"c_in": 4, "widths": [24, 16, 12, 8]}))
    result = export(checkpoint, tmp_path / "model", "--previewer", str(folder))
    assert result.code == 1
    assert "Expected c_in 16 (prior's c_in) for previewer but received 4" in result.stderr
    (folder / "config.json").write_text(json.dumps({"c_in": 16, "widths": [24, 16]}))
    result = export(checkpoint, tmp_path / "model", "--previewer", str(folder))
    assert result.code == 1 and "tensors do not fit the configuration" in result.stderr
    result = export(checkpoint, tmp_path / "model", "--previewer", str(folder / "absent"))
    assert result.code == 1 and "Expected a directory but" in result.stderr
