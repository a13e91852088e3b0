"""Building blocks shared by the networks, written for inference.

Attribute names equal the checkpoint's keys (diffusers 0.42.1, `pipelines/deprecated/wuerstchen`) until `fold`, which every
network needs once, after its weights are loaded and before it runs. Feature maps are (batch, height, width, channels)
throughout, where LayerNorms and Linears work; convolutions take the same memory as what LibTorch calls channels last.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MAX_POSITIONS = 10000  # gen_r_embedding of both networks

Child = TypeVar("Child", bound=nn.Module)


@runtime_checkable
class Foldable(Protocol):
    """A network whose weights change their form once, after they are loaded."""

    def fold(self) -> None: ...


def child(modules: nn.Sequential | nn.ModuleList, index: int, kind: type[Child]) -> Child:
    """The module at `index`, which is of this class."""
    found = modules[index]
    if not isinstance(found, kind):
        raise TypeError(f"Expected {kind.__name__} at {index} but it is {type(found).__name__}")
    return found


def to_channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def to_channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def channel_norm(channels: int) -> nn.LayerNorm:
    """Over the channels, without learned parameters."""
    return nn.LayerNorm(channels, eps=1e-6, elementwise_affine=False)


def linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """A Linear of these tensors, which it does not copy."""
    module = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    module.weight = nn.Parameter(weight, requires_grad=False)
    module.bias = nn.Parameter(bias, requires_grad=False)
    return module


class Conv2d(nn.Conv2d):
    """(batch, height, width, channels) in and out."""

    def forward(self, x: Tensor) -> Tensor:
        if self.kernel_size == (1, 1) and self.groups == 1:
            return F.linear(x, self.weight.flatten(1), self.bias)
        return to_channels_last(super().forward(to_channels_first(x)))


class ConvTranspose2d(nn.ConvTranspose2d):
    """(batch, height, width, channels) in and out."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        return to_channels_last(super().forward(to_channels_first(x), output_size))


class TimeEmbedding(nn.Module):
    """Sinusoids of the noise level: (batch) in [0, 1], float32 -> (batch, c_r), float32; one column less where c_r is odd,
    because the reference's last one is zero then.

    Hazards: in half precision r * 10000 is off by up to 2, so nothing here may follow the network's dtype; and a constant
    made while tracing would carry the tracing device for ever. Hence a buffer, which moves with the module, of small whole
    numbers, which every floating point dtype holds exactly whatever the module is converted to.
    """

    index: Tensor

    def __init__(self, c_r: int):
        super().__init__()
        half = c_r // 2
        self.exponent = -math.log(MAX_POSITIONS) / (half - 1)
        self.register_buffer("index", torch.arange(half, dtype=torch.float32, device="cpu"), persistent=False)

    def forward(self, ratio: Tensor) -> Tensor:
        frequency = (self.index.float() * self.exponent).exp()  # (c_r/2)
        angle = (ratio.float() * MAX_POSITIONS)[:, None] * frequency  # (batch, c_r/2)
        return torch.cat([angle.sin(), angle.cos()], dim=1)  # (batch, c_r)


class TimestepBlock(nn.Module):
    """Scales and shifts every channel by what the noise level says; which is TimeMapper's work."""

    def __init__(self, channels: int, c_r: int):
        super().__init__()
        self.mapper = nn.Linear(c_r, channels * 2)

    def forward(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        return torch.addcmul(shift, x, scale)


class TimeMapper(nn.Module):
    """The mappers of all TimestepBlocks as one Linear."""

    def __init__(self, blocks: Sequence[TimestepBlock]):
        super().__init__()
        self.channels = [block.mapper.out_features // 2 for block in blocks]
        if not blocks:
            return
        weight = torch.cat([block.mapper.weight.chunk(2)[half] for half in (0, 1) for block in blocks])
        sinusoids = weight.shape[1] // 2 * 2  # without the column that an odd c_r has for a zero
        self.mapper = linear(
            weight[:, :sinusoids].contiguous(),
            torch.cat([block.mapper.bias.chunk(2)[half] for half in (0, 1) for block in blocks]),
        )
        for block in blocks:
            del block.mapper

    def forward(self, time: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """(batch, c_r) -> for every block a scale and a shift, (batch, 1, 1, channels)"""
        if not self.channels:
            return iter(())
        scale, shift = self.mapper(time)[:, None, None].chunk(2, dim=-1)
        return zip((1 + scale).split(self.channels, dim=-1), shift.split(self.channels, dim=-1), strict=True)


class GlobalResponseNorm(nn.Module):
    """Divides each channel's norm over the map by the mean norm of all channels (ConvNeXt V2)."""

    def __init__(self, channels: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, channels))

    def forward(self, x: Tensor) -> Tensor:
        # In float32, because a sum of squares over the map overflows float16 (no difference for float32). Not vector_norm, which
        # takes ten times as long over dimensions that are not the last.
        norm = x.float().square().sum((1, 2), keepdim=True).sqrt()  # (batch, 1, 1, channels)
        norm = norm / (norm.mean(dim=-1, keepdim=True) + 1e-6)
        return x * (1 + self.gamma * norm).to(x.dtype)


class Channelwise(nn.Sequential):
    """The pointwise half of a ConvNeXt block: expand by four, GELU (exact), GRN, contract."""

    def __init__(self, c_in: int, channels: int):
        super().__init__(
            nn.Linear(c_in, channels * 4),
            nn.GELU(),
            GlobalResponseNorm(channels * 4),
            nn.Identity(),  # dropout while training; keeps the checkpoint's numbering
            nn.Linear(channels * 4, channels),
        )

    def fold(self) -> None:
        """What GRN adds to every channel becomes part of the next bias."""
        norm, last = child(self, 2, GlobalResponseNorm), child(self, 4, nn.Linear)
        self[4] = linear(last.weight, last.bias + last.weight @ norm.beta.flatten())
        del norm.beta


class Attention(nn.Module):
    """Projections of one attention block; `inner` is the width of all heads."""

    def __init__(self, channels: int, inner: int):
        super().__init__()
        self.to_q = nn.Linear(channels, inner)
        self.to_k = nn.Linear(channels, inner)
        self.to_v = nn.Linear(channels, inner)
        self.to_out = nn.Sequential(nn.Linear(inner, channels))

    def fold(self) -> None:
        """One Linear instead of three."""
        parts = [self.to_q, self.to_k, self.to_v]
        self.to_qkv = linear(torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts]))
        del self.to_q, self.to_k, self.to_v


class AttnBlock(nn.Module):
    """Image tokens attend to all image tokens, then to the text; the text's keys and values are made once per prompt."""

    def __init__(self, channels: int, c_cond: int, heads: int):
        super().__init__()
        self.heads, self.inner = heads, heads * (channels // heads)
        self.norm = channel_norm(channels)
        self.attention = Attention(channels, self.inner)
        self.kv_mapper = nn.Sequential(nn.SiLU(), nn.Linear(c_cond, channels))

    def fold(self) -> None:
        self.attention.fold()

    def text_keys_values(self, text: Tensor) -> Tensor:
        """(batch, text, c_cond) -> (batch, text, 2, heads, head width), which is channels/heads, rounded down"""
        # Queries are computed too, although nothing uses them: the runtime may pack only weights that Linears alone use.
        keys_values = self.attention.to_qkv(self.kv_mapper(text))[..., self.inner :]
        return keys_values.unflatten(-1, (2, self.heads, -1))

    def forward(self, x: Tensor, text_kv: Tensor) -> Tensor:
        tokens = self.norm(x).flatten(1, 2)  # (batch, height*width, channels)
        query, keys_values = self.attention.to_qkv(tokens).split([self.inner, 2 * self.inner], dim=-1)
        query = query.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (batch, heads, height*width, head width)
        # (batch, height*width + text, 2, heads, head width)
        keys_values = torch.cat([keys_values.unflatten(-1, (2, self.heads, -1)), text_kv], dim=1)
        key, value = keys_values.permute(2, 0, 3, 1, 4).unbind()
        out = F.scaled_dot_product_attention(query, key, value)
        return x + self.attention.to_out(out.transpose(1, 2).flatten(2)).view(x.shape)
