"""Stage C and its own copy of the text encoder: caption → embeddings z of the frozen image encoder."""

from functools import partial
from random import Random

import torch

from . import diffusion, nets
from .data.captions import caption
from .data.domains import parse_mixture
from .data.drawing import Painter
from .efficientnet import ImageEncoder, encoder_input
from .pool import Pool, chunk_of
from .sizes import batch_of, parse_sides
from .tokens import encode, load_tokenizer
from .training import Training, arguments, compiled, load_average, precision, prepare


def main():
    parser = arguments(__doc__, steps=6000, batch=32, lr=8e-4, mixture="1")
    parser.add_argument("--sides", default="128", help="picture sides with shares of the steps, like 128:0.6,256:0.2,384x256:0.2")
    parser.add_argument("--start-from", help="folder in checkpoints/ with the prior of an earlier round to go on from")
    parser.add_argument("--text-rate", type=float, default=0.3, help="learning rate of the text encoder, relative")
    parser.add_argument("--fresh", type=float, default=0.25, help="new samples for each one drawn")
    parser.add_argument("--pool", type=int, default=4096)
    args = parser.parse_args()
    prepare(args)
    random, mixture, painter = Random(args.seed), parse_mixture(args.mixture), Painter(args.work, args.device)
    tokenizer = load_tokenizer(args.work)
    encoder = load_average(args.work, "image-encoder", "encoder", ImageEncoder(), args.device)
    prior = nets.prior().to(args.device).train()
    text = nets.text_encoder(len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id)
    load_average(args.work, "text", "text", text, args.device).train().requires_grad_(True)
    training = Training(
        "prior",
        args,
        {"prior": prior, "text": text},
        [{"params": list(prior.parameters())}, {"params": list(text.parameters()), "scale": args.text_rate}],
    )
    if not training.restore() and args.start_from:
        for key, module in training.modules.items():
            load_average(args.work, f"{args.start_from}/prior", key, module, args.device).train().requires_grad_(True)
    random.seed(training.data_seed)

    def prepared(size, scenes):
        words = [caption(random, scene) if random.random() > 0.07 else "" for scene in scenes]
        ids, mask = encode(tokenizer, words, args.device)
        return {
            "z": encoder.z(encoder_input(painter.paint(scenes, *size))),
            "ids": ids,
            "mask": mask,
        }  # z [B, 16, grid h, grid w]

    sides = parse_sides(args.sides)
    # No nameless backgrounds: the caption must be able to explain all of the picture.
    denoise = compiled(args, prior)
    pools = {
        size: Pool(random, mixture, partial(prepared, size), args.pool, unnamed=0.0, chunk=chunk_of(args)) for size, _ in sides
    }
    while not training.done:
        size = random.choices(*zip(*sides, strict=True))[0]
        batch = pools[size].draw(batch_of(args, size, 8), args.fresh)
        t, noise = diffusion.sample_t(len(batch["z"]), device=args.device), torch.randn_like(batch["z"])
        with precision(args):
            states = text(input_ids=batch["ids"], attention_mask=batch["mask"]).last_hidden_state  # [B, L, C]
            predicted = denoise(size)(diffusion.add_noise(batch["z"], noise, t), t, states).float()
        training.update(diffusion.loss(noise, predicted, t))
    training.save()


if __name__ == "__main__":
    main()
