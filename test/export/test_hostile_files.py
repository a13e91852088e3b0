"""Damaged, odd and hostile files end with exit code 1 and one sentence, never with a stack trace, and nothing is left behind.

Weights are damaged in the first stage, so that nothing is exported before they are read.
"""

import json
import os
import pickle
import shutil
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

TEXT = Path("prior/text_encoder")
CONFIGS = {
    "prior": Path("prior/prior/config.json"),
    "decoder": Path("decoder/decoder/config.json"),
    "vqgan": Path("decoder/vqgan/config.json"),
    "text": TEXT / "config.json",
    "image encoder": Path("image_encoder/config.json"),
    "previewer": Path("previewer/config.json"),
}


class Program:
    def __reduce__(self):
        return os.mkdir, ("hacked",)


def safetensors(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def one(**changes: object) -> dict:
    return {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}}


def tensors_saved(tensors: dict) -> bytes:
    from safetensors.torch import save

    return save(tensors)


SAFETENSORS = {
    "empty": b"",
    "one byte": b"x",
    "no header": struct.pack("<Q", 0),
    "header longer than the file": struct.pack("<Q", 1 << 20) + b"{}",
    "header of 2^63 bytes": struct.pack("<Q", 1 << 63) + b"{}",
    "header of 2^64 - 1 bytes": b"\xff" * 8 + b"{}",
    "header that is no JSON": safetensors(b"{"),
    "header that is no text": safetensors(b"\xff\xfe{}"),
    "header that is a list": safetensors([]),
    "deep header": safetensors(b"[" * 100_000),
    "no tensors": safetensors({}),
    "unknown dtype": safetensors(one(dtype="F31"), bytes(8)),
    "dtype of a list": safetensors(one(dtype=[]), bytes(8)),
    "negative offsets": safetensors(one(data_offsets=[-8, 0]), bytes(8)),
    "offsets the wrong way round": safetensors(one(data_offsets=[8, 0]), bytes(8)),
    "offsets beyond the file": safetensors(one(data_offsets=[0, 1 << 40], shape=[1 << 38]), bytes(8)),
    "negative shape": safetensors(one(shape=[-2]), bytes(8)),
    "shape that overflows": safetensors(one(shape=[1 << 62, 1 << 62]), bytes(8)),
    "shape of another size": safetensors(one(shape=[3]), bytes(8)),
    "without offsets": safetensors({"x": {"dtype": "F32", "shape": [2]}}, bytes(8)),
    "data nobody names": safetensors(one(), bytes(64)),
    "overlapping tensors": safetensors({**one(), "y": one()["x"]}, bytes(8)),
    "metadata of numbers": safetensors({"__metadata__": {"a": 1}, **one()}, bytes(8)),
    "other tensors": tensors_saved({"x": torch.ones(2)}),
    "a name of a million characters": tensors_saved({"x" * 1_000_000: torch.ones(2)}),
}


def saved(content: object, **options: object) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def zipped(**files: bytes) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


WEIGHT = "text_model.final_layer_norm.weight"
PICKLES = {
    "empty": b"",
    "text": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "cut short": saved({"x": torch.ones(1000)})[:-500],
    "old and cut short": saved({"x": torch.ones(1000)}, _use_new_zipfile_serialization=False)[:-500],
    "first half": saved({"x": torch.ones(1000)})[:700],
    "program": saved({"x": Program()}),
    "program without a zip": pickle.dumps(Program()),
    "program beside tensors": saved({WEIGHT: torch.ones(40), "x": Program()}),
    "network": saved(torch.nn.Linear(2, 2)),
    "list": saved([torch.ones(1)]),
    "number": saved(3),
    "nothing": saved(None),
    "no tensors": saved({}),
    "numbers": saved({"x": 3}),
    "dictionaries": saved({"x": {"y": torch.ones(1)}}),
    "array": saved({"x": np.ones(2)}),
    "names that are numbers": saved({1: torch.ones(1)}),
    "names that are nothing": saved({None: torch.ones(1)}),
    "empty state_dict": saved({"state_dict": {}}),
    "state_dict of texts": saved({"state_dict": {"x": "y"}}),
    "state_dict in a state_dict": saved({"state_dict": {"state_dict": OrderedDict(x=torch.ones(1))}}),
    "state_dict that is a number": saved({"state_dict": 3}),
    "sparse": saved({WEIGHT: torch.eye(40).to_sparse()}),
    "quantized": saved({WEIGHT: torch.quantize_per_tensor(torch.ones(40), 1.0, 0, torch.qint8)}),
    "without values": saved({WEIGHT: torch.ones(40, device="meta")}),
    "complex": saved({WEIGHT: torch.ones(40, dtype=torch.complex64)}),
    "zip of nothing": zipped(),
    "zip without pickle": zipped(x__version=b"3"),
    "zip of a broken pickle": zipped(x__data__pkl=b"\x80\x02]", x__version=b"3"),
    "pickle without end": b"\x80\x02" + b"(" * 10_000,
    "pickle of unknown memory": b"\x80\x02h\x07.",
    "pickle of an unknown class": b"\x80\x02cno_such\nthing\n.",
    "pickle of a huge text": b"\x80\x02X\xff\xff\xff\x7f.",
}


@pytest.fixture
def copy(checkpoint, tmp_path):
    """The checkpoint, as links: files are replaced, never written."""
    shutil.copytree(checkpoint, tmp_path / "checkpoint", copy_function=os.link)
    return tmp_path / "checkpoint"


def put(file: Path, content: bytes) -> None:
    file.unlink(missing_ok=True)
    file.write_bytes(content)


@pytest.fixture
def refused(copy, export, tmp_path, monkeypatch):
    """Runs an export that has to fail, and gives its sentence."""
    monkeypatch.chdir(tmp_path)  # where a program in a pickle would leave its mark

    def run(*options: str) -> str:
        out = tmp_path / "model"
        extras = ["--image-encoder", f"{copy}/image_encoder", "--previewer", f"{copy}/previewer"]
        result = export(copy, out, *extras, *options)
        assert (result.code, result.stdout) == (1, ""), result.stderr
        lines = result.stderr.splitlines()
        first = next(i for i, line in enumerate(lines) if line.startswith("error: "))
        assert all(": " in line for line in lines[:first])  # progress
        assert all(line.startswith("  ") for line in lines[first + 1 :])  # tensors and keys, one a line
        assert len(lines[first]) < 1500 and "Traceback" not in result.stderr
        assert not out.exists() or list(out.iterdir()) == []
        assert not (tmp_path / "hacked").exists()
        return lines[first]

    return run


@pytest.mark.parametrize("damage", SAFETENSORS)
def test_safetensors(copy, refused, damage):
    put(copy / TEXT / "model.safetensors", SAFETENSORS[damage])
    assert "model.safetensors cannot be read" in (line := refused()) or "tensors do not fit" in line


@pytest.mark.parametrize("damage", PICKLES)
def test_pickles(copy, refused, damage):
    (copy / TEXT / "model.safetensors").unlink()
    put(copy / TEXT / "pytorch_model.bin", PICKLES[damage])
    line = refused()
    assert "pytorch_model.bin" in line or "tensors do not fit" in line


TENSORS = {
    "whole numbers": lambda tensor: torch.ones(tensor.shape, dtype=torch.int64),
    "truth values": lambda tensor: torch.ones(tensor.shape, dtype=torch.bool),
    "complex numbers": lambda tensor: torch.ones(tensor.shape, dtype=torch.complex64),
    "no values": lambda tensor: torch.ones(0),
    "a single value": lambda tensor: torch.tensor(1.0),
    "a dimension more": lambda tensor: tensor[None],
    "not a number": lambda tensor: torch.full_like(tensor, float("nan")),
    "infinity": lambda tensor: torch.full_like(tensor, float("inf")),
}


@pytest.mark.parametrize("kind", TENSORS)
def test_values(copy, refused, kind):
    file = copy / TEXT / "model.safetensors"
    tensors = load_file(file)
    tensors[WEIGHT] = TENSORS[kind](tensors[WEIGHT])
    file.unlink()
    save_file(tensors, file)
    assert "tensors do not fit" in (line := refused()) or "Expected finite numbers" in line


def in_place_of(file: Path, kind: str) -> None:
    file.unlink(missing_ok=True)
    if kind == "a directory":
        file.mkdir()
    elif kind == "a link to itself":
        file.symlink_to(file)
    elif kind == "a link to nothing":
        file.symlink_to("nothing")
    elif kind == "a pipe":
        os.mkfifo(file)


@pytest.mark.parametrize("kind", ["a directory", "a link to itself", "a link to nothing", "a pipe"])
@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_other_things_in_place_of_files(copy, refused, name, kind):
    in_place_of(copy / TEXT / name, kind)
    assert "text_encoder" in refused()


@pytest.mark.parametrize("option", ["--prior", "--decoder", "--vqgan", "--image-encoder", "--lora", "--prior-text-encoder"])
@pytest.mark.parametrize("kind", ["an empty file", "a directory", "a link to itself", "a pipe"])
def test_other_things_in_place_of_options(copy, refused, tmp_path, option, kind):
    path = tmp_path / "given.safetensors"
    path.write_bytes(b"") if kind == "an empty file" else in_place_of(path, kind)
    assert "Expected" in refused(option, str(path))


TEXTS = {
    "empty": b"",
    "list": b"[]",
    "number": b"3",
    "cut short": b'{"c": 4',
    "other encoding": '{"c": "ä"}'.encode("utf-16"),
    "deep": b'{"c":' * 100_000,
    "number of 5,000 digits": b'{"c_in": 1' + b"0" * 5000 + b"}",
}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", ["config.json", "model_index.json", "scheduler/scheduler_config.json"])
def test_json(copy, refused, name, text):
    put(copy / CONFIGS["prior"] if name == "config.json" else copy / "prior" / name, TEXTS[text])
    assert Path(name).name in refused()


NUMBERS = [None, "4", True, 1.5, [], {}, -1, 0, 10**30, float("nan"), float("inf"), 1e300]
SETTINGS = [
    *[("prior", {key: value}) for key in ("c", "depth", "c_r") for value in NUMBERS if (key, value) != ("depth", 0)],
    *[("decoder", {"c_hidden": value}) for value in [None, 4, [], ["a"], [None], [[4]], [0], [-4], [10**30], [4] * 1000]],
    *[("decoder", {"blocks": value}) for value in [[1], [1, 2, 2, 10**9], [1, 2, 2, 1.5], [1, 2, 2, True], [-1] * 4]],
    ("decoder", {"level_config": ["CT", "CTX", "CTA", "CTA"]}),
    ("decoder", {"level_config": ["CT", 3, "CTA", "CTA"]}),
    ("decoder", {"inject_effnet": [False, True]}),
    ("decoder", {"nhead": [0, 0, 0, 0]}),
    ("decoder", {"patch_size": 0}),
    ("vqgan", {"levels": 0}),
    ("vqgan", {"levels": 1000}),
    ("vqgan", {"levels": -1}),
    ("vqgan", {"bottleneck_blocks": 10**9}),
    ("vqgan", {"scale_factor": "1"}),
    ("vqgan", {"scale_factor": float("nan")}),
    ("text", {"hidden_act": "no_such"}),
    ("text", {"hidden_act": 3}),
    ("text", {"num_attention_heads": 0}),
    ("text", {"num_attention_heads": 7}),
    ("text", {"num_hidden_layers": 10**9}),
    ("text", {"text_config": {"hidden_size": []}}),
    ("image encoder", {"stages": []}),
    ("image encoder", {"stages": [{}]}),
    ("image encoder", {"stages": [3]}),
    ("image encoder", {"effnet": "efficientnet_v2_xl", "stages": None}),
    ("previewer", {"widths": []}),
    ("previewer", {"c_in": 3}),
]


@pytest.mark.parametrize("network, settings", SETTINGS, ids=lambda value: str(value)[:60])
def test_configurations(copy, refused, network, settings):
    file = copy / CONFIGS[network]
    put(file, json.dumps({**json.loads(file.read_text()), **settings}).encode())
    assert "Expected" in (line := refused()) or "do not fit the configuration" in line


SHARDS = [
    None,
    [],
    {},
    {"x": 3},
    {"x": "../x.safetensors"},
    {"x": "/etc/passwd"},
    {"x": "x.py"},
    {"x": ""},
    {"x": "absent.safetensors"},
    {"x": "a/b.safetensors"},
]


@pytest.mark.parametrize("weight_map", SHARDS, ids=str)
def test_indices(copy, refused, weight_map):
    (copy / TEXT / "model.safetensors").unlink()
    put(copy / TEXT / "model.safetensors.index.json", json.dumps({"weight_map": weight_map}).encode())
    assert "model.safetensors.index.json" in refused()


def test_tensor_in_two_shards(copy, refused):
    names = ["model-1.safetensors", "model-2.safetensors"]
    for name in names:
        shutil.copy(copy / TEXT / "model.safetensors", copy / TEXT / name)
    (copy / TEXT / "model.safetensors").unlink()
    put(copy / TEXT / "model.safetensors.index.json", json.dumps({"weight_map": dict(enumerate(names))}).encode())
    assert "Expected every tensor once" in refused()


@pytest.mark.parametrize(
    "name, key, value",
    [
        ("prior/model_index.json", "latent_mean", None),
        ("prior/model_index.json", "latent_mean", float("inf")),
        ("prior/model_index.json", "latent_std", 10**400),
        ("prior/model_index.json", "prior", ["diffusers", 3]),
        ("decoder/model_index.json", "latent_dim_scale", []),
        ("decoder/scheduler/scheduler_config.json", "s", "0.008"),
        ("decoder/scheduler/scheduler_config.json", "scaler", float("nan")),
    ],
)
def test_pipelines(copy, refused, name, key, value):
    content = {**json.loads((copy / name).read_text()), key: value}
    put(copy / name, json.dumps(content).encode())
    assert "Expected" in refused()


TOKENIZERS = {
    "empty vocabulary": {"vocab.json": b"{}"},
    "vocabulary of texts": {"vocab.json": b'{"a": "b"}'},
    "vocabulary that is a list": {"vocab.json": b"[]"},
    "vocabulary of negative ids": {"vocab.json": b'{"a": -1}'},
    "merges that are none": {"merges.txt": b"\xff\xfe\x00"},
    "settings of wrong types": {"tokenizer_config.json": b'{"model_max_length": "long", "pad_token": 3}'},
    "settings that are a list": {"tokenizer_config.json": b"[]"},
    "tokenizer of another kind": {"tokenizer.json": b'{"model": {"type": "WordLevel"}}'},
}


@pytest.mark.parametrize("damage", TOKENIZERS)
def test_tokenizers(copy, refused, damage):
    for name, content in TOKENIZERS[damage].items():
        put(copy / "prior" / "tokenizer" / name, content)
    assert "tokenizer" in refused()


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"formatVersion": 2}', b'{"formatVersion": 1}', b'{"formatVersion": 1, "constants": 3, "stages": []}'],
    ids=str,
)
def test_manifests(copy, export, tmp_path, content):
    """A damaged model directory is not extended."""
    out = tmp_path / "model"
    out.mkdir()
    (out / "wuerstchen.json").write_bytes(content)
    result = export(copy, out)
    assert result.code == 1 and result.stderr.splitlines()[-1].startswith("error: Expected")
    assert [file.name for file in out.iterdir()] == ["wuerstchen.json"]


@pytest.mark.parametrize("damage", SAFETENSORS)
def test_loras(copy, refused, tmp_path, damage):
    (tmp_path / "lora.safetensors").write_bytes(SAFETENSORS[damage])
    assert "lora.safetensors" in refused("--lora", str(tmp_path / "lora.safetensors"))
