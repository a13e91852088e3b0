"""How strong a LoRA's adapters are: W + scale · factor · up · down, where factor is alpha / rank, or alpha / √rank (rsLoRA).

Alpha has been written to four places. These are all of them, and what wins where two say something else:

1. `.alpha` tensors (kohya, OneTrainer, LyCORIS), one for each module. They win over a trainer's header, which knows no layers.
2. `adapter_config.json` beside `adapter_model.safetensors` (peft).
3. `lora_adapter_metadata` in the header (diffusers): the same settings as JSON, by component.
4. a trainer's own header keys: `ss_network_alpha` (kohya), `prior.lora_alpha` (SimpleTuner), `lora_alpha`, `network_alpha`,
   `alpha`.

Where they disagree otherwise, the file is refused: diffusers takes alpha tensors or metadata, never both. Without any of them
alpha is the rank, as in diffusers and kohya's tools.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .errors import ExportError, reason

# Settings of peft's LoraConfig that leave the formula as it is: what was trained, how it began, and notes. Any other that is set
# is refused, those of later versions too.
HARMLESS = {
    "auto_mapping",
    "base_model_name_or_path",
    "eva_config",
    "exclude_modules",
    "inference_mode",
    "layers_pattern",
    "layers_to_transform",
    "lora_dropout",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
}
READ = {"r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora"}
# The other initialisations (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA) train beside changed weights, which are not the checkpoint's.
INITIALISATIONS = ("gaussian", "eva", "orthogonal")
HEADER_ALPHAS = ("lora_alpha", "network_alpha", "ss_network_alpha", "alpha")
NO_NUMBER = ("", "None", "null", "Dynamic")  # kohya's tools write Dynamic where every module has its own
OTHER_MODULES = re.compile(r"oft|loha|lokr|ia3|glora|lllite|controlnet", re.IGNORECASE)
MOST_REPEATS = 4
MOST_WAYS = 64
COMPONENTS = {
    "prior": ("prior", "unet", "diffusion_model", ""),
    "priorTextEncoder": ("text_encoder", "prior_text_encoder", ""),
}


@dataclass(frozen=True)
class Statement:
    """What one place says of the adapters of one network."""

    source: str  # as the manifest names it
    where: str  # as messages name it
    alpha: float | None = None
    conv_alpha: float | None = None  # kohya and LyCORIS: of convolutions that are not 1x1
    rank: int | None = None
    alphas: dict[re.Pattern[str], float] = field(default_factory=dict)
    ranks: dict[re.Pattern[str], int] = field(default_factory=dict)
    rooted: bool = False

    def alpha_of(self, names: list[str], wide: bool) -> float | None:
        """Alpha of a module, by any of its names; `wide` is a convolution that is not 1x1."""
        other = self.conv_alpha if wide and self.conv_alpha is not None else self.alpha
        return matched(self.alphas, names, other)

    def rank_of(self, names: list[str]) -> int | None:
        return matched(self.ranks, names, self.rank)

    def factor(self, alpha: float, rank: int) -> float:
        return alpha / (math.sqrt(rank) if self.rooted else rank)


def matched(patterns: dict[re.Pattern[str], Any], names: list[str], otherwise: Any) -> Any:
    """The value of the first pattern that fits one of the names."""
    for pattern, value in patterns.items():
        if any(pattern.match(name) for name in names):
            return value
    return otherwise


def of_peft(settings: dict, where: str, source: str) -> Statement:
    """A LoraConfig's; one error names the first setting that makes it something else than a LoRA of plain matrices."""
    method = settings.get("peft_type", "LORA")
    if method not in (None, "LORA"):
        raise ExportError(f"Expected LORA for peft_type in {where} but received {method!r}")
    if settings.get("bias", "none") not in (None, "none"):
        raise ExportError(f"Expected none for bias in {where} but received {settings['bias']!r}: biases cannot be merged")
    start = settings.get("init_lora_weights")
    if start is not None and not isinstance(start, bool) and start not in INITIALISATIONS:
        raise ExportError(
            f"Expected a LoRA that was trained beside the checkpoint's weights but {where} sets init_lora_weights to {start!r}"
        )
    known = HARMLESS | READ | {"peft_type", "bias", "init_lora_weights"}
    for key in sorted(settings.keys() - known):
        if settings[key] not in (None, False, 0, "") and settings[key] != {} and settings[key] != []:
            raise ExportError(f"Expected a plain LoRA but {where} sets {key}")
    if not isinstance(settings.get("use_rslora", False), (bool, type(None))):
        raise ExportError(f"Expected true or false for use_rslora in {where} but received {settings['use_rslora']!r}")
    return Statement(
        source,
        where,
        alpha=number(settings.get("lora_alpha"), "lora_alpha", where),
        rank=whole(settings.get("r"), "r", where),
        alphas={key: number(value, "alpha_pattern", where) for key, value in patterns(settings, "alpha_pattern", where)},
        ranks={key: whole(value, "rank_pattern", where) for key, value in patterns(settings, "rank_pattern", where)},
        rooted=bool(settings.get("use_rslora")),
    )


def patterns(settings: dict, key: str, where: str) -> Iterable[tuple[re.Pattern[str], Any]]:
    """peft's rule: a pattern is the end of a module's name, from a dot on."""
    given = settings.get(key) or {}
    if not isinstance(given, dict) or None in given.values():
        raise ExportError(f"Expected numbers by module for {key} in {where} but received {given!r}")
    for pattern, value in given.items():
        try:
            expect_quick(pattern)
            yield re.compile(rf"(.*\.)?({pattern})$"), value
        except (re.error, OverflowError, RecursionError, ValueError) as error:
            shown = pattern if len(pattern) <= 100 else f"{pattern[:100]}…"
            raise ExportError(
                f"Expected names of modules for {key} in {where} but received {shown!r}: {reason(error)}"
            ) from error


def expect_quick(pattern: str) -> None:
    """Refuses what Python may try in more ways than it ever ends with, which a file from anywhere may ask for. Names have at most
    a few parts that vary, and each is a number or a choice."""
    plain = re.sub(r"\\.|\[\^?\]?[^\]]*\]", "x", pattern)
    if re.search(r"\)[*+{]", plain):
        raise ValueError("a group is repeated")
    repeats = len(re.findall(r"[*+{]|(?<!\()\?", plain))
    ways = math.prod(1 + group.count("|") for group in re.split(r"[()]", plain))
    if repeats > MOST_REPEATS or ways > MOST_WAYS:
        raise ValueError(f"it has more than {MOST_REPEATS} repetitions, or more than {MOST_WAYS} ways of choosing")


def number(value: Any, key: str, where: str) -> Any:
    """A finite number, or None where there is none."""
    fits = value is None or isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9
    if not fits:
        raise ExportError(f"Expected a number for {key} in {where} but received {value!r}")
    return value if value is None else float(value)


def whole(value: Any, key: str, where: str) -> Any:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 1e9:
        raise ExportError(f"Expected a whole number of at least 1 for {key} in {where} but received {value!r}")
    return value


def of_header(header: dict[str, str], name: str) -> dict[str, list[Statement]]:
    """What a safetensors header says, by stage."""
    where = f"the header of {name}"
    found: dict[str, list[Statement]] = {stage: [] for stage in COMPONENTS}
    if "lora_adapter_metadata" in header:
        for component, settings in by_component(header["lora_adapter_metadata"], where).items():
            for stage, components in COMPONENTS.items():
                if component in components:
                    found[stage].append(of_peft(settings, where, "lora_adapter_metadata"))
    for stage, components in COMPONENTS.items():
        for component in components:
            statement = of_trainer(header, f"{component}." if component else "", where)
            if statement:
                found[stage].append(statement)
    return found


def by_component(text: str, where: str) -> dict[str, dict]:
    """diffusers' `{"prior.r": 4, "text_encoder.r": 8, …}`; without component where a network was saved by itself."""
    settings = parsed(text, "lora_adapter_metadata", where)
    groups: dict[str, dict] = {}
    for key, value in settings.items():
        component, _, setting = key.rpartition(".")
        groups.setdefault(component, {})[setting] = value
    known = {component for components in COMPONENTS.values() for component in components}
    for component in sorted(groups.keys() - known):
        raise ExportError(f"Expected settings of prior, unet or text_encoder in {where} but found those of {component}")
    return groups


def of_trainer(header: dict[str, str], prefix: str, where: str) -> Statement | None:
    arguments = parsed(header["ss_network_args"], "ss_network_args", where) if "ss_network_args" in header else {}
    algorithm = arguments.get("algo") or "lora"
    if algorithm not in ("lora", "locon"):
        raise ExportError(f"Expected a LoRA but {where} says algo {algorithm}")
    module = header.get("ss_network_module", "")
    if OTHER_MODULES.search(module):
        raise ExportError(f"Expected a LoRA but {where} says ss_network_module {module}")
    for key, value in [("dora_wd", arguments.get("dora_wd")), (f"{prefix}use_dora", header.get(f"{prefix}use_dora"))]:
        if truth(value):
            raise ExportError(f"Expected a plain LoRA but {where} sets {key}")
    given = [(key, header[prefix + key]) for key in HEADER_ALPHAS if header.get(prefix + key, "") not in NO_NUMBER]
    if not given:
        return None
    alphas = {from_text(value, prefix + key, where) for key, value in given}
    if len(alphas) > 1:
        raise ExportError(f"Expected one alpha in {where} but found {', '.join(f'{key} {value}' for key, value in given)}")
    conv = arguments.get("conv_alpha")
    return Statement(
        "header",
        where,
        alpha=alphas.pop(),
        conv_alpha=None if conv in (None, *NO_NUMBER) else from_text(conv, "conv_alpha", where),
        rooted=truth(header.get(f"{prefix}use_rslora")) or truth(arguments.get("rs_lora")),
    )


def truth(value: Any) -> bool:
    return str(value).lower() in ("true", "1")


def from_text(value: Any, key: str, where: str) -> float:
    """A header's values are texts."""
    try:
        return number(float(value), key, where)
    except (TypeError, ValueError):
        raise ExportError(f"Expected a number for {key} in {where} but received {value!r}") from None


def parsed(text: str, key: str, where: str) -> dict:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ExportError(f"Expected JSON for {key} in {where} but it cannot be read: {reason(error)}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ExportError(f"Expected an object for {key} in {where} but received a value of type {type(content).__name__}")
    return content
