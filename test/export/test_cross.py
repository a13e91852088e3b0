"""Libraries for GPUs that are not here: what is refused, and what a library is checked for. scripts/checks/cross_compile.py
compiles some."""

import json
import struct

import pytest
import torch

import export as export_script
from wuerstchen_export import compile as compiler
from wuerstchen_export.cross import library, write
from wuerstchen_export.cross.gpus import GPUS, runs_on
from wuerstchen_export.errors import ExportError

FLASH = "aoti_torch_cuda__scaled_dot_product_flash_attention"


@pytest.mark.parametrize(
    ("made_for", "here", "fits"),
    [  # as in test/model/gpu.test.ts
        ("8.0", "8.0", True),
        ("8.0", "8.6", True),
        ("8.0", "8.9", True),
        ("8.6", "8.0", False),
        ("8.6", "8.9", True),
        ("8.9", "8.6", False),
        ("8.0", "9.0", False),
        ("7.5", "8.0", False),
        ("9.0", "9.0", True),
        ("9.0", "10.0", False),
        ("10.0", "10.3", False),
        ("12.0", "12.1", False),
    ],
)
def test_code_runs_on_newer_minor_architectures_below_nine(made_for, here, fits):
    assert runs_on(made_for, here) is fits


def test_code_keeps_to_the_shared_memory_of_every_gpu_that_may_run_it():
    for made_for in GPUS.values():
        for here in GPUS.values():
            if runs_on(made_for.arch, here.arch):
                assert made_for.shared_block <= here.shared_block


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--compile", "m", "--device", "cuda", "--gpu-arch", "7.5"], "Expected some of 8.0,8.6,8.9,9.0 but received '7.5'"),
        (["--compile", "m", "--device", "cuda", "--gpu-arch", "8.0,"], "Expected some of 8.0,8.6,8.9,9.0 but received '8.0,'"),
        (["--compile", "m", "--gpu-arch", "8.0"], "Expected --compile and --device cuda with --gpu-arch"),
        (["--verify", "m", "--device", "cuda", "--gpu-arch", "8.0"], "Expected --compile and --device cuda with --gpu-arch"),
        (["--verify", "m", "--compile", "m"], "Expected --compile or --verify, one after the other, but received both"),
        (["--verify", "m", "--out", "o"], "Expected no --out with --verify"),
    ],
)
def test_arguments_that_contradict_are_refused(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        export_script.main(arguments)
    assert ended.value.code == 2 and message in capsys.readouterr().err


@pytest.mark.parametrize("architectures", ["9.0", "8.0,9.0"])
@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch has CUDA")
def test_a_torch_without_cuda_is_refused_by_name(model, architectures, capfd):
    arguments = ["--compile", str(model), "--device", "cuda", "--gpu-arch", architectures]
    assert export_script.main(arguments) == 1
    expected = f"Expected torch 2.14 with CUDA 13 for --gpu-arch but it is {torch.__version__} with no CUDA"
    assert expected in capfd.readouterr().err
    assert not (model / "compiled").exists()


def test_several_architectures_have_a_process_each(model, monkeypatch):
    """What torch is made to believe cannot be taken back."""
    commands = []

    def run(command, **options):
        commands.append(command[2:])
        return type("Done", (), {"returncode": 0})

    monkeypatch.setattr(export_script.subprocess, "run", run)
    monkeypatch.setattr(export_script, "prepare_torch", lambda device, there: None)
    seen = []
    monkeypatch.setattr(compiler, "compile_model", lambda options, report: seen.append(options) or model)
    arguments = ["--compile", "m", "--device", "cuda", "--gpu-arch", "8.0,8.6,9.0", "--dtype", "float16", "--stages", "prior"]
    assert export_script.main(arguments) == 0
    rest = ["--dtype", "float16", "--stages", "prior"]
    assert commands == [["--compile", "m", "--device", "cuda", "--gpu-arch", arch, *rest] for arch in ("8.0", "8.6")]
    assert [options.gpu.arch for options in seen] == ["9.0"]


def test_a_gpu_takes_programs_of_the_cpu_where_it_has_none_of_its_own():
    def program(dtype, device):
        return {"dtype": dtype, "device": device}

    both = [program("float32", "cpu"), program("float16", "cpu"), program("float16", "cuda")]
    assert compiler.programs_for(both, "cpu") == both[:2]
    assert compiler.programs_for(both, "cuda") == [both[2], both[0]]


def kernel(abi: int, flags: int) -> bytes:
    """The header of an object file of CUDA, by the layout of ELF64 and LLVM's BinaryFormat/ELF.h."""
    header = bytearray(64)
    header[:9] = b"\x7fELF\x02\x01\x01\x33" + bytes([abi])
    struct.pack_into("<H", header, 18, 190)
    struct.pack_into("<I", header, 48, flags)
    return bytes(header)


# ABI 7 as ptxas of Triton 3.8 writes it, ABI 8 by LLVM's layout.
@pytest.mark.parametrize(
    ("abi", "flags", "code"),
    [
        (7, 0x00500550, "sm_80"),
        (7, 0x005A0D5A, "sm_90a"),
        (8, 0x06005002, "sm_80"),
        (8, 0x06005A0A, "sm_90a"),
    ],
)
def test_machine_code_says_what_it_is_for(abi, flags, code):
    host = bytearray(kernel(7, 0))
    struct.pack_into("<H", host, 18, 62)  # the library itself is for x86-64
    found = library.machine_code(bytes(host) + b"..." + kernel(abi, flags) + b"." + kernel(abi, flags))
    assert [str(each) for each in found] == [code, code]


def complete(**changes: bytes) -> bytes:
    parts = {
        "host": b"\x7fELF",
        "weights": b"\0program.out.weight\0program.out.bias\0",
        "attention": f"\0{FLASH}\0".encode(),
        "driver": b"\0libcuda.so.1\0",
        "code": kernel(8, 0x06005002),
    }
    return b"".join({**parts, **changes}.values())


def test_a_library_is_refused_that_is_not_whole():
    weights = {"out.weight", "out.bias"}

    def expect(changed: bytes, attention: str | None = FLASH) -> list:
        return library.expect_complete(changed, "prior.step", 80, weights, attention)

    assert [each.sm for each in expect(complete())] == [80]
    assert expect(complete(attention=b""), None)
    for changed, message in [
        (complete(weights=b"\0program.out.weight\0"), "name all 2 weights but 1 are missing.*\n  out.bias"),
        (complete(weights=b"\0program.out.weight2\0program.out.bias\0"), "1 are missing"),
        (complete(attention=b""), f"to call {FLASH} but its attention became other operations"),
        (complete(driver=b""), "to ask for libcuda.so.1"),
        (complete(code=b""), "for sm_80 alone .* but found $"),
        (complete(code=kernel(8, 0x06005A0A)), "for sm_80 alone .* but found sm_90a"),
        (complete(code=kernel(8, 0x06005002) + kernel(8, 0x06005A0A)), "but found sm_80, sm_90a"),
        (complete(code=kernel(9, 0)), "in ABI 7 or 8 but it has 9"),
    ]:
        with pytest.raises(ExportError, match=message):
            expect(changed)


class Attention(torch.nn.Module):
    """Two weights of one shape, one of them unused, and attention of a width."""

    def __init__(self, width: int):
        super().__init__()
        self.program = torch.nn.ModuleDict({name: torch.nn.Linear(width, width, bias=False) for name in ("used", "unused")})

    def forward(self, x, **options):
        y = self.program["used"](x)
        return torch.nn.functional.scaled_dot_product_attention(y, y, y, **options)


@pytest.mark.parametrize(
    ("width", "options", "count"),
    [
        (8, {}, 1),
        (64, {}, 1),
        (64, {"scale": 0.5}, 1),
        (12, {}, 0),
        (264, {}, 0),
        (64, {"is_causal": True}, 0),
        (64, {"attn_mask": torch.zeros(3, 3)}, 0),
    ],
)
def test_weights_and_attentions_of_a_graph(width, options, count):
    """The fused kernels are given no mask."""
    exported = torch.export.export(Attention(width), (torch.zeros(1, 2, 3, width),), options)
    assert write.used_weights(exported) == {"used.weight"}
    assert len(write.fusable_attentions(exported)) == count


def test_the_index_says_what_nothing_has_run(model, tmp_path, monkeypatch):
    """With a compiler that writes nothing of use."""
    import shutil

    directory = tmp_path / "model"
    shutil.copytree(model, directory)
    monkeypatch.setattr(compiler.pretend, "pretend", lambda gpu, folder: None)

    def write_nothing(module, stage, name, size, dtype, gpu, file):
        file.write_bytes(b"for " + gpu.arch.encode())
        return "nothing"

    monkeypatch.setattr(compiler.elsewhere, "write", write_nothing)
    for arch in ("8.0", "9.0", "8.0"):
        options = compiler.Options(directory, ("float16",), "cuda", ("vqDecoder",), GPUS[arch])
        index = json.loads(compiler.compile_model(options, lambda line: None).read_text())
    made = [(entry["gpuArch"], entry["device"], entry["verified"]) for entry in index["artefacts"]]
    assert sorted(made) == [("8.0", "cuda", False), ("9.0", "cuda", False)]
    assert [entry["program"]["file"] for entry in index["artefacts"]] == ["vqDecoder.float16.cpu.pt"] * 2
    for entry in index["artefacts"]:
        file = entry["libraries"]["forward"]["file"]
        assert file == f"compiled/vqDecoder-forward-float16-cuda-{entry['gpuArch']}.so"
        assert (directory / file).read_bytes() == f"for {entry['gpuArch']}".encode()
