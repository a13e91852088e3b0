"""Pictures straight from the training checkpoints, for looking at while training goes on.

python -m train.sampling reconstruct   encoder → B → A on scenes seen and unseen; left the scene, right the reconstruction
python -m train.sampling generate      text → C → B → A; --prompts "a cat on a red background" ... or the built-in ones
"""

import argparse
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image

from . import diffusion, nets
from .data.captions import plain_caption
from .data.domains import DOMAINS
from .data.drawing import Painter
from .data.scenes import sample_evaluation_scene
from .efficientnet import ImageEncoder, encoder_input
from .sizes import size_of
from .tokens import encode, load_tokenizer
from .training import default_work, load_average


def first_checkpoint(work: Path, *names: str) -> str | None:
    return next((name for name in names if (work / "checkpoints" / f"{name}.pt").exists()), None)


class Model:
    """The newest averaged weights of every stage that exists, or those of a finished round (a folder in checkpoints/)."""

    def __init__(self, work: Path, device="cpu", finished: str | None = None):
        self.work, self.device, self.finished, self.tokenizer = work, device, finished, load_tokenizer(work)
        self.vqgan = self._load("vqgan", nets.vqgan(), "vqgan-decoder", "vqgan")
        self.encoder = self._load("encoder", ImageEncoder(), "image-encoder", "encoder-decoder")
        self.decoder = self._load("decoder", nets.decoder(), "decoder", "encoder-decoder")
        self.previewer = self._load("previewer", nets.previewer(), "decoder", "encoder-decoder")
        self.text = self._load("text", self._new_text(), "text")
        self.prior = self._load("prior", nets.prior(), "prior")
        self.prior_text = self._load("text", self._new_text(), "prior", "text")

    def _new_text(self):
        return nets.text_encoder(len(self.tokenizer), self.tokenizer.bos_token_id, self.tokenizer.eos_token_id)

    def _load(self, key, module, *names):
        round_names = [f"{self.finished}/{name}" for name in names] if self.finished else []
        name = first_checkpoint(self.work, *round_names, *names)
        return load_average(self.work, name, key, module, self.device) if name else None

    def _states(self, text, prompts):
        ids, mask = encode(self.tokenizer, prompts, self.device)
        return text(input_ids=ids, attention_mask=mask).last_hidden_state

    @torch.no_grad()
    def decode(self, z, prompts, steps=12, generator=None):
        size = [int(side * 10.67) for side in z.shape[-2:]]
        latents = diffusion.sample_decoder(self.decoder, z, self._states(self.text, prompts), size, steps, generator)
        return self.vqgan.decode(latents * nets.SCALE_FACTOR).sample.clamp(0, 1)

    @torch.no_grad()
    def reconstruct(self, picture, prompts, generator=None):
        return self.decode(self.encoder.z(encoder_input(picture)), prompts, generator=generator)

    @torch.no_grad()
    def embed(self, prompts, grid=(3, 3), guidance=4.0, generator=None):
        states, empty = self._states(self.prior_text, prompts), self._states(self.prior_text, [""])
        return diffusion.sample_prior(self.prior, states, empty, grid, guidance, generator=generator)


def grid_image(pictures, columns: int) -> Image.Image:
    pictures = [np.asarray(p) for p in pictures]
    if len(pictures) > columns:  # the last of several rows is filled up with white
        pictures += [np.ones_like(pictures[0])] * (-len(pictures) % columns)
    rows = [np.concatenate(pictures[i : i + columns], 2) for i in range(0, len(pictures), columns)]
    return Image.fromarray((np.concatenate(rows, 1).clip(0, 1) * 255).round().astype("uint8").transpose(1, 2, 0))


def psnr(a, b) -> float:
    return (-10 * (a - b).square().mean((1, 2, 3)).log10()).mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["reconstruct", "generate"])
    parser.add_argument("--work", type=Path, default=default_work())
    parser.add_argument("--round", help="a finished round, like rung1")
    parser.add_argument("--level", type=int, default=1)
    parser.add_argument("--size", default="128", help="side of the pictures, or width and height, like 384x256")
    parser.add_argument("-n", type=int, default=16, help="pictures of seen combinations, and as many of held-out ones")
    parser.add_argument("--prompts", nargs="*")
    parser.add_argument("--seed", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    model, random, generator = Model(args.work, finished=args.round), Random(args.seed), torch.Generator().manual_seed(args.seed)
    painter, shown, size = Painter(args.work), [], size_of(args.size)
    grid = [-int(-side // 42.67) for side in reversed(size)]
    for held_out in (False, True):
        scenes = [sample_evaluation_scene(random, DOMAINS[args.level], held_out) for _ in range(args.n)]
        prompts = args.prompts or [plain_caption(scene) for scene in scenes]
        if args.what == "generate":
            shown += model.decode(model.embed(prompts, grid, generator=generator), prompts, generator=generator)
            print("held out:" if held_out else "seen:", *prompts, sep="\n  ")
            continue
        picture = painter.paint(scenes, *size)
        made = model.reconstruct(picture, prompts, generator)
        alone = model.vqgan.decode(model.vqgan.encode(picture).latents).sample.clamp(0, 1)
        preview = model.previewer(model.encoder.z(encoder_input(picture)))
        print(
            "held out" if held_out else "seen",
            f"PSNR {psnr(made, picture):.2f} dB, Stage A alone {psnr(alone, picture):.2f} dB, previewer",
            f"{psnr(preview, torch.nn.functional.interpolate(picture, preview.shape[-2:], mode='area')):.2f} dB",
        )
        shown += [torch.cat(pair, 1) for pair in zip(picture, made, strict=True)]
    path = args.work / "samples" / f"{args.what}.png"
    grid_image(shown, min(16, args.n)).save(path)
    print(path)


if __name__ == "__main__":
    main()
