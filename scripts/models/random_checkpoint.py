"""Writes seeded random checkpoints in the published layout, for tests and for checks at full size.

    PYTHONPATH=scripts python -m models.random_checkpoint --config small --seed 0 --out checkpoint
    PYTHONPATH=scripts python -m models.random_checkpoint --like models/tiny --out checkpoint

Makes `prior/`, `decoder/` (two pipeline directories), `image_encoder/` and `previewer/` in --out, one component at a time, so
that memory never holds more than one. `--like` takes the configurations of a model directory, whose own weights cannot be turned
back into a checkpoint: the exporter has folded them. Every tensor is random, also those that training starts at zero (the last
convolutions, gains, gates): a comparison of networks that give zeros would prove nothing. Needs what the exporter needs, and no
diffusers.
"""

import argparse
import json
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from wuerstchen_export import decoder, image_encoder, previewer, prior, stage_a, text_encoder

from .random_tokenizer import vocabulary, write_tokenizer

SMALL_VOCABULARY = len(vocabulary())
TEXT_SPECIALS = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}  # as published, though they are not the tokenizer's

# The published configurations, and small ones with the same structure: several levels with and without attention and
# embeddings, several heads, all 77 positions.
CONFIGS: dict[str, dict[str, dict]] = {
    "published": {
        "prior": {"c_in": 16, "c": 1536, "c_cond": 1280, "c_r": 64, "depth": 32, "nhead": 24, "dropout": 0.1},
        "decoder": decoder.DEFAULTS,
        "vqgan": stage_a.DEFAULTS,
        "prior_text_encoder": {
            "vocab_size": 49408,
            "hidden_size": 1280,
            "intermediate_size": 5120,
            "num_hidden_layers": 32,
            "num_attention_heads": 20,
            "max_position_embeddings": 77,
            "hidden_act": "gelu",
            "projection_dim": 512,
        },
        "decoder_text_encoder": {
            "vocab_size": 49408,
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "max_position_embeddings": 77,
            "hidden_act": "gelu",
            "projection_dim": 1024,
        },
        "image_encoder": {"c_latent": 16, "c_cond": 1280, "effnet": "efficientnet_v2_s"},
        "previewer": previewer.DEFAULTS,
    },
    "small": {
        "prior": {"c_in": 16, "c": 48, "c_cond": 40, "c_r": 16, "depth": 2, "nhead": 3, "dropout": 0.1},
        "decoder": {
            "c_in": 4,
            "c_out": 4,
            "c_r": 16,
            "patch_size": 2,
            "c_cond": 24,
            "c_hidden": [16, 24, 32, 32],
            "nhead": [-1, 3, 4, 2],
            "blocks": [1, 2, 2, 1],
            "level_config": ["CT", "CTA", "CTA", "CTA"],
            "inject_effnet": [False, True, True, True],
            "effnet_embd": 16,
            "clip_embd": 32,
            "kernel_size": 3,
            "dropout": 0.1,
        },
        "vqgan": {**stage_a.DEFAULTS, "bottleneck_blocks": 2, "embed_dim": 32, "num_vq_embeddings": 16},
        "prior_text_encoder": {
            "vocab_size": SMALL_VOCABULARY,
            "hidden_size": 40,
            "intermediate_size": 80,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": 77,
            "hidden_act": "gelu",
            "projection_dim": 16,
        },
        "decoder_text_encoder": {
            "vocab_size": SMALL_VOCABULARY,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 77,
            "hidden_act": "gelu",
            "projection_dim": 32,
        },
        "image_encoder": {
            "c_latent": 16,
            "c_cond": 64,
            "effnet": "custom",
            "stages": [
                {"block": "fused", "layers": 1, "expand": 1, "kernel": 3, "stride": 1, "in": 8, "out": 8},
                {"block": "fused", "layers": 2, "expand": 4, "kernel": 3, "stride": 2, "in": 8, "out": 12},
                {"block": "fused", "layers": 1, "expand": 4, "kernel": 3, "stride": 2, "in": 12, "out": 16},
                {"block": "mb", "layers": 2, "expand": 4, "kernel": 3, "stride": 2, "in": 16, "out": 24},
                {"block": "mb", "layers": 1, "expand": 6, "kernel": 3, "stride": 1, "in": 24, "out": 24},
                {"block": "mb", "layers": 2, "expand": 6, "kernel": 3, "stride": 2, "in": 24, "out": 32},
            ],
        },
        "previewer": {"c_in": 16, "widths": [24, 16, 12, 8]},
    },
}

# The published networks with next to no text encoders, which are a third of the published numbers.
CONFIGS["published-networks"] = {
    name: {**config, "num_hidden_layers": 1, "vocab_size": SMALL_VOCABULARY} if name.endswith("text_encoder") else config
    for name, config in CONFIGS["published"].items()
}

# The checkpoint of the tests and of the committed reference values, and the options that make it.
TEST_CHECKPOINT: dict[str, str | int] = {"config": "small", "seed": 20}
TEST_OPTIONS = ["--config", str(TEST_CHECKPOINT["config"]), "--seed", str(TEST_CHECKPOINT["seed"])]

# name -> (directory, class name in config.json, networks that share the checkpoint, defaults of their configuration)
COMPONENTS: dict[str, tuple[str, str, list[Callable[[dict], nn.Module]], dict]] = {
    "prior": ("prior/prior", "WuerstchenPrior", [prior.Prior], prior.DEFAULTS),
    "prior_text_encoder": ("prior/text_encoder", "CLIPTextModel", [text_encoder.TextEncoder], text_encoder.DEFAULTS),
    "decoder": ("decoder/decoder", "WuerstchenDiffNeXt", [decoder.Decoder], decoder.DEFAULTS),
    "decoder_text_encoder": ("decoder/text_encoder", "CLIPTextModel", [text_encoder.TextEncoder], text_encoder.DEFAULTS),
    "vqgan": ("decoder/vqgan", "PaellaVQModel", [stage_a.StageAEncoder, stage_a.StageADecoder], stage_a.DEFAULTS),
    "image_encoder": ("image_encoder", "EfficientNetEncoder", [image_encoder.ImageEncoder], image_encoder.DEFAULTS),
    "previewer": ("previewer", "Previewer", [previewer.Previewer], previewer.DEFAULTS),
}


# The stage of a manifest that a component's configuration stands in.
STAGES = {
    "prior": "prior",
    "prior_text_encoder": "priorTextEncoder",
    "decoder": "decoder",
    "decoder_text_encoder": "decoderTextEncoder",
    "vqgan": "vqDecoder",
    "image_encoder": "imageEncoder",
    "previewer": "previewer",
}


def configs_like(model: Path) -> dict[str, dict]:
    """The configurations of a model directory's stages."""
    stages = json.loads((model / "wuerstchen.json").read_text(encoding="utf-8"))["stages"]
    return {name: stages[stage]["config"] for name, stage in STAGES.items() if stage in stages}


def shapes_of(name: str, config: dict) -> dict[str, torch.Size]:
    """Keys and shapes of a component's checkpoint."""
    _, _, networks, defaults = COMPONENTS[name]
    config = {**defaults, **config}
    with torch.device("meta"):
        states = [network(config).state_dict() for network in networks]
    shapes = {key: tensor.shape for state in states for key, tensor in state.items()}
    if name == "vqgan":  # the codebook, which neither half uses: latents stay unquantised
        shapes["vquantizer.embedding.weight"] = torch.Size([config["num_vq_embeddings"], config["latent_channels"]])
    return shapes


def random_tensor(name: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    """A value that keeps activations near unit size."""
    if name.endswith("num_batches_tracked"):
        return torch.tensor(1000)
    noise = torch.randn(shape, generator=generator, device=generator.device)
    if name.endswith("running_var"):
        return 0.75 + 0.5 * noise.abs()
    if name.endswith("gammas"):
        return 0.3 * noise
    if name.endswith((".gamma", ".beta")):
        return 0.2 * noise
    if name.endswith("embedding.weight") and len(shape) == 2:  # of tokens, positions and the codebook, whose rows are looked up
        return 0.5 * noise
    if name.startswith(("out.1.", "clf.1.", "out_block.0.")):
        return random_output(name, noise)
    if len(shape) == 1:
        return 1 + 0.1 * noise if name.endswith("weight") else 0.1 * noise
    return noise / math.sqrt(shape[1:].numel())


def random_output(name: str, noise: Tensor) -> Tensor:
    """Last convolutions. The noise that Stages B and C predict is near their input, as training makes it: the first step from
    pure noise enlarges whatever differs a hundredfold, rounding errors too."""
    if name == "out_block.0.bias":  # Stage A: most pixels inside [0, 1], where the reference does not clamp
        return 0.5 + 0.1 * noise
    gain = {"out.1": 0.05, "clf.1": 0.1, "out_block.0": 0.2}[name.rpartition(".")[0]]
    if name.endswith("weight"):
        return gain * noise / math.sqrt(noise.shape[1])
    bias = gain * noise
    if name == "clf.1.bias":  # Stage B divides by sigmoid(b), b being the second half
        bias[len(bias) // 2 :] += 4
    return bias


def random_tensors(name: str, config: dict, seed: int, device: str = "cpu") -> dict[str, Tensor]:
    """The tensors of one component; the same for a seed and a kind of device, whatever else is written."""
    generator = torch.Generator(device).manual_seed(seed * 100 + list(COMPONENTS).index(name))
    return {key: random_tensor(key, shape, generator) for key, shape in sorted(shapes_of(name, config).items())}


def published_text_key(key: str, prefix: bool) -> str:
    """text_model.embeddings.token_embedding.weight and so on."""
    key = f"embeddings.{key}" if "_embedding." in key else key
    return f"text_model.{key}" if prefix else key


def write_component(
    name: str,
    config: dict,
    seed: int,
    out: Path,
    *,
    binary: bool = False,
    prefix: bool = True,
    rounded: torch.dtype = torch.float32,
    stored: torch.dtype = torch.float32,
    device: str = "cpu",
) -> int:
    directory, class_name, _, _ = COMPONENTS[name]
    target = out / directory
    target.mkdir(parents=True, exist_ok=True)

    def finish(tensor: Tensor) -> Tensor:
        return (tensor.to(rounded).to(stored) if tensor.is_floating_point() else tensor).cpu()

    tensors = {key: finish(tensor) for key, tensor in random_tensors(name, config, seed, device).items()}
    if class_name == "CLIPTextModel":
        tensors = {published_text_key(key, prefix): tensor for key, tensor in tensors.items()}
        header = {"architectures": [class_name], "model_type": "clip_text_model", "torch_dtype": "float32"}
        config = {**config, **TEXT_SPECIALS, "layer_norm_eps": 1e-5}
        stem, binary_stem = "model", "pytorch_model"
    else:
        header = {"_class_name": class_name, "_diffusers_version": "0.21.0.dev0"}
        stem = binary_stem = "diffusion_pytorch_model"
    write_json(target / "config.json", {**header, **config})
    if binary:
        torch.save(tensors, target / f"{binary_stem}.bin")
    else:
        save_file(tensors, target / f"{stem}.safetensors", metadata={"format": "pt"})
    return sum(tensor.numel() for tensor in tensors.values())


def write_json(file: Path, content: dict) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_pipeline_files(pipeline: str, out: Path, library: str, index_keys: bool, positions: int) -> None:
    """model_index.json, the scheduler and the tokenizer of `prior` or `decoder`."""
    shared = {
        "scheduler": ["diffusers", "DDPMWuerstchenScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizerFast"],
    }
    if pipeline == "prior":
        head = {"_class_name": "WuerstchenPriorPipeline", "_diffusers_version": "0.21.0.dev0"}
        own = {"prior": [library, "WuerstchenPrior"]}
        constants = {"latent_mean": 42.0, "latent_std": 1.0, "resolution_multiple": 42.67}
    else:
        head = {"_class_name": "WuerstchenDecoderPipeline", "_diffusers_version": "0.21.0.dev0"}
        own = {"decoder": [library, "WuerstchenDiffNeXt"], "vqgan": [library, "PaellaVQModel"]}
        constants = {"latent_dim_scale": 10.67}
    directory = out / pipeline
    (directory / "scheduler").mkdir(parents=True, exist_ok=True)
    write_json(directory / "model_index.json", {**head, **own, **shared, **(constants if index_keys else {})})
    scheduler = {"_class_name": "DDPMWuerstchenScheduler", "_diffusers_version": "0.21.0.dev0"}
    schedule = {"s": 0.008, "scaler": 1.0} if index_keys else {}
    write_json(directory / "scheduler" / "scheduler_config.json", {**scheduler, **schedule})
    write_tokenizer(directory / "tokenizer", positions)


def move_prior_to_root(out: Path) -> None:
    """As warp-ai's wuerstchen-prior-model-* repositories: the prior by itself in `prior_at_root/`."""
    shutil.move(out / "prior" / "prior", out / "prior_at_root")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    add = parser.add_argument
    configs = parser.add_mutually_exclusive_group(required=True)
    configs.add_argument("--config", choices=list(CONFIGS))
    configs.add_argument("--like", type=Path, metavar="MODEL_DIR", help="the configurations of this model directory")
    add("--seed", type=int, default=0)
    add("--out", type=Path, required=True, metavar="DIR")
    add("--stages", nargs="+", choices=list(COMPONENTS), help="components to write (default: all)")
    add("--rounded", choices=["float32", "float16", "bfloat16"], default="float32", help="values that this dtype holds exactly")
    add("--stored", choices=["float32", "float16", "bfloat16"], default="float32", help="what the files hold (default: float32)")
    add("--device", choices=["cpu", "cuda"], default="cpu", help="where numbers are drawn; a GPU's are others (default: cpu)")
    add("--library", choices=["wuerstchen", "diffusers"], default="wuerstchen", help="as model_index.json spells it")
    add("--no-index-keys", action="store_true", help="leave out the constants of the pipelines and schedulers")
    add("--no-text-prefix", action="store_true", help="text encoder keys without text_model., as transformers 5 writes them")
    add("--bin", action="store_true", help=".bin files instead of .safetensors")
    add("--prior-at-root", action="store_true", help="the prior by itself in prior_at_root/")
    options = parser.parse_args(arguments)
    configurations = CONFIGS[options.config] if options.config else configs_like(options.like)
    names = options.stages or list(configurations)
    for name in names:
        count = write_component(
            name,
            configurations[name],
            options.seed,
            options.out,
            binary=options.bin,
            prefix=not options.no_text_prefix,
            rounded=getattr(torch, options.rounded),
            stored=getattr(torch, options.stored),
            device=options.device,
        )
        print(f"{name}: {count:,} numbers", file=sys.stderr)
    for pipeline in ["prior", "decoder"]:
        if any(COMPONENTS[name][0].startswith(f"{pipeline}/") for name in names):
            positions = configurations[f"{pipeline}_text_encoder"]["max_position_embeddings"]
            write_pipeline_files(pipeline, options.out, options.library, not options.no_index_keys, positions)
    if options.prior_at_root:
        move_prior_to_root(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
