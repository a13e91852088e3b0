"""What a compiled library for a GPU has in it, read from its bytes: nothing of it can be run here."""

import struct
from dataclasses import dataclass

from ..errors import ExportError, listed

ELF = b"\x7fELF"
EM_CUDA = 190
# LLVM's BinaryFormat/ELF.h: the versions of the ABI of CUDA's object files, and where their flags have the architecture. "a" is
# code with features of one architecture alone.
ABI_1, ABI_2 = 7, 8


@dataclass(frozen=True)
class Code:
    """Machine code of a kernel: 80 and "" for sm_80, 90 and "a" for sm_90a."""

    sm: int
    suffix: str

    def __str__(self) -> str:
        return f"sm_{self.sm}{self.suffix}"


def machine_code(library: bytes) -> list[Code]:
    """Of every kernel in a library: each is an object file within it."""
    found = []
    start = library.find(ELF, 1)
    while start >= 0:
        header = library[start : start + 64]
        if len(header) == 64 and header[4] == 2 and struct.unpack_from("<H", header, 18)[0] == EM_CUDA:
            found.append(code_of(header))
        start = library.find(ELF, start + 1)
    return found


def code_of(header: bytes) -> Code:
    (flags,) = struct.unpack_from("<I", header, 48)
    if header[8] == ABI_1:
        return Code(flags & 0xFF, "a" if flags & 0x800 else "")
    if header[8] == ABI_2:
        return Code(flags >> 8 & 0xFF, "a" if flags & 0x8 else "")
    raise ExportError(f"Expected machine code of CUDA in ABI {ABI_1} or {ABI_2} but it has {header[8]}")


def names(library: bytes, word: str) -> bool:
    """Whether a whole text stands in a library: a weight, a function, another library."""
    return f"{word}\0".encode() in library


def expect_complete(library: bytes, what: str, sm: int, weights: set[str], attention: str | None) -> list[Code]:
    """Refuses a library that lacks weights of its graph, calls no fused attention where there is attention, or has code of
    another architecture. Returns its code."""
    missing = sorted(weight for weight in weights if not names(library, f"program.{weight}"))
    if missing:
        raise ExportError(
            f"Expected the library of {what} to name all {len(weights)} weights but {len(missing)} are missing: "
            f"torch took them for others of their shape\n{listed(missing[:5])}"
        )
    if attention is not None and not names(library, attention):
        raise ExportError(f"Expected the library of {what} to call {attention} but its attention became other operations")
    if not names(library, "libcuda.so.1"):
        raise ExportError(f"Expected the library of {what} to ask for libcuda.so.1 but it does not")
    code = machine_code(library)
    if not code or any(each.sm != sm for each in code):
        raise ExportError(
            f"Expected machine code for sm_{sm} alone in the library of {what} but found {', '.join(sorted(set(map(str, code))))}"
        )
    return code
