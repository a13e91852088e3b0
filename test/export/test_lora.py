"""LoRAs are merged into the prior as their definition says, whatever their keys look like; what does not fit is listed."""

import json

import pytest
import torch
from conftest import stages_at
from safetensors.torch import save_file
from test_schema import errors
from torch.nn.functional import conv2d

from wuerstchen_export.errors import ExportError
from wuerstchen_export.lora import Lora, fit_loras, merge_lora, read_lora
from wuerstchen_export.lora_formula import of_peft
from wuerstchen_export.prior import Prior
from wuerstchen_export.text_encoder import TextEncoder
from wuerstchen_export.torchscript import relative_error

TOLERANCE = 1e-5  # absolute; the weights are of the order of 1 to 10, and the two products differ by float32 rounding
RANK = 3
LINEAR, CONV = "blocks.2.attention.to_q", "projection"
FORMS = {
    "peft": ("{}.lora_A.weight", "{}.lora_B.weight"),
    "peft with prefix": ("base_model.model.{}.lora_A.weight", "base_model.model.{}.lora_B.weight"),
    "peft with both prefixes": (
        "base_model.model.prior.{}.lora_A.default.weight",
        "base_model.model.prior.{}.lora_B.default.weight",
    ),
    "diffusers": ("prior.{}.lora_A.weight", "prior.{}.lora_B.weight"),
    "old diffusers": ("{}.lora.down.weight", "{}.lora.up.weight"),
    "kohya": ("lora_prior_unet_{_}.lora_down.weight", "lora_prior_unet_{_}.lora_up.weight"),
    "early OneTrainer": ("lora_prior_prior_{_}.lora_down.weight", "lora_prior_prior_{_}.lora_up.weight"),
    "kohya, unet": ("lora_unet_{_}.lora_down.weight", "lora_unet_{_}.lora_up.weight"),
    "kohya, prior": ("lora_prior_{_}.lora_down.weight", "lora_prior_{_}.lora_up.weight"),
}


def normal(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def named(form: str, module: str) -> str:
    return form.replace("{_}", module.replace(".", "_")).replace("{}", module)


def halves(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Random down and up of a weight."""
    return normal(RANK, *weight.shape[1:], seed=1), normal(weight.shape[0], RANK, *[1] * (weight.ndim - 2), seed=2)


def base(checkpoint) -> Prior:
    return stages_at(checkpoint)["prior"].read()[0].requires_grad_(False)


def text_base(checkpoint) -> TextEncoder:
    return stages_at(checkpoint)["priorTextEncoder"].read()[0].requires_grad_(False)


def merged(checkpoint, tmp_path, tensors: dict, scale: float = 1.0, header: dict | None = None) -> Prior:
    save_file(tensors, tmp_path / "lora.safetensors", metadata=header)
    return with_lora(checkpoint, read_lora(tmp_path / "lora.safetensors", scale))["prior"]


def with_lora(checkpoint, lora: Lora) -> dict:
    modules = {"prior": base(checkpoint), "priorTextEncoder": text_base(checkpoint)}
    for stage, fitted in fit_loras((lora,), modules).items():
        for one in fitted:
            merge_lora(modules[stage], one)
    return modules


def check(module: Prior, before: Prior, expected: dict[str, torch.Tensor]) -> None:
    """`expected` is what each module's weight changed by; everything else is as before, bit for bit."""
    for name, weight in module.state_dict().items():
        change = expected.get(name.removesuffix(".weight")) if name.endswith(".weight") else None
        if change is None:
            assert torch.equal(weight, before.state_dict()[name]), name
        else:
            assert change.abs().max() > 0.1
            assert (weight - (before.state_dict()[name] + change)).abs().max() < TOLERANCE, name


def product(down: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """The definition, element by element: convolving with `down`, then with the 1x1 `up`."""
    up = up.reshape(up.shape[:2])
    return torch.stack([sum(up[o, r] * down[r] for r in range(RANK)) for o in range(len(up))])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("module", [LINEAR, CONV, "blocks.0.channelwise.4", "blocks.0.depthwise", "cond_mapper.0", "out.1"])
def test_key_forms(checkpoint, tmp_path, form, module):
    before = base(checkpoint)
    down, up = halves(before.get_submodule(module).weight)
    keys = [named(key, module) for key in FORMS[form]]
    check(merged(checkpoint, tmp_path, dict(zip(keys, (down, up), strict=True))), before, {module: product(down, up)})


TEXT_LINEAR = "encoder.layers.0.self_attn.q_proj"
TEXT_FORMS = {
    "diffusers": "text_encoder.text_model.{}.lora_A.weight",
    "diffusers, transformers 5": "text_encoder.{}.lora_A.weight",
    "combined pipeline": "prior_text_encoder.text_model.{}.lora_A.weight",
    "peft": "base_model.model.text_model.{}.lora_A.weight",
    "peft, transformers 5": "base_model.model.{}.lora_A.weight",
    "old diffusers": "text_encoder.text_model.{}.lora_linear_layer.down.weight",
    "oldest diffusers": "text_encoder.text_model.encoder.layers.0.self_attn.to_q_lora.down.weight",
    "OneTrainer": "lora_prior_te_text_model_{_}.lora_down.weight",
    "OneTrainer, transformers 5": "lora_prior_te_{_}.lora_down.weight",
    "kohya": "lora_te_text_model_{_}.lora_down.weight",
}


@pytest.mark.parametrize("form", TEXT_FORMS)
def test_text_encoder_forms(checkpoint, tmp_path, form):
    before = text_base(checkpoint)
    down, up = halves(before.get_submodule(TEXT_LINEAR).weight)
    key = named(TEXT_FORMS[form], TEXT_LINEAR)
    tensors = {key: down, key.replace("lora_A", "lora_B").replace("down", "up"): up}
    tensors["text_encoder.text_model.embeddings.position_ids"] = torch.arange(77)  # of old transformers, no part of a LoRA
    save_file(tensors, tmp_path / "lora.safetensors")
    modules = with_lora(checkpoint, read_lora(tmp_path / "lora.safetensors", 1.0))
    check(modules["priorTextEncoder"], before, {TEXT_LINEAR: product(down, up)})
    check(modules["prior"], base(checkpoint), {})


@pytest.mark.parametrize("prefix, adapter", [("_orig_mod.", ""), ("module._orig_mod.", ""), ("prior.", ".default_0"), ("", ".x")])
def test_prefixes_of_wrappers_and_names_of_adapters(checkpoint, tmp_path, prefix, adapter):
    before = base(checkpoint)
    down, up = halves(before.get_submodule(LINEAR).weight)
    keys = [f"{prefix}{LINEAR}.lora_{half}{adapter}.weight" for half in "AB"]
    check(merged(checkpoint, tmp_path, dict(zip(keys, (down, up), strict=True))), before, {LINEAR: product(down, up)})


@pytest.mark.parametrize("module", [CONV, "blocks.0.depthwise"])
def test_three_convolutions(checkpoint, tmp_path, module):
    """LoCon's `lora_mid`: one convolution after the other is the convolution with the sum of the weights."""
    before = base(checkpoint)
    weight = before.get_submodule(module).weight
    down, up = normal(RANK, weight.shape[1], 1, 1, seed=1), normal(weight.shape[0], RANK, 1, 1, seed=2)
    mid = normal(RANK, RANK, *weight.shape[2:], seed=3)
    keys = [f"lora_unet_{module.replace('.', '_')}.lora_{part}.weight" for part in ("down", "mid", "up")]
    module_after = merged(checkpoint, tmp_path, dict(zip(keys, (down, mid, up), strict=True)))
    x = normal(1, weight.shape[1], 7, 9, seed=4)
    expected = conv2d(conv2d(conv2d(x, down), mid, padding="same"), up)
    change = module_after.get_submodule(module).weight - weight
    assert (conv2d(x, change, padding="same") - expected).abs().max() < 1e-3  # sums of some ten products of size 1 to 10
    assert expected.abs().max() > 1


HEADERS = {
    "kohya": ({"ss_network_alpha": "1.5", "ss_network_dim": "3", "ss_network_module": "networks.lora"}, 0.5, "header"),
    "kohya's merged files": ({"ss_network_alpha": "Dynamic", "ss_network_dim": "Dynamic"}, 1.0, "rank"),
    "SimpleTuner": ({"prior.lora_alpha": "6", "prior.r": "3"}, 2.0, "header"),
    "other trainers": ({"network_alpha": "9"}, 3.0, "header"),
    "plain": ({"alpha": "9", "rank": "3"}, 3.0, "header"),
    "a root": ({"lora_alpha": "3", "use_rslora": "True"}, 3**0.5, "header"),
    "LyCORIS": ({"ss_network_alpha": "3", "ss_network_args": '{"algo": "locon", "rs_lora": "True"}'}, 3**0.5, "header"),
    "of a convolution": ({"ss_network_alpha": "6", "ss_network_args": '{"conv_dim": "3", "conv_alpha": "1"}'}, 2.0, "header"),
    "diffusers": ({"lora_adapter_metadata": '{"prior.r": 3, "prior.lora_alpha": 12}'}, 4.0, "lora_adapter_metadata"),
    "of the text encoder": ({"lora_adapter_metadata": '{"text_encoder.r": 3, "text_encoder.lora_alpha": 12}'}, 1.0, "rank"),
    "null": ({"lora_adapter_metadata": "null", "lora_alpha": "None"}, 1.0, "rank"),
    "strangers": ({"format": "pt", "modelspec.title": "x", "ss_base_model_version": "wuerstchen"}, 1.0, "rank"),
}


@pytest.mark.parametrize("form", HEADERS)
def test_alpha_of_the_header(checkpoint, tmp_path, form):
    header, factor, source = HEADERS[form]
    before = base(checkpoint)
    down, up = halves(before.get_submodule(LINEAR).weight)
    tensors = {f"prior.{LINEAR}.lora_A.weight": down, f"prior.{LINEAR}.lora_B.weight": up}
    check(merged(checkpoint, tmp_path, tensors, header=header), before, {LINEAR: factor * product(down, up)})
    fitted = fit_loras((read_lora(tmp_path / "lora.safetensors", 1.0),), {"prior": before})["prior"][0]
    assert fitted.entry()["alphaFrom"] == [source] and fitted.entry()["modules"] == 1


def test_alpha_of_wide_convolutions(checkpoint, tmp_path):
    before, module = base(checkpoint), "blocks.0.depthwise"
    down, up = halves(before.get_submodule(module).weight)
    tensors = {f"{module}.lora_down.weight": down, f"{module}.lora_up.weight": up}
    header = {"ss_network_alpha": "6", "ss_network_args": '{"conv_alpha": "1.5"}'}
    check(merged(checkpoint, tmp_path, tensors, header=header), before, {module: 0.5 * product(down, up)})


def test_tensors_win_over_a_trainers_header(checkpoint, tmp_path):
    before = base(checkpoint)
    down, up = halves(before.get_submodule(LINEAR).weight)
    name = "lora_unet_" + LINEAR.replace(".", "_")
    tensors = {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up, f"{name}.alpha": torch.tensor(6)}
    check(merged(checkpoint, tmp_path, tensors, header={"ss_network_alpha": "1"}), before, {LINEAR: 2 * product(down, up)})


CONFLICTS = [
    {"lora_adapter_metadata": '{"prior.r": 3, "prior.lora_alpha": 12}'},  # beside an alpha tensor of 6
    {"lora_adapter_metadata": '{"prior.r": 3, "prior.lora_alpha": 6, "prior.use_rslora": true}'},
    {"lora_adapter_metadata": '{"prior.r": 8, "prior.lora_alpha": 6}'},  # the tensors have rank 3
    {"lora_adapter_metadata": '{"prior.rank_pattern": {"to_q": 4}, "prior.lora_alpha": 6}'},
    {"lora_alpha": "6", "network_alpha": "3"},
    {"lora_alpha": "x"},
    {"lora_alpha": "inf"},
    {"lora_adapter_metadata": "{"},
    {"lora_adapter_metadata": "[]"},
    {"lora_adapter_metadata": '{"transformer.r": 3}'},
    {"lora_adapter_metadata": '{"prior.use_dora": true}'},
    {"ss_network_args": "{"},
    {"ss_network_args": '{"algo": "loha"}'},
    {"ss_network_args": '{"dora_wd": "True"}'},
    {"ss_network_module": "networks.oft"},
    {"use_dora": "true"},
]


@pytest.mark.parametrize("header", CONFLICTS, ids=str)
def test_headers_that_say_something_else_are_refused(checkpoint, tmp_path, header):
    down, up = halves(base(checkpoint).get_submodule(LINEAR).weight)
    alpha = {f"{LINEAR}.alpha": torch.tensor(6.0)} if "lora_adapter_metadata" in header else {}
    with pytest.raises(ExportError, match="Expected|has rank 3, but the header of lora.safetensors says"):
        merged(checkpoint, tmp_path, {f"{LINEAR}.lora_A.weight": down, f"{LINEAR}.lora_B.weight": up} | alpha, header=header)


@pytest.mark.parametrize(
    "key, method",
    {
        "dora_scale": "DoRA",
        "lora_magnitude_vector": "DoRA",
        "hada_w1_a": "LoHa",
        "lokr_w1": "LoKr",
        "oft_blocks": "OFT",
        "a1.weight": "GLoRA",
        "diff": "whole weights",
        "lora_B.bias": "changed biases",
        "lora_embedding_A": "embeddings of tokens",
    }.items(),
)
def test_other_methods_are_named(checkpoint, tmp_path, key, method):
    down, up = halves(base(checkpoint).get_submodule(LINEAR).weight)
    tensors = {f"{LINEAR}.lora_A.weight": down, f"{LINEAR}.lora_B.weight": up, f"{LINEAR}.{key}": torch.ones(3)}
    with pytest.raises(ExportError, match=f"Expected a LoRA of plain matrices but lora.safetensors holds {method}: "):
        merged(checkpoint, tmp_path, tensors)


DAMAGES = {
    "no tensors": {},
    "zero rank": {"down": torch.ones(0, 48), "up": torch.ones(48, 0)},
    "not a number": {"down": torch.full((3, 48), float("nan"))},
    "infinite in half": {"up": torch.full((48, 3), float("inf"), dtype=torch.float16)},
    "whole numbers": {"down": torch.ones(3, 48, dtype=torch.int64)},
    "other rank": {"up": torch.ones(48, 4)},
    "other width": {"down": torch.ones(3, 47)},
    "one dimension": {"down": torch.ones(48)},
    "wide up": {"up": torch.ones(48, 3, 3, 3)},
    "alpha of two": {"alpha": torch.ones(2)},
    "alpha not a number": {"alpha": torch.tensor(float("nan"))},
    "complex": {"down": torch.ones(3, 48, dtype=torch.complex64)},
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_tensors_are_refused(checkpoint, tmp_path, damage):
    down, up = halves(base(checkpoint).get_submodule(LINEAR).weight)
    names = {"down": f"{LINEAR}.lora_A.weight", "up": f"{LINEAR}.lora_B.weight", "alpha": f"{LINEAR}.alpha"}
    parts = {"down": down, "up": up, **DAMAGES[damage]} if DAMAGES[damage] else {}
    with pytest.raises(ExportError, match="1 parts of lora.safetensors are none"):
        merged(checkpoint, tmp_path, {names[part]: tensor for part, tensor in parts.items()})


def test_attention_processor_form(checkpoint, tmp_path):
    before, tensors, expected = base(checkpoint), {}, {}
    for name, module in [("to_k", "to_k"), ("to_out", "to_out.0")]:
        down, up = halves(before.get_submodule(f"blocks.2.attention.{module}").weight)
        tensors[f"blocks.2.attention.processor.{name}_lora.down.weight"] = down
        tensors[f"blocks.2.attention.processor.{name}_lora.up.weight"] = up
        expected[f"blocks.2.attention.{module}"] = product(down, up)
    check(merged(checkpoint, tmp_path, tensors), before, expected)


def test_linear_kept_as_convolution(checkpoint, tmp_path):
    before = base(checkpoint)
    down, up = halves(before.get_submodule(LINEAR).weight)
    tensors = {f"{LINEAR}.lora_A.weight": down[:, :, None, None], f"{LINEAR}.lora_B.weight": up[:, :, None, None]}
    check(merged(checkpoint, tmp_path, tensors), before, {LINEAR: product(down, up)})


@pytest.mark.parametrize("scale, alpha, factor", [(0.5, None, 0.5), (-0.5, None, -0.5), (1.0, 6.0, 2.0), (0.5, 1.5, 0.25)])
def test_scale_and_alpha(checkpoint, tmp_path, scale, alpha, factor):
    before = base(checkpoint)
    down, up = halves(before.get_submodule(LINEAR).weight)
    name = "lora_prior_unet_" + LINEAR.replace(".", "_")
    tensors = {f"{name}.lora_down.weight": down.half(), f"{name}.lora_up.weight": up.bfloat16()}
    if alpha is not None:
        tensors[f"{name}.alpha"] = torch.tensor(alpha)
    expected = factor * product(down.half().float(), up.bfloat16().float())
    check(merged(checkpoint, tmp_path, tensors, scale), before, {LINEAR: expected})


def peft_files(checkpoint, directory, **settings):
    down, up = halves(base(checkpoint).get_submodule(LINEAR).weight)
    save_file({f"{LINEAR}.lora_A.weight": down, f"{LINEAR}.lora_B.weight": up}, directory / "adapter_model.safetensors")
    (directory / "adapter_config.json").write_text(json.dumps({"r": RANK, **settings}))
    return directory / "adapter_model.safetensors", product(down, up)


def test_alpha_of_peft_configuration(checkpoint, tmp_path):
    file, change = peft_files(checkpoint, tmp_path, lora_alpha=1.5)
    check(with_lora(checkpoint, read_lora(file, 1.0))["prior"], base(checkpoint), {LINEAR: 0.5 * change})


@pytest.mark.parametrize(
    "setting",
    [
        {"use_dora": True},
        {"bias": "all"},
        {"lora_bias": True},
        {"modules_to_save": ["out.1"]},
        {"fan_in_fan_out": True},
        {"layer_replication": [[0, 1]]},
        {"peft_type": "LOHA"},
        {"init_lora_weights": "pissa"},
        {"use_qalora": True},
        {"trainable_token_indices": [1]},
        {"a_setting_of_later_versions": 1},
        {"lora_alpha": "1"},
        {"lora_alpha": float("nan")},
        {"r": 0},
        {"alpha_pattern": {"to_q": None}},
        {"alpha_pattern": {"to_(q": 1}},
        {"alpha_pattern": {"(?i)to_q": 1}},  # sound by itself, but not behind the dot that peft puts before it
        {"alpha_pattern": {"to_q{99999999999999}": 1}},
        {"rank_pattern": {"(" * 5000 + ")" * 5000: 1}},
        {"rank_pattern": {r"(\w+\.?)+x": 1}},  # a name like those here takes longer than anybody waits
        {"rank_pattern": {"(.|.)" * 30 + "x": 1}},
        {"alpha_pattern": {".?" * 40 + "x": 1}},
        {"rank_pattern": {"to_q": 1.5}},
        {"use_rslora": "yes"},
    ],
    ids=str,
)
def test_other_formulas_of_peft_are_refused(checkpoint, tmp_path, setting):
    file, _ = peft_files(checkpoint, tmp_path, **setting)
    with pytest.raises(ExportError, match=next(iter(setting))):
        read_lora(file, 1.0)


@pytest.mark.parametrize(
    "pattern",
    [r"blocks\.\d+\.attention\.to_(q|k|v)", r".*\.to_q", r"(blocks|layers)\.[0-9]+\..*to_[?*+|(]*q", r"(?:a\)+|.*)to_q"],
)
def test_patterns_that_name_several_modules_are_followed(pattern):
    statement = of_peft({"r": 4, "lora_alpha": 1, "alpha_pattern": {pattern: 8}}, "a file", "adapter_config.json")
    assert statement.alpha_of(["blocks.2.attention.to_q"], wide=False) == 8
    assert statement.alpha_of(["blocks.2.attention.to_out"], wide=False) == 1


def test_everything_that_does_not_fit_is_listed(checkpoint, tmp_path):
    width = base(checkpoint).get_submodule(LINEAR).weight.shape[0]
    wrong = {f"text_encoder_2.layers.{i}.q_proj.lora_A.weight": torch.ones(RANK, 8) for i in range(20)}
    wrong |= {
        "lora_prior_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": torch.ones(RANK, 8),  # no lora_up
        "surplus": torch.ones(width),
        "blocks.0.channelwise.2.lora_A.weight": torch.ones(RANK, 8),  # GlobalResponseNorm has no matrix
        "blocks.2.attention.to_k.lora_A.weight": torch.ones(RANK, width),  # no lora_B
        "blocks.2.attention.to_v.alpha": torch.tensor(1.0),  # nothing else
        "blocks.2.attention.to_q.lora_A.weight": torch.ones(RANK, width + 1),
        "blocks.2.attention.to_q.lora_B.weight": torch.ones(width, RANK),
        "blocks.2.kv_mapper.1.lora_A.weight": torch.full((RANK, width), float("nan")),
        "blocks.2.kv_mapper.1.lora_B.weight": torch.ones(width, RANK),
        "prior.blocks.2.kv_mapper.1.lora_B.weight": torch.ones(width, RANK),  # the same again
    }
    with pytest.raises(ExportError, match="^Expected a LoRA of the prior .* but 28 parts of lora.safetensors are none") as caught:
        merged(checkpoint, tmp_path, wrong)
    assert [key for key in wrong if key not in str(caught.value)] == []
    for text in ["the up half is missing", "the down and up half is missing", "do not make", "finite", "same weight"]:
        assert text in str(caught.value)


def test_no_two_modules_share_a_name_with_underscores(checkpoint):
    for network in (base(checkpoint), text_base(checkpoint)):
        names = [name for name, _ in network.named_modules()]
        assert len({name.replace(".", "_") for name in names}) == len(names)


def test_merged_export(checkpoint, export, tmp_path):
    """The program computes what the merged module does; the manifest names the LoRA; another LoRA is refused there."""
    before = base(checkpoint)
    down, up = halves(before.get_submodule(LINEAR).weight)
    module = merged(checkpoint, tmp_path, {f"prior.{LINEAR}.lora_A.weight": down, f"prior.{LINEAR}.lora_B.weight": up}, 0.5)
    out, options = tmp_path / "model", ["--lora", str(tmp_path / "lora.safetensors"), "--lora-scale"]
    result = export(checkpoint, out, *options, "0.2", *options, "0.3")  # the same twice adds up
    assert result.code == 0, result.stderr

    manifest = json.loads((out / "wuerstchen.json").read_text())
    assert errors(manifest) == []
    entries = manifest["stages"]["prior"]["loras"]
    assert [(entry["name"], entry["scale"]) for entry in entries] == [("lora.safetensors", 0.2), ("lora.safetensors", 0.3)]
    assert {(*entry["alphaFrom"], entry["modules"]) for entry in entries} == {("rank", 1)}
    assert [name for name, stage in manifest["stages"].items() if "loras" in stage] == ["prior"]

    program = torch.jit.load(out / manifest["stages"]["prior"]["artefacts"][0]["file"])
    latents, text, ratio = normal(2, 16, 3, 5, seed=3), normal(2, 77, 40, seed=4), torch.tensor([0.9, 0.2])
    for network in (module, before):
        network.fold()
    with torch.no_grad():
        actual = program.step(latents, ratio, program.condition(text))
        assert relative_error(actual, module.step(latents, ratio, module.condition(text))) < 1e-5  # as verified by the export
        assert relative_error(actual, before.step(latents, ratio, before.condition(text))) > 1e-3

    for other in [[*options, "0.5"], []]:
        result = export(checkpoint, out, *other, "--dtype", "bfloat16")
        assert result.code == 1 and "loras of prior" in result.stderr and "fingerprint of prior" in result.stderr
    assert json.loads((out / "wuerstchen.json").read_text()) == manifest


def test_bin_files_are_refused(checkpoint, export, tmp_path):
    torch.save({}, tmp_path / "lora.bin")
    result = export(checkpoint, tmp_path / "model", "--lora", str(tmp_path / "lora.bin"))
    assert result.code == 1 and "Expected a .safetensors file for --lora" in result.stderr
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("scales", [["1", "2"], ["nan"], ["inf"], ["0"], ["-0"], ["1001"], ["-1001"], ["much"]])
def test_scales_are_numbers_other_than_zero_one_each(checkpoint, export, tmp_path, scales):
    options = [part for scale in scales for part in ("--lora-scale", scale)]
    with pytest.raises(SystemExit, match="2"):
        export(checkpoint, tmp_path / "model", "--lora", "lora.safetensors", *options)
