"""EfficientNetV2 trunk from a stage table, with torchvision's key names, and the image encoder around it.

The same table describes the published encoder (torchvision's efficientnet_v2_s) and the tiny one; it is written into the
encoder's config.json, so that one parametrised module loads both.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet

# block: "fused" has no squeeze-and-excitation, "mb" has one (squeeze = in / 4).
TINY = {
    "stem": {"kernel": 3, "stride": 2, "in": 3, "out": 24},
    "stages": [
        {"block": "fused", "expand": 1, "kernel": 3, "stride": 1, "in": 24, "out": 24, "layers": 1},
        {"block": "fused", "expand": 2, "kernel": 3, "stride": 2, "in": 24, "out": 40, "layers": 1},
        {"block": "fused", "expand": 3, "kernel": 3, "stride": 2, "in": 40, "out": 56, "layers": 1},
        {"block": "mb", "expand": 4, "kernel": 3, "stride": 2, "in": 56, "out": 112, "layers": 2},
        {"block": "mb", "expand": 4, "kernel": 3, "stride": 2, "in": 112, "out": 160, "layers": 2},
    ],
    "head": 384,
}


def _conv(c_in, c_out, kernel, stride=1, groups=1, act=True):
    layers = [
        nn.Conv2d(c_in, c_out, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
        nn.BatchNorm2d(c_out, eps=1e-3),
    ]
    return nn.Sequential(*layers, *([nn.SiLU()] if act else []))


class SqueezeExcitation(nn.Module):
    def __init__(self, c, squeezed):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(c, squeezed, 1), nn.Conv2d(squeezed, c, 1)

    def forward(self, x):
        scale = F.silu(self.fc1(x.mean((2, 3), keepdim=True)))
        return x * self.fc2(scale).sigmoid()


class Block(nn.Module):
    """FusedMBConv or MBConv."""

    def __init__(self, kind, expand, kernel, stride, c_in, c_out):
        super().__init__()
        wide = c_in * expand
        if kind == "mb":
            layers = [
                _conv(c_in, wide, 1),
                _conv(wide, wide, kernel, stride, groups=wide),
                SqueezeExcitation(wide, c_in // 4),
                _conv(wide, c_out, 1, act=False),
            ]
        elif expand == 1:
            layers = [_conv(c_in, c_out, kernel, stride)]
        else:
            layers = [_conv(c_in, wide, kernel, stride), _conv(wide, c_out, 1, act=False)]
        self.block = nn.Sequential(*layers)
        self.residual = stride == 1 and c_in == c_out

    def forward(self, x):
        return x + self.block(x) if self.residual else self.block(x)


def trunk(table: dict) -> nn.Sequential:
    stem = table["stem"]
    stages = [_conv(stem["in"], stem["out"], stem["kernel"], stem["stride"])]
    for s in table["stages"]:
        stages.append(
            nn.Sequential(
                *(
                    Block(
                        s["block"],
                        s["expand"],
                        s["kernel"],
                        s["stride"] if i == 0 else 1,
                        s["in"] if i == 0 else s["out"],
                        s["out"],
                    )
                    for i in range(s["layers"])
                )
            )
        )
    return nn.Sequential(*stages, _conv(table["stages"][-1]["out"], table["head"], 1))


class ImageEncoder(nn.Module):
    """Pixels in [0, 1], side 32 × grid → embeddings e [B, 16, grid, grid] in Stage B's space."""

    def __init__(self, table=TINY, c_latent=16):
        super().__init__()
        self.table, self.c_latent = table, c_latent
        self.backbone = trunk(table)
        norm = nn.BatchNorm2d(c_latent)
        # Fixed affine part: z = (e + 1) / 42 has unit deviation in each channel, the range Stage C works in.
        nn.init.constant_(norm.weight, 42.0)
        nn.init.constant_(norm.bias, -1.0)
        norm.requires_grad_(False)
        self.mapper = nn.Sequential(nn.Conv2d(table["head"], c_latent, 1, bias=False), norm)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None], persistent=False)

    def forward(self, image):
        return self.mapper(self.backbone((image - self.mean) / self.std))

    def z(self, image):
        return (self(image) + 1) / 42

    def save(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "_class_name": "EfficientNetEncoder",
            "c_latent": self.c_latent,
            "c_cond": self.table["head"],
            "effnet": "custom",
            **self.table,
        }
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        save_file({k: v.contiguous() for k, v in self.state_dict().items()}, folder / "diffusion_pytorch_model.safetensors")

    @classmethod
    def load(cls, folder: Path):
        config = json.loads((folder / "config.json").read_text())
        model = cls({key: config[key] for key in ("stem", "stages", "head")}, config["c_latent"])
        model.load_state_dict(load_file(folder / "diffusion_pytorch_model.safetensors"))
        return model.eval()


def encoder_input(image: torch.Tensor, width: int | None = None, height: int | None = None) -> torch.Tensor:
    """[B, 3, H, W] → the size the encoder sees: 32 pixels for each embedding cell, i.e. 0.75 of the picture."""
    height, width = height or image.shape[-2], width or image.shape[-1]
    size = [32 * math_ceil(side / 42.67) for side in (height, width)]
    return F.interpolate(image, size=size, mode="bilinear", antialias=True, align_corners=False)


def math_ceil(value: float) -> int:
    return -int(-value // 1)
