"""Which sides a model makes: the same arithmetic as lib/model/size.ts."""

import math

LARGEST_SIDE = 8192


def side_of(grid: int, constants: dict) -> int | None:
    """A side of `grid` cells in pixels, if that is what one asks for and Stage B can be run on it."""
    latents = int(grid * constants["latentDimScale"])
    pixels = latents * constants["pixelsPerLatent"]
    fits = latents > 0 and latents % constants["latentUnit"] == 0 and math.ceil(pixels / constants["resolutionMultiple"]) == grid
    return pixels if fits else None


def sides_of(constants: dict) -> list[int]:
    """Every side up to `LARGEST_SIDE`; with the published constants, the multiples of 128."""
    sides: list[int] = []
    grid = 1
    while int(grid * constants["latentDimScale"]) * constants["pixelsPerLatent"] <= LARGEST_SIDE:
        side = side_of(grid, constants)
        if side is not None:
            sides.append(side)
        grid += 1
    return sides
