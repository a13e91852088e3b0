"""Bad input ends with exit code 1 and a message that names it; nothing is left behind."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

PRIOR = "prior/prior/diffusion_pytorch_model.safetensors"


def change_tensors(file, change) -> None:
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)


def without_tensor(directory):
    change_tensors(directory / PRIOR, lambda tensors: tensors.pop("blocks.0.depthwise.weight"))


def with_surplus_tensor(directory):
    change_tensors(directory / PRIOR, lambda tensors: tensors.update(surplus=torch.ones(1)))


def misshapen(directory):
    change_tensors(directory / PRIOR, lambda tensors: tensors.update({"projection.bias": torch.ones(7)}))


def of_whole_numbers(directory):
    change_tensors(directory / PRIOR, lambda tensors: tensors.update({"projection.bias": torch.ones(48, dtype=torch.int64)}))


def not_finite(directory):
    change_tensors(directory / PRIOR, lambda tensors: tensors["projection.bias"].fill_(float("nan")))


def cut_short(directory):
    file = directory / PRIOR
    file.write_bytes(file.read_bytes()[:-1000])


def not_safetensors(directory):
    (directory / PRIOR).write_bytes(b"not a checkpoint")


def without_weights(directory):
    (directory / PRIOR).unlink()


def without_component(directory):
    shutil.rmtree(directory / "decoder" / "vqgan")


def without_pipeline(directory):
    shutil.rmtree(directory / "decoder")


def without_configuration(directory):
    (directory / "prior/prior/config.json").unlink()


def broken_configuration(directory):
    (directory / "prior/prior/config.json").write_text("{")


def configuration_of_wrong_type(directory):
    edit_json(directory / "prior/prior/config.json", depth="two")


def other_class(directory):
    edit_json(directory / "prior/model_index.json", prior=["diffusers", "StableCascadeUNet"])


def constant_of_wrong_type(directory):
    edit_json(directory / "prior/model_index.json", latent_mean="42")


def text_encoder_of_other_width(directory):
    shutil.rmtree(directory / "prior" / "text_encoder")
    shutil.copytree(directory / "decoder" / "text_encoder", directory / "prior" / "text_encoder")


def without_tokenizer(directory):
    shutil.rmtree(directory / "prior" / "tokenizer")
    (directory / "prior" / "tokenizer").mkdir()


def tokenizer_of_larger_vocabulary(directory):
    file = directory / "prior/tokenizer/vocab.json"
    vocabulary = json.loads(file.read_text())
    file.write_text(json.dumps({**vocabulary, "newtoken": 5000}))


def edit_json(file, **changes) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize(
    "damage, message",
    [
        (without_tensor, "missing blocks.0.depthwise.weight [48, 1, 3, 3]"),
        (with_surplus_tensor, "unexpected surplus [1]"),
        (misshapen, "projection.bias has shape [7], the configuration asks for [48]"),
        (of_whole_numbers, "projection.bias has type torch.int64"),
        (not_finite, "Expected finite numbers"),
        (cut_short, "cannot be read"),
        (not_safetensors, "Expected a safetensors file"),
        (without_weights, "Expected weights"),
        (without_component, "Expected a directory vqgan"),
        (without_pipeline, "Expected a directory or a file of weights but"),
        (without_configuration, "config.json cannot be read"),
        (broken_configuration, "config.json cannot be read"),
        (configuration_of_wrong_type, "Expected int for depth"),
        (other_class, "Expected WuerstchenPrior for prior"),
        (constant_of_wrong_type, "Expected a number for latent_mean but received '42' of type str"),
        (text_encoder_of_other_width, "Expected hidden_size 40 (prior's c_cond) for priorTextEncoder but received 32"),
        (without_tokenizer, "Expected tokenizer.json, or vocab.json and merges.txt"),
        (tokenizer_of_larger_vocabulary, "Expected token ids below 943"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_damaged_checkpoint(write_checkpoint, export, tmp_path, damage, message):
    directory = write_checkpoint()
    damage(directory)
    out = tmp_path / "model"
    result = export(directory, out)
    assert (result.code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1].startswith(("error: ", "  "))
    assert message in result.stderr
    assert not out.exists() or list(out.iterdir()) == []


def test_pickle_that_is_a_program_is_not_run(write_checkpoint, export, tmp_path):
    directory = write_checkpoint("--bin")
    mark = tmp_path / "was-run"

    class Program:
        def __reduce__(self):
            return mark.touch, ()

    torch.save({"projection.bias": Program()}, directory / "prior/prior/diffusion_pytorch_model.bin")
    result = export(directory, tmp_path / "model")
    assert (result.code, mark.exists()) == (1, False)
    assert "Expected a file of tensors" in result.stderr


def test_another_checkpoint_into_the_same_model_directory(write_checkpoint, export, model, tmp_path):
    """Same configuration, other weights."""
    out = tmp_path / "model"
    shutil.copytree(model, out)
    directory = write_checkpoint("--seed", "21")
    before = (out / "wuerstchen.json").read_bytes()
    result = export(directory, out, "--dtype", "bfloat16")
    assert result.code == 1
    assert "holds another model" in result.stderr and "fingerprint" in result.stderr
    assert (out / "wuerstchen.json").read_bytes() == before
    assert {file.name for file in out.iterdir()} == {file.name for file in model.iterdir()}


@pytest.mark.parametrize(
    "options, message",
    [
        pytest.param(
            ["--device", "cuda"], "Expected a GPU", marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
        ),
        (["--image-encoder", "absent"], "absent is neither"),
        (["--variant", "fp16"], "Expected weights of the variant fp16"),
    ],
)
def test_options_that_cannot_be_met(checkpoint, export, tmp_path, options, message):
    result = export(checkpoint, tmp_path / "model", *options)
    assert (result.code, message in result.stderr) == (1, True)


@pytest.mark.parametrize(
    "options",
    [
        ["--dtype", "float64"],
        ["--default-size", "10000x1"],
        ["--default-size", "big"],
        ["--unknown", "1"],
    ],
)
def test_wrong_usage(checkpoint, export, tmp_path, options):
    with pytest.raises(SystemExit) as exit:
        export(checkpoint, tmp_path / "model", *options)
    assert exit.value.code == 2
