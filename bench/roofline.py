"""What a comparison is measured against: the operations of an image, and how fast this machine multiplies large matrices.

    PYTHONPATH=scripts python bench/roofline.py '{"model": DIR, "threads": 2,
        "settings": [{"width": 256, "height": 256, "batch": 1}]}'

Prints a line of JSON: `flops`, the operations of a call in each setting, and `rate`, operations a second of products of
2048 x 2048 float32 matrices, by MKL or by oneDNN, whichever is faster here. Operations are those of the exported programs as
torch's flop counter sees them (matrix products, convolutions and attention), with the steps and the guidance that compare.mjs
asks for. Networks are on the meta device: no weights, little memory.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from wuerstchen_export.blocks import Foldable
from wuerstchen_export.manifest import read_manifest
from wuerstchen_export.stages import stage_of
from wuerstchen_export.torchscript import example_inputs

PRIOR_STEPS, DECODER_STEPS = 29, 12
SIDE, PRODUCTS = 2048, 15


def operations(manifest: dict, width: int, height: int, batch: int) -> float:
    """Of a call for `batch` images of one prompt, with guidance in Stage C and none in Stage B."""
    constants = manifest["constants"]
    grid = {side: -int(-pixels // constants["resolutionMultiple"]) for side, pixels in (("Height", height), ("Width", width))}
    latents = {side: int(value * constants["latentDimScale"]) for side, value in grid.items()}
    total = 0.0
    # Rows of a call, and calls of each function.
    calls = {
        "priorTextEncoder": (grid, 2, {"forward": 1}),
        "prior": (grid, 2 * batch, {"condition": 1, "step": PRIOR_STEPS}),
        "decoderTextEncoder": (grid, 1, {"forward": 1}),
        "decoder": (latents, batch, {"condition": 1, "step": DECODER_STEPS}),
        "vqDecoder": (latents, batch, {"forward": 1}),
    }
    for name, (sides, rows, functions) in calls.items():
        stage = stage_of(name, manifest["stages"][name]["config"])
        with torch.device("meta"):
            module = stage.build(stage.config)
            if isinstance(module, Foldable):
                module.fold()
        module = module.to("meta").eval()
        size = {
            "batch": rows,
            "height": sides["Height"],
            "width": sides["Width"],
            "gridHeight": grid["Height"],
            "gridWidth": grid["Width"],
            "text": manifest["tokenizers"].get(name, manifest["tokenizers"]["priorTextEncoder"])["maxLength"],
        }
        known: dict[str, torch.Tensor] = {}
        for function, times in functions.items():
            inputs = example_inputs(stage.functions[function], size, known, stage, torch.float32, "meta")
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                outputs = getattr(module, function)(*inputs)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            specs = stage.functions[function]
            known.update({spec.name: each for spec, each in zip(specs.inputs + specs.outputs, inputs + outputs, strict=True)})
            total += times * counter.get_total_flops()
    return total


def rate() -> float:
    """Of the faster library: on AMD's processors, MKL reaches less than the oneDNN that the networks' products use."""
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    packed = torch.ops.mkldnn._reorder_linear_weight(b.t().contiguous(), SIDE)

    def by_onednn() -> torch.Tensor:
        return torch.ops.mkldnn._linear_pointwise(a, packed, None, "none", [], "")

    product = torch.mm(a, b)
    if not torch.allclose(by_onednn(), product, atol=1e-2):
        raise SystemExit("Expected the same product of both libraries but they differ")
    return max(rate_of(lambda: torch.mm(a, b)), rate_of(by_onednn))


def rate_of(multiply: Callable[[], torch.Tensor]) -> float:
    """The median of some products, after two that do not count."""
    times = []
    for _ in range(PRODUCTS + 2):
        start = time.perf_counter()
        multiply()
        times.append(time.perf_counter() - start)
    return 2 * SIDE**3 / statistics.median(times[2:])


def main() -> None:
    options = json.loads(sys.argv[1])
    torch.set_num_threads(options["threads"])
    manifest = read_manifest(Path(options["model"]))
    if manifest is None:
        raise SystemExit(f"Expected a model directory but {options['model']} is none")
    print(json.dumps({"flops": [operations(manifest, **setting) for setting in options["settings"]], "rate": rate()}))


if __name__ == "__main__":
    main()
