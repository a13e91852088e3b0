"""Sizes of pictures, (width, height), as arguments name them."""


def size_of(text: str) -> tuple[int, int]:
    """ "256" → (256, 256), "384x256" → (384, 256): width and height"""
    width, *height = text.split("x")
    return int(width), int(*height or [width])


def parse_sides(text):
    """ "128:0.4,384x256:0.6" → [((128, 128), 0.4), ((384, 256), 0.6)], widths and heights with their shares"""
    parts = [part.split(":") for part in text.split(",")]
    return [(size_of(size), float(*share) if share else 1.0) for size, *share in parts]


def batch_of(args, size, least):
    """Pictures a step, so that a step of any size has as many pixels."""
    width, height = size
    return max(least, args.batch * 128 * 128 // (width * height))
