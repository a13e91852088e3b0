"""Stage C, the text-conditional prior: noise -> image embeddings (diffusers' `WuerstchenPrior`).

`condition` does everything that depends on the prompt alone, `step` predicts the noise of one denoising step.
"""

import torch
from torch import Tensor, nn

from .blocks import (
    AttnBlock,
    Channelwise,
    Conv2d,
    TimeEmbedding,
    TimeMapper,
    TimestepBlock,
    channel_norm,
    to_channels_first,
    to_channels_last,
)

# Defaults of the class, and what the published checkpoints say instead.
DEFAULTS = {"c_in": 16, "c": 1280, "c_cond": 1024, "c_r": 64, "depth": 16, "nhead": 16, "dropout": 0.1}
PUBLISHED = {"c": 1536, "c_cond": 1280, "depth": 32, "nhead": 24}


class ResBlock(nn.Module):
    """Depthwise 3x3, then the channelwise Linears; residual."""

    def __init__(self, channels: int):
        super().__init__()
        self.depthwise = Conv2d(channels, channels, kernel_size=3, padding=1, groups=channels)
        self.norm = channel_norm(channels)
        self.channelwise = Channelwise(channels, channels)

    def fold(self) -> None:
        self.channelwise.fold()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.channelwise(self.norm(self.depthwise(x)))


class Prior(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        c, c_r = config["c"], config["c_r"]
        self.time_embedding = TimeEmbedding(c_r)
        self.projection = Conv2d(config["c_in"], c, kernel_size=1)
        self.cond_mapper = nn.Sequential(nn.Linear(config["c_cond"], c), nn.LeakyReLU(0.2), nn.Linear(c, c))
        self.blocks = nn.ModuleList()
        for _ in range(config["depth"]):
            self.blocks.extend([ResBlock(c), TimestepBlock(c, c_r), AttnBlock(c, c, config["nhead"])])
        self.out = nn.Sequential(channel_norm(c), Conv2d(c, config["c_in"] * 2, kernel_size=1))

    def fold(self) -> None:
        for block in self.blocks:
            if isinstance(block, (ResBlock, AttnBlock)):
                block.fold()
        self.time_mapper = TimeMapper([block for block in self.blocks if isinstance(block, TimestepBlock)])

    def condition(self, text: Tensor) -> Tensor | tuple[()]:
        """Text keys and values of every block: (batch, text, c_cond) -> (batch, depth, text, 2, nhead, c/nhead); nothing for a
        prior without blocks"""
        text = self.cond_mapper(text)  # (batch, text, c)
        keys_values = [block.text_keys_values(text) for block in self.blocks if isinstance(block, AttnBlock)]
        return torch.stack(keys_values, dim=1) if keys_values else ()

    def step(self, latents: Tensor, ratio: Tensor, *condition: Tensor) -> Tensor:
        """Predicted noise: (batch, c_in, height, width), (batch) float32 -> (batch, c_in, height, width) float32"""
        time = self.time_mapper(self.time_embedding(ratio).to(latents.dtype))
        text_kv = iter(block for kv in condition for block in kv.unbind(1))
        x = self.projection(to_channels_last(latents))  # (batch, height, width, c)
        for block in self.blocks:
            if isinstance(block, AttnBlock):
                x = block(x, next(text_kv))
            elif isinstance(block, TimestepBlock):
                x = block(x, *next(time))
            else:
                x = block(x)
        a, b = to_channels_first(self.out(x)).chunk(2, dim=1)  # 2 x (batch, c_in, height, width)
        # In float32: where b is next to 1, float16 would overflow (65,504) from a numerator of 0.66 on.
        return (latents.float() - a.float()) / ((1 - b.float()).abs() + 1e-5)
