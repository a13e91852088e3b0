"""A model directory → training checkpoints: training goes on from models/tiny where its own checkpoints are gone.

python -m train.restore [--model models/tiny] [--work DIR]     then, for example,
python -m train.train_image_encoder_decoder --freeze-encoder --start-from shipped ...

Writes WORK/checkpoints/{text,vqgan}.pt, which every process reads, and a finished round WORK/checkpoints/shipped/. The programs
compute exactly what they did, at the half precision they are stored in; what export folds away is unfolded to one of the many
weights that fold to the same. Averages only: optimisers start anew. The previewer is restored where the model has one.
"""

import argparse
import shutil
from pathlib import Path
from random import Random

import torch
from torch import nn
from transformers import CLIPTokenizer

from . import nets
from .data.domains import parse_mixture
from .data.drawing import Painter
from .data.scenes import sample_scenes
from .efficientnet import ImageEncoder, encoder_input
from .tokens import load_tokenizer
from .training import default_work, save_atomically

ROOT = Path(__file__).resolve().parents[2]
ROUND = "shipped"


def weights(model: Path, stage: str) -> dict[str, torch.Tensor]:
    """The parameters of a stage's TorchScript file under the checkpoint's names."""
    file = next(iter(sorted(model.glob(f"{stage}.*.pt"))), None)
    if file is None:
        raise SystemExit(f"{model} has no TorchScript file of the {stage}")
    state = torch.jit.load(str(file), map_location="cpu").state_dict()
    return {name: value.float() for name, value in state.items() if name != "time_embedding.index"}


def unmerged(state: dict[str, torch.Tensor], module: nn.Module) -> dict[str, torch.Tensor]:
    """Linears that export has put together, apart again; what it has moved into another weight stays there."""
    state, names = dict(state), [name for name, _ in module.named_parameters()]
    for name in [name for name in state if ".to_qkv." in name]:
        for part, value in zip(("to_q", "to_k", "to_v"), state.pop(name).chunk(3), strict=True):
            state[name.replace("to_qkv", part)] = value
    for kind in ("weight", "bias"):
        mappers = [
            name for name in names if name.endswith(f".mapper.{kind}")
        ]  # of all time blocks, in the order in which they run
        widths = [module.get_parameter(name).shape[0] // 2 for name in mappers]
        scales, shifts = (half.split(widths) for half in state.pop(f"time_mapper.mapper.{kind}").chunk(2))
        state.update({name: torch.cat(halves) for name, *halves in zip(mappers, scales, shifts, strict=True)})
    state.update({name: torch.zeros_like(module.get_parameter(name)) for name in names if name.endswith("channelwise.2.beta")})
    return state


def load(module: nn.Module, state: dict[str, torch.Tensor], absent=()) -> nn.Module:
    missing, unexpected = module.load_state_dict(state, strict=False)
    missing = [name for name in missing if not name.startswith(tuple(absent))]
    if missing or unexpected:
        raise SystemExit(f"the model is of another configuration: missing {missing[:5]}, unexpected {unexpected[:5]}")
    return module.eval()


def text_encoder(state, tokenizer) -> nn.Module:
    module = nets.text_encoder(len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id)
    inner = {
        "token_embedding.weight": "embeddings.token_embedding.weight",
        "position_embedding.weight": "embeddings.position_embedding.weight",
    }
    prefix = "text_model." if any(name.startswith("text_model.") for name in module.state_dict()) else ""
    return load(
        module,
        {prefix + inner.get(name, name): value for name, value in state.items()},
        absent=(f"{prefix}embeddings.position_ids",),
    )


def unfolded_norm(norm: nn.BatchNorm2d, scale: float, bias: torch.Tensor) -> dict[str, torch.Tensor]:
    """BatchNorm state that, behind W / scale, adds the bias to W: its own affine part stays (scale, norm.bias)."""
    return {
        "running_mean": (norm.bias - bias) / scale,
        "running_var": torch.full_like(bias, 1 - norm.eps),
        "weight": torch.full_like(bias, scale),
        "bias": norm.bias.detach().clone(),
    }


def vqgan(model: Path) -> nn.Module:
    module, state = nets.vqgan(), {**weights(model, "vqEncoder"), **weights(model, "vqDecoder")}
    opened = torch.tensor([0.0, 0, 1, 0, 0, 1])  # scales, shifts and gates are in the weights now
    state.update({name: opened for name, _ in module.named_parameters() if name.endswith("gammas")})
    last = f"down_blocks.{len(module.down_blocks) - 1}"
    weight, bias = state.pop(f"{last}.weight"), state.pop(f"{last}.bias")
    state[f"{last}.0.weight"] = weight / nets.SCALE_FACTOR
    norm = unfolded_norm(module.down_blocks[-1][1], nets.SCALE_FACTOR, bias)
    state.update({f"{last}.1.{name}": value for name, value in norm.items()})
    return load(module, state, absent=("vquantizer", f"{last}.1.num_batches_tracked"))


def decoder(model: Path) -> nn.Module:
    """Stage B for z = (e + 1) / 42: a level's folded c + 16 columns become c_cond ones behind a mapper with orthonormal rows."""
    module = nets.decoder()
    state = unmerged(weights(model, "decoder"), module)
    c_cond = nets.DECODER["c_cond"]
    torch.manual_seed(0)
    levels = [*((f"down_blocks.{i}", i) for i in range(3)), *((f"up_blocks.{i}", 3 + i) for i in range(3))]
    for level, mapper in levels:
        rows = nn.init.orthogonal_(torch.empty(c_cond, 16))  # rows.T @ rows = 1
        state[f"effnet_mappers.{mapper}.weight"] = rows[:, :, None, None]
        state[f"effnet_mappers.{mapper}.bias"] = torch.zeros(c_cond)
        for name in [n for n in state if n.startswith(f"{level}.") and n.endswith("channelwise.0.weight")]:
            own, folded = state[name].split([state[name].shape[1] - 16, 16], dim=1)
            state[name] = torch.cat([own, nets.LATENT_MEAN * folded @ rows.T], dim=1)
            state[name.replace("weight", "bias")] -= folded.sum(1)  # e = 42 z - 1
    return load(module, state)


def image_encoder(model: Path, painter: Painter) -> ImageEncoder:
    """A convolution with its BatchNorm folded in, unfolded again by the statistics of drawn scenes."""
    module, state = ImageEncoder(), weights(model, "imageEncoder")
    norms = {name: m for name, m in module.named_modules() if isinstance(m, nn.BatchNorm2d) and name != "mapper.1"}
    for name in norms:
        bias = state.pop(name.removesuffix("1") + "0.bias")
        state.update(
            {
                f"{name}.weight": torch.ones_like(bias),
                f"{name}.bias": bias,
                f"{name}.running_mean": torch.zeros_like(bias),
                f"{name}.running_var": torch.full_like(bias, 1 - norms[name].eps),
            }
        )
    scale = nets.LATENT_MEAN
    state.update(
        {f"mapper.1.{name}": value for name, value in unfolded_norm(module.mapper[1], scale, state.pop("mapper.bias")).items()}
    )
    state["mapper.0.weight"] = state.pop("mapper.weight") / scale
    load(module, state, absent=[f"{name}.num_batches_tracked" for name in [*norms, "mapper.1"]])
    _measure(module, list(norms.values()), painter)
    return module


@torch.no_grad()
def _measure(module: ImageEncoder, norms: list[nn.BatchNorm2d], painter: Painter, scenes=768, chunk=64) -> None:
    """Gives each norm its input's statistics and the affine part that undoes them: the same function, ready to be trained."""
    sums = {norm: [0, 0, 0] for norm in norms}

    def add(norm, inputs):
        x, total = inputs[0].double(), sums[norm]
        total[0] += x.numel() // x.shape[1]
        total[1] = total[1] + x.sum((0, 2, 3))
        total[2] = total[2] + x.square().sum((0, 2, 3))

    hooks = [norm.register_forward_pre_hook(add) for norm in norms]
    random, mixture = Random(0), parse_mixture("1:0.85,4:0.15")
    for _ in range(scenes // chunk):
        module(encoder_input(painter.paint(sample_scenes(random, mixture, chunk, unnamed=0.2), 128)))
    for hook in hooks:
        hook.remove()
    for norm, (count, total, squares) in sums.items():
        mean = total / count
        variance = (squares / count - mean.square()).clamp_min(1e-6)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias += mean


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "tiny")
    parser.add_argument("--work", type=Path, default=default_work())
    args = parser.parse_args()
    checkpoints = args.work / "checkpoints"
    (checkpoints / ROUND).mkdir(parents=True, exist_ok=True)
    tokenizer, painter = load_tokenizer(args.work), Painter(args.work)
    shipped = CLIPTokenizer.from_pretrained(str(args.model), tokenizer_file=str(args.model / "prior_tokenizer.json"))
    if tokenizer.get_vocab() != shipped.get_vocab():
        raise SystemExit(
            "the catalogue or the grammar gives another vocabulary than the model's: its text encoders would not fit"
        )

    def save(path: Path, **averages: nn.Module) -> None:
        save_atomically({"averages": {key: module.state_dict() for key, module in averages.items()}, "step": 0}, path)

    save(checkpoints / "text.pt", text=text_encoder(weights(args.model, "decoderTextEncoder"), tokenizer))
    save(checkpoints / "vqgan.pt", vqgan=vqgan(args.model))
    previewer = nets.previewer()
    if list(args.model.glob("previewer.*.pt")):
        load(previewer, weights(args.model, "previewer"))
    save(checkpoints / ROUND / "decoder.pt", decoder=decoder(args.model), previewer=previewer)
    save(checkpoints / ROUND / "image-encoder.pt", encoder=image_encoder(args.model, painter))
    shutil.copyfile(checkpoints / ROUND / "image-encoder.pt", checkpoints / "image-encoder.pt")
    prior = nets.prior()
    save(
        checkpoints / ROUND / "prior.pt",
        prior=load(prior, unmerged(weights(args.model, "prior"), prior)),
        text=text_encoder(weights(args.model, "priorTextEncoder"), tokenizer),
    )
    shutil.copyfile(checkpoints / ROUND / "prior.pt", checkpoints / "prior.pt")
    print(checkpoints)


if __name__ == "__main__":
    main()
