"""The judge of the scores: names the object in a picture. It is trained on rendered scenes only, never on generated ones.

It sees every object on every background (it is no stage of the model, so nothing is held out from it), blurred and noised
at random, so that it judges what is shown rather than how sharp it is. `python -m train.classifier` trains it and prints its
accuracy on fresh renders; two-object pictures are judged one half at a time.
"""

from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F
from torch import nn

from .data.catalogue import COLORS, OBJECTS
from .data.drawing import Painter
from .data.scenes import Scene, any_color, nearest_color, place
from .training import Training, arguments, load_average, prepare

SIDE = 64


class Classifier(nn.Module):
    def __init__(self, classes: int):
        super().__init__()
        layers, c_in = [], 3
        for c_out, stride in ((32, 2), (64, 2), (64, 1), (128, 2), (128, 1), (192, 2)):
            layers += [nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out), nn.SiLU()]
            c_in = c_out
        self.trunk, self.head = nn.Sequential(*layers), nn.Linear(c_in * 16, classes)

    def forward(self, picture):
        """[B, 3, H, W] in [0, 1] → [B, objects]"""
        small = F.interpolate(picture, (SIDE, SIDE), mode="bilinear", antialias=True)
        return self.head(self.trunk(small * 2 - 1).flatten(1))


def border_color(picture: torch.Tensor) -> tuple[int, ...]:
    """Median of the picture's outermost pixels, sRGB."""
    edge = torch.cat([picture[:, 0], picture[:, -1], picture[:, :, 0], picture[:, :, -1]], 1)  # [3, N]
    return tuple(round(v * 255) for v in edge.median(1).values.tolist())


def background(picture: torch.Tensor) -> str:
    return nearest_color(border_color(picture))


def centroid(picture: torch.Tensor) -> tuple[float, float]:
    """Where the picture differs from its background: fractions of width and height."""
    base = torch.tensor(border_color(picture))[:, None, None] / 255
    weight = (picture - base).abs().amax(0)
    weight = weight * (weight > 0.15)
    total = weight.sum().clamp_min(1e-6)
    x = (weight.sum(0) * torch.linspace(0, 1, weight.shape[1])).sum() / total
    y = (weight.sum(1) * torch.linspace(0, 1, weight.shape[0])).sum() / total
    return x.item(), y.item()


def squared(picture: torch.Tensor) -> torch.Tensor:
    """The picture in the middle of a square of its background's colour."""
    _, height, width = picture.shape
    side = max(height, width)
    square = (torch.tensor(border_color(picture)) / 255)[:, None, None].repeat(1, side, side)
    top, left = (side - height) // 2, (side - width) // 2
    square[:, top : top + height, left : left + width] = picture
    return square


def middle(picture: torch.Tensor) -> torch.Tensor:
    """Of an oblong picture the square around its object; the background, being plain, may be moved around."""
    side = min(picture.shape[1:])
    for dim, at in zip((2, 1), centroid(picture), strict=True):
        length = picture.shape[dim]
        if length > side:
            picture = picture.roll(round((0.5 - at) * length), dims=dim).narrow(dim, (length - side) // 2, side)
    return picture


def halves(picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Left and right half, each put back into the middle of a square of the background's colour."""
    base = torch.tensor(border_color(picture))[:, None, None] / 255
    _, height, width = picture.shape
    both: list[torch.Tensor] = []
    for start in (0, width // 2):
        square = base.expand(3, height, width).clone()
        square[:, :, width // 4 : width // 4 + width // 2] = picture[:, :, start : start + width // 2]
        both.append(square)
    left, right = both
    return left, right


def judged_batch(random: Random, painter: Painter, batch: int):
    things = [random.randrange(len(OBJECTS)) for _ in range(batch)]
    scenes = []
    for index in things:
        size, position = random.choices(
            [
                ("normal", "center"),
                ("small", "center"),
                ("small", "left"),
                ("small", "right"),
                ("large", "center"),
                ("pair", "center"),
            ],
            (5, 1, 1, 1, 1, 1),
        )[0]
        rgb = random.choice(list(COLORS.values())) if random.random() < 0.5 else any_color(random)
        scenes.append(Scene((place(random, OBJECTS[index], size, position),), None, rgb))
    return painter.paint(scenes, SIDE), torch.tensor(things, device=painter.device)


def degrade(picture: torch.Tensor) -> torch.Tensor:
    """Half of the batch loses detail, as generated pictures do."""
    side = int(torch.randint(14, 40, ()))
    blurred = F.interpolate(F.interpolate(picture, (side, side), mode="area"), picture.shape[-2:], mode="bicubic")
    chance, amount = torch.rand(2, len(picture), 1, 1, 1, device=picture.device)
    picture = torch.where(chance < 0.5, blurred, picture)
    return picture + 0.05 * amount * torch.randn_like(picture)


def load_classifier(work: Path) -> Classifier:
    return load_average(work, "classifier", "classifier", Classifier(len(OBJECTS)))


@torch.no_grad()
def accuracy(model: Classifier, painter: Painter, n=1024, seed=99) -> dict[str, float]:
    random, right = Random(seed), {"sharp": 0, "degraded": 0}
    for _ in range(n // 64):
        picture, target = judged_batch(random, painter, 64)
        right["sharp"] += (model(picture).argmax(1) == target).sum().item()
        right["degraded"] += (model(degrade(picture)).argmax(1) == target).sum().item()
    return {key: value / (n // 64 * 64) for key, value in right.items()}


def main():
    args = arguments(__doc__, steps=1600, batch=48, lr=2e-3, mixture="4", ema=0.99).parse_args()
    prepare(args)
    random, painter, model = Random(args.seed), Painter(args.work, args.device), Classifier(len(OBJECTS)).to(args.device).train()
    training = Training("classifier", args, {"classifier": model}, [{"params": list(model.parameters())}])
    training.restore()
    random.seed(training.data_seed)
    while not training.done:
        picture, target = judged_batch(random, painter, args.batch)
        scores = model(degrade(picture))
        training.update(F.cross_entropy(scores, target), right=(scores.argmax(1) == target).float().mean())
    training.save()
    print(accuracy(training.averages["classifier"], painter))


if __name__ == "__main__":
    main()
