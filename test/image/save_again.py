"""Saves an image file again with the metadata that Pillow read, and prints the text as stable-diffusion-webui reads it.

Usage: save_again.py FILE OUT
"""

import json
import sys

from PIL import Image
from PIL.PngImagePlugin import PngInfo

USER_COMMENT, EXIF_DIRECTORY = 0x9286, 0x8769

image = Image.open(sys.argv[1])
image.load()
if image.format == "PNG":
    texts = PngInfo()
    for keyword, value in image.text.items():
        texts.add_text(keyword, value)
    image.save(sys.argv[2], pnginfo=texts)
    text = image.text["parameters"]
else:
    image.save(sys.argv[2], exif=image.info["exif"], xmp=image.info["xmp"])
    comment = image.getexif().get_ifd(EXIF_DIRECTORY)[USER_COMMENT]
    # The webui uses piexif, whose UserComment.load does this.
    assert comment[:8] == b"UNICODE\0", comment
    text = comment[8:].decode("utf_16_be")
print(json.dumps(text))
