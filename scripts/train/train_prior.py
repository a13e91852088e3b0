"""Stage C and its own copy of the text encoder: caption → embeddings z of the frozen image encoder."""

from random import Random

import torch

import diffusion
import nets
from data.captions import caption
from data.domains import parse_mixture
from data.drawing import Painter
from efficientnet import ImageEncoder, encoder_input
from pool import Pool
from tokens import encode, load_tokenizer
from train_image_encoder_decoder import parse_sides
from training import Training, arguments, load_average, precision, prepare


def main():
    parser = arguments(__doc__, steps=6000, batch=32, lr=8e-4, mixture="1")
    parser.add_argument("--sides", default="128", help="picture sides with shares of the steps, like 128:0.8,256:0.2")
    parser.add_argument("--start-from", help="folder in checkpoints/ with the prior of an earlier round to go on from")
    parser.add_argument("--text-rate", type=float, default=0.3, help="learning rate of the text encoder, relative")
    parser.add_argument("--fresh", type=float, default=0.25, help="new samples for each one drawn")
    parser.add_argument("--pool", type=int, default=4096)
    args = parser.parse_args()
    prepare(args)
    random, mixture, painter = Random(args.seed), parse_mixture(args.mixture), Painter(args.work)
    tokenizer = load_tokenizer(args.work)
    encoder = load_average(args.work, "image-encoder", "encoder", ImageEncoder(), args.device)
    prior = nets.prior().to(args.device).train()
    text = nets.text_encoder(len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id)
    load_average(args.work, "text", "text", text, args.device).train().requires_grad_(True)
    training = Training("prior", args, {"prior": prior, "text": text},
                        [{"params": list(prior.parameters())}, {"params": list(text.parameters()), "scale": args.text_rate}], ema=0.999)
    if not training.restore() and args.start_from:
        for key, module in training.modules.items():
            load_average(args.work, f"{args.start_from}/prior", key, module, args.device).train().requires_grad_(True)
    random.seed(training.data_seed)

    def prepare_side(side):
        def z_of(scenes):
            return {"z": encoder.z(encoder_input(painter.paint_all(scenes, side).to(args.device)))}  # [B, 16, grid, grid]
        return z_of

    sides = parse_sides(args.sides)
    # No nameless backgrounds: the caption must be able to explain all of the picture.
    denoise = torch.compile(prior, dynamic=False) if args.compile else prior  # a graph for each size
    pools = {side: Pool(random, mixture, prepare_side(side), args.pool, unnamed=0.0, chunk=32) for side, _ in sides}
    while not training.done:
        side = random.choices([s for s, _ in sides], [w for _, w in sides])[0]
        scenes, batch = pools[side].draw(max(8, args.batch * 128 * 128 // (side * side)), args.fresh)
        words = [caption(random, scene) if random.random() > 0.07 else "" for scene in scenes]
        ids, mask = encode(tokenizer, words, args.device)
        t, noise = diffusion.sample_t(len(ids), device=args.device), torch.randn_like(batch["z"])
        with precision(args):
            states = text(input_ids=ids, attention_mask=mask).last_hidden_state  # [B, L, C]
            predicted = denoise(diffusion.add_noise(batch["z"], noise, t), t, states).float()
        training.update(diffusion.loss(noise, predicted, t))
    training.save()


if __name__ == "__main__":
    main()
