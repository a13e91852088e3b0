"""The tiny networks of diffusers' own tests of Würstchen, exported, and what diffusers 0.42.1 makes of those tests' inputs.

    PYTHONPATH=scripts python -m checks.parity.dummies --out DIR

diffusers removed tests/pipelines/wuerstchen/ with its support; sizes, seeds and calls here are those of its last versions.
Weights are torch's initial ones after `torch.manual_seed(0)`, as there. The tests' tokenizer (tiny-random-clip of
hf-internal-testing) cannot be had here, and the one of scripts/models stands in: nothing that the decoder's and the combined
test look at depends on texts, for their decoder has neither attention nor image embeddings. The prior's test does depend on it.

Writes DIR/decoder and DIR/combined, model directories, and DIR/expected.safetensors.
"""

import argparse
import contextlib
import io
import sys
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMWuerstchenScheduler, WuerstchenCombinedPipeline
from diffusers.pipelines.deprecated.wuerstchen import PaellaVQModel, WuerstchenDiffNeXt, WuerstchenPrior
from diffusers.utils import logging
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

import export
from models.random_checkpoint import write_pipeline_files

from .configurations import edit

WIDTH = 32  # of the texts


def seeded(network: Any, *arguments: Any, **config: Any) -> Any:
    torch.manual_seed(0)
    return network(*arguments, **config).eval()


def text_encoder() -> Any:
    special: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    layers: dict[str, Any] = {"num_attention_heads": 4, "num_hidden_layers": 5, "intermediate_size": 37, "layer_norm_eps": 1e-5}
    return seeded(CLIPTextModel, CLIPTextConfig(hidden_size=WIDTH, vocab_size=1000, **layers, **special))


def prior(c_in: int) -> Any:
    return seeded(WuerstchenPrior, c_in=c_in, c=8, depth=2, c_cond=WIDTH, c_r=8, nhead=2)


def decoder() -> Any:
    levels: dict[str, Any] = {"c_hidden": [320], "nhead": [-1], "blocks": [4], "level_config": ["CT"], "inject_effnet": [False]}
    return seeded(WuerstchenDiffNeXt, c_cond=WIDTH, clip_embd=WIDTH, **levels)


def export_to(out: Path, c_in: int, constants: dict) -> None:
    """A model directory of the dummies, from a checkpoint beside it."""
    checkpoint = out.with_name(f"{out.name}-checkpoint")
    components: dict[str, dict[str, Any]] = {
        "prior": {"prior": prior(c_in), "text_encoder": text_encoder()},
        "decoder": {"decoder": decoder(), "vqgan": vqgan(), "text_encoder": text_encoder()},
    }
    for pipeline, parts in components.items():
        for name, module in parts.items():
            module.save_pretrained(checkpoint / pipeline / name)
        write_pipeline_files(pipeline, checkpoint, "diffusers", True, 77)
        edit(checkpoint / pipeline / "model_index.json", lambda index: index.update(constants))
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = export.main(["--prior", f"{checkpoint}/prior", "--decoder", f"{checkpoint}/decoder", "--out", str(out)])
    if code != 0:
        raise SystemExit(f"the export failed:\n{said.getvalue()}")


def vqgan() -> Any:
    return seeded(PaellaVQModel, bottleneck_blocks=1, num_vq_embeddings=2)


def combined(tokenizer: CLIPTokenizer, c_in: int) -> Any:
    pipeline: Any = WuerstchenCombinedPipeline(
        tokenizer=tokenizer,
        text_encoder=text_encoder(),
        decoder=decoder(),
        scheduler=DDPMWuerstchenScheduler(),
        vqgan=vqgan(),
        prior_tokenizer=tokenizer,
        prior_text_encoder=text_encoder(),
        prior_prior=prior(c_in),
        prior_scheduler=DDPMWuerstchenScheduler(),
    )
    for part in [pipeline, pipeline.prior_pipe, pipeline.decoder_pipe]:
        part.set_progress_bar_config(disable=True)
    return pipeline


def expected_values(checkpoints: Path) -> dict[str, torch.Tensor]:
    """The images as fractions of one, and the prior's embeddings of the combined test and of the prior's own."""
    tokenizer = CLIPTokenizer.from_pretrained(checkpoints / "combined-checkpoint/prior/tokenizer")
    pipeline = combined(tokenizer, c_in=2)
    steps: dict[str, Any] = {"num_inference_steps": 2, "prior_num_inference_steps": 2}
    scales: dict[str, Any] = {"prior_guidance_scale": 4.0, "decoder_guidance_scale": 4.0}
    image = pipeline("horse", 128, 128, generator=seed_0(), output_type="np", **steps, **scales).images
    embed: dict[str, Any] = {"num_inference_steps": 2, "guidance_scale": 4.0}
    small = pipeline.prior_pipe("horse", height=128, width=128, generator=seed_0(), **embed).image_embeddings
    whole = pipeline.prior_pipe("horse", generator=seed_0(), **embed).image_embeddings  # 1024x1024
    pipeline.decoder_pipe.register_to_config(latent_dim_scale=4.0)
    ones = torch.ones((1, 4, 4, 4))
    decoded = pipeline.decoder_pipe(
        ones, "horse", generator=seed_0(), guidance_scale=1.0, num_inference_steps=2, output_type="np"
    ).images
    values = {"combined": torch.from_numpy(image), "decoder": torch.from_numpy(decoded), "prior": small, "prior 1024": whole}
    return {name: tensor.float().contiguous() for name, tensor in values.items()}


def seed_0() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    out = parser.parse_args(arguments).out
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    export_to(out / "combined", 2, {})
    # That test has no prior. Its embeddings have 4 channels, so we need one of 4; its grid of 4 cells is 64 pixels.
    export_to(out / "decoder", 4, {"latent_dim_scale": 4.0, "resolution_multiple": 16.0})
    with torch.no_grad():
        save_file(expected_values(out), out / "expected.safetensors")
    return 0


if __name__ == "__main__":
    sys.exit(main())
