"""Image encoder and Stage B. First together (the encoder learns what Stage B needs to know), then, with
--freeze-encoder, Stage B alone on the encoder's final embeddings, which Stage C is trained on at the same time.

Stage B sees the embeddings as Stage C will deliver them: a little noisy, now and then very noisy or missing.
"""

from functools import partial
from random import Random

import torch
import torch.distributed as dist
import torch.nn.functional as F

from . import diffusion, nets
from .data.captions import caption
from .data.domains import parse_mixture
from .data.drawing import Painter
from .data.scenes import sample_scenes
from .efficientnet import ImageEncoder, encoder_input
from .pool import Pool, chunk_of
from .sizes import batch_of, parse_sides
from .tokens import encode, load_tokenizer
from .training import Training, arguments, compiled, load_average, precision, prepare, rank, save_atomically


class Preparation:
    """Scenes → encoder input (or z), Stage A latents, text states: everything that needs no gradient."""

    def __init__(self, args, random, encoder=None):
        self.random, self.encoder, self.device = random, encoder, args.device
        self.uncaptioned, self.precision = args.uncaptioned, partial(precision, args)
        self.painter, self.tokenizer = Painter(args.work, args.device), load_tokenizer(args.work)
        text = nets.text_encoder(len(self.tokenizer), self.tokenizer.bos_token_id, self.tokenizer.eos_token_id)
        self.text = load_average(args.work, "text", "text", text, args.device)
        self.vqgan = load_average(args.work, "vqgan", "vqgan", nets.vqgan(), args.device)

    def __call__(self, size, scenes):
        picture = self.painter.paint(scenes, *size)
        words = [caption(self.random, scene) if self.random.random() > self.uncaptioned else "" for scene in scenes]
        ids, mask = encode(self.tokenizer, words, self.device)
        seen = encoder_input(picture)  # [B, 3, 32 grid h, 32 grid w]
        with self.precision():
            sample = {
                **({"z": self.encoder.z(seen)} if self.encoder else {"seen": seen}),  # z [B, 16, grid h, grid w]
                "latents": self.vqgan.encode(picture).latents / nets.SCALE_FACTOR,  # [B, 4, height / 4, width / 4]
                "text": self.text(input_ids=ids, attention_mask=mask).last_hidden_state,
                "small": F.interpolate(seen, scale_factor=0.25, mode="area"),  # [B, 3, 8 grid h, 8 grid w]
            }
        return {key: value.float() for key, value in sample.items()}


def disturb(z):
    """What Stage B must forgive: 5 % of the embeddings missing, 10 % of the others noised, all of them slightly off."""
    n = len(z)
    noise_time = torch.rand(n, device=z.device) * 0.35 * (torch.rand(n, device=z.device) < 0.1)
    noised = torch.where(nets.rows(noise_time > 0), diffusion.add_noise(z, torch.randn_like(z), noise_time), z)
    kept = (torch.rand(n, device=z.device) > 0.05).float()
    return (noised + 0.05 * torch.randn_like(z)) * nets.rows(kept)


def freeze_encoder(args, mixture, encoder: ImageEncoder) -> None:
    """Writes the averaged encoder to image-encoder.pt. BatchNorm statistics are measured anew: averaged weights have others."""
    encoder.train()
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # a plain mean over all batches
    painter, random = Painter(args.work, args.device), Random(args.seed)
    with torch.no_grad():
        for _ in range(32):
            size = random.choices(*zip(*parse_sides(args.sides), strict=True))[0]
            encoder(encoder_input(painter.paint(sample_scenes(random, mixture, 48, args.unnamed), *size)))
    save_atomically({"averages": {"encoder": encoder.eval().state_dict()}}, args.work / "checkpoints" / "image-encoder.pt")


def main():
    parser = arguments(__doc__, steps=2600, batch=16, lr=1e-3, mixture="1:0.85,4:0.15")
    parser.add_argument(
        "--freeze-encoder", action="store_true", help="train Stage B alone, on the embeddings of image-encoder.pt"
    )
    parser.add_argument(
        "--freeze-at",
        type=float,
        default=1.0,
        help="share of this training after which the encoder stands still, written to image-encoder.pt for Stage C to follow",
    )
    parser.add_argument(
        "--start-from", help="folder in checkpoints/ with the image-encoder and decoder of an earlier round to go on from"
    )
    parser.add_argument("--sides", default="128", help="picture sides with shares of the steps, like 128:0.6,256:0.2,384x256:0.2")
    # A picture that comes without words must be readable from its embeddings alone.
    parser.add_argument("--uncaptioned", type=float, default=0.35, help="share of scenes that Stage B sees without a caption")
    parser.add_argument("--unnamed", type=float, default=0.2, help="share of scenes on a background of any colour at all")
    parser.add_argument("--fresh", type=float, default=0.25, help="new samples for each one drawn")
    parser.add_argument("--pool", type=int, default=1536)
    args = parser.parse_args()
    prepare(args)
    random, mixture = Random(args.seed), parse_mixture(args.mixture)
    decoder, encoder, previewer = (
        m.to(args.device, memory_format=torch.channels_last).train() for m in (nets.decoder(), ImageEncoder(), nets.previewer())
    )
    if args.freeze_encoder:
        training = Training(
            "decoder",
            args,
            {"decoder": decoder, "previewer": previewer},
            [{"params": [*decoder.parameters(), *previewer.parameters()]}],
        )
        if not training.restore():
            name = f"{args.start_from}/decoder" if args.start_from else "encoder-decoder"
            for key, module in training.modules.items():
                load_average(args.work, name, key, module, args.device).train().requires_grad_(True)
    else:
        modules = {"decoder": decoder, "encoder": encoder, "previewer": previewer}
        trained = [p for m in modules.values() for p in m.parameters() if p.requires_grad]
        training = Training("encoder-decoder", args, modules, [{"params": trained}])
        if not training.restore() and args.start_from:
            for key, name in {"encoder": "image-encoder", "decoder": "decoder", "previewer": "decoder"}.items():
                load_average(args.work, f"{args.start_from}/{name}", key, modules[key], args.device).train()
            for parameter in trained:
                parameter.requires_grad_(True)
    frozen = args.freeze_encoder or (
        training.progress >= args.freeze_at and (args.work / "checkpoints" / "image-encoder.pt").exists()
    )
    if frozen:
        load_average(args.work, "image-encoder", "encoder", encoder, args.device)
    random.seed(training.data_seed)
    sides = parse_sides(args.sides)
    denoise = compiled(args, decoder)
    prepared = Preparation(args, random, encoder if args.freeze_encoder else None)
    pools = {size: Pool(random, mixture, partial(prepared, size), args.pool, args.unnamed, chunk_of(args)) for size, _ in sides}
    while not training.done or not frozen:
        if not frozen and training.progress >= args.freeze_at:
            if rank() == 0:
                freeze_encoder(args, mixture, training.averages["encoder"])
            if dist.is_initialized():
                dist.barrier()
            load_average(args.work, "image-encoder", "encoder", encoder, args.device)
            frozen = True
            continue
        size = random.choices(*zip(*sides, strict=True))[0]
        batch = pools[size].draw(batch_of(args, size, 4), args.fresh)
        with precision(args):
            if args.freeze_encoder:
                z = batch["z"]
            else:
                with torch.set_grad_enabled(not frozen):
                    z = encoder.z(batch["seen"])
                z.requires_grad_()  # also behind a frozen encoder: a compiled step stays what it was
            preview = F.mse_loss(previewer(z).float(), batch["small"])
            t, noise = diffusion.sample_t(len(z), device=args.device), torch.randn_like(batch["latents"])
            predicted = denoise(size)(diffusion.add_noise(batch["latents"], noise, t), t, disturb(z), batch["text"]).float()
        denoising = diffusion.estimate_loss(noise, predicted, t)
        training.update(denoising + 0.5 * preview, denoising=denoising.detach(), preview=preview.detach())
    training.save()


if __name__ == "__main__":
    main()
