"""One function of a stage -> one library for a GPU that is not there: `aoti.write` without a device to run on."""

import contextlib
import operator
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from .. import aoti
from ..stages import Stage
from ..torchscript import example_inputs
from . import library, pretend
from .gpus import Gpu

# Inductor's names in a library. LibTorch asks the GPU which of them to run; here it is known by the dtype.
FLASH = "aoti_torch_cuda__scaled_dot_product_flash_attention"
EFFICIENT = "aoti_torch_cuda__scaled_dot_product_efficient_attention"
LARGEST_HEAD = 256
HALVES = (torch.float16, torch.bfloat16)


def options_for(gpu: Gpu) -> dict:
    return {
        **aoti.options_of("cuda"),
        "cuda.arch": str(gpu.sm),
        "cpp.simdlen": 0,  # else the host's part is for this processor
        "compile_threads": 1,  # other processes pretend nothing
        "fx_graph_cache": False,  # what is in it was compiled on a machine with a GPU
        "shape_padding": False,  # which is decided by measuring
        "triton.autotune_at_compile_time": True,
        "use_static_triton_launcher": False,  # which needs the driver
        "always_keep_tensor_constants": True,  # else tensors of up to eight numbers are read, and there are none to read
    }


def write(module: nn.Module, stage: Stage, name: str, size: dict[str, int], dtype: torch.dtype, gpu: Gpu, file: Path) -> str:
    """Compiles one function into `file`. Returns what is in it, for people."""
    mode = fake_mode()
    inputs = example_inputs(stage.functions[name], size, {}, stage, dtype, "meta")
    what = f"{stage.name}.{name}"
    pretend.kernels.clear()
    with torch.no_grad(), aoti.gelu_once(), aoti.any_folder(), aoti.without_paths(), aoti.inductor_errors(what):
        place(module, mode)
        with inputs_on_gpu(mode), torch._guards.tracing(torch._guards.TracingContext(mode)):
            exported = torch.export.export(
                aoti.FunctionModule(module, name), inputs, dynamic_shapes=(aoti.dynamic_shapes(stage, name),), strict=False
            )
        weights = used_weights(exported)
        attentions = fusable_attentions(exported)
        fuse(attentions, exported, mode)
        with mode:
            exported._example_inputs = torch.utils._pytree.tree_map_only(Tensor, on_gpu, exported.example_inputs)
        aoti.compile_to(exported, options_for(gpu), what, file)
    attention = (FLASH if dtype in HALVES else EFFICIENT) if attentions else None
    code = library.expect_complete(file.read_bytes(), what, gpu.sm, weights, attention)
    untuned = sum(choices > 1 for choices in pretend.kernels.values())
    return f"{code[0]}, {len(weights)} weights, {len(pretend.kernels)} kernels of its own ({untuned} could be tuned)"


def fake_mode() -> Any:
    """Of tensors that have a device, and no memory there. As torch.export makes it, which makes another one where it finds none:
    the weights would not fit its inputs."""
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    shapes = ShapeEnv(tracked_fakes=[], prefer_deferred_runtime_asserts_over_guards=False, trace_asserts=True)
    return FakeTensorMode(shape_env=shapes, allow_non_fake_inputs=True, export=True)


def on_gpu(tensor: Tensor) -> Tensor:
    return torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device="cuda")


def place(module: nn.Module, mode: Any) -> None:
    """Puts tensors on the GPU into a network in place of its own, with the same sizes and strides."""
    with mode:
        for part in module.modules():
            for name, parameter in part._parameters.items():
                if parameter is not None:
                    part._parameters[name] = nn.Parameter(on_gpu(parameter), requires_grad=False)
            for name, buffer in part._buffers.items():
                if buffer is not None:
                    part._buffers[name] = on_gpu(buffer)


@contextlib.contextmanager
def inputs_on_gpu(mode: Any) -> Iterator[None]:
    """torch.export makes its inputs' sizes symbols from real tensors or those of the meta device. Then they are said to lie on
    the GPU."""
    from torch._export import non_strict_utils

    original = non_strict_utils.fakify

    def fakify(*arguments: Any, **options: Any) -> Any:
        tensor = original(*arguments, **options)
        if not isinstance(tensor, Tensor) or tensor.device.type != "meta":
            return tensor
        with mode:
            return on_gpu(tensor)

    with mock.patch.object(non_strict_utils, "fakify", fakify):
        yield


def used_weights(exported: torch.export.ExportedProgram) -> set[str]:
    """The parameters and buffers that the graph uses, by their names in the program."""
    signature = exported.graph_signature
    known = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    used = [known[node.name] for node in exported.graph.find_nodes(op="placeholder") if node.name in known and node.users]
    return {name.partition(".")[2] for name in used}


def fusable_attentions(exported: torch.export.ExportedProgram) -> list[torch.fx.Node]:
    """Those of the diffusion networks. Others stay single operations: heads of a width that the fused kernels do not take, and
    the attention of text encoders, which has a mask and runs once a prompt."""
    nodes = exported.graph.find_nodes(op="call_function", target=torch.ops.aten.scaled_dot_product_attention.default)
    return [node for node in nodes if is_plain(node) and width_of(node) % 8 == 0 and width_of(node) <= LARGEST_HEAD]


def is_plain(attention: torch.fx.Node) -> bool:
    """No mask, no dropout, not causal, as many heads of keys as of queries."""
    return not any(attention.args[3:]) and not any(value for name, value in attention.kwargs.items() if name != "scale")


def width_of(attention: torch.fx.Node) -> int:
    query: Any = attention.args[0]
    return query.meta["val"].shape[-1]


def fuse(attentions: list[torch.fx.Node], exported: torch.export.ExportedProgram, mode: Any) -> None:
    """Puts the attention that LibTorch chooses on a GPU in place of the one that asks for it: without a GPU, the question is
    answered by single operations, which keep all products in memory."""
    graph, aten = exported.graph_module.graph, torch.ops.aten
    for node in attentions:
        query, key, value = node.args[:3]
        scale = {"scale": node.kwargs.get("scale")}
        with graph.inserting_before(node):
            if node.meta["val"].dtype in HALVES:
                flash = aten._scaled_dot_product_flash_attention.default
                call = graph.call_function(flash, (query, key, value), scale)
            else:
                efficient = aten._scaled_dot_product_efficient_attention.default
                call = graph.call_function(efficient, (query, key, value, None, False), scale)  # no bias, nothing for training
            result = graph.call_function(operator.getitem, (call, 0))
        with mode:
            tensors = [each.meta["val"] if isinstance(each, torch.fx.Node) else each for each in call.args]
            call.meta["val"] = call.target(*tensors, **call.kwargs)
        result.meta.update(node.meta)
        node.replace_all_uses_with(result)
        graph.erase_node(node)
    exported.graph_module.recompile()
