"""Stage B, the latent decoder: noise + image embeddings -> Stage A's latents (diffusers' `WuerstchenDiffNeXt`).

Two exact rewrites of the reference:
- The effnet branch is linear up to the first Linear of each block, so `fold` multiplies the 1x1 mapper (16 -> c_cond) into
  that Linear, whose input shrinks from c + c_cond to c + 16 channels.
- Both halves of a level see the same map size, so the embeddings are resized once per level and image, in `condition`.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import (
    AttnBlock,
    Channelwise,
    Conv2d,
    ConvTranspose2d,
    TimeEmbedding,
    TimeMapper,
    TimestepBlock,
    channel_norm,
    child,
    linear,
    to_channels_first,
    to_channels_last,
)

DEFAULTS = {
    "c_in": 4,
    "c_out": 4,
    "c_r": 64,
    "patch_size": 2,
    "c_cond": 1024,
    "c_hidden": [320, 640, 1280, 1280],
    "nhead": [-1, 10, 20, 20],
    "blocks": [4, 4, 14, 4],
    "level_config": ["CT", "CTA", "CTA", "CTA"],
    "inject_effnet": [False, True, True, True],
    "effnet_embd": 16,
    "clip_embd": 1024,
    "kernel_size": 3,
    "dropout": 0.1,
}


def effnet_levels(config: dict) -> list[int]:
    """The levels whose ResBlocks take the embeddings."""
    return [i for i in _levels_with("C", config) if config["inject_effnet"][i]]


def attention_levels(config: dict) -> list[int]:
    return _levels_with("A", config)


def _levels_with(kind: str, config: dict) -> list[int]:
    return [i for i in range(len(config["c_hidden"])) if config["blocks"][i] and kind in config["level_config"][i]]


class ResBlockStageB(nn.Module):
    """Depthwise convolution, then the channelwise Linears over [x, skip, embeddings]; residual."""

    def __init__(self, channels: int, c_skip: int, kernel_size: int):
        super().__init__()
        self.depthwise = Conv2d(channels, channels, kernel_size, padding=kernel_size // 2, groups=channels)
        self.norm = channel_norm(channels)
        self.channelwise = Channelwise(channels + c_skip, channels)

    def fold(self, mapper: nn.Conv2d | None) -> None:
        """Takes the mapper's outputs, the last inputs of the first Linear, back to the mapper's inputs."""
        self.channelwise.fold()
        if mapper is None:
            return
        assert mapper.bias is not None
        first = child(self.channelwise, 0, nn.Linear)
        own, mapped = first.weight.split([first.in_features - mapper.out_channels, mapper.out_channels], dim=1)
        folded = torch.cat([own, mapped @ mapper.weight[:, :, 0, 0]], dim=1)
        self.channelwise[0] = linear(folded, first.bias + mapped @ mapper.bias)

    def forward(self, x: Tensor, skip: Tensor | None, effnet: Tensor | None) -> Tensor:
        """`skip` (batch, height, width, c_skip), `effnet` (batch, height, width, effnet_embd)"""
        inputs = [tensor for tensor in (self.norm(self.depthwise(x)), skip, effnet) if tensor is not None]
        return x + self.channelwise(torch.cat(inputs, dim=3) if len(inputs) > 1 else inputs[0])


class Decoder(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        self.config = config
        c_hidden, c_cond, patch = config["c_hidden"], config["c_cond"], config["patch_size"]
        self.levels = len(c_hidden)
        inject = config["inject_effnet"]
        self.effnet_levels, self.attention_levels = effnet_levels(config), attention_levels(config)

        self.time_embedding = TimeEmbedding(config["c_r"])
        self.clip_mapper = nn.Linear(config["clip_embd"], c_cond)
        self.seq_norm = nn.LayerNorm(c_cond, eps=1e-6, elementwise_affine=False)
        # By number, as the checkpoint's keys have it; levels without embeddings have none.
        self.effnet_mappers = nn.ModuleDict(
            {
                str(i): nn.Conv2d(config["effnet_embd"], c_cond, kernel_size=1)
                for i, injected in enumerate([*inject, *reversed(inject)])
                if injected
            }
        )
        self.embedding = nn.Sequential(
            nn.PixelUnshuffle(patch),
            Conv2d(config["c_in"] * patch**2, c_hidden[0], kernel_size=1),
            channel_norm(c_hidden[0]),
        )
        self.down_blocks = nn.ModuleList(self._down_level(i) for i in range(self.levels))
        self.up_blocks = nn.ModuleList(self._up_level(i) for i in reversed(range(self.levels)))
        self.clf = nn.Sequential(
            channel_norm(c_hidden[0]),
            Conv2d(c_hidden[0], 2 * config["c_out"] * patch**2, kernel_size=1),
            nn.PixelShuffle(patch),
        )

    def _block(self, kind: str, level: int, c_skip: int) -> nn.Module:
        channels, config = self.config["c_hidden"][level], self.config
        if kind == "C":
            c_effnet = config["c_cond"] if config["inject_effnet"][level] else 0
            return ResBlockStageB(channels, c_skip + c_effnet, config["kernel_size"])
        if kind == "T":
            return TimestepBlock(channels, config["c_r"])
        if kind == "A":
            return AttnBlock(channels, config["c_cond"], config["nhead"][level])
        raise ValueError(f"Expected C, T or A in level_config but received {kind!r}")

    def _down_level(self, i: int) -> nn.ModuleList:
        c_hidden = self.config["c_hidden"]
        level = nn.ModuleList()
        if i > 0:
            down = Conv2d(c_hidden[i - 1], c_hidden[i], kernel_size=2, stride=2)
            level.append(nn.Sequential(channel_norm(c_hidden[i - 1]), down))
        for _ in range(self.config["blocks"][i]):
            level.extend(self._block(kind, i, c_skip=0) for kind in self.config["level_config"][i])
        return level

    def _up_level(self, i: int) -> nn.ModuleList:
        c_hidden = self.config["c_hidden"]
        level = nn.ModuleList()
        for j in range(self.config["blocks"][i]):
            for k, kind in enumerate(self.config["level_config"][i]):
                has_skip = i < self.levels - 1 and j == k == 0
                level.append(self._block(kind, i, c_skip=c_hidden[i] if has_skip else 0))
        if i > 0:
            up = ConvTranspose2d(c_hidden[i], c_hidden[i - 1], kernel_size=2, stride=2)
            level.append(nn.Sequential(channel_norm(c_hidden[i]), up))
        return level

    def _level_blocks(self, i: int) -> list[nn.Module]:
        """All blocks of level `i`, in the order in which they run."""
        return [*child(self.down_blocks, i, nn.ModuleList), *child(self.up_blocks, self.levels - 1 - i, nn.ModuleList)]

    def fold(self) -> None:
        mappers = dict(self.effnet_mappers.named_children())
        levels = [child(levels, i, nn.ModuleList) for levels in (self.down_blocks, self.up_blocks) for i in range(self.levels)]
        for i, level in enumerate(levels):
            mapper = mappers.get(str(i))
            assert mapper is None or isinstance(mapper, nn.Conv2d)
            for block in level:
                if isinstance(block, ResBlockStageB):
                    block.fold(mapper)
                elif isinstance(block, AttnBlock):
                    block.fold()
        del self.effnet_mappers
        self.time_mapper = TimeMapper([block for level in levels for block in level if isinstance(block, TimestepBlock)])

    def condition(self, latents: Tensor, embeddings: Tensor, text: Tensor) -> tuple[Tensor, ...]:
        """Everything that depends only on the image and the prompt.

        `latents` (batch, c_in, height, width) says only how large the maps are; `embeddings` (batch, effnet_embd,
        gridHeight, gridWidth); `text` (batch, text, clip_embd). Gives, for the levels that take embeddings, (batch, level
        height, level width, effnet_embd), then, for the levels with attention, (batch, blocks, text, 2, nhead, c/nhead).
        """
        height, width = latents.shape[-2:]
        patch = self.config["patch_size"]
        maps = [self._resize(embeddings, height // (patch * 2**i), width // (patch * 2**i)) for i in self.effnet_levels]
        text = self.seq_norm(self.clip_mapper(text))  # (batch, text, c_cond)
        keys_values = [
            torch.stack([b.text_keys_values(text) for b in self._level_blocks(i) if isinstance(b, AttnBlock)], dim=1)
            for i in self.attention_levels
        ]
        return (*maps, *keys_values)

    @staticmethod
    def _resize(embeddings: Tensor, height: int, width: int) -> Tensor:
        # In float32: the antialiased resize does not exist for half precision on the CPU.
        resized = F.interpolate(embeddings.float(), size=(height, width), mode="bicubic", antialias=True, align_corners=True)
        return to_channels_last(resized).contiguous().to(embeddings.dtype)  # (batch, height, width, effnet_embd)

    def step(self, latents: Tensor, ratio: Tensor, *condition: Tensor) -> Tensor:
        """Predicted noise: (batch, c_in, height, width), (batch) float32 -> (batch, c_out, height, width)"""
        time = self.time_mapper(self.time_embedding(ratio).to(latents.dtype))
        maps = dict(zip(self.effnet_levels, condition[: len(self.effnet_levels)], strict=True))
        text_kv = {
            level: iter(kv.unbind(1))
            for level, kv in zip(self.attention_levels, condition[len(self.effnet_levels) :], strict=True)
        }
        unshuffle, project, norm = self.embedding
        x = norm(project(to_channels_last(unshuffle(latents))))  # (batch, height/patch, width/patch, c_hidden[0])
        skips = []
        for i in range(self.levels):
            x = self._run(child(self.down_blocks, i, nn.ModuleList), x, time, None, maps.get(i), text_kv.get(i, iter(())))
            skips.append(x)
        for i in reversed(range(self.levels)):
            skip = skips[i] if i < self.levels - 1 else None
            level = child(self.up_blocks, self.levels - 1 - i, nn.ModuleList)
            x = self._run(level, x, time, skip, maps.get(i), text_kv.get(i, iter(())))
        norm, project, shuffle = self.clf
        a, b = shuffle(to_channels_first(project(norm(x)))).chunk(2, dim=1)  # 2 x (batch, c_out, height, width)
        b = b.sigmoid() * (1 - 2e-3) + 1e-3
        return (latents - a) / b

    @staticmethod
    def _run(
        level: nn.ModuleList,
        x: Tensor,
        time: Iterator[tuple[Tensor, Tensor]],
        skip: Tensor | None,
        effnet: Tensor | None,
        text_kv: Iterator[Tensor],
    ) -> Tensor:
        for i, block in enumerate(level):
            if isinstance(block, ResBlockStageB):
                # As in the reference, a level that begins with another block has no skip at all.
                x = block(x, skip if i == 0 else None, effnet)
            elif isinstance(block, TimestepBlock):
                x = block(x, *next(time))
            elif isinstance(block, AttnBlock):
                x = block(x, next(text_kv))
            else:
                x = block(x)
        return x
