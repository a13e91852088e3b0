"""Stage C's latents as a small image, which a preview shows while Stage B has not run. scripts/train trains this module."""

from itertools import pairwise

from torch import nn

DEFAULTS = {"c_in": 16, "widths": [128, 96, 64, 48]}


class Previewer(nn.Sequential):
    """z (batch, 16, height, width) -> RGB, about 0 to 1, (batch, 3, scale*height, scale*width); scale doubles with every width
    after the first"""

    def __init__(self, config: dict):
        widths = config["widths"]
        layers = [nn.Conv2d(config["c_in"], widths[0], 3, padding=1), nn.GELU()]
        for before, after in pairwise(widths):
            layers += [
                nn.ConvTranspose2d(before, after, 2, stride=2),
                nn.GELU(),
                nn.Conv2d(after, after, 3, padding=1),
                nn.GELU(),
            ]
        super().__init__(*layers, nn.Conv2d(widths[-1], 3, 1))
