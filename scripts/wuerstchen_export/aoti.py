"""One function of a stage -> one compiled library (AOTInductor), and the proof that it computes what the program does.

docs/performance.md has the measurements behind the decisions: no weights inside, one library for all sizes, no autotuning.
"""

import contextlib
import os
import shlex
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor, nn
from torch.export import Dim

from .errors import ExportError, listed
from .stages import Function, Stage
from .torchscript import dimension, example_inputs, relative_error
from .versions import made_for_all, made_with

# Instruction sets by LibTorch's names: the flags of the C++ compiler, and the bits of a vector. Never "native", which would
# use instructions of the compiling machine that are not in the set.
ISAS = {"DEFAULT": ("x86-64", 0), "AVX2": ("x86-64-v3", 256), "AVX512": ("x86-64-v4", 512)}

# Rows, units of height and width, and tokens that a library is made for. Larger inputs run in the program.
LARGEST = {"batch": 16, "height": 128, "width": 128, "gridHeight": 128, "gridWidth": 128, "text": 512}
LEAST = {"batch": 1, "text": 2}  # else two units

TYPICAL_ROWS = 64  # as in cpp/core/packing.cc

# Largest difference from the program, relative to the largest value. Fused operations sum in another order and, in half
# precision, round once where the program rounds after each.
TOLERANCE = {torch.float32: 5e-5, torch.float16: 5e-3, torch.bfloat16: 4e-2}

# A library may round the frequencies, and their product with the noise level, in another way than the program.
LAST_BITS = 4

# (height, width, text, grid height, grid width) in units, beside every batch: smallest, oblong, odd and large.
SIZES = [(2, 2, 2, 2, 2), (3, 5, 9, 4, 3), (7, 4, 32, 3, 6)]


def target_of(device: str) -> dict:
    """What a library made on this machine needs."""
    if device == "cuda":
        return gpu_target(".".join(map(str, torch.cuda.get_device_capability())))
    isa = torch.backends.cpu.get_cpu_capability()
    if isa not in ISAS:
        raise ExportError(f"Expected one of {', '.join(ISAS)} for the CPU but it is {isa}")
    return {"device": device, "isa": isa, "gpuArch": None, **made_for_all()}


def gpu_target(arch: str) -> dict:
    return {"device": "cuda", "isa": None, "gpuArch": arch, **made_with()}


def compiled_functions(stage: Stage) -> list[str]:
    """All but `condition`, which runs once an image, and whose resize in Stage B has no compiled form."""
    return [name for name in stage.functions if name != "condition"]


def symbols(function: Function) -> list[str]:
    """The independent dimensions of the inputs, in order."""
    shapes = [spec.shape for spec in function.inputs]
    return list(dict.fromkeys(d for shape in shapes for d in shape if isinstance(d, str) and d.isidentifier()))


def limits_of(stage: Stage, name: str) -> dict[str, dict[str, int]]:
    """Sizes that a library of this function is for."""
    limits = {}
    for symbol in symbols(stage.functions[name]):
        unit = stage.unit if symbol in ("height", "width") else 1
        most = LARGEST[symbol] * unit
        if symbol == "text":
            most = stage.config.get("max_position_embeddings", most)
        limits[symbol] = {"least": LEAST.get(symbol, 2) * unit, "most": most, "multipleOf": unit}
    return limits


def hint(stage: Stage, limits: dict[str, dict[str, int]], manifest: dict, size: tuple[int, int]) -> dict[str, int]:
    """The size that loops are optimised for: two rows of the model's default image, as far as a library is for it."""
    constants = manifest["constants"]
    grid = [-int(-side // constants["resolutionMultiple"]) for side in size]
    latents = [int(side * constants["latentDimScale"]) for side in grid]
    width, height = {"prior": grid, "previewer": grid, "decoder": latents, "vqDecoder": latents}.get(stage.name, size)
    text = manifest["tokenizers"].get("priorTextEncoder", {}).get("maxLength", 77)
    wanted = {"batch": 2, "height": height, "width": width, "gridWidth": grid[0], "gridHeight": grid[1], "text": text}
    return {
        symbol: min(max(wanted[symbol] // limit["multipleOf"] * limit["multipleOf"], limit["least"]), limit["most"])
        for symbol, limit in limits.items()
    }


def dynamic_shapes(stage: Stage, name: str) -> tuple[dict[int, Dim], ...]:
    limits = limits_of(stage, name)
    base = {
        symbol: Dim(symbol, min=limit["least"] // limit["multipleOf"], max=limit["most"] // limit["multipleOf"])
        for symbol, limit in limits.items()
    }

    def dim(symbol: str) -> Dim:
        known, _, factor = symbol.partition("/")
        units = limits[known]["multipleOf"] // int(factor or 1)
        return units * base[known] if units > 1 else base[known]

    return tuple({i: dim(d) for i, d in enumerate(spec.shape) if isinstance(d, str)} for spec in stage.functions[name].inputs)


class FunctionModule(nn.Module):
    """One function as the forward of a module. Its weights are `program.<name>`."""

    def __init__(self, program: nn.Module, name: str):
        super().__init__()
        self.program, self.name = program, name

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...] | Tensor:
        return getattr(self.program, self.name)(*inputs)


def has_option(name: str) -> bool:
    from torch._inductor import config

    return name in config.get_config_copy()


def options_of(device: str) -> dict:
    if device == "cuda":
        options = {
            "aot_inductor.package_constants_in_so": False,
            "aot_inductor.check_lowerbound": False,
            "aot_inductor.embed_kernel_binary": True,
            "aot_inductor.enable_line_tables": False,
            # The host's part only starts kernels. An index of a library for a GPU names no instruction set, so it needs none.
            "cpp.march": ISAS["DEFAULT"][0],
        }
        # torch 2.11 has not all of them, and compiles the host's part for this machine's processor.
        return {name: value for name, value in options.items() if has_option(name)}
    march, bits = ISAS[target_of(device)["isa"]]
    if not has_option("cpp.march"):
        raise ExportError(f"Expected a torch that compiles for a named instruction set but {torch.__version__} does not")
    return {
        "aot_inductor.package_constants_in_so": False,
        "aot_inductor.check_lowerbound": False,
        "aot_inductor.enable_line_tables": False,
        "cpp.dynamic_threads": True,
        "cpp.march": march,
        "cpp.simdlen": bits,
    }


def write(
    module: nn.Module, stage: Stage, name: str, size: dict[str, int], dtype: torch.dtype, device: str, file: Path
) -> set[str]:
    """Compiles one function into `file`. Returns the weights that the runtime may pack."""
    inputs = example_inputs(stage.functions[name], size, {}, stage, dtype, device)
    with torch.no_grad(), gelu_once(), any_folder(), without_paths(), inductor_errors(f"{stage.name}.{name}"):
        exported = torch.export.export(
            FunctionModule(module, name), inputs, dynamic_shapes=(dynamic_shapes(stage, name),), strict=False
        )
        packed = use_packed_linears(exported) if device == "cpu" and dtype is torch.float32 else set()
        compile_to(exported, options_of(device), f"{stage.name}.{name}", file)
    return packed


def compile_to(exported: torch.export.ExportedProgram, options: dict, what: str, file: Path) -> None:
    """The library of an exported function. One that needs other files beside it is refused."""
    package = torch._inductor.aoti_compile_and_package(
        exported, package_path=str(file.with_suffix(".pt2")), inductor_configs=options
    )
    with zipfile.ZipFile(package) as archive:
        parts = [entry for entry in archive.namelist() if "/data/aotinductor/" in entry]
        libraries = [entry for entry in parts if entry.endswith(".so")]
        needed = [entry for entry in parts if entry.endswith((".cubin", ".hsaco", ".spv", ".blob")) or "extern" in entry]
        if len(libraries) != 1 or needed:
            raise ExportError(f"Expected {what} as one library but it became {', '.join(libraries + needed) or 'none'}")
        file.write_bytes(archive.read(libraries[0]))
    Path(package).unlink()


def use_packed_linears(exported: torch.export.ExportedProgram) -> set[str]:
    """Replaces Linears by oneDNN's operation, which includes a GELU that follows. Returns the weights that no other operation
    uses. The runtime may put those into oneDNN's order (cpp/core/packing.h), because the operation takes both orders."""
    graph, parameters = exported.graph_module.graph, exported.graph_signature.inputs_to_parameters
    linear, gelu = torch.ops.aten.linear.default, torch.ops.aten.gelu.default
    weights = {}
    for node in graph.find_nodes(op="call_function", target=linear):
        if node.args[1].name in parameters:
            weights[node.args[1]] = all(user.target is linear and user.args[1] is node.args[1] for user in node.args[1].users)
    for node in [user for weight, alone in weights.items() if alone for user in weight.users]:
        (only, *others), bias = list(node.users), node.args[2] if len(node.args) > 2 else None
        fused = only.target is gelu and not others and only.kwargs.get("approximate", "none") == "none"
        last = only if fused else node
        with graph.inserting_before(node):
            call = graph.call_function(
                torch.ops.mkldnn._linear_pointwise.default,
                (*node.args[:2], bias, "gelu" if fused else "none", [], "none" if fused else ""),
            )
        call.meta.update(last.meta)
        last.replace_all_uses_with(call)
        graph.erase_node(last)
        if fused:
            graph.erase_node(node)
    exported.graph_module.recompile()
    return {parameters[weight.name].partition(".")[2] for weight, alone in weights.items() if alone}


@contextlib.contextmanager
def gelu_once() -> Iterator[None]:
    """Makes Inductor store what it computes with erf and uses twice. Otherwise GELU is computed twice in every block: for
    GlobalResponseNorm's norm and for what is normalised (torch 2.13 does so for exp and tanh, but not for erf)."""
    from torch._inductor import ir

    original = ir.StorageBox.should_realize_on_reuse

    def should_realize(box: ir.StorageBox, users: int, **options: bool) -> bool:
        if users > 1 and isinstance(box.data, ir.Pointwise) and "erf" in box.data.inner_fn_opcount().used_ops:
            box.realize()
            box.data.freeze_layout()  # otherwise the buffer has the layout for the norm's sum, and everything else transposes
            return False
        return original(box, users, **options)

    with mock.patch.object(ir.StorageBox, "should_realize_on_reuse", should_realize):
        yield


@contextlib.contextmanager
def without_paths() -> Iterator[None]:
    """Makes the compilers leave out where torch and the generated sources lie on this machine: torch's headers write the names of
    source files into the messages of their errors, and Triton notes the lines that kernels are made from."""
    from torch._inductor import cpp_builder
    from torch._inductor.runtime.cache_dir_utils import cache_dir, default_cache_dir

    packages = Path(torch.__file__).parents[1]
    folders = dict.fromkeys(map(str, [packages, packages.resolve(), cache_dir(), default_cache_dir()]))
    flags = [f"ffile-prefix-map={shlex.quote(f'{folder}/')}=" for folder in folders]
    original = cpp_builder.BuildOptionsBase.get_cflags

    def get_cflags(options: cpp_builder.BuildOptionsBase) -> list[str]:
        return original(options) + flags

    with (
        mock.patch.object(cpp_builder.BuildOptionsBase, "get_cflags", get_cflags),
        mock.patch.dict(os.environ, {"TRITON_DISABLE_LINE_INFO": "1"}),
    ):
        yield


@contextlib.contextmanager
def any_folder() -> Iterator[None]:
    """Lets torch and the folder for temporary files lie in folders whose names have spaces. Inductor does not quote folders of
    libraries, nor some of the files that it generates (pytorch#191010)."""
    from torch._inductor import cpp_builder
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    original = cpp_builder.BuildOptionsBase.get_libraries_dirs

    def get_libraries_dirs(options: cpp_builder.BuildOptionsBase) -> list[str]:
        return [shlex.quote(folder) for folder in original(options)]

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(cpp_builder.BuildOptionsBase, "get_libraries_dirs", get_libraries_dirs))
        if any(shlex.split(folder) != [folder] for folder in (cache_dir(), tempfile.gettempdir())):
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp", prefix="wuerstchen-"))
            stack.enter_context(mock.patch.object(tempfile, "tempdir", folder))
            stack.enter_context(mock.patch.dict(os.environ, {"TORCHINDUCTOR_CACHE_DIR": folder}))
        yield


@contextlib.contextmanager
def inductor_errors(what: str) -> Iterator[None]:
    """Makes what Inductor throws, a failed compiler too, an error in a few lines: its own have the commands and the sources."""
    from torch._inductor.exc import CppCompileError, InductorError

    try:
        yield
    except (InductorError, CppCompileError) as error:
        cause = getattr(error, "inner_exception", error)
        text = cause.output if isinstance(cause, CppCompileError) else str(cause)
        lines = [line for line in text.splitlines() if line.strip()]
        telling = [line for line in lines if "error" in line.lower()] or lines or [type(cause).__name__]
        raise ExportError(f"Inductor cannot compile {what}\n{listed(telling[:5])}") from error


def load(
    file: Path, weights: dict[str, Tensor], packed: set[str], device: str
) -> "torch._C._aoti.AOTIModelContainerRunnerCpu | torch._C._aoti.AOTIModelContainerRunnerCuda":
    """The library as the runtime loads it: its weights are the program's tensors, not copies, and those in `packed` have oneDNN's
    order."""
    runner = torch._C._aoti.AOTIModelContainerRunnerCuda if device == "cuda" else torch._C._aoti.AOTIModelContainerRunnerCpu
    library = runner(str(file), 1)
    names = {internal: name.partition(".")[2] for internal, name in library.get_constant_names_to_original_fqns().items()}
    unknown = sorted(set(names.values()) - weights.keys())
    if unknown:
        raise ExportError(f"Expected only the program's weights in {file.name} but it has {', '.join(unknown)}")
    with torch.inference_mode():
        constants = {
            internal: torch.ops.mkldnn._reorder_linear_weight(weights[name], TYPICAL_ROWS) if name in packed else weights[name]
            for internal, name in names.items()
        }
    library.update_constant_buffer(constants, False, True, True)
    return library


def verify(
    file: Path, packed: set[str], program: torch.jit.ScriptModule, stage: Stage, name: str, dtype: torch.dtype, device: str
) -> float:
    """Runs library and program on the same inputs at every batch it is for, on a GPU at three of them; the largest relative
    error, if all are within tolerance. The program has been compared with its module when it was exported."""
    library = load(file, dict(program.state_dict()), packed, device)
    function, worst = stage.functions[name], 0.0
    largest = LARGEST["batch"]
    # A GPU's programs take seconds at every new size, because cuDNN tries its algorithms.
    batches = range(1, largest + 1) if device == "cpu" else (1, 2, largest)
    for batch in batches:
        for height, width, text, grid_height, grid_width in SIZES if batch in (1, 2, largest) else SIZES[1:2]:
            size = {
                "batch": batch,
                "height": height * stage.unit,
                "width": width * stage.unit,
                "text": text,
                "gridHeight": grid_height,
                "gridWidth": grid_width,
            }
            inputs = example_inputs(function, size, {}, stage, dtype, device)
            expected = run_program(program, name, inputs)
            with torch.no_grad():
                outputs = library.run([tensor.contiguous() for tensor in inputs])
            for index, (spec, output, wanted) in enumerate(zip(function.outputs, outputs, expected, strict=True)):
                where = f"{stage.name}.{name}, output {spec.name} at {size}"
                shape = [dimension(symbol, size) for symbol in spec.shape]
                own = spec.dtype_in(dtype)
                if wanted.dtype != own:
                    raise ExportError(f"Expected {own} of the program for {where} but received {wanted.dtype}: export it again")
                if list(output.shape) != shape or output.dtype != own:
                    raise ExportError(f"Expected {shape} {own} for {where} but received {list(output.shape)} {output.dtype}")
                error = relative_error(output, wanted)
                allowed = TOLERANCE[dtype]
                if not error <= allowed:
                    allowed = max(allowed, LAST_BITS * last_bit(program, name, function, inputs, expected)[index])
                if not error <= allowed:
                    raise ExportError(
                        f"The library differs from the program by {error:.1e} for {where}, allowed is {allowed:.0e}"
                    )
                worst = max(worst, error)
    return worst


def run_program(program: torch.jit.ScriptModule, name: str, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    # Unoptimised, as the runtime runs programs: on a GPU LibTorch would write and compile kernels for every size.
    with torch.no_grad(), torch.jit.optimized_execution(False):
        outputs = getattr(program, name)(*inputs)
    return outputs if isinstance(outputs, tuple) else (outputs,)


def last_bit(
    program: torch.jit.ScriptModule, name: str, function: Function, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> list[float]:
    """How far each of the program's own outputs moves when the last bit of the noise levels does, relative to its largest value.
    At a level near 1 that bit turns the fastest sinusoid of TimeEmbedding by half a thousandth, and deep networks show it."""
    moved = [0.0] * len(outputs)
    for towards in (0.0, 2.0):
        others = [
            torch.nextafter(tensor, torch.full_like(tensor, towards)) if spec.name == "ratio" else tensor
            for spec, tensor in zip(function.inputs, inputs, strict=True)
        ]
        errors = map(relative_error, run_program(program, name, others), outputs)
        moved = [max(pair) for pair in zip(moved, errors, strict=True)]
    return moved
