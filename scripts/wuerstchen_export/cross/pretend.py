"""Makes torch compile for a GPU that is not there.

Every change of torch and Triton that this needs is here, with the reason for it. They reach into what neither documents, so they
are for the versions that they were tried with. There is no way back: a process pretends one GPU until it ends.

What is missed beside a GPU: nothing is measured. Of the configurations that Inductor writes for a Triton kernel the first that
fits is taken, and whatever else is decided by measuring is switched off.
"""

import importlib.util
import os
import subprocess
import types
from pathlib import Path
from typing import Any

import torch

from ..errors import ExportError
from .gpus import Gpu

TORCH = ("2.14",)
"""Minor versions that scripts/checks/cross_compile.py has passed with."""

# Functions of NVIDIA's driver that libraries call.
DRIVER = """cuCtxGetCurrent cuCtxGetDevice cuDeviceGetAttribute cuFuncSetAttribute cuFuncSetCacheConfig cuGetErrorName
cuGetErrorString cuInit cuLaunchKernel cuLaunchKernelEx cuModuleGetFunction cuModuleLoad cuModuleLoadData cuModuleUnload
cuOccupancyMaxActiveBlocksPerMultiprocessor cuTensorMapEncodeTiled""".split()

TOTAL_MEMORY = 80 << 30  # of the GPU; nothing depends on it here

kernels: dict[str, int] = {}
"""The Triton kernels that were compiled, and how many configurations each had to choose from."""


def expect_torch() -> None:
    """Refuses a torch that this is not for, before anything is read."""
    minor = ".".join(torch.__version__.split(".")[:2])
    if minor not in TORCH or not (torch.version.cuda or "").startswith("13."):
        raise ExportError(
            f"Expected torch {' or '.join(TORCH)} with CUDA 13 for --gpu-arch but it is {torch.__version__} "
            f"with {f'CUDA {torch.version.cuda}' if torch.version.cuda else 'no CUDA'}"
        )
    if importlib.util.find_spec("triton") is None:
        raise ExportError("Expected Triton beside torch for --gpu-arch but it is not installed")
    include = toolkit() / "include"
    missing = [name for name in ("cuda.h", "crt/host_defines.h", "cccl/cuda/std/complex") if not (include / name).exists()]
    if missing:
        raise ExportError(
            f"Expected {', '.join(missing)} in {include} for --gpu-arch but there is none: "
            'pip install "nvidia-cuda-crt" "nvidia-cuda-cccl" of the CUDA version of torch, without what they depend on'
        )


def toolkit() -> Path:
    """The part of CUDA that came with torch."""
    return Path(torch.__file__).parents[1] / "nvidia" / "cu13"


def pretend(gpu: Gpu, folder: Path) -> None:
    """From now on torch compiles for `gpu`. `folder` stays as long as the process compiles."""
    pretend_device(gpu)
    pretend_driver(gpu)
    take_first_configurations(gpu)
    tell_constants_apart()
    prepare_linker(folder)


def replace(owner: Any, **functions: Any) -> None:
    for name, function in functions.items():
        if not hasattr(owner, name):
            raise ExportError(f"Expected {getattr(owner, '__name__', owner)}.{name} of torch {torch.__version__} but it is gone")
        setattr(owner, name, staticmethod(function) if isinstance(owner, type) else function)


def pretend_device(gpu: Gpu) -> None:
    """What torch asks the driver for. `torch.cuda.is_available` stays false: else torch would start CUDA."""
    from torch._dynamo.device_interface import CudaInterface

    major, minor = gpu.capability
    properties = types.SimpleNamespace(
        name=gpu.name,
        major=major,
        minor=minor,
        multi_processor_count=gpu.multiprocessors,
        regs_per_multiprocessor=gpu.registers,
        max_threads_per_multi_processor=gpu.threads,
        max_threads_per_block=1024,
        warp_size=32,
        total_memory=TOTAL_MEMORY,
        gcnArchName="",  # AMD's
        shared_memory_per_block=49152,
        shared_memory_per_block_optin=gpu.shared_block,
        shared_memory_per_multiprocessor=gpu.shared,
        L2_cache_size=50 << 20,
        is_integrated=0,
        is_multi_gpu_board=0,
    )
    replace(
        torch.cuda,
        get_device_properties=lambda device=None: properties,
        get_device_capability=lambda device=None: gpu.capability,
        current_device=lambda: 0,
        get_device_name=lambda device=None: gpu.name,
        is_tf32_supported=lambda: True,
        is_bf16_supported=lambda including_emulation=True: True,
    )
    replace(
        CudaInterface,
        is_available=lambda: True,
        get_device_properties=lambda device=None: properties,
        current_device=lambda: 0,
        device_count=lambda: 1,
        synchronize=lambda device=None: None,
        get_compute_capability=lambda device=None: gpu.sm,
        is_triton_capable=lambda device=None: True,
        raise_if_triton_unavailable=lambda device=None: None,
        is_bf16_supported=lambda including_emulation=False: True,
        get_raw_stream=lambda index: 0,
        exchange_device=lambda index: 0,
        maybe_exchange_device=lambda index: 0,
        set_device=lambda device: None,
    )
    # Of the processes that compile in parallel; this one does so itself.
    replace(CudaInterface.Worker, get_device_properties=lambda device=None: properties, current_device=lambda: 0)


def pretend_driver(gpu: Gpu) -> None:
    """Triton compiles without a driver (its wheel has ptxas), but asks one for the target, and loads each kernel to see what it
    needs."""
    import triton
    from torch._inductor.runtime import triton_helpers
    from triton.backends.compiler import GPUTarget
    from triton.compiler.compiler import CompiledKernel

    facts = {"max_shared_mem": gpu.shared_block, "multiprocessor_count": gpu.multiprocessors, "warpSize": 32}

    class Driver:
        utils = types.SimpleNamespace(get_device_properties=lambda device: facts, unload_module=lambda module: None)

        def get_current_target(self) -> GPUTarget:
            return GPUTarget("cuda", gpu.sm, 32)

        def get_current_device(self) -> int:
            return 0

        def get_active_torch_device(self) -> torch.device:
            return torch.device("cuda", 0)

    def load_nothing(kernel: Any) -> None:
        kernel.module, kernel.function, kernel._run, kernel.n_regs, kernel.n_spills = object(), 0, None, None, None

    triton.runtime.driver.set_active(Driver())
    triton_helpers.set_driver_to_gpu = lambda: None  # else the driver above would be replaced by the real one
    CompiledKernel._init_handles = load_nothing
    CompiledKernel.run = property(lambda kernel: None)


def take_first_configurations(gpu: Gpu) -> None:
    """Where torch would run a kernel's configurations and keep the fastest, the first that the GPU has room for is kept."""
    from torch._inductor.codegen.wrapper import PythonWrapperCodegen
    from torch._inductor.runtime import triton_heuristics as heuristics

    def precompile(autotuner: Any, *arguments: Any, **options: Any) -> None:
        configurations = list(autotuner.configs)
        refused: Exception | None = None
        for configuration in configurations:
            try:
                result = autotuner._precompile_config(configuration)
                needed = result.kernel.metadata.shared
                if needed > gpu.shared_block:
                    raise heuristics.OutOfResources(needed, gpu.shared_block, "shared memory")
            except (heuristics.OutOfResources, heuristics.PTXASError) as error:
                refused = error
                continue
            kernels[autotuner.inductor_meta["kernel_name"]] = len(configurations)
            autotuner.save_gpu_kernel(0, result.make_launcher())
            return
        raise refused or ExportError("Expected a configuration of a Triton kernel but there is none")

    def define_only(code: Any) -> None:
        # The code that would also run every kernel once. Kernels compile where they are defined.
        code.kernel_autotune_defs.splice("async_compile.wait(globals())\ndel async_compile\n")
        exec(code.kernel_autotune_defs.getvalue(), {})

    for owner, name, method in (
        (heuristics.CachingAutotuner, "precompile", precompile),
        (PythonWrapperCodegen, "generate_and_run_autotune_block", define_only),
    ):
        setattr(owner, name, method)


def tell_constants_apart() -> None:
    """torch takes tensors of one address for one tensor. Tensors without memory all lie at address 0: of 359 weights of the
    prior, 14 would be left, one of each shape."""
    from torch._inductor import graph, utils

    modules: tuple[Any, ...] = (graph, utils)
    found = [module for module in modules if hasattr(module, "is_same_tensor")]
    if not found:
        raise ExportError(f"Expected is_same_tensor in torch {torch.__version__} but it is gone")
    for module in found:
        module.is_same_tensor = lambda a, b: a is b


def prepare_linker(folder: Path) -> None:
    """Libraries are linked with the driver. A stand-in has its name and defines what they call: with an empty one, the linker
    would leave the name out."""
    source = "".join(f"int {function}() {{ return 999; }}\n" for function in DRIVER)  # 999: CUDA_ERROR_UNKNOWN
    command = ["c++", "-shared", "-fPIC", "-x", "c", "-", "-Wl,-soname,libcuda.so.1", "-o", str(folder / "libcuda.so")]
    try:
        subprocess.run(command, input=source.encode(), check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ExportError(f"Expected a C++ compiler, c++, but it failed: {error}") from error
    include = toolkit() / "include"
    os.environ["CUDA_HOME"] = str(toolkit())
    for variable, places in (("CPATH", [include, include / "cccl"]), ("LIBRARY_PATH", [folder])):
        os.environ[variable] = ":".join(filter(None, [*map(str, places), os.environ.get(variable)]))
    for variable, name in (("TORCHINDUCTOR_CACHE_DIR", "inductor"), ("TRITON_CACHE_DIR", "triton")):
        os.environ[variable] = str(folder / name)  # what was found by measuring stays apart from what was not
