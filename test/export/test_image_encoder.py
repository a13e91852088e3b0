"""The EfficientNetV2-S encoder against torchvision (expected values: efficientnet_v2_s.json, which says how they were made)."""

import copy
import json
import math
from pathlib import Path

import pytest
import torch

from wuerstchen_export.image_encoder import DEFAULTS, ImageEncoder
from wuerstchen_export.torchscript import relative_error

FIXTURE = json.loads((Path(__file__).parent / "efficientnet_v2_s.json").read_text())
TOLERANCE = 2e-5  # float32, 40 blocks, and BatchNorm folded into the convolutions


def recipe(name: str, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """The fixture's weights_recipe."""
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    noise = torch.randn(shape, generator=generator)
    if len(shape) == 4:
        return noise * math.sqrt(2 / shape[1:].numel())
    if name.endswith("running_var"):
        return 0.75 + 0.5 * noise.abs()
    return 0.6 + 0.1 * noise if name.endswith("weight") else 0.1 * noise


@pytest.fixture(scope="module")
def encoder() -> ImageEncoder:
    encoder = ImageEncoder(DEFAULTS).eval()
    generator = torch.Generator().manual_seed(20261123)
    shapes = {name: tensor.shape for name, tensor in sorted(encoder.state_dict().items())}
    encoder.load_state_dict({name: recipe(name, shape, generator) for name, shape in shapes.items()})
    return encoder


def test_keys_and_parameters(encoder):
    keys = encoder.state_dict().keys()
    assert (len(keys), len([key for key in keys if key.startswith("backbone.")])) == (FIXTURE["tensors"], 780)
    assert sum(parameter.numel() for parameter in encoder.backbone.parameters()) == FIXTURE["backbone_parameters"] == 20_177_488


def test_weights_follow_the_recipe(encoder):
    for name, values in FIXTURE["weight_probe"].items():
        assert torch.allclose(encoder.state_dict()[name].flatten()[:3], torch.tensor(values), rtol=1e-6, atol=0)


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("case", FIXTURE["cases"], ids=lambda case: f"{case['width']}x{case['height']}")
def test_output(encoder, case, folded):
    encoder = copy.deepcopy(encoder)
    if folded:
        encoder.fold()
    channel, row, column = [torch.arange(n, dtype=torch.float64) for n in (3, case["height"], case["width"])]
    rows = (0.11 * (channel + 1)[:, None] * row).sin()[:, :, None]
    columns = (0.07 * (channel + 1)[:, None] * column).cos()[:, None, :]
    pixels = (rows + columns).float()[None]
    with torch.no_grad():
        x = pixels
        for layer, expected in zip(encoder.backbone, case["stages"], strict=True):
            x = layer(x)
            assert list(x.shape) == expected["shape"]
            assert x.std().item() == pytest.approx(expected["std"], rel=1e-4)
        embedding = encoder(pixels)
    expected = torch.tensor(case["embedding"]).reshape(case["embedding_shape"])
    assert relative_error(x.flatten()[:32], torch.tensor(case["features_first_32"])) < TOLERANCE
    assert relative_error(embedding, expected) < TOLERANCE
