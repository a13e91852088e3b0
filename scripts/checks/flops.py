"""What the exporter's rewrites save: floating point operations and weights of one step, diffusers' modules against ours.

    PYTHONPATH=scripts python -m checks.flops

Published configurations at 1024 x 1024, one image; Stage C with guidance, two rows. Counted on the meta device, so it needs no
weights and little memory. Needs scripts/requirements-test.txt.
"""

import sys
from collections.abc import Callable
from typing import TypeVar

import torch
from diffusers.pipelines.deprecated.wuerstchen.modeling_paella_vq_model import PaellaVQModel
from diffusers.pipelines.deprecated.wuerstchen.modeling_wuerstchen_diffnext import WuerstchenDiffNeXt
from diffusers.pipelines.deprecated.wuerstchen.modeling_wuerstchen_prior import WuerstchenPrior
from torch.utils.flop_counter import FlopCounterMode

from models.random_checkpoint import CONFIGS
from wuerstchen_export.decoder import Decoder
from wuerstchen_export.prior import Prior
from wuerstchen_export.stage_a import StageADecoder

PUBLISHED = CONFIGS["published"]
Network = TypeVar("Network", Prior, Decoder, StageADecoder)


def flops(run: Callable[[], object]) -> float:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def weights(*modules: torch.nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def ours(network: Callable[[dict], Network], config: dict) -> Network:
    with torch.device("meta"):
        module = network(config)
        module.fold()
    return module.to("meta").eval()


def row(name: str, theirs: tuple[float, int], step: float, condition: float, count: int) -> None:
    print(
        f"| {name} | {theirs[0] / 1e9:,.0f} | {step / 1e9:,.0f} ({step / theirs[0] - 1:+.0%}) | {condition / 1e9:,.0f} | "
        f"{theirs[1] / 1e6:,.1f} M | {count / 1e6:,.1f} M ({count / theirs[1] - 1:+.0%}) |"
    )


def main() -> int:
    def meta(*shape: int) -> torch.Tensor:
        return torch.empty(shape, device="meta")

    print(
        "| Step | diffusers, GFLOP | here, GFLOP | once an image, GFLOP | weights in diffusers | here |\n"
        "|---|---|---|---|---|---|"
    )
    with torch.device("meta"):
        prior = WuerstchenPrior(**PUBLISHED["prior"]).eval()
    inputs, stage_c = (meta(2, 16, 24, 24), meta(2), meta(2, 77, 1280)), ours(Prior, PUBLISHED["prior"])
    once = flops(lambda: stage_c.condition(inputs[2]))
    kv = stage_c.condition(inputs[2])
    assert isinstance(kv, torch.Tensor)
    step = flops(lambda: stage_c.step(inputs[0], inputs[1], kv))
    row(
        "Stage C with guidance",
        (flops(lambda: prior(*inputs)), weights(prior)),
        step,
        once,
        weights(stage_c),
    )

    with torch.device("meta"):
        decoder = WuerstchenDiffNeXt(**PUBLISHED["decoder"]).eval()
    latents, ratio, embeddings, text = meta(1, 4, 256, 256), meta(1), meta(1, 16, 24, 24), meta(1, 77, 1024)
    stage_b = ours(Decoder, PUBLISHED["decoder"])
    once = flops(lambda: stage_b.condition(latents, embeddings, text))
    step = flops(lambda: stage_b.step(latents, ratio, *stage_b.condition(latents, embeddings, text))) - once
    row("Stage B", (flops(lambda: decoder(latents, ratio, embeddings, text)), weights(decoder)), step, once, weights(stage_b))

    with torch.device("meta"):
        vqgan = PaellaVQModel(**PUBLISHED["vqgan"]).eval()
    stage_a = ours(StageADecoder, PUBLISHED["vqgan"])
    theirs = flops(lambda: vqgan.decode(latents)), weights(vqgan.up_blocks, vqgan.out_block)
    row("Stage A, decoding", theirs, flops(lambda: stage_a(latents)), 0, weights(stage_a))
    return 0


if __name__ == "__main__":
    sys.exit(main())
