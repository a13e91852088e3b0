"""Stage A: picture ↔ 4-channel latents at a quarter of the side, without quantisation (the decoder bypasses it anyway).

The encoder half is trained first and then frozen (--freeze-encoder), because Stage B's targets must stand still;
the decoder half may go on learning for as long as one likes.
"""

from random import Random

import torch
import torch.nn.functional as F

from . import nets
from .data.domains import parse_mixture
from .data.drawing import Painter
from .data.scenes import sample_scenes
from .training import Training, arguments, load_average, prepare


def crops(random, painter, mixture, batch, side=64):
    """Two thirds of each batch are crops of small pictures, a third of large ones: strokes of every width."""
    crops = []
    for size, count in ((128, batch - batch // 3), (256, batch // 3)):
        for picture in painter.paint(sample_scenes(random, mixture, count, unnamed=0.3), size):
            x, y = random.randrange(0, size - side + 1, 4), random.randrange(0, size - side + 1, 4)
            crops.append(picture[:, y : y + side, x : x + side])
    return torch.stack(crops)  # [B, 3, side, side]


def reconstruction_loss(decoded, picture):
    edges = sum((decoded.diff(dim=d) - picture.diff(dim=d)).abs().mean() for d in (2, 3))
    return (decoded - picture).abs().mean() + 0.5 * edges + 2 * (decoded - picture).square().mean()


def main():
    parser = arguments(__doc__, steps=3600, batch=16, lr=2e-3, mixture="1:0.5,4:0.5", ema=0.995)
    parser.add_argument("--freeze-encoder", action="store_true", help="train the decoder half only, from the vqgan checkpoint")
    args = parser.parse_args()
    prepare(args)
    painter, mixture, random = Painter(args.work, args.device), parse_mixture(args.mixture), Random(args.seed)
    model = nets.vqgan().to(args.device).train()
    if args.freeze_encoder:
        load_average(args.work, "vqgan", "vqgan", model, args.device)
        for part in (model.up_blocks, model.out_block):
            part.requires_grad_(True)
    trained = [p for p in model.parameters() if p.requires_grad]
    training = Training("vqgan-decoder" if args.freeze_encoder else "vqgan", args, {"vqgan": model}, [{"params": trained}])
    training.restore()
    random.seed(training.data_seed)
    while not training.done:
        picture = crops(random, painter, mixture, args.batch)
        with torch.set_grad_enabled(not args.freeze_encoder):
            h = model.encode(picture).latents
        # Stage B's latents are never exact: the decoder must forgive a little noise
        noisy = h + nets.SCALE_FACTOR * 0.08 * torch.rand(len(h), 1, 1, 1, device=h.device) * torch.randn_like(h)
        decoded = model.decode(noisy).sample
        mse = F.mse_loss(decoded.detach(), picture)
        training.update(reconstruction_loss(decoded, picture), psnr=-10 * mse.log10())
        if training.step % 600 == 0:
            training.save()
    training.save()


if __name__ == "__main__":
    main()
