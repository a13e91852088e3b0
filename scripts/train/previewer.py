"""Embeddings z → a small picture (8 pixels for each embedding cell): what Stage C has in mind, before Stage B runs.

Trained beside the image encoder, where its direct error also teaches the encoder early on.
"""

from torch import nn

WIDTHS = [128, 96, 64, 48]


class Previewer(nn.Sequential):
    """z [B, 16, h, w] → RGB in [0, 1], [B, 3, 8h, 8w]"""

    def __init__(self, c_in=16, widths=tuple(WIDTHS)):
        layers = [nn.Conv2d(c_in, widths[0], 3, padding=1), nn.GELU()]
        for c_from, c_to in zip(widths, widths[1:]):
            layers += [nn.ConvTranspose2d(c_from, c_to, 2, stride=2), nn.GELU(), nn.Conv2d(c_to, c_to, 3, padding=1), nn.GELU()]
        super().__init__(*layers, nn.Conv2d(widths[-1], 3, 1))
