"""The layouts in which checkpoints are published give one and the same model directory."""

import json
import shutil
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
    whole = directory / "prior" / "prior" / "diffusion_pytorch_model.safetensors"
    split(whole, "diffusion_pytorch_model-0000{}-of-00002.safetensors", "{}.safetensors.index.json")
    assert_same(directory, stages)


def safetensors_to(file: Path, target: Path, change=lambda tensors: tensors) -> None:
    """A component's only file becomes `target`, as .safetensors or as .bin, with its tensors changed."""
    tensors = change(load_file(file))
    file.unlink()
    save_file(tensors, target) if target.suffix == ".safetensors" else torch.save(tensors, target)


NETWORKS = {
    "prior/prior": "diffusion_pytorch_model",
    "prior/text_encoder": "model",
    "decoder/decoder": "diffusion_pytorch_model",
    "decoder/text_encoder": "model",
    "decoder/vqgan": "diffusion_pytorch_model",
    "image_encoder": "diffusion_pytorch_model",
    "previewer": "diffusion_pytorch_model",
}


@pytest.mark.parametrize("name", ["{}.fp16.safetensors", "{}.bf16.safetensors", "{}.non_ema.safetensors", "{}.fp16.bin"])
def test_the_only_variant_is_taken(write_checkpoint, stages, name):
    directory = write_checkpoint()
    for component, stem in NETWORKS.items():
        if name.endswith(".bin") and component.endswith("text_encoder"):
            stem_there, stem = stem, "pytorch_model"
        else:
            stem_there = stem
        safetensors_to(directory / component / f"{stem_there}.safetensors", directory / component / name.format(stem))
    assert_same(directory, stages)


def variant_beside(directory: Path, variant: str) -> Path:
    """A variant of the prior whose weights are twice those of the other file."""
    component = directory / "prior" / "prior"
    tensors = load_file(component / "diffusion_pytorch_model.safetensors")
    file = component / f"diffusion_pytorch_model.{variant}.safetensors"
    save_file({key: 2 * tensor for key, tensor in tensors.items()}, file)
    return file


def test_variant_by_name(write_checkpoint, export, tmp_path):
    """Components that lack it are read as they are; the lines of the export name the files."""
    directory = write_checkpoint()
    file = variant_beside(directory, "fp16")
    for options, name in [([], "diffusion_pytorch_model.safetensors"), (["--variant", "fp16"], file.name)]:
        result = export(directory, tmp_path / f"model{len(options)}", *options)
        assert result.code == 0, result.stderr
        read = {line.split(":")[0]: line for line in result.stderr.splitlines() if ": reading " in line}
        assert read["prior"].endswith(f" MB, {name}") and read["priorTextEncoder"].endswith(" MB, model.safetensors")
    manifests = [json.loads((tmp_path / name / "wuerstchen.json").read_text()) for name in ("model0", "model2")]
    one, two = [manifest["stages"]["prior"]["fingerprint"] for manifest in manifests]
    assert one != two
    missing = export(directory, tmp_path / "other", "--variant", "bf16")
    assert (missing.code, "Expected weights of the variant bf16" in missing.stderr) == (1, True)


def test_several_variants_are_a_question(write_checkpoint, export, tmp_path):
    directory = write_checkpoint()
    for variant in ["fp16", "bf16"]:
        variant_beside(directory, variant)
    (directory / "prior" / "prior" / "diffusion_pytorch_model.safetensors").unlink()
    result = export(directory, tmp_path / "model")
    assert result.code == 1 and "but found bf16, fp16: choose one with --variant" in result.stderr


@pytest.mark.parametrize("index", ["{}.fp16.safetensors.index.json", "{}.safetensors.index.fp16.json"])
def test_shards_of_a_variant(write_checkpoint, stages, index):
    directory = write_checkpoint()
    component = directory / "prior" / "prior"
    split(component / "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16-0000{}-of-00002.safetensors", index)
    assert_same(directory, stages)


def split(whole: Path, names: str, index: str) -> None:
    tensors, weight_map = load_file(whole), {}
    for i, part in enumerate([sorted(tensors)[:10], sorted(tensors)[10:]]):
        save_file({key: tensors[key] for key in part}, whole.parent / names.format(i + 1))
        weight_map.update(dict.fromkeys(part, names.format(i + 1)))
    whole.unlink()
    name = index.format("diffusion_pytorch_model")
    (whole.parent / name).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


WRAPPERS = {
    "torch.compile": lambda tensors: {f"_orig_mod.{key}": tensor for key, tensor in tensors.items()},
    "DistributedDataParallel": lambda tensors: {f"module.{key}": tensor for key, tensor in tensors.items()},
    "both": lambda tensors: {f"module._orig_mod.{key}": tensor for key, tensor in tensors.items()},
    "compiled blocks": lambda tensors: {key.replace("blocks.0.", "blocks.0._orig_mod."): t for key, t in tensors.items()},
    "state_dict": lambda tensors: {"state_dict": tensors, "epoch": 3, "optimizer": {"state": [torch.ones(1)]}},
    "ema_state_dict": lambda tensors: {"ema_state_dict": tensors, "state_dict": {key: 2 * t for key, t in tensors.items()}},
    "parameters": lambda tensors: {key: torch.nn.Parameter(t) if t.is_floating_point() else t for key, t in tensors.items()},
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrapped_tensors(write_checkpoint, stages, wrapper):
    directory = write_checkpoint()
    for component in ["prior/prior", "decoder/decoder", "decoder/vqgan"]:
        file = directory / component / "diffusion_pytorch_model.safetensors"
        safetensors_to(file, file.with_suffix(".bin"), WRAPPERS[wrapper])
    assert_same(directory, stages)


def original(tensors: dict) -> dict:
    """A network's tensors as the authors' files name them: the reverse of diffusers' scripts/convert_wuerstchen.py."""
    result = {}
    for key, tensor in tensors.items():
        if ".to_q." in key:
            block, kind = key.split(".to_q.")
            thirds = [tensors[f"{block}.{part}.{kind}"] for part in ("to_q", "to_k", "to_v")]
            result[f"{block}.attn.in_proj_{kind}"] = torch.cat(thirds)
        elif ".to_out.0." in key:
            result[key.replace(".to_out.0.", ".attn.out_proj.")] = tensor
        elif ".to_k." not in key and ".to_v." not in key:
            result[key.replace("vquantizer.embedding", "vquantizer.codebook")] = tensor
    return result


def test_original_release(write_checkpoint, export, tmp_path):
    """The authors' three .pt files, with the text encoders of laion's repositories: the same programs as of diffusers' layout,
    bit for bit. The small networks' configurations lie beside the files; the published ones need none.

    diffusers' files are .bin here, because folding rounds differently where a file format aligns its tensors differently."""
    directory, out, model = write_checkpoint(), tmp_path / "model", tmp_path / "published"
    assert export(write_checkpoint("--bin"), model).code == 0
    load = {
        name: original(load_file(directory / name / "diffusion_pytorch_model.safetensors"))
        for name in ["prior/prior", "decoder/decoder", "decoder/vqgan", "image_encoder"]
    }
    other = {key: torch.zeros_like(tensor) for key, tensor in load["prior/prior"].items()}
    rest = {"optimizer_state_dict": {"state": {}}, "iter": 7, "wandb_run_id": "x"}
    files = {
        "c/model_v3_stage_c.pt": ({"state_dict": other, "ema_state_dict": load["prior/prior"], **rest}, "prior/prior"),
        "b/model_v2_stage_b.pt": (
            {"state_dict": load["decoder/decoder"], "effnet_state_dict": load["image_encoder"], **rest},
            "decoder/decoder",
        ),
        "a/vqgan_f4_v1_500k.pt": ({"state_dict": load["decoder/vqgan"]}, "decoder/vqgan"),
    }
    for name, (content, component) in files.items():
        (tmp_path / name).parent.mkdir()
        torch.save(content, tmp_path / name)
        shutil.copy(directory / component / "config.json", (tmp_path / name).parent)
    assert not any(".to_q." in key or "embedding" in key for key in load["decoder/decoder"] if "embedding.1" not in key)
    for name in ["prior", "decoder"]:
        write_clip_repository(directory / name, tmp_path / f"{name}-clip")
    options = ["--prior", "c/model_v3_stage_c.pt", "--decoder", "b/model_v2_stage_b.pt", "--vqgan", "a/vqgan_f4_v1_500k.pt"]
    options = [option if option.startswith("--") else f"{tmp_path}/{option}" for option in options]
    texts = ["--prior-text-encoder", f"{tmp_path}/prior-clip", "--decoder-text-encoder", f"{tmp_path}/decoder-clip"]
    result = export(directory, out, *options, *texts)
    assert result.code == 0, result.stderr

    manifests = [json.loads((path / "wuerstchen.json").read_text())["stages"] for path in (out, model)]
    for name, stage in manifests[0].items():
        published = manifests[1][name]
        assert stage["fingerprint"] == published["fingerprint"], name
        names = [each["artefacts"][0]["file"] for each in (stage, published)]
        programs = [torch.jit.load(path / file) for path, file in zip((out, model), names, strict=True)]
        states = [program.state_dict() for program in programs]
        assert states[0].keys() == states[1].keys()
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0]), name


def write_clip_repository(pipeline: Path, out: Path) -> None:
    """As laion's: a whole CLIP model with its tokenizer, the text encoder's configuration in `text_config`."""
    shutil.copytree(pipeline / "tokenizer", out)
    config = json.loads((pipeline / "text_encoder" / "config.json").read_text())
    whole = {"model_type": "clip", "text_config": config, "vision_config": {"hidden_size": 8}, "projection_dim": 4}
    (out / "config.json").write_text(json.dumps(whole))
    vision = {"vision_model.embeddings.class_embedding": torch.ones(8), "visual_projection.weight": torch.ones(4, 8)}
    rest = {"logit_scale": torch.tensor(1.0), "text_projection.weight": torch.ones(4, 40)}
    tensors = load_file(pipeline / "text_encoder" / "model.safetensors") | vision | rest
    torch.save(tensors, out / "pytorch_model.bin")


def test_published_configurations_of_lone_files(tmp_path):
    """A file without config.json beside it has the published networks' configuration."""
    from wuerstchen_export import decoder, prior, stage_a
    from wuerstchen_export.checkpoint import component_of

    file = tmp_path / "model.pt"
    file.touch()
    published = random_checkpoint.CONFIGS["published"]
    for name, defaults, changes in [
        ("prior", prior.DEFAULTS, prior.PUBLISHED),
        ("decoder", decoder.DEFAULTS, {}),
        ("vqgan", stage_a.DEFAULTS, {}),
    ]:
        assert component_of(file, defaults, changes, None) == (published[name], (file,))


def test_another_stage_a(write_checkpoint, export, tmp_path):
    """`--vqgan`: a directory or a file, as madebyollin/stage-a-ft-hq has both; the file's codebook tells ComfyUI what it is."""
    directory = write_checkpoint()
    vqgan = directory / "decoder" / "vqgan"
    other = write_checkpoint("--seed", "21") / "decoder" / "vqgan"
    tensors = load_file(other / "diffusion_pytorch_model.safetensors")
    save_file(original(tensors), other / "stage_a_ft_hq.safetensors")
    fingerprints = []
    for i, path in enumerate([vqgan, other, other / "stage_a_ft_hq.safetensors"]):
        result = export(directory, tmp_path / str(i), "--vqgan", str(path))
        assert result.code == 0, result.stderr
        stages = json.loads((tmp_path / str(i) / "wuerstchen.json").read_text())["stages"]
        fingerprints.append([stages[name]["fingerprint"] for name in ("vqDecoder", "vqEncoder", "decoder")])
    published, first, second = fingerprints
    assert first == second and first[2] == published[2]
    assert first[0] != published[0] and first[1] != published[1]


def test_lone_files_need_the_rest(write_checkpoint, export, tmp_path):
    directory = write_checkpoint()
    file = directory / "decoder" / "decoder" / "diffusion_pytorch_model.safetensors"
    for options, message in [
        (["--decoder", str(file)], "name the pipeline directory that has it with --decoder-text-encoder"),
        (["--prior", str(file)], "name the pipeline directory that has it with --prior-text-encoder"),
        (
            ["--decoder", str(file), "--decoder-text-encoder", f"{directory}/prior"],
            "but it has none: name its directory or file with --vqgan",
        ),
    ]:
        result = export(directory, tmp_path / "model", *options)
        assert (result.code, message in result.stderr) == (1, True), result.stderr
    whole = ["--decoder", str(file), "--decoder-text-encoder", f"{directory}/decoder"]
    result = export(directory, tmp_path / "model", *whole)
    assert result.code == 0, result.stderr


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
