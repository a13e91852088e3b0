"""The semantic image encoder: EfficientNetV2 features -> 16 channels (`EfficientNetEncoder` of Würstchen v2).

Keys are torchvision's (`backbone.*`, as `efficientnet_v2_s().features` names them) and `mapper.*`. The last BatchNorm is
affine in v2 (only Stable Cascade's is not). Structure: pytorch/vision `models/efficientnet.py`, `ops/misc.py`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .blocks import child

# "fused" blocks have no squeeze-and-excitation, "mb" blocks have one; `stride` is that of a stage's first layer.
EFFICIENTNET_V2_S = [
    {"block": "fused", "layers": 2, "expand": 1, "kernel": 3, "stride": 1, "in": 24, "out": 24},
    {"block": "fused", "layers": 4, "expand": 4, "kernel": 3, "stride": 2, "in": 24, "out": 48},
    {"block": "fused", "layers": 4, "expand": 4, "kernel": 3, "stride": 2, "in": 48, "out": 64},
    {"block": "mb", "layers": 6, "expand": 4, "kernel": 3, "stride": 2, "in": 64, "out": 128},
    {"block": "mb", "layers": 9, "expand": 6, "kernel": 3, "stride": 1, "in": 128, "out": 160},
    {"block": "mb", "layers": 15, "expand": 6, "kernel": 3, "stride": 2, "in": 160, "out": 256},
]

# `stages` is ours: an encoder with another table says it there. The stem is 3x3, stride 2; the last convolution gives
# c_cond channels.
DEFAULTS = {"c_latent": 16, "c_cond": 1280, "effnet": "efficientnet_v2_s", "stages": EFFICIENTNET_V2_S}


def embedding_std(tensors: dict[str, Tensor]) -> float:
    """The spread of the embeddings: the last BatchNorm's weights are the channels' standard deviations."""
    return tensors["mapper.1.weight"].float().square().mean().sqrt().item()


class ConvNormActivation(nn.Sequential):
    """Convolution without bias, BatchNorm, SiLU unless `activate` is false."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1, activate: bool = True):
        conv = nn.Conv2d(c_in, c_out, kernel, stride, padding=(kernel - 1) // 2, groups=groups, bias=False)
        super().__init__(conv, nn.BatchNorm2d(c_out, eps=1e-3), *([nn.SiLU()] if activate else []))

    def fold(self) -> None:
        """BatchNorm in evaluation is a fixed scale and shift: it becomes the convolution's bias and part of its weight."""
        self.eval()
        self[0] = fuse_conv_bn_eval(child(self, 0, nn.Conv2d), child(self, 1, nn.BatchNorm2d))
        self[1] = nn.Identity()


class SqueezeExcitation(nn.Module):
    """Scales every channel by a gate computed from the means of all channels."""

    def __init__(self, channels: int, squeezed: int):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, kernel_size=1)
        self.fc2 = nn.Conv2d(squeezed, channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc2(F.silu(self.fc1(x.mean((2, 3), keepdim=True)))).sigmoid()


class EfficientNetBlock(nn.Module):
    """FusedMBConv or MBConv; residual where input and output have one shape."""

    def __init__(self, kind: str, expansion: int, kernel: int, stride: int, c_in: int, c_out: int):
        super().__init__()
        expanded = c_in * expansion
        self.residual = stride == 1 and c_in == c_out
        if kind == "mb":
            self.block = nn.Sequential(
                ConvNormActivation(c_in, expanded, 1),
                ConvNormActivation(expanded, expanded, kernel, stride, groups=expanded),
                SqueezeExcitation(expanded, max(1, c_in // 4)),
                ConvNormActivation(expanded, c_out, 1, activate=False),
            )
        elif expansion == 1:
            self.block = nn.Sequential(ConvNormActivation(c_in, c_out, kernel, stride))
        else:
            self.block = nn.Sequential(
                ConvNormActivation(c_in, expanded, kernel, stride),
                ConvNormActivation(expanded, c_out, 1, activate=False),
            )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x) if self.residual else self.block(x)


class ImageEncoder(nn.Module):
    """ImageNet-normalised pixels (batch, 3, 32*gridHeight, 32*gridWidth) -> e (batch, 16, gridHeight, gridWidth)"""

    def __init__(self, config: dict):
        super().__init__()
        stages = config["stages"]
        features: list[nn.Module] = [ConvNormActivation(3, stages[0]["in"], 3, stride=2)]
        for stage in stages:
            features.append(nn.Sequential(*(self._block(stage, first=i == 0) for i in range(stage["layers"]))))
        features.append(ConvNormActivation(stages[-1]["out"], config["c_cond"], 1))
        self.backbone = nn.Sequential(*features)
        self.mapper: nn.Sequential | nn.Conv2d = nn.Sequential(
            nn.Conv2d(config["c_cond"], config["c_latent"], kernel_size=1, bias=False), nn.BatchNorm2d(config["c_latent"])
        )

    @staticmethod
    def _block(stage: dict, first: bool) -> EfficientNetBlock:
        stride, c_in = (stage["stride"], stage["in"]) if first else (1, stage["out"])
        return EfficientNetBlock(stage["block"], stage["expand"], stage["kernel"], stride, c_in, stage["out"])

    def fold(self) -> None:
        for module in self.backbone.modules():
            if isinstance(module, ConvNormActivation):
                module.fold()
        assert isinstance(self.mapper, nn.Sequential)
        self.mapper.eval()
        self.mapper = fuse_conv_bn_eval(child(self.mapper, 0, nn.Conv2d), child(self.mapper, 1, nn.BatchNorm2d))

    def forward(self, pixels: Tensor) -> Tensor:
        # This is the order in which the CPU's convolutions work. Otherwise each of them reorders its input.
        return self.mapper(self.backbone(pixels.contiguous(memory_format=torch.channels_last)))
