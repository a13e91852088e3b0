"""Writes the same upright image in every EXIF orientation and format: python test/image/orientations.py DIRECTORY

Its corners are red, green, blue and white (from the upper left, row by row), in masks 255, 170, 85 and 0.
"""

import sys
from pathlib import Path

from PIL import Image

# What a camera that was held so has done to an upright image (EXIF 2.32, 4.6.4 A). Orientation 1 is upright.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
SIZE = (96, 64)
IMAGE = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))
MASK = (255, 170, 85, 0)
FORMATS = {"png": {}, "jpeg": {"quality": 95, "subsampling": 0}, "webp": {"quality": 95}, "avif": {"quality": 95}}


def quarters(mode: str, colours: tuple) -> Image.Image:
    image = Image.new(mode, SIZE)
    for index, colour in enumerate(colours):
        image.paste(colour, (index % 2 * 48, index // 2 * 32, index % 2 * 48 + 48, index // 2 * 32 + 32))
    return image


def main(folder: Path) -> None:
    for kind, upright in (("image", quarters("RGB", IMAGE)), ("mask", quarters("L", MASK).convert("RGB"))):
        for orientation, change in STORED.items():
            stored = upright if change is None else upright.transpose(change)
            exif = Image.Exif()
            exif[0x0112] = orientation
            for name, options in FORMATS.items():
                stored.save(folder / f"{kind}-{orientation}.{name}", exif=exif.tobytes(), **options)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
