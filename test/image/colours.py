"""Writes image files whose colours are stored in every way, and what each patch of them must be read as.

    python test/image/colours.py DIRECTORY

DIRECTORY/expected.json lists the files: {"file", "tolerance", "patches": [[r, g, b], …]} in 8-bit sRGB, laid on white. The values
come from littlecms through Pillow where a file has an ICC profile, else from the formulas of the standards, in double precision.
A file is a row of patches of 16 × 16 pixels.
"""

import io
import json
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms

SIDE = 16
COLOURS = np.array(
    [
        [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [128, 128, 128], [200, 150, 50], [20, 10, 5],
        [2, 3, 1], [64, 64, 64], [128, 30, 200], [250, 128, 114], [10, 200, 190], [90, 90, 100],
    ]
)  # fmt: skip
GREYS = np.array([0, 1, 2, 8, 20, 64, 100, 128, 180, 230, 254, 255])
INKS = np.array(
    [[0, 0, 0, 0], [255, 0, 0, 0], [0, 255, 0, 0], [0, 0, 255, 0], [0, 0, 0, 255], [60, 40, 20, 10], [10, 90, 200, 50]]
)
ALPHAS = np.array([255, 128, 64, 0, 200])

D65, D50 = (0.3127, 0.3290), (0.3457, 0.3585)
PRIMARIES = {  # red, green, blue, white: x and y (ITU-T H.273, table 2; the others as their standards have them)
    "srgb": (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, *D65),
    "470m": (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316),
    "470bg": (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *D65),
    "601": (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *D65),
    "2020": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *D65),
    "dci": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    "p3": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *D65),
    "ebu": (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *D65),
    "adobe": (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, *D65),
    "prophoto": (0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001, *D50),
}
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


# How Pillow keeps as much as a format can.
FINEST: dict[str, dict[str, Any]] = {
    "JPEG": {"subsampling": 0, "quality": 100},
    "WebP": {"lossless": True},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}


def xyz(x: float, y: float) -> np.ndarray:
    return np.array([x / y, 1, (1 - x - y) / y])


def to_xyz(name: str, white: tuple[float, float]) -> np.ndarray:
    """Linear RGB to XYZ, adapted by Bradford's matrix to `white`."""
    rx, ry, gx, gy, bx, by, wx, wy = PRIMARIES[name]
    columns = np.stack([xyz(rx, ry), xyz(gx, gy), xyz(bx, by)], axis=1)
    own = columns * np.linalg.solve(columns, xyz(wx, wy))
    cones = (BRADFORD @ xyz(*white)) / (BRADFORD @ xyz(wx, wy))
    return np.linalg.inv(BRADFORD) @ np.diag(cones) @ BRADFORD @ own


def srgb_decode(v: np.ndarray) -> np.ndarray:
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def srgb_encode(v: np.ndarray) -> np.ndarray:
    v = np.clip(v, 0, 1)
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055)


def pq_decode(v: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084; 1 is the 203 cd/m² of BT.2408's reference white."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = v ** (1 / m2)
    return 10000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1) / 203


def hlg_decode(v: np.ndarray) -> np.ndarray:
    """BT.2100: the inverse OETF, then the OOTF of a display of 1000 cd/m²; 1 is BT.2408's reference white."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(v <= 0.5, v**2 / 3, (np.exp((v - c) / a) + b) / 12)
    light = scene @ to_xyz("2020", D65)[1]
    return 1000 * scene * light[:, None] ** 0.2 / 203


TRANSFERS = {
    "srgb": srgb_decode,
    "linear": lambda v: v,
    "2.2": lambda v: v**2.2,
    "2.8": lambda v: v**2.8,
    "pq": pq_decode,
    "hlg": hlg_decode,
}


def by_formula(values: np.ndarray, primaries: str, decode) -> np.ndarray:  # noqa: ANN001
    """(n, 3) in [0, 1] as 8-bit sRGB, not rounded."""
    linear = decode(values) @ (np.linalg.inv(to_xyz("srgb", D65)) @ to_xyz(primaries, D65)).T
    return 255 * srgb_encode(linear)


# ICC profiles


def number(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def curve(gamma: float) -> bytes:
    """A parametric curve, and sRGB's own for a gamma of 0."""
    if gamma == 0:
        return (
            b"para"
            + bytes(4)
            + struct.pack(">HH", 3, 0)
            + b"".join(map(number, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))
        )
    return b"para" + bytes(4) + struct.pack(">HH", 0, 0) + number(gamma)


def profile(space: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr", pcs: bytes = b"XYZ ") -> bytes:
    text = "made for a test".encode("utf-16-be")
    white = b"XYZ " + bytes(4) + b"".join(map(number, xyz(*D50)))
    mluc = b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28) + text
    tags = {b"desc": mluc, b"cprt": mluc, b"wtpt": white} | tags
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        body += bytes(-len(body) % 4)
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(data))
        body += data
    header = struct.pack(">I4sI4s4s4s12s4s", 0, b"lcms", 0x04300000, kind, space, pcs, bytes(12), b"acsp") + bytes(28)
    header += b"".join(map(number, (0.9642, 1, 0.8249))) + bytes(48)
    whole = header + table + body
    whole += bytes(-len(whole) % 4)
    return struct.pack(">I", len(whole)) + whole[4:]


def curves() -> dict[str, bytes]:
    """The other ways of a profile to write a curve (ICC.1:2022, 10.6 and 10.18)."""

    def sampled(*values: int) -> bytes:
        return b"curv" + bytes(4) + struct.pack(">I", len(values)) + b"".join(struct.pack(">H", value) for value in values)

    def parametric(kind: int, *values: float) -> bytes:
        return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + b"".join(map(number, values))

    return {
        "none": sampled(),
        "gamma": sampled(round(1.8 * 256)),
        "few": sampled(0, 10000, 30000, 65535),
        "many": sampled(*(round(65535 * (index / 1023) ** 2.2) for index in range(1024))),
        "kind-1": parametric(1, 2.2, 1.05, -0.05),
        "kind-2": parametric(2, 2.2, 0.9, 0.05, 0.02),
        "kind-4": parametric(4, 2.4, 0.948, 0.052, 0.0774, 0.04, 0, 0),
    }


def rgb_profile(primaries: str, gamma: float | bytes) -> bytes:
    columns = to_xyz(primaries, D50).T
    tags = {
        name: b"XYZ " + bytes(4) + b"".join(map(number, column))
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)
    }
    return profile(
        b"RGB ", tags | {name: gamma if isinstance(gamma, bytes) else curve(gamma) for name in (b"rTRC", b"gTRC", b"bTRC")}
    )


def table_profile(space: bytes, channels: int, lab, kind: bytes) -> bytes:  # noqa: ANN001
    """A profile that is a table: `lab` maps (n, channels) in [0, 1] to L in [0, 1] and a, b in [-1, 1]."""
    points = 5
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, points)] * channels, indexing="ij"), axis=-1).reshape(-1, channels)
    values = lab(grid)
    coded = np.stack([values[:, 0], *(0.5 + values[:, 1:] * 100 / 255).T], axis=1).clip(0, 1)
    ramp = struct.pack(">HH", 0, 65535)
    data = (
        b"mft2" + bytes(4) + bytes([channels, 3, points, 0]) + b"".join(map(number, np.eye(3).ravel())) + struct.pack(">HH", 2, 2)
    )
    data += ramp * channels + (coded * 65280).round().astype(">u2").tobytes() + ramp * 3
    return profile(space, {b"A2B0": data}, kind, b"Lab ")


def ink_lab(inks: np.ndarray) -> np.ndarray:
    c, m, y, k = inks.T
    light = (1 - 0.4 * c) * (1 - 0.5 * m) * (1 - 0.1 * y) * (1 - 0.9 * k)
    return np.stack([light, (m - c) * 0.6 * (1 - k), (y - 0.8 * c - 0.2 * m) * 0.6 * (1 - k)], axis=1)


def muted_lab(rgb: np.ndarray) -> np.ndarray:
    """No colour space that somebody has: what is read right has gone through the table. All of it lies in sRGB."""
    return np.stack([0.3 + 0.7 * rgb @ [0.1, 0.3, 0.6], (rgb[:, 1] - rgb[:, 0]) * 0.15, (rgb[:, 2] - rgb[:, 1]) * 0.15], axis=1)


def by_lcms(image: Image.Image, icc: bytes) -> np.ndarray:
    """The patches of an 8-bit image without alpha, as littlecms brings them to sRGB; what no 8-bit step has rounded."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), image.mode, "RGB", ImageCms.Intent.PERCEPTUAL)
    return patches(ImageCms.applyTransform(image, transform))


# Files


def patches(image: Image.Image) -> np.ndarray:
    values = np.asarray(image.convert("RGB")).astype(float)
    return values[SIDE // 2, SIDE // 2 :: SIDE]


def pixels(values: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE · n, channels) of n colours."""
    values = values[:, None] if values.ndim == 1 else values
    return np.broadcast_to(values.repeat(SIDE, axis=0)[None], (SIDE, SIDE * len(values), values.shape[1]))


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(values: np.ndarray, depth: int, extra: list[tuple[bytes, bytes]] = [], palette: np.ndarray | None = None) -> bytes:  # noqa: B006
    """`values` are numbers of `depth` bits, one row a colour. The extra chunks stand before the image data."""
    data = pixels(values)
    kind = 3 if palette is not None else {1: 0, 2: 4, 3: 2, 4: 6}[data.shape[2]]
    if depth == 16:
        rows = data.astype(">u2").reshape(SIDE, -1)
    elif depth == 8:
        rows = data.astype(np.uint8).reshape(SIDE, -1)
    else:
        bits = (data.reshape(SIDE, -1, 1) >> np.arange(depth - 1, -1, -1)) & 1
        rows = np.packbits(bits.reshape(SIDE, -1).astype(np.uint8), axis=1)
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", data.shape[1], SIDE, depth, kind, 0, 0, 0))]
    if palette is not None:
        late = [item for item in extra if item[0] == b"tRNS"]
        chunks += [item for item in extra if item[0] != b"tRNS"] + [(b"PLTE", palette.astype(np.uint8).tobytes()), *late]
    else:
        chunks += extra
    chunks += [(b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*item) for item in chunks)


def iccp(icc: bytes) -> tuple[bytes, bytes]:
    return b"iCCP", b"x\0\0" + zlib.compress(icc)


def gama(gamma: float) -> tuple[bytes, bytes]:
    """Of files whose values are light to the power of 1 / `gamma`."""
    return b"gAMA", struct.pack(">I", round(100000 / gamma))


def chrm(name: str) -> tuple[bytes, bytes]:
    rx, ry, gx, gy, bx, by, wx, wy = PRIMARIES[name]
    return b"cHRM", struct.pack(">8I", *(round(100000 * value) for value in (wx, wy, rx, ry, gx, gy, bx, by)))


def cicp(primaries: int, transfer: int, full: int = 1) -> tuple[bytes, bytes]:
    return b"cICP", bytes([primaries, transfer, 0, full])


SRGB = (b"sRGB", b"\0")


def on_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = (alpha / 255)[:, None]
    return colours * share + 255 * (1 - share)


def with_alpha(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values = values[:, None] if values.ndim == 1 else values
    alpha = np.resize(ALPHAS, len(values))
    return np.concatenate([values, alpha[:, None]], axis=1), alpha


class Files:
    def __init__(self, folder: Path):
        self.folder, self.entries = folder, []

    def add(self, name: str, data: bytes, expected: np.ndarray, tolerance: float = 2) -> None:
        (self.folder / name).write_bytes(data)
        self.entries.append({"file": name, "tolerance": tolerance, "patches": expected.tolist()})


def profiles() -> dict[str, bytes]:
    return {
        "srgb": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        "adobe": rgb_profile("adobe", 2.19921875),
        "p3": rgb_profile("p3", 0),
        "prophoto": rgb_profile("prophoto", 1.8),
        "2020": rgb_profile("2020", 2.4),
        "linear": rgb_profile("srgb", 1),
        "table": table_profile(b"RGB ", 3, muted_lab, b"scnr"),
    }


def with_profiles(files: Files) -> None:
    """PNG of 8 and 16 bits, with and without alpha, and lossy formats: against littlecms."""
    rgb = Image.fromarray(pixels(COLOURS).astype(np.uint8))
    for name, icc in profiles().items():
        seen = by_lcms(rgb, icc)
        both, alpha = with_alpha(COLOURS)
        for depth, scale in ((8, 1), (16, 257)):
            files.add(f"{name}-{depth}.png", png(COLOURS * scale, depth, [iccp(icc)]), seen)
            files.add(f"{name}-alpha-{depth}.png", png(both * scale, depth, [iccp(icc)]), on_white(seen, alpha))
        indices = np.arange(len(COLOURS))
        files.add(f"{name}-palette.png", png(indices, 8, [iccp(icc)], COLOURS), seen)
        clear = (b"tRNS", alpha.astype(np.uint8).tobytes())
        files.add(f"{name}-palette-alpha.png", png(indices, 4, [iccp(icc), clear], COLOURS), on_white(seen, alpha))
        for format in FINEST:
            if name == "linear" and format == "AVIF":
                continue  # Decoders of AVIF differ by 1/255, which is 13 in the dark of this profile.
            data = io.BytesIO()
            rgb.save(data, format, icc_profile=icc, **FINEST[format])
            # Against what another decoder makes of the same file: the format's loss is not what is tested.
            decoded = Image.open(io.BytesIO(data.getvalue())).convert("RGB")
            files.add(f"{name}.{format.lower()}", data.getvalue(), by_lcms(decoded, icc))
    for name, icc in (("grey-1.0", 1.0), ("grey-1.8", 1.8), ("grey-2.2", 2.2)):
        data = profile(b"GRAY", {b"kTRC": curve(icc)})
        grey = Image.fromarray(pixels(GREYS)[:, :, 0].astype(np.uint8))
        seen = by_lcms(grey, data)
        both, alpha = with_alpha(GREYS)
        for depth, scale in ((8, 1), (16, 257)):
            files.add(f"{name}-{depth}.png", png(GREYS * scale, depth, [iccp(data)]), seen)
            files.add(f"{name}-alpha-{depth}.png", png(both * scale, depth, [iccp(data)]), on_white(seen, alpha))
        jpeg = io.BytesIO()
        grey.save(jpeg, "JPEG", quality=100, icc_profile=data)
        files.add(f"{name}.jpeg", jpeg.getvalue(), seen, 3)
    inks = table_profile(b"CMYK", 4, ink_lab, b"prtr")
    cmyk, jpeg = Image.fromarray(pixels(INKS).astype(np.uint8), "CMYK"), io.BytesIO()
    cmyk.save(jpeg, "JPEG", quality=100, subsampling=0, icc_profile=inks)
    files.add("cmyk.jpeg", jpeg.getvalue(), by_lcms(Image.open(io.BytesIO(jpeg.getvalue())), inks))
    for name, data in curves().items():
        icc = rgb_profile("adobe", data)
        seen = by_lcms(rgb, icc)
        for depth, scale in ((8, 1), (16, 257)):
            files.add(f"curve-{name}-{depth}.png", png(COLOURS * scale, depth, [iccp(icc)]), seen)
    # Between the steps of 8 bits: a linear profile, whose dark values need them.
    dark = np.array([[1, 2, 3], [50, 100, 150], [257, 300, 400], [1000, 900, 800], [40000, 30000, 20000], [65535, 60000, 1]])
    files.add(
        "linear-fine-16.png", png(dark, 16, [iccp(profiles()["linear"])]), by_formula(dark / 65535, "srgb", TRANSFERS["linear"])
    )


def without_profile(files: Files) -> None:
    both, alpha = with_alpha(COLOURS)
    for depth, scale in ((8, 1), (16, 257)):
        files.add(f"plain-{depth}.png", png(COLOURS * scale, depth), COLOURS, 1)
        files.add(f"plain-alpha-{depth}.png", png(both * scale, depth), on_white(COLOURS, alpha), 1)
        files.add(f"plain-srgb-{depth}.png", png(COLOURS * scale, depth, [SRGB, gama(2.2), chrm("srgb")]), COLOURS, 1)
        key = (b"tRNS", struct.pack(">3H", *(COLOURS[6] * scale)))
        clear = np.where(np.arange(len(COLOURS)) == 6, 0, 255)
        files.add(f"plain-key-{depth}.png", png(COLOURS * scale, depth, [key]), on_white(COLOURS, clear), 1)
    for depth in (1, 2, 4, 8, 16):
        most = 2**depth - 1
        greys = np.unique(np.round(GREYS / 255 * most).astype(int))
        seen = np.repeat((greys / most * 255)[:, None], 3, axis=1)
        files.add(f"plain-grey-{depth}.png", png(greys, depth), seen, 1)
        key = (b"tRNS", struct.pack(">H", int(greys[0])))
        files.add(f"plain-grey-key-{depth}.png", png(greys, depth, [key]), on_white(seen, np.where(greys == greys[0], 0, 255)), 1)


def with_opacity(files: Files) -> None:
    """Formats that store opacity in their own way."""
    both, alpha = with_alpha(COLOURS)
    image, p3 = Image.fromarray(pixels(both).astype(np.uint8), "RGBA"), rgb_profile("p3", 0)
    seen = by_lcms(Image.fromarray(pixels(COLOURS).astype(np.uint8)), p3)
    for name, icc, colours in (("plain", None, COLOURS), ("p3", p3, seen)):
        for kind, how in {"": {}, "multiplied-": {"alpha_premultiplied": True}}.items():
            data = io.BytesIO()
            image.save(data, "AVIF", quality=100, subsampling="4:4:4", icc_profile=icc, **how)
            # Colours that were multiplied by 64/255 are stored in steps of four, before their profile is followed.
            files.add(f"{name}-alpha-{kind}8.avif", data.getvalue(), on_white(colours, alpha), 6 if how else 3)
        data = io.BytesIO()
        image.save(data, "WebP", lossless=True, exact=True, icc_profile=icc)
        files.add(f"{name}-alpha.webp", data.getvalue(), on_white(colours, alpha))


def of_video(files: Files) -> None:
    """AVIF in the range of video, with colours and without: as another decoder reads it."""
    rgb, grey = Image.fromarray(pixels(COLOURS).astype(np.uint8)), Image.fromarray(pixels(GREYS)[:, :, 0].astype(np.uint8))
    for name, image, subsampling in (("rgb", rgb, "4:4:4"), ("grey", grey, "4:0:0")):
        for span in ("full", "limited"):
            data = io.BytesIO()
            image.save(data, "AVIF", quality=100, subsampling=subsampling, range=span)
            seen = patches(Image.open(io.BytesIO(data.getvalue())))
            files.add(f"{name}-{span}.avif", data.getvalue(), seen, 3)


def by_chunks(files: Files) -> None:
    """gAMA, cHRM, cICP and their order (PNG specification, third edition, 11.3.2 and 13.14 to 13.16): against the formulas."""
    whole = COLOURS / 255
    both, alpha = with_alpha(COLOURS)
    cases = {
        "gama-1.0": ([gama(1)], "srgb", "linear"),
        "gama-2.8": ([gama(2.8)], "srgb", "2.8"),
        "chrm-p3": ([chrm("p3")], "p3", "srgb"),
        "chrm-adobe-gama-2.2": ([gama(2.2), chrm("2020")], "2020", "srgb"),
        "chrm-prophoto": ([chrm("prophoto"), gama(1)], "prophoto", "linear"),
        "cicp-p3": ([cicp(12, 13)], "p3", "srgb"),
        "cicp-2020-2.2": ([cicp(9, 4)], "2020", "2.2"),
        "cicp-linear": ([cicp(1, 8)], "srgb", "linear"),
        "cicp-pq": ([cicp(9, 16)], "2020", "pq"),
        "cicp-hlg": ([cicp(9, 18)], "2020", "hlg"),
        "cicp-before-icc": ([cicp(12, 13), iccp(rgb_profile("2020", 1))], "p3", "srgb"),
        "cicp-srgb-before-icc": ([cicp(1, 13), iccp(rgb_profile("2020", 1))], "srgb", "srgb"),
        "icc-before-gama": ([iccp(rgb_profile("p3", 0)), gama(1), chrm("2020")], "p3", "srgb"),
        "srgb-before-gama": ([SRGB, gama(1), chrm("p3")], "srgb", "srgb"),
        "unknown-cicp-then-chrm": ([cicp(2, 2), chrm("p3")], "p3", "srgb"),
    }
    for name, (chunks, primaries, transfer) in cases.items():
        seen = by_formula(whole, primaries, TRANSFERS[transfer])
        for depth, scale in ((8, 1), (16, 257)):
            files.add(f"{name}-{depth}.png", png(COLOURS * scale, depth, chunks), seen)
            files.add(f"{name}-alpha-{depth}.png", png(both * scale, depth, chunks), on_white(seen, alpha))
        files.add(f"{name}-palette.png", png(np.arange(len(COLOURS)), 8, chunks, COLOURS), seen)
    narrow = np.round(16 + COLOURS / 255 * 219)
    files.add("cicp-narrow.png", png(narrow, 8, [cicp(1, 8, 0)]), by_formula((narrow - 16) / 219, "srgb", TRANSFERS["linear"]))
    seen = np.repeat(255 * srgb_encode(GREYS / 255)[:, None], 3, axis=1)
    both, alpha = with_alpha(GREYS)
    for depth, scale in ((8, 1), (16, 257)):
        files.add(f"gama-grey-{depth}.png", png(GREYS * scale, depth, [gama(1)]), seen)
        files.add(f"gama-grey-alpha-{depth}.png", png(both * scale, depth, [gama(1)]), on_white(seen, alpha))


def without_use(files: Files) -> None:
    """Profiles that say nothing of the file's colours: it is read as without them."""
    p3, grey = rgb_profile("p3", 0), profile(b"GRAY", {b"kTRC": curve(1.0)})
    broken = {
        "cut": p3[: len(p3) // 2],
        "noise": bytes(range(256)) * 3,
        "empty": b"",
        "of-grey": grey,
        "link": profile(b"RGB ", {}, b"link"),
        "no-tags": profile(b"RGB ", {}),
        "cmyk": table_profile(b"CMYK", 4, ink_lab, b"prtr"),
    }
    rgb, row = Image.fromarray(pixels(COLOURS).astype(np.uint8)), Image.fromarray(pixels(GREYS)[:, :, 0].astype(np.uint8))
    greys = np.repeat(GREYS[:, None], 3, axis=1)
    for name, icc in broken.items():
        for depth, scale in ((8, 1), (16, 257)):
            files.add(f"broken-{name}-{depth}.png", png(COLOURS * scale, depth, [iccp(icc)]), COLOURS, 1)
        for format in FINEST:
            if not icc:
                continue
            data = io.BytesIO()
            rgb.save(data, format, icc_profile=icc, **FINEST[format])
            decoded = Image.open(io.BytesIO(data.getvalue())).convert("RGB")
            files.add(f"broken-{name}.{format.lower()}", data.getvalue(), patches(decoded))
    for name, icc in {"rgb": p3, "srgb": profiles()["srgb"], "cmyk": broken["cmyk"], "noise": broken["noise"]}.items():
        for depth, scale in ((8, 1), (16, 257)):
            files.add(f"broken-grey-{name}-{depth}.png", png(GREYS * scale, depth, [iccp(icc)]), greys, 1)
        data = io.BytesIO()
        row.save(data, "JPEG", quality=100, icc_profile=icc)
        files.add(f"broken-grey-{name}.jpeg", data.getvalue(), greys)
    # A chunk that counts where a profile is of no use.
    seen = by_formula(COLOURS / 255, "p3", srgb_decode)
    files.add("broken-icc-then-chrm.png", png(COLOURS * 257, 16, [iccp(broken["noise"]), chrm("p3")]), seen)


def main(folder: Path) -> None:
    files = Files(folder)
    for write in (with_profiles, without_profile, with_opacity, of_video, by_chunks, without_use):
        write(files)
    (folder / "expected.json").write_text(json.dumps(files.entries))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
