"""The layouts in which checkpoints are published give one and the same model directory."""

import json
from pathlib import Path

import pytest
import torch
from conftest import stages_at
from safetensors.torch import load_file, save_file

from models import random_checkpoint


def tensors_of(stages: dict) -> dict:
    return {f"{name}.{key}": tensor for name, stage in stages.items() for key, tensor in stage.load()[0].state_dict().items()}


def assert_same(checkpoint: Path, stages: dict) -> None:
    actual, expected = tensors_of(stages_at(checkpoint)), tensors_of(stages)
    assert actual.keys() == expected.keys()
    # Not bit by bit: folding rounds differently where a file format aligns its tensors differently.
    assert [name for name in actual if not torch.allclose(actual[name], expected[name], rtol=1e-5, atol=1e-6)] == []


@pytest.mark.parametrize("options", [["--library", "diffusers"], ["--no-index-keys"], ["--no-text-prefix"], ["--bin"]])
def test_variants(write_checkpoint, stages, options):
    assert_same(write_checkpoint(*options), stages)


def test_missing_keys_have_the_published_values(write_checkpoint):
    from wuerstchen_export.checkpoint import Places, find_checkpoint

    directory = write_checkpoint("--no-index-keys")
    checkpoint = find_checkpoint(Places(prior=directory / "prior", decoder=directory / "decoder"))
    expected = {"latent_mean": 42.0, "latent_std": 1.0, "resolution_multiple": 42.67, "latent_dim_scale": 10.67}
    assert (checkpoint.constants, checkpoint.prior_scheduler) == (expected, {"scaler": 1.0, "s": 0.008})


def test_constants_of_the_checkpoint_reach_the_manifest(write_checkpoint, export, tmp_path):
    directory = write_checkpoint()
    for file, changes in {
        "prior/model_index.json": {"latent_mean": 41.0},
        "decoder/scheduler/scheduler_config.json": {"s": 0.01},
        "decoder/vqgan/config.json": {"scale_factor": 0.5},
    }.items():
        content = json.loads((directory / file).read_text())
        (directory / file).write_text(json.dumps({**content, **changes}))
    assert export(directory, tmp_path / "model").code == 0
    constants = json.loads((tmp_path / "model" / "wuerstchen.json").read_text())["constants"]
    assert (constants["latentMean"], constants["scaleFactor"]) == (41.0, 0.5)
    assert constants["scheduler"] == {"prior": {"scaler": 1.0, "s": 0.008}, "decoder": {"scaler": 1.0, "s": 0.01}}


def test_missing_configuration_keys_have_the_class_defaults(write_checkpoint):
    """Published files leave out what equals the class's default, e.g. kernel_size."""
    directory = write_checkpoint()
    file = directory / "decoder" / "decoder" / "config.json"
    content = json.loads(file.read_text())
    for key in ["kernel_size", "dropout", "patch_size", "effnet_embd"]:
        del content[key]
    file.write_text(json.dumps(content))
    assert stages_at(directory)["decoder"].config["kernel_size"] == 3


def test_prior_at_the_root_of_its_directory(write_checkpoint, export, tmp_path):
    directory = write_checkpoint("--prior-at-root")
    paths = ["--prior", f"{directory}/prior_at_root", "--prior-text-encoder", f"{directory}/prior"]
    result = export(directory, tmp_path / "model", *paths)
    assert result.code == 0, result.stderr
    alone = export(directory, tmp_path / "other", "--prior", f"{directory}/prior_at_root")
    assert (alone.code, "--prior-text-encoder" in alone.stderr) == (1, True)


def test_shards(write_checkpoint, stages):
    directory = write_checkpoint()
    component = directory / "prior" / "prior"
    whole = component / "diffusion_pytorch_model.safetensors"
    tensors, weight_map = load_file(whole), {}
    for i, part in enumerate([sorted(tensors)[:10], sorted(tensors)[10:]]):
        name = f"diffusion_pytorch_model-0000{i + 1}-of-00002.safetensors"
        save_file({key: tensors[key] for key in part}, component / name)
        weight_map.update(dict.fromkeys(part, name))
    whole.unlink()
    index = component / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    assert_same(directory, stages)


def test_image_encoder_of_the_original_release(tmp_path):
    """model_v2_stage_b.pt: {"state_dict": Stage B, "effnet_state_dict": the encoder}, without a configuration."""
    from wuerstchen_export.stages import image_encoder_stage

    random_checkpoint.main(["--config", "published", "--stages", "image_encoder", "--out", str(tmp_path)])
    directory = tmp_path / "image_encoder"
    tensors = load_file(directory / "diffusion_pytorch_model.safetensors")
    torch.save({"state_dict": {}, "effnet_state_dict": tensors}, tmp_path / "model_v2_stage_b.pt")
    pixels = torch.randn((1, 3, 64, 96), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        outputs = [image_encoder_stage(path).load()[0](pixels) for path in (directory, tmp_path / "model_v2_stage_b.pt")]
    assert outputs[0].shape == (1, 16, 2, 3)
    assert torch.equal(*outputs)


def test_tokenizer_json_alone(write_checkpoint, stages, tmp_path):
    """Newer releases ship tokenizer.json without vocab.json and merges.txt."""
    from transformers import CLIPTokenizer

    from wuerstchen_export.tokenizer import read_tokenizer

    slow = write_checkpoint() / "prior" / "tokenizer"
    CLIPTokenizer.from_pretrained(slow).save_pretrained(tmp_path / "fast")
    for name in ["vocab.json", "merges.txt"]:
        (tmp_path / "fast" / name).unlink(missing_ok=True)
    assert (tmp_path / "fast" / "tokenizer.json").is_file()
    size = stages["priorTextEncoder"].config["vocab_size"]
    assert read_tokenizer(tmp_path / "fast", 77, size) == read_tokenizer(slow, 77, size)


def test_seed_and_configuration_decide_the_random_checkpoint(tmp_path):
    for name, seed in [("one", "20"), ("two", "20"), ("other", "21")]:
        random_checkpoint.main(["--config", "small", "--stages", "prior", "--seed", seed, "--out", str(tmp_path / name)])
    files = [tmp_path / name / "prior" / "prior" / "diffusion_pytorch_model.safetensors" for name in ["one", "two", "other"]]
    one, two, other = [file.read_bytes() for file in files]
    assert one == two and one != other


def test_no_tensor_of_a_random_checkpoint_is_zero(checkpoint):
    for file in checkpoint.rglob("*.safetensors"):
        assert [name for name, tensor in load_file(file).items() if not tensor.any()] == []


def test_published_sizes():
    """Keys and parameters of the published checkpoints, counted from their files."""
    published = random_checkpoint.CONFIGS["published"]
    counts = {name: random_checkpoint.shapes_of(name, config) for name, config in published.items()}
    parameters = {name: sum(shape.numel() for shape in shapes.values()) for name, shapes in counts.items()}
    assert (len(counts["prior"]), parameters["prior"]) == (648, 993_636_896)
    assert (len(counts["decoder"]), parameters["decoder"]) == (990, 1_055_365_280)
    # Stage A's 18,406,894 parameters, and its BatchNorm's mean, variance and counter of 4 + 4 + 1.
    assert (len(counts["vqgan"]), parameters["vqgan"]) == (122, 18_406_894 + 9)
    assert parameters["prior_text_encoder"] == 693_021_440
    assert parameters["decoder_text_encoder"] == 352_984_064
