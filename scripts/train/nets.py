"""The five networks of the tiny model: published architecture (diffusers and transformers classes), small widths."""

import math

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import AttnProcessor2_0
from diffusers.pipelines.deprecated.wuerstchen.modeling_paella_vq_model import MixingResidualBlock, PaellaVQModel
from diffusers.pipelines.deprecated.wuerstchen.modeling_wuerstchen_common import AttnBlock, GlobalResponseNorm, TimestepBlock
from diffusers.pipelines.deprecated.wuerstchen.modeling_wuerstchen_diffnext import ResBlockStageB, WuerstchenDiffNeXt
from diffusers.pipelines.deprecated.wuerstchen.modeling_wuerstchen_prior import ResBlock, WuerstchenPrior
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from wuerstchen_export.previewer import DEFAULTS as PREVIEWER
from wuerstchen_export.previewer import Previewer

SCALE_FACTOR = 0.3764  # of Stage A's latents, as published
LATENT_MEAN = 42.0  # embeddings: e = 42 z - 1
TEXT_WIDTH, TEXT_LENGTH = 160, 32

VQGAN = dict(embed_dim=64, bottleneck_blocks=3, levels=2, latent_channels=4, num_vq_embeddings=16, scale_factor=SCALE_FACTOR)
DECODER = dict(
    c_hidden=[64, 128, 224],
    nhead=[-1, -1, 7],
    blocks=[1, 2, 3],
    level_config=["CT", "CT", "CTA"],
    inject_effnet=[True, True, True],
    c_cond=64,
    clip_embd=TEXT_WIDTH,
    c_r=64,
    patch_size=2,
    dropout=0.0,
)
PRIOR = dict(c_in=16, c=256, c_cond=TEXT_WIDTH, c_r=64, depth=6, nhead=8, dropout=0.0)


class QuickResponseNorm(GlobalResponseNorm):
    """The same norm as a sum of squares: vector_norm takes ten times as long over dimensions that are not the last.

    The added 1e-12 keeps the gradient of the root finite for a channel that is zero all over the map.
    """

    def forward(self, x):
        norm = x.float().square().sum((1, 2), keepdim=True).add(1e-12).sqrt()
        norm = norm / (norm.mean(dim=-1, keepdim=True) + 1e-6)
        return torch.addcmul(self.beta.to(x.dtype), x, (1 + self.gamma * norm).to(x.dtype))


def resampled(z, size):
    """Stage B's bicubic resize of the embeddings, [B, 16, h, w] → [B, 16, *size], as two matrix products.

    interpolate(antialias=True) walks over a whole batch in one GPU thread for each output pixel, forth and back.
    """

    def matrix(n, to):
        units = torch.eye(n, device=z.device)[None, :, :, None].repeat(
            1, 1, 1, 2
        )  # [1, n, n, 2]; one column alone is resized wrongly
        return F.interpolate(units, (to, 2), mode="bicubic", antialias=True, align_corners=True)[0, :, :, 0].mT  # [to, n]

    down, across = (matrix(n, to) for n, to in zip(z.shape[-2:], size, strict=True))
    return down @ z @ across.mT


class QuickDecoder(WuerstchenDiffNeXt):
    """Stage B with that resize; every level has embeddings injected and ResBlocks only of Stage B's kind."""

    def _level(self, blocks, mapper, x, r_embed, z, clip, skip=None):
        injected = None
        for block in blocks:
            if isinstance(block, ResBlockStageB):
                if injected is None:
                    injected = mapper(resampled(z, x.shape[-2:]))  # [B, c_cond, h, w]
                x, skip = block(x, injected if skip is None else torch.cat([skip, injected], dim=1)), None
            elif isinstance(block, AttnBlock):
                x = block(x, clip)
            elif isinstance(block, TimestepBlock):
                x = block(x, r_embed)
            else:
                x = block(x)  # to the next level's size
        return x

    def _down_encode(self, x, r_embed, effnet, clip=None):
        outputs = []
        for blocks, mapper in zip(self.down_blocks, self.effnet_mappers[: len(self.down_blocks)], strict=True):
            x = self._level(blocks, mapper, x, r_embed, effnet, clip)
            outputs.insert(0, x)
        return outputs

    def _up_decode(self, level_outputs, r_embed, effnet, clip=None):
        x, skips = level_outputs[0], [None, *level_outputs[1:]]
        for blocks, mapper, skip in zip(self.up_blocks, self.effnet_mappers[len(self.down_blocks) :], skips, strict=True):
            x = self._level(blocks, mapper, x, r_embed, effnet, clip, skip)
        return x


def quicken(model: nn.Module) -> nn.Module:
    """A diffusers network in the forms that train fastest; its weights and results stay what they are."""
    for module in model.modules():
        if isinstance(module, GlobalResponseNorm):
            module.__class__ = QuickResponseNorm
        elif isinstance(module, WuerstchenDiffNeXt):
            module.__class__ = QuickDecoder
    return model.to(memory_format=torch.channels_last)


def vqgan() -> PaellaVQModel:
    model = PaellaVQModel(**VQGAN)
    for block in model.modules():
        if isinstance(block, MixingResidualBlock):
            # Published gammas start at 0 (blocks are identities); half-open blocks learn much sooner.
            block.gammas.data[[2, 5]] = 0.5
    # The encoder ends in a BatchNorm. Its affine part is fixed so that latents / 0.3764 have about unit deviation.
    norm = model.down_blocks[-1][1]
    nn.init.constant_(norm.weight, SCALE_FACTOR)
    nn.init.constant_(norm.bias, 0.0)
    norm.weight.requires_grad_(False)
    norm.bias.requires_grad_(False)
    model.vquantizer.requires_grad_(False)  # decoding bypasses quantisation, so the codebook stays unused
    return model


def decoder() -> WuerstchenDiffNeXt:
    """Stage B. While training, its mappers take z; assemble.py folds z = (e + 1) / 42 into them."""
    model = WuerstchenDiffNeXt(**DECODER)
    blocks = [m for m in model.modules() if isinstance(m, ResBlockStageB)]
    for block in blocks:
        # diffusers scales this weight once for every visited module instead of once, down to denormal numbers
        last = block.channelwise[-1]
        nn.init.xavier_uniform_(last.weight)
        last.weight.data *= math.sqrt(1 / len(blocks))
    nn.init.xavier_uniform_(model.embedding[1].weight)
    for mapper in model.effnet_mappers:
        nn.init.normal_(mapper.weight, std=0.1)
    return quicken(model)


def prior() -> WuerstchenPrior:
    """Stage C; diffusers has no initialisation of its own for it."""
    model = WuerstchenPrior(**PRIOR)
    model.set_attn_processor(AttnProcessor2_0())
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, ResBlock):
            module.channelwise[-1].weight.data *= math.sqrt(1 / PRIOR["depth"])
        elif isinstance(module, TimestepBlock):
            nn.init.zeros_(module.mapper.weight)
    nn.init.zeros_(model.out[1].weight)  # epsilon = x at the start
    return quicken(model)


def previewer() -> Previewer:
    """z [B, 16, h, w] → RGB in [0, 1], [B, 3, 8h, 8w]. Its error also teaches the image encoder early on."""
    return Previewer(PREVIEWER)


def text_encoder(vocab_size: int, bos: int, eos: int) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocab_size,
            hidden_size=TEXT_WIDTH,
            intermediate_size=4 * TEXT_WIDTH,
            num_hidden_layers=3,
            num_attention_heads=5,
            max_position_embeddings=TEXT_LENGTH,
            hidden_act="gelu",
            projection_dim=TEXT_WIDTH,
            bos_token_id=bos,
            eos_token_id=eos,
            pad_token_id=eos,
        )
    )


def parameters(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def rows(tensor: torch.Tensor) -> torch.Tensor:
    """[B] → [B, 1, 1, 1]"""
    return tensor[:, None, None, None]
