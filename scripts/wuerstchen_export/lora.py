"""Reads LoRA files and merges them into the weights of the prior and of its text encoder: W + scale · factor · up @ down (Hu et
al. 2021, arXiv:2106.09685). `lora_formula` says what the factor is.

Published files name the same module in many ways. All are compared with underscores for dots, which no two modules of a network
share, after prefix and suffix are taken off: `prior.blocks.2.attention.to_q.lora_A.weight` (peft, diffusers),
`blocks.2.attention.processor.to_q_lora.down.weight` (diffusers before peft) and
`lora_prior_unet_blocks_2_attention_to_q.lora_down.weight` (kohya, OneTrainer) all are `blocks_2_attention_to_q`.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .errors import ExportError, listed
from .jsons import read_json
from .lora_formula import Statement, of_header, of_peft
from .weights import file_sha256, read_header, read_tensors

TEXT = re.compile(r"(base_model_model_)?(lora_prior_te_|lora_te_|(prior_)?text_encoder_|(?=text_model_|encoder_layers_))")
PRIOR = re.compile(
    r"(base_model_model_)?(lora_prior_unet_|lora_prior_prior_|lora_prior_|lora_unet_|prior_|unet_|diffusion_model_|)"
)
PART = re.compile(r"(?P<path>.+?)[._]lora[._](linear_layer\.)?(?P<part>A|down|mid|B|up)(\.[^.]+)?\.weight")
ALPHA = re.compile(r"(?P<path>.+?)([._]lora)?\.alpha")
PARTS = {"A": "down", "down": "down", "mid": "mid", "B": "up", "up": "up"}
# The attention processors of old diffusers had names of their own.
OLD_NAMES = [
    (re.compile(r"self_attn_to_([qkv])$"), r"self_attn_\1_proj"),
    (re.compile(r"self_attn_to_out(_0)?$"), "self_attn_out_proj"),
    (re.compile(r"attention_to_out$"), "attention_to_out_0"),
]
OTHER_METHODS = {
    "DoRA": re.compile(r"dora_scale|lora_magnitude_vector"),
    "LoHa": re.compile(r"\.hada_"),
    "LoKr": re.compile(r"\.lokr_"),
    "OFT": re.compile(r"[._]oft_"),
    "IA3": re.compile(r"ia3_l|\.on_input$"),
    "VeRA": re.compile(r"vera_lambda"),
    "AdaLoRA": re.compile(r"\.lora_E\b|\.ranknum$"),
    "GLoRA": re.compile(r"\.[ab][12]\.weight$"),
    "changed biases": re.compile(r"\.lora_(B|up).*\.bias$|\.diff_b$"),
    "whole weights": re.compile(r"\.diff$|modules_to_save"),
    "embeddings of tokens": re.compile(r"^bundle_emb\.|lora_embedding_|^emb_params$"),
}
LISTED = 200


@dataclass(frozen=True)
class Adapter:
    """The tensors of one module by their part (down, mid, up, alpha), with their keys in the file."""

    tensors: dict[str, Tensor]
    keys: dict[str, str]


@dataclass(frozen=True)
class Lora:
    """A file: adapters by stage and by module, with underscores for dots; keys of no adapter; and what is said of alpha."""

    name: str
    sha256: str
    scale: float
    adapters: dict[str, dict[str, Adapter]]
    strange: list[str]
    statements: dict[str, list[Statement]]


@dataclass(frozen=True)
class Change:
    """What is added to one weight, as its factors: a product of large matrices is made when it is needed."""

    factor: float
    source: str
    down: Tensor
    mid: Tensor | None
    up: Tensor


@dataclass(frozen=True)
class FittedLora:
    """What a file changes in one stage, by module."""

    name: str
    sha256: str
    scale: float
    changes: dict[str, Change]

    def entry(self) -> dict:
        """The entry in the manifest."""
        sources = dict.fromkeys(change.source for change in self.changes.values())
        facts = {"name": self.name, "sha256": self.sha256, "scale": self.scale}
        return {**facts, "alphaFrom": list(sources), "modules": len(self.changes)}

    def identity(self) -> str:
        """Changes with whatever changes the weights: alpha may stand in another file."""
        return f"{self.sha256} {self.scale} {sorted((name, change.factor) for name, change in self.changes.items())}"


def read_lora(file: Path, scale: float) -> Lora:
    """A .safetensors file, with the adapter_config.json that peft writes next to it."""
    if file.suffix != ".safetensors":
        raise ExportError(f"Expected a .safetensors file for --lora but received {file}")
    tensors = read_tensors([file])
    for key in tensors:
        for method, pattern in OTHER_METHODS.items():
            if pattern.search(key):
                raise ExportError(f"Expected a LoRA of plain matrices but {file.name} holds {method}: {key}")
    statements = of_header(read_header(file), file.name)
    config = file.parent / "adapter_config.json"
    if file.name == "adapter_model.safetensors" and config.is_file():
        stated = of_peft(read_json(config), str(config), "adapter_config.json")
        statements = {stage: [stated, *others] for stage, others in statements.items()}
    adapters, strange = sorted_out(tensors)
    return Lora(file.name, file_sha256(file), scale, adapters, strange, statements)


def sorted_out(tensors: dict[str, Tensor]) -> tuple[dict[str, dict[str, Adapter]], list[str]]:
    """Tensors by stage, module and part; and a line for every key that is none of these."""
    adapters: dict[str, dict[str, Adapter]] = {}
    strange = [] if tensors else ["the file has no tensors"]
    for key in sorted(tensors):
        if key.endswith("position_ids"):  # a buffer of old transformers, no part of a LoRA
            continue
        stage, name, part = parse(key)
        if not part:
            strange.append(f"unmatched {key} {list(tensors[key].shape)}")
            continue
        adapter = adapters.setdefault(stage, {}).setdefault(name, Adapter({}, {}))
        if part in adapter.keys:
            strange.append(f"{key} is for the same weight as {adapter.keys[part]}")
        else:
            adapter.tensors[part], adapter.keys[part] = tensors[key], key
    return adapters, strange


def parse(key: str) -> tuple[str, str, str]:
    """Stage, module and part of a key; no part if it is none of a LoRA's."""
    match, alpha = PART.fullmatch(key), ALPHA.fullmatch(key)
    found = match or alpha
    if not found:
        return "", "", ""
    name = found["path"].replace(".processor.", ".").replace(".", "_")
    prefix = TEXT.match(name)
    stage = "priorTextEncoder" if prefix else "prior"
    prefix = prefix or PRIOR.match(name)
    name = name[prefix.end() :] if prefix else name
    if stage == "priorTextEncoder":
        name = name.removeprefix("text_model_").removeprefix("embeddings_")
    for pattern, current in OLD_NAMES:
        name = pattern.sub(current, name)
    return stage, name, PARTS[match["part"]] if match else "alpha"


def fit_loras(loras: tuple[Lora, ...], modules: dict[str, nn.Module]) -> dict[str, tuple[FittedLora, ...]]:
    """What every file changes in these networks, which may lie on the meta device; one error names all that does not fit."""
    fitted: dict[str, list[FittedLora]] = {stage: [] for stage in modules}
    for lora in loras:
        problems = list(lora.strange)
        for stage, adapters in lora.adapters.items():
            changes = fit_adapters(adapters, lora.statements[stage], modules[stage], problems)
            fitted[stage].append(FittedLora(lora.name, lora.sha256, lora.scale, changes))
        if problems:
            raise ExportError(
                f"Expected a LoRA of the prior (Stage C) or its text encoder but {len(problems)} parts of {lora.name} are none\n"
                f"{listed(problems, LISTED)}"
            )
    return {stage: tuple(items) for stage, items in fitted.items()}


def fit_adapters(
    adapters: dict[str, Adapter], statements: list[Statement], module: nn.Module, problems: list[str]
) -> dict[str, Change]:
    layers = {name: layer for name, layer in module.named_modules() if isinstance(layer, (nn.Linear, nn.Conv2d))}
    by_name = {name.replace(".", "_"): name for name in layers}
    changes = {}
    for name, adapter in adapters.items():
        keys = " and ".join(adapter.keys.values())
        if name not in by_name:
            problems.extend(f"unmatched {key} {list(adapter.tensors[part].shape)}" for part, key in adapter.keys.items())
            continue
        weight = layers[by_name[name]].weight
        problem = misfit(adapter.tensors, weight)
        if not problem:
            try:
                changes[by_name[name]] = change(adapter.tensors, by_name[name], weight, statements)
            except ExportError as error:
                problem = str(error)
        if problem:
            problems.append(f"{keys}: {problem}")
    return changes


def misfit(tensors: dict[str, Tensor], weight: Tensor) -> str | None:
    """What is wrong with the parts of one module, if anything."""
    missing = [part for part in ("down", "up") if part not in tensors]
    if missing:
        return f"the {' and '.join(missing)} half is missing"
    down, mid, up, alpha = tensors["down"], tensors.get("mid"), tensors["up"], tensors.get("alpha")
    matrices = [tensor for tensor in (down, mid, up) if tensor is not None]
    if not all(tensor.is_floating_point() and tensor.float().isfinite().all() for tensor in matrices):
        return "expected finite floating point values"
    if alpha is not None and (alpha.numel() != 1 or alpha.is_complex() or not math.isfinite(alpha.item())):
        return "expected one finite number for alpha"
    shapes = " and ".join(str(list(tensor.shape)) for tensor in matrices)
    wrong = f"shapes {shapes} do not make the weight's {list(weight.shape)}"
    if any(tensor.ndim < 2 for tensor in matrices):
        return wrong
    rank = down.shape[0]
    outer = rank > 0 and up.shape[1] == rank and up.shape[0] == weight.shape[0] and up[0, 0].numel() == 1
    if mid is None:
        return None if outer and kernel(down) == kernel(weight) else wrong
    inner = kernel(down) == (weight.shape[1],) and mid.shape[:2] == (rank, rank) and mid.shape[2:] == weight.shape[2:]
    return None if outer and inner else wrong


def kernel(tensor: Tensor) -> tuple[int, ...]:
    """Everything but the first dimension; a Linear's is a 1x1 convolution's."""
    rest = tuple(tensor.shape[1:])
    return rest[:1] if all(size == 1 for size in rest[1:]) else rest


def change(tensors: dict[str, Tensor], name: str, weight: Tensor, statements: list[Statement]) -> Change:
    names, wide, rank = [name, f"text_model.{name}"], len(kernel(weight)) > 1, tensors["down"].shape[0]
    factors = {}  # what says it -> (factor, source)
    if "alpha" in tensors:
        factors["its alpha tensor"] = (tensors["alpha"].item() / rank, "tensor")
    for statement in statements:
        stated = statement.rank_of(names)
        if stated not in (None, rank):
            raise ExportError(f"has rank {rank}, but {statement.where} says {stated}")
        alpha = statement.alpha_of(names, wide)
        if alpha is not None and not (statement.source == "header" and "alpha" in tensors):
            factors[statement.where] = (statement.factor(alpha, rank), statement.source)
    factors = factors or {"nothing": (1.0, "rank")}
    factor, source = next(iter(factors.values()))
    if any(not math.isclose(factor, other, rel_tol=1e-6) for other, _ in factors.values()):
        said = " and ".join(f"{where} makes it {value:g}" for where, (value, _) in factors.items())
        raise ExportError(f"Expected one strength but {said}")
    return Change(factor, source, tensors["down"], tensors.get("mid"), tensors["up"])


def merge_lora(module: nn.Module, lora: FittedLora) -> None:
    """Adds the LoRA to the float32 weights of `module`."""
    for name, change in lora.changes.items():
        layer = module.get_submodule(name)
        assert isinstance(layer, (nn.Linear, nn.Conv2d))
        # Not in place: the checkpoint owns the storage, which may be mapped.
        layer.weight.data = layer.weight.data + delta(change, layer.weight, lora.scale)


def delta(change: Change, weight: Tensor, scale: float) -> Tensor:
    """What is added to the weight, float32: `up` is 1x1, so a convolution's pair is a product of matrices too."""
    down, up = change.down.float().flatten(1), change.up.float().flatten(1)
    if change.mid is None:
        product = up @ down
    else:  # LoCon's three convolutions, 1x1, the weight's own, 1x1 (LyCORIS: use_tucker)
        product = torch.einsum("oi,ij...,jc->oc...", up, change.mid.float(), down)
    return (scale * change.factor * product).reshape(weight.shape)
