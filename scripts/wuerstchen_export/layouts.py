"""Checkpoint files as other tools write them: tensors inside of a larger dictionary, and other names of the same tensors.

The authors' own files (github.com/dome272/Wuerstchen: train_stage_B.py, train_stage_C.py) hold `state_dict`, `ema_state_dict` and
`effnet_state_dict`. Their attention is torch's MultiheadAttention; diffusers has a Linear for each of its projections
(scripts/convert_wuerstchen.py of diffusers). Everything else has the names that diffusers kept.
"""

import re

from torch import Tensor

NETWORK = ("ema_state_dict", "state_dict")  # the averaged weights, where both are there: those that diffusers published
ENCODER = ("effnet_state_dict", *NETWORK)  # model_v2_stage_b.pt holds Stage B and the image encoder
COMPILED, PARALLEL = "_orig_mod.", "module."  # torch.compile and DistributedDataParallel name their wrappers
IN_PROJECTION = re.compile(r"(?P<block>.*attention\.)attn\.in_proj_(?P<kind>weight|bias)")
OUT_PROJECTION = re.compile(r"(?P<block>.*attention\.)attn\.out_proj\.(?P<kind>weight|bias)")


def unwrapped(loaded: object, inside: tuple[str, ...]) -> object:
    """The first of the dictionaries `inside` a file, or what the file holds."""
    if isinstance(loaded, dict):
        for name in inside:
            if isinstance(loaded.get(name), dict):
                return loaded[name]
    return loaded


def renamed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors by the names that our modules have for them."""
    result: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        name = key.replace(COMPILED, "").removeprefix(PARALLEL)
        whole, out = IN_PROJECTION.fullmatch(name), OUT_PROJECTION.fullmatch(name)
        if whole and tensor.ndim and tensor.shape[0] % 3 == 0:
            parts = zip(("to_q", "to_k", "to_v"), tensor.chunk(3), strict=True)
            result.update({f"{whole['block']}{part}.{whole['kind']}": third for part, third in parts})
        else:
            result[f"{out['block']}to_out.0.{out['kind']}" if out else name] = tensor
    return result
