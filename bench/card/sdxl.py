"""Stable Diffusion XL (base 1.0, without the refiner) with random weights, of the published size or a small one.

The sizes are those of the config.json files of stabilityai/stable-diffusion-xl-base-1.0. Steps and guidance stay the pipeline's
defaults: 50 and 5.
"""

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

# Widths and depths: everything else has the published structure.
SIZES: dict[str, dict[str, Any]] = {
    "published": {
        "text": {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12},
        "text_2": {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20},
        "unet": {"block_out_channels": (320, 640, 1280), "attention_head_dim": (5, 10, 20), "layers_per_block": 2},
        "transformers": (1, 2, 10),
        "vae": {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2},
        "vocab_size": 49408,
    },
    "small": {
        "text": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2},
        "text_2": {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2},
        "unet": {"block_out_channels": (32, 64, 64), "attention_head_dim": (2, 4, 4), "layers_per_block": 1},
        "transformers": (1, 1, 2),
        "vae": {"block_out_channels": (32, 32, 32, 32), "layers_per_block": 1},
        "vocab_size": 49408,
    },
}
TIME_WIDTH = 256  # of each of the six numbers that say how an image was cut


def sdxl(config: str, checkpoint: Path, device: str, dtype: torch.dtype) -> Any:
    """The pipeline, its weights made on the device. The tokenizer is the checkpoint's: its tokens have no meaning either."""
    sizes = SIZES[config]
    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            torch.manual_seed(0)
            parts = make_parts(sizes)
    finally:
        torch.set_default_dtype(usual)
    tokenizer = CLIPTokenizer.from_pretrained(checkpoint / "prior" / "tokenizer")
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading", steps_offset=1
    )
    pipeline: Any = StableDiffusionXLPipeline(
        **parts, tokenizer=tokenizer, tokenizer_2=tokenizer, scheduler=scheduler, add_watermarker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def make_parts(sizes: dict[str, Any]) -> dict[str, Any]:
    first, second = sizes["text"], sizes["text_2"]
    unet = UNet2DConditionModel(
        sample_size=128,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=first["hidden_size"] + second["hidden_size"],
        transformer_layers_per_block=sizes["transformers"],
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=TIME_WIDTH,
        projection_class_embeddings_input_dim=second["hidden_size"] + 6 * TIME_WIDTH,
        **sizes["unet"],
    )
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        sample_size=1024,
        scaling_factor=0.13025,
        force_upcast=True,  # as published: the pipeline decodes in float32
        **sizes["vae"],
    )

    def text_config(part: dict[str, int], activation: str) -> CLIPTextConfig:
        return CLIPTextConfig(vocab_size=sizes["vocab_size"], hidden_act=activation, projection_dim=part["hidden_size"], **part)

    return {
        "unet": unet.eval(),
        "vae": vae.eval(),
        "text_encoder": CLIPTextModel(text_config(first, "quick_gelu")).eval(),
        "text_encoder_2": CLIPTextModelWithProjection(text_config(second, "gelu")).eval(),
    }
