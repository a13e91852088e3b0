"""LoRAs that peft made and diffusers saved change the same weights by the same values here as there."""

import copy
import json
import os
from types import SimpleNamespace

import pytest
import torch
from test_lora import with_lora

if not os.environ.get("CI"):
    pytest.importorskip("peft", reason="peft is not installed: scripts/requirements-test.txt names it")

from diffusers.pipelines.deprecated.wuerstchen import WuerstchenPrior, WuerstchenPriorPipeline
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors import safe_open
from transformers import CLIPTextModel

from wuerstchen_export.lora import read_lora
from wuerstchen_export.torchscript import relative_error

TOLERANCE = 1e-5  # absolute; weights are of the order of 1, and the products differ by float32 rounding
ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
PRIOR = {
    "alpha is not the rank": {"r": 4, "lora_alpha": 16, "target_modules": ATTENTION},
    "alpha is not the rank, rsLoRA": {"r": 4, "lora_alpha": 6, "target_modules": ATTENTION, "use_rslora": True},
    "patterns": {
        "r": 4,
        "lora_alpha": 16,
        "target_modules": [*ATTENTION, "channelwise.0", "cond_mapper.2"],
        "rank_pattern": {"blocks.2.attention.to_q": 6, "^cond_mapper.2": 3},
        "alpha_pattern": {"to_k": 2, r"blocks\.[05]\.channelwise\.0": 5, "attention.to_k": 9},
    },
    "patterns, rsLoRA, some layers": {
        "r": 2,
        "lora_alpha": 3,
        "target_modules": ATTENTION,
        "layers_to_transform": [5],
        "layers_pattern": "blocks",
        "rank_pattern": {"to_v": 5},
        "alpha_pattern": {"to_v": 4},
        "use_rslora": True,
    },
    "convolutions": {"r": 3, "lora_alpha": 1, "target_modules": ["projection", "out.1", "mapper", "kv_mapper.1"]},
}
TEXT = {"r": 5, "lora_alpha": 7, "target_modules": ["q_proj", "out_proj", "fc1"], "rank_pattern": {"fc1": 2}}


def random_adapter(model, seed: int) -> None:
    """Both halves random: peft begins with an `up` of zeros."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))


def networks(checkpoint):
    prior = WuerstchenPrior.from_pretrained(checkpoint / "prior" / "prior", low_cpu_mem_usage=False).eval()
    return prior, CLIPTextModel.from_pretrained(checkpoint / "prior" / "text_encoder").eval()


def assert_merged(actual: torch.nn.Module, expected: dict, before: dict, changed: int) -> None:
    """Equal in every weight, and as many are changed as the adapter has modules."""
    state = actual.state_dict()
    expected, before = [
        {key.removeprefix("text_model.").removeprefix("embeddings."): tensor for key, tensor in tensors.items()}
        for tensors in (expected, before)
    ]
    different = [key for key in state if (state[key] - expected[key]).abs().max() > TOLERANCE]
    assert different == []
    assert sum((state[key] - before[key]).abs().max() > 0.01 for key in state) == changed


@pytest.fixture
def reference_pipeline(checkpoint, reference):
    """diffusers' pipeline of the prior, with networks of its own to be changed."""
    prior, text_encoder = networks(checkpoint)
    pipeline = WuerstchenPriorPipeline(
        prior=prior,
        text_encoder=text_encoder,
        tokenizer=reference.prior.tokenizer,
        scheduler=copy.deepcopy(reference.prior.scheduler),
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_pipeline_lora(checkpoint, directory, prior_settings: dict, text_settings: dict | None):
    """As diffusers' training scripts save one. Returns the file and how many modules each network's adapter has."""
    prior, text_encoder = networks(checkpoint)
    saved, counts = {}, []
    for name, network, settings in [("unet", prior, prior_settings), ("text_encoder", text_encoder, text_settings)]:
        if settings is None:
            continue
        config = LoraConfig(**settings)
        network.add_adapter(config)
        random_adapter(network, len(saved))
        layers = get_peft_model_state_dict(network)
        counts.append(len(layers) // 2)
        saved[f"{name}_lora_layers"] = layers
        settings = {key: sorted(value) if isinstance(value, set) else value for key, value in config.to_dict().items()}
        saved[f"{name}_lora_adapter_metadata"] = settings
    WuerstchenPriorPipeline.save_lora_weights(directory, **saved)
    return directory / "pytorch_lora_weights.safetensors", counts


@pytest.mark.parametrize("settings", PRIOR)
def test_saved_by_a_pipeline(checkpoint, reference_pipeline, tmp_path, settings):
    """Alpha stands in the header alone: fuse_lora of what load_lora_weights makes of the file."""
    file, (count,) = save_pipeline_lora(checkpoint, tmp_path, PRIOR[settings], None)
    with safe_open(file, "pt") as opened:
        assert "lora_adapter_metadata" in opened.metadata()
    before = {key: tensor.clone() for key, tensor in reference_pipeline.prior.state_dict().items()}
    reference_pipeline.load_lora_weights(tmp_path, weight_name=file.name)
    reference_pipeline.fuse_lora(components=["prior"], lora_scale=0.7)
    reference_pipeline.unload_lora_weights()
    modules = with_lora(checkpoint, read_lora(file, 0.7))
    assert_merged(modules["prior"], reference_pipeline.prior.state_dict(), before, count)


def test_text_encoder_beside_the_prior(checkpoint, reference_pipeline, tmp_path):
    """Each network by its own settings."""
    file, counts = save_pipeline_lora(checkpoint, tmp_path, PRIOR["patterns"], TEXT)
    networks = {"prior": reference_pipeline.prior, "priorTextEncoder": reference_pipeline.text_encoder}
    before = {name: {key: t.clone() for key, t in network.state_dict().items()} for name, network in networks.items()}
    reference_pipeline.load_lora_weights(tmp_path, weight_name=file.name)
    reference_pipeline.fuse_lora(components=["prior", "text_encoder"])
    reference_pipeline.unload_lora_weights()
    modules = with_lora(checkpoint, read_lora(file, 1.0))
    for (name, network), count in zip(networks.items(), counts, strict=True):
        assert_merged(modules[name], network.state_dict(), before[name], count)


@pytest.mark.parametrize("settings", PRIOR)
def test_saved_by_peft(checkpoint, tmp_path, settings):
    """Alpha stands in adapter_config.json: merge_and_unload of what peft itself loads. A file's patterns are sorted, so that
    the first that fits may be another than in the model that was saved."""
    prior, other = networks(checkpoint)[0], networks(checkpoint)[0]
    before = {key: tensor.clone() for key, tensor in other.state_dict().items()}
    model = get_peft_model(prior, LoraConfig(**PRIOR[settings]))
    random_adapter(model, 3)
    count = len(get_peft_model_state_dict(model)) // 2
    model.save_pretrained(tmp_path)
    modules = with_lora(checkpoint, read_lora(tmp_path / "adapter_model.safetensors", 1.0))
    expected = PeftModel.from_pretrained(other, tmp_path).merge_and_unload().state_dict()
    assert_merged(modules["prior"], expected, before, count)


def test_text_encoder_saved_by_peft(checkpoint, tmp_path):
    _, text_encoder = networks(checkpoint)
    before = {key: tensor.clone() for key, tensor in text_encoder.state_dict().items()}
    model = get_peft_model(text_encoder, LoraConfig(**TEXT, alpha_pattern={"layers.1.self_attn.q_proj": 2}))
    random_adapter(model, 4)
    count = len(get_peft_model_state_dict(model)) // 2
    model.save_pretrained(tmp_path)
    modules = with_lora(checkpoint, read_lora(tmp_path / "adapter_model.safetensors", 1.0))
    assert_merged(modules["priorTextEncoder"], model.merge_and_unload().state_dict(), before, count)


def test_saved_by_a_network(checkpoint, tmp_path):
    """`save_lora_adapter` writes keys and settings without a component."""
    prior, _ = networks(checkpoint)
    prior.add_adapter(LoraConfig(**PRIOR["patterns"]))
    random_adapter(prior, 5)
    count = len(get_peft_model_state_dict(prior)) // 2
    prior.save_lora_adapter(tmp_path)
    other, _ = networks(checkpoint)
    before = {key: tensor.clone() for key, tensor in other.state_dict().items()}
    other.load_lora_adapter(tmp_path, prefix=None, use_safetensors=True)
    other.fuse_lora()
    other.unload_lora()
    modules = with_lora(checkpoint, read_lora(tmp_path / "pytorch_lora_weights.safetensors", 1.0))
    assert_merged(modules["prior"], other.state_dict(), before, count)


@pytest.mark.parametrize("settings", [{"use_dora": True}, {"bias": "lora_only"}, {"init_lora_weights": "pissa"}], ids=str)
def test_what_peft_computes_otherwise_is_refused(checkpoint, tmp_path, settings):
    from wuerstchen_export.errors import ExportError

    prior, _ = networks(checkpoint)
    model = get_peft_model(prior, LoraConfig(r=4, target_modules=ATTENTION, **settings))
    model.save_pretrained(tmp_path)
    with pytest.raises(ExportError, match="^Expected .*(DoRA|bias|pissa)"):
        read_lora(tmp_path / "adapter_model.safetensors", 1.0)


def test_exported_programs_make_the_reference_embeddings(checkpoint, reference_pipeline, export, tmp_path):
    """Stage C's whole loop, diffusers' own, over the exported programs and over diffusers' networks with the LoRA fused."""
    file, _ = save_pipeline_lora(checkpoint, tmp_path, PRIOR["alpha is not the rank"], TEXT)
    out = tmp_path / "model"
    result = export(checkpoint, out, "--lora", str(file), "--lora-scale", "0.5")
    assert result.code == 0, result.stderr

    def run() -> torch.Tensor:
        options = {"height": 128, "width": 256, "guidance_scale": 4.0, "num_inference_steps": 8}
        generator = torch.Generator().manual_seed(1)
        return reference_pipeline("a red heart", timesteps=None, generator=generator, **options).image_embeddings

    plain = run()
    reference_pipeline.load_lora_weights(tmp_path, weight_name=file.name)
    reference_pipeline.fuse_lora(components=["prior", "text_encoder"], lora_scale=0.5)
    reference_pipeline.unload_lora_weights()
    expected = run()

    stages = json.loads((out / "wuerstchen.json").read_text())["stages"]
    text, prior = [torch.jit.load(out / stages[name]["artefacts"][0]["file"]) for name in ("priorTextEncoder", "prior")]
    reference_pipeline.text_encoder.forward = lambda ids, attention_mask: SimpleNamespace(
        last_hidden_state=text.forward(ids, attention_mask)
    )
    reference_pipeline.prior.forward = lambda x, r, c: prior.step(x, r, prior.condition(c))
    with torch.no_grad():
        actual = run()
    assert relative_error(actual, expected) < 1e-4  # eight steps of float32 rounding; the project's bound for latents
    assert relative_error(plain, expected) > 1e-2
