"""Stage A, the VQGAN: latents <-> pixels (diffusers' `PaellaVQModel`), in two halves. A run needs one of them."""

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .blocks import Conv2d, ConvTranspose2d, channel_norm, child, linear, to_channels_first, to_channels_last

DEFAULTS = {
    "in_channels": 3,
    "out_channels": 3,
    "up_down_scale_factor": 2,
    "levels": 2,
    "bottleneck_blocks": 12,
    "embed_dim": 384,
    "latent_channels": 4,
    "num_vq_embeddings": 8192,
    "scale_factor": 0.3764,
}


class MixingResidualBlock(nn.Module):
    """Depthwise 3x3 and channelwise Linears, each with a scalar scale, shift and gate (`gammas`)."""

    def __init__(self, channels: int, c_inner: int):
        super().__init__()
        self.norm1 = channel_norm(channels)
        self.depthwise = nn.Sequential(nn.ReplicationPad2d(1), nn.Conv2d(channels, channels, kernel_size=3, groups=channels))
        self.norm2 = channel_norm(channels)
        self.channelwise = nn.Sequential(nn.Linear(channels, c_inner), nn.GELU(), nn.Linear(c_inner, channels))
        self.gammas = nn.Parameter(torch.zeros(6))

    def fold(self) -> None:
        """Scales, shifts and gates become part of the weights that they stand before and after. The depthwise convolution
        repeats the border, so a shift of the whole map is a shift of its result."""
        scale1, shift1, gate1, scale2, shift2, gate2 = self.gammas.unbind()
        conv = child(self.depthwise, 1, nn.Conv2d)
        first, last = child(self.channelwise, 0, nn.Linear), child(self.channelwise, 2, nn.Linear)
        assert conv.bias is not None
        conv.bias = nn.Parameter((conv.bias + shift1 * conv.weight.sum((1, 2, 3))) * gate1, requires_grad=False)
        conv.weight = nn.Parameter(conv.weight * (1 + scale1) * gate1, requires_grad=False)
        self.channelwise[0] = linear(first.weight * (1 + scale2), first.bias + shift2 * first.weight.sum(1))
        self.channelwise[2] = linear(last.weight * gate2, last.bias * gate2)
        del self.gammas

    def forward(self, x: Tensor) -> Tensor:
        x = x + to_channels_last(self.depthwise(to_channels_first(self.norm1(x))))
        return x + self.channelwise(self.norm2(x))


def channels_of_levels(config: dict) -> list[int]:
    """[192, 384] for the published model."""
    return [config["embed_dim"] // 2**i for i in reversed(range(config["levels"]))]


def fold_blocks(blocks: nn.Sequential) -> None:
    for block in blocks:
        if isinstance(block, MixingResidualBlock):
            block.fold()


class StageAEncoder(nn.Module):
    """(batch, 3, height, width) in [0, 1] -> unscaled, unquantised latents (batch, 4, height/4, width/4)"""

    def __init__(self, config: dict):
        super().__init__()
        channels, scale = channels_of_levels(config), config["up_down_scale_factor"]
        self.in_block = nn.Sequential(
            nn.PixelUnshuffle(scale), Conv2d(config["in_channels"] * scale**2, channels[0], kernel_size=1)
        )
        blocks: list[nn.Module] = []
        for i, c in enumerate(channels):
            if i > 0:
                blocks.append(Conv2d(channels[i - 1], c, kernel_size=4, stride=2, padding=1))
            blocks.append(MixingResidualBlock(c, c * 4))
        latent = config["latent_channels"]
        blocks.append(nn.Sequential(Conv2d(channels[-1], latent, kernel_size=1, bias=False), nn.BatchNorm2d(latent)))
        self.down_blocks = nn.Sequential(*blocks)

    def fold(self) -> None:
        """Besides the blocks the last BatchNorm, a fixed scale and shift by now, which becomes part of its convolution."""
        fold_blocks(self.down_blocks)
        last = child(self.down_blocks, -1, nn.Sequential).eval()
        self.down_blocks[-1] = fuse_conv_bn_eval(child(last, 0, Conv2d), child(last, 1, nn.BatchNorm2d))

    def forward(self, pixels: Tensor) -> Tensor:
        unshuffle, project = self.in_block
        return to_channels_first(self.down_blocks(project(to_channels_last(unshuffle(pixels)))))


class StageADecoder(nn.Module):
    """Scaled latents (batch, 4, height, width) -> pixels (batch, 3, height*4, width*4), about [0, 1], not clamped"""

    def __init__(self, config: dict):
        super().__init__()
        channels, scale = channels_of_levels(config), config["up_down_scale_factor"]
        blocks: list[nn.Module] = [nn.Sequential(Conv2d(config["latent_channels"], channels[-1], kernel_size=1))]
        for i in reversed(range(len(channels))):
            at_the_bottom = i == len(channels) - 1
            for _ in range(config["bottleneck_blocks"] if at_the_bottom else 1):
                blocks.append(MixingResidualBlock(channels[i], channels[i] * 4))
            if i > 0:
                blocks.append(ConvTranspose2d(channels[i], channels[i - 1], kernel_size=4, stride=2, padding=1))
        self.up_blocks = nn.Sequential(*blocks)
        self.out_block = nn.Sequential(
            Conv2d(channels[0], config["out_channels"] * scale**2, kernel_size=1), nn.PixelShuffle(scale)
        )

    def fold(self) -> None:
        fold_blocks(self.up_blocks)

    def forward(self, latents: Tensor) -> Tensor:
        project, shuffle = self.out_block
        return shuffle(to_channels_first(project(self.up_blocks(to_channels_last(latents)))))
