"""The GPUs that libraries can be compiled for where there is none. This module needs no torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    """What Inductor and Triton ask a GPU for. The numbers are those of NVIDIA's CUDA C++ Programming Guide, "Technical
    Specifications per Compute Capability", for the named GPU."""

    arch: str  # its compute capability
    name: str
    multiprocessors: int
    registers: int  # of a multiprocessor
    threads: int  # of a multiprocessor
    shared: int  # bytes of a multiprocessor
    shared_block: int  # bytes that one block may ask for

    @property
    def capability(self) -> tuple[int, int]:
        major, minor = map(int, self.arch.split("."))
        return major, minor

    @property
    def sm(self) -> int:
        """As compilers write it: 80 for 8.0."""
        major, minor = self.capability
        return major * 10 + minor


def runs_on(made_for: str, here: str) -> bool:
    """Whether machine code for one architecture runs on another (lib/model/gpu.ts has the same rule). Code for 8.0 runs on 8.6
    and 8.9: newer minor versions take what older ones took. From 9.0 on Triton compiles for one architecture alone (sm_90a)."""
    (major, minor), (own_major, own_minor) = (tuple(map(int, arch.split("."))) for arch in (made_for, here))
    return major == own_major and (minor <= own_minor if major < 9 else minor == own_minor)


# A block of an A100 may have 166,912 bytes. Code for 8.0 is to run on 8.6 and 8.9 too, whose blocks may have fewer.
GPUS = {
    gpu.arch: gpu
    for gpu in (
        Gpu("8.0", "NVIDIA A100", 108, 65536, 2048, 167936, 101376),
        Gpu("8.6", "NVIDIA A10", 72, 65536, 1536, 102400, 101376),
        Gpu("8.9", "NVIDIA L40S", 142, 65536, 1536, 102400, 101376),
        Gpu("9.0", "NVIDIA H200", 132, 65536, 2048, 233472, 232448),
    )
}
