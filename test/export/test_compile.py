"""Compiling: networks come back from their programs, limits and sizes are the manifest's, and a wrong library is never named."""

import json
import shlex
import shutil
import tempfile
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from torch._inductor.runtime.cache_dir_utils import cache_dir

import export as export_script
from wuerstchen_export import aoti
from wuerstchen_export import compile as compiler
from wuerstchen_export.errors import ExportError
from wuerstchen_export.stages import stage_of
from wuerstchen_export.torchscript import example_inputs, relative_error

STAGES = ["priorTextEncoder", "prior", "decoderTextEncoder", "decoder", "vqDecoder", "vqEncoder", "imageEncoder"]
SIZE = {"batch": 2, "height": 48, "width": 64, "text": 9, "gridHeight": 3, "gridWidth": 4}


@pytest.fixture(scope="module")
def compiled(model, tmp_path_factory) -> Path:
    """The smallest stage, compiled."""
    directory = tmp_path_factory.mktemp("compiled") / "model"
    shutil.copytree(model, directory)
    assert export_script.main(["--compile", str(directory), "--dtype", "float32", "--stages", "vqDecoder"]) == 0
    return directory


@pytest.mark.parametrize("name", STAGES)
def test_network_comes_back_from_its_program(model, name):
    """Its outputs are the program's to the last bit, from nothing but the model directory."""
    entry = json.loads((model / "wuerstchen.json").read_text())["stages"][name]
    stage = stage_of(name, entry["config"])
    file = model / next(artefact["file"] for artefact in entry["artefacts"] if artefact["dtype"] == "float32")
    program = torch.jit.load(str(file))
    module, known = compiler.rebuild(program, stage, file), {}
    for function, spec in stage.functions.items():
        inputs = example_inputs(spec, SIZE, known, stage, torch.float32, "cpu")
        with torch.no_grad():
            expected, actual = [
                x if isinstance(x, tuple) else (x,)
                for x in (getattr(program, function)(*inputs), getattr(module, function)(*inputs))
            ]
        assert all(torch.equal(a, b) for a, b in zip(actual, expected, strict=True))
        known.update({output.name: tensor for output, tensor in zip(spec.outputs, expected, strict=True)})


@pytest.mark.parametrize("size", [(256, 256), (384, 896), (250, 130), (8192, 2048), (16, 16)])
def test_sizes_that_loops_are_optimised_for_are_sizes_of_the_library(size):
    """Whatever the model's default image is, and for every stage that the embedded model has."""
    manifest = json.loads((ROOT / "models" / "tiny" / "wuerstchen.json").read_text())
    for name, entry in manifest["stages"].items():
        stage = stage_of(name, entry["config"])
        for function in aoti.compiled_functions(stage):
            limits = aoti.limits_of(stage, function)
            hint = aoti.hint(stage, limits, manifest, size)
            assert hint.keys() == limits.keys()
            for symbol, limit in limits.items():
                assert limit["least"] <= hint[symbol] <= limit["most"] and hint[symbol] % limit["multipleOf"] == 0, (name, symbol)


def test_index_names_the_library_with_its_program(compiled):
    (entry,) = json.loads((compiled / "compiled" / "compiled.json").read_text())["artefacts"]
    manifest = json.loads((compiled / "wuerstchen.json").read_text())
    program = next(a for a in manifest["stages"]["vqDecoder"]["artefacts"] if a["dtype"] == "float32")
    assert entry["program"] == {"file": program["file"], "sha256": program["sha256"]}
    assert entry["torch"] == torch.__version__.split("+")[0] and entry["isa"] in aoti.ISAS
    library = entry["libraries"]["forward"]
    file = compiled / library["file"]
    assert (file.stat().st_size, compiler.file_sha256(file)) == (library["size"], library["sha256"])
    assert library["limits"] == {
        "batch": {"least": 1, "most": 16, "multipleOf": 1},
        "height": {"least": 2, "most": 128, "multipleOf": 1},
        "width": {"least": 2, "most": 128, "multipleOf": 1},
    }
    assert sorted(path.name for path in file.parent.iterdir()) == sorted(["compiled.json", file.name])


def test_library_holds_no_path_of_the_compiling_machine(compiled):
    """Neither of the environment that torch is in, nor of the folder for generated sources, nor of this repository."""
    (file,) = (compiled / "compiled").glob("*.so")
    content = file.read_bytes()
    assert b"torch/csrc/inductor/aoti_runtime/model_base.h" in content  # torch's headers write the names of their files
    for folder in [Path(torch.__file__).parents[1], Path(cache_dir()), ROOT]:
        assert f"{folder}/".encode() not in content


def test_library_holds_no_weights(compiled, model):
    """They are the program's."""
    (file,) = (compiled / "compiled").glob("*.so")
    content = file.read_bytes()
    weights = torch.jit.load(str(model / "vqDecoder.float32.cpu.pt")).state_dict()
    large = [tensor for tensor in weights.values() if tensor.numel() >= 16]
    assert large and all(tensor.numpy().tobytes() not in content for tensor in large)


def marked(compiled, directory) -> Path:
    """A copy whose library nothing has run, as the index says."""
    shutil.copytree(compiled, directory)
    index = json.loads((directory / "compiled" / "compiled.json").read_text())
    index["artefacts"][0]["verified"] = False
    (directory / "compiled" / "compiled.json").write_text(json.dumps(index))
    return directory / "compiled" / "compiled.json"


def test_a_library_of_another_machine_is_verified_on_this_one(compiled, tmp_path, capsys):
    index = marked(compiled, tmp_path / "model")
    assert export_script.main(["--verify", str(tmp_path / "model")]) == 0
    assert index.read_text() == (compiled / "compiled" / "compiled.json").read_text()  # all but the mark is as it was
    assert "vqDecoder.forward" in capsys.readouterr().err


def test_one_that_differs_is_used_no_longer(compiled, tmp_path, capsys, monkeypatch):
    index = marked(compiled, tmp_path / "model")
    monkeypatch.setitem(aoti.TOLERANCE, torch.float32, -1.0)
    assert export_script.main(["--verify", str(tmp_path / "model")]) == 1
    assert "1 of 1 programs have libraries that are not right here\n  The library differs" in capsys.readouterr().err
    assert json.loads(index.read_text())["artefacts"] == []
    assert sorted(file.suffix for file in index.parent.iterdir()) == [".json", ".so"]


@pytest.mark.parametrize("change", [{"device": "cuda", "isa": None, "gpuArch": "9.0"}, {"isa": "AMX"}, {"stage": "prior"}])
def test_libraries_that_this_machine_cannot_run_are_not_tried(compiled, tmp_path, capsys, change):
    index = marked(compiled, tmp_path / "model")
    content = json.loads(index.read_text())
    content["artefacts"][0].update(change)
    index.write_text(json.dumps(content))
    assert export_script.main(["--verify", str(tmp_path / "model")]) == 1
    assert "Expected libraries for this machine" in capsys.readouterr().err
    assert json.loads(index.read_text()) == content


def test_verification_refuses_other_weights(compiled, model):
    """Else it would prove nothing: the library runs with the weights that it is given."""
    manifest = json.loads((model / "wuerstchen.json").read_text())
    stage = stage_of("vqDecoder", manifest["stages"]["vqDecoder"]["config"])
    program = torch.jit.load(str(model / "vqDecoder.float32.cpu.pt"))
    (file,) = (compiled / "compiled").glob("*.so")
    weights = {name: tensor.clone() for name, tensor in program.state_dict().items()}
    inputs = example_inputs(stage.functions["forward"], SIZE, {}, stage, torch.float32, "cpu")
    with torch.no_grad():
        expected = program.forward(*inputs)
        assert (
            relative_error(aoti.load(file, weights, set(), "cpu").run(list(inputs))[0], expected) < aoti.TOLERANCE[torch.float32]
        )
        dict(program.named_parameters())["out_block.0.bias"].add_(0.01)
        assert (
            relative_error(aoti.load(file, weights, set(), "cpu").run(list(inputs))[0], program.forward(*inputs))
            > aoti.TOLERANCE[torch.float32]
        )


@pytest.mark.parametrize(("bits", "refused"), [(1, False), (64, True)])
def test_a_library_may_round_noise_levels_in_another_way(model, monkeypatch, bits, refused):
    """The angle of a sinusoid has the last bit of thousands: a network of the published size shows it, whoever computes it."""
    manifest = json.loads((model / "wuerstchen.json").read_text())
    stage = stage_of("prior", manifest["stages"]["prior"]["config"])
    file = model / "prior.float32.cpu.pt"
    program = torch.jit.load(str(file))

    class Rounded:
        def run(self, inputs):
            named = dict(zip((spec.name for spec in stage.functions["step"].inputs), inputs, strict=True))
            for _ in range(bits):
                named["ratio"] = torch.nextafter(named["ratio"], torch.ones(1))
            return aoti.run_program(program, "step", list(named.values()))

    monkeypatch.setattr(aoti, "load", lambda *_: Rounded())
    monkeypatch.setattr(aoti, "TOLERANCE", {torch.float32: 0})  # two blocks do not show it
    verified = (file, set(), program, stage, "step", torch.float32, "cpu")
    if refused:
        with pytest.raises(ExportError, match="The library differs"):
            aoti.verify(*verified)
    else:
        assert aoti.verify(*verified) > 0


class Linears(torch.nn.Module):
    """Three Linears: one with a GELU, one whose result is used twice, one whose weight is also taken apart."""

    def __init__(self):
        super().__init__()
        self.program = torch.nn.ModuleDict({name: torch.nn.Linear(8, 8) for name in ("gelu", "plain", "apart")})

    def forward(self, x):
        y = self.program["plain"](torch.nn.functional.gelu(self.program["gelu"](x)))
        return torch.nn.functional.gelu(y) + y + self.program["apart"](x) + x @ self.program["apart"].weight


def test_linears_that_the_runtime_packs_become_onednns():
    module, x = Linears().eval(), torch.randn(3, 8)
    exported = torch.export.export(module, (x,))
    assert aoti.use_packed_linears(exported) == {"gelu.weight", "plain.weight"}
    calls = [node for node in exported.graph.nodes if node.target is torch.ops.mkldnn._linear_pointwise.default]
    assert [node.args[3] for node in calls] == ["gelu", "none"]
    with torch.no_grad():
        assert relative_error(exported.module()(x), module(x)) < 1e-6


def test_folders_may_have_spaces_in_their_names(tmp_path, monkeypatch):
    """Of torch, and for temporary files: Inductor would hand their parts to the compiler."""
    from torch._inductor import cpp_builder

    folder = tmp_path / "sp äce"
    folder.mkdir()
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with aoti.any_folder():
        assert all(shlex.split(used) == [used] for used in (cache_dir(), tempfile.gettempdir()))
        options = cpp_builder.BuildOptionsBase(compiler="c++", libraries_dirs=[str(folder)])
        command = cpp_builder.CppBuilder(name="a", sources="a.cpp", BuildOption=options, output_dir="/tmp").get_command_line()
        assert f"-L{folder}" in shlex.split(command)
    assert (cache_dir(), tempfile.gettempdir()) == (str(folder), str(folder))


def test_a_failed_compiler_is_told_in_a_line():
    from torch._inductor.exc import CppCompileError, InductorError

    output = "In file included from a.cpp:1:\na.h:7: fatal error: torch.h: No such file or directory\ncompilation terminated."
    for error in [InductorError(CppCompileError(["c++", "a.cpp"], output), None), CppCompileError(["c++", "a.cpp"], output)]:
        with pytest.raises(ExportError) as raised, aoti.inductor_errors("decoder.step"):
            raise error
        assert str(raised.value) == (
            "Inductor cannot compile decoder.step\n  a.h:7: fatal error: torch.h: No such file or directory"
        )
    with (
        pytest.raises(ExportError, match="cannot compile decoder.step\n  no such operator"),
        aoti.inductor_errors("decoder.step"),
    ):
        raise InductorError(RuntimeError("no such operator"), None)


def test_an_index_of_another_format_is_refused(tmp_path):
    (tmp_path / compiler.FILE).write_text('{"formatVersion": 3, "artefacts": [{"stage": "prior"}]}')
    with pytest.raises(ExportError, match="Expected format version 2 .* but received 3: remove"):
        compiler.read_index(tmp_path)


def test_program_of_another_exporter_is_refused(model):
    entry = json.loads((model / "wuerstchen.json").read_text())["stages"]["prior"]
    stage = stage_of("prior", {**entry["config"], "depth": entry["config"]["depth"] + 1})
    program = torch.jit.load(str(model / "prior.float32.cpu.pt"))
    with pytest.raises(ExportError, match="export the checkpoint again\n.*missing blocks.6"):
        compiler.rebuild(program, stage, model / "prior.float32.cpu.pt")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--compile", "nowhere"], "has none"),
        (["--compile", "model", "--prior", "x"], "no --prior with --compile"),
        ([], "or --compile"),
    ],
)
def test_wrong_use_is_refused(arguments, message, capsys):
    try:
        code = export_script.main(arguments)
    except SystemExit as error:
        code = error.code
    assert code in (1, 2)
    assert message in capsys.readouterr().err
