"""Merges LoRAs into the prior's weights: W + scale · (alpha / rank) · up @ down (Hu et al. 2021, arXiv:2106.09685).

Published files name the same module in many ways. All are compared with underscores for dots, which no two modules of the
prior share, after prefix and suffix are taken off: `prior.blocks.2.attention.to_q.lora_A.weight` (peft, diffusers),
`blocks.2.attention.processor.to_q_lora.down.weight` (diffusers before peft) and
`lora_prior_unet_blocks_2_attention_to_q.lora_down.weight` (kohya, OneTrainer) all are `blocks_2_attention_to_q`.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from .checkpoint import read_json
from .errors import ExportError, listed
from .weights import file_sha256, read_tensors

PREFIX = re.compile(r"^(lora_prior_unet_|lora_prior_prior_|lora_prior_|lora_unet_|(base_model_model_)?(prior_|unet_)?)")
HALF = re.compile(r"(?P<path>.+?)[._]lora[._](linear_layer\.)?(?P<half>A|down|B|up)(\.default)?\.weight")
ALPHA = re.compile(r"(?P<path>.+?)([._]lora)?\.alpha")


@dataclass(frozen=True)
class Lora:
    name: str
    sha256: str
    scale: float
    alpha: float | None  # for modules without one of their own; None: their rank
    tensors: dict[str, Tensor]

    def entry(self) -> dict:
        """The entry in the manifest."""
        return {"name": self.name, "sha256": self.sha256, "scale": self.scale}


def read_lora(file: Path, scale: float) -> Lora:
    """A .safetensors file, with the adapter_config.json that peft writes next to it, which alone holds peft's alpha."""
    if file.suffix != ".safetensors":
        raise ExportError(f"Expected a .safetensors file for --lora but received {file}")
    tensors, alpha = read_tensors([file]), None
    config = file.parent / "adapter_config.json"
    if file.name == "adapter_model.safetensors" and config.is_file():
        settings = read_json(config)
        for key in ["use_rslora", "use_dora", "alpha_pattern", "fan_in_fan_out"]:
            if settings.get(key):
                raise ExportError(f"Expected a plain LoRA but {config} sets {key}")
        alpha = settings.get("lora_alpha")
        if isinstance(alpha, bool) or not isinstance(alpha, (int, float, type(None))):
            raise ExportError(f"Expected a number for lora_alpha in {config} but received {alpha!r}")
    return Lora(file.name, file_sha256(file), scale, alpha, tensors)


def merge_lora(module: nn.Module, lora: Lora) -> None:
    """Adds the LoRA to the float32 weights of `module`; one error names every key that does not fit, and nothing changes."""
    weights: dict[str, Tensor] = {
        name.removesuffix(".weight").replace(".", "_"): weight
        for name, weight in module.named_parameters()
        if name.endswith(".weight") and weight.ndim >= 2
    }
    parts: dict[str, dict[str, str]] = {}  # module -> down, up and alpha -> key
    problems = []
    for key in sorted(lora.tensors):
        name, part = parse(key, weights)
        if name is None:
            problems.append(f"unmatched {key} {list(lora.tensors[key].shape)}")
        elif part in parts.setdefault(name, {}):
            problems.append(f"{key} is for the same weight as {parts[name][part]}")
        else:
            parts[name][part] = key
    deltas = {}
    for name, keys in parts.items():
        tensors = {part: lora.tensors[key] for part, key in keys.items()}
        problem = misfit(tensors, weights[name])
        if problem:
            problems.append(f"{' and '.join(keys.values())}: {problem}")
        else:
            deltas[name] = delta(tensors, weights[name], lora)
    if not lora.tensors:
        problems.append("the file has no tensors")
    if problems:
        raise ExportError(
            f"{lora.name}: {len(problems)} problems; only LoRAs of the prior (Stage C), not of text encoders or Stage B, can be "
            f"merged\n{listed(problems, len(problems))}"
        )
    for name, change in deltas.items():
        weights[name].data = weights[name].data + change  # not in place: the checkpoint owns the storage, which may be mapped


def parse(key: str, weights: dict[str, Tensor]) -> tuple[str | None, str]:
    """The module a key belongs to, None if there is none, and what it is of it: down, up or alpha."""
    match, alpha = HALF.fullmatch(key), ALPHA.fullmatch(key)
    found = match or alpha
    if not found:
        return None, ""
    name = found["path"].replace(".processor.", ".").replace(".", "_")
    name = PREFIX.sub("", name, count=1)
    if name not in weights and f"{name}_0" in weights and name.endswith("_to_out"):
        name += "_0"  # the attention processors of old diffusers say to_out, but the module is a list
    part = "alpha" if not match else "down" if match["half"] in ("A", "down") else "up"
    return (name if name in weights else None), part


def misfit(tensors: dict[str, Tensor], weight: Tensor) -> str | None:
    """What is wrong with the parts of one module, if anything."""
    missing = [part for part in ("down", "up") if part not in tensors]
    if missing:
        return f"the {' and '.join(missing)} half is missing"
    down, up, alpha = tensors["down"], tensors["up"], tensors.get("alpha")
    if not all(tensor.is_floating_point() and tensor.isfinite().all() for tensor in (down, up)):
        return "expected finite floating point values"
    if alpha is not None and (alpha.numel() != 1 or not math.isfinite(alpha.item())):
        return "expected one finite number for alpha"
    fits = down.ndim >= 2 and up.ndim >= 2 and up.shape[1] == down.shape[0] > 0 and up.shape[0] == weight.shape[0]
    if not fits or up[0, 0].numel() != 1 or kernel(down) != kernel(weight):
        return f"shapes {list(down.shape)} and {list(up.shape)} do not make the weight's {list(weight.shape)}"
    return None


def kernel(tensor: Tensor) -> tuple[int, ...]:
    """Everything but the first dimension; a Linear's is a 1x1 convolution's."""
    rest = tuple(tensor.shape[1:])
    return rest[:1] if all(size == 1 for size in rest[1:]) else rest


def delta(tensors: dict[str, Tensor], weight: Tensor, lora: Lora) -> Tensor:
    """What is added to the weight, float32: `up` is 1x1, so a convolution's pair is a product of matrices too."""
    down, up = tensors["down"].float(), tensors["up"].float()
    rank = down.shape[0]
    alpha = tensors["alpha"].item() if "alpha" in tensors else rank if lora.alpha is None else lora.alpha
    return (lora.scale * alpha / rank * (up.flatten(1) @ down.flatten(1))).reshape(weight.shape)
