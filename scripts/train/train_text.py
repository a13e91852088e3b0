"""Text encoder: learns to say, from the end-of-text state alone, what the caption's scene holds.

The throw-away heads name the colour, the number of objects, and each object with its size and position. Stage B takes this
encoder as it is; Stage C goes on training a copy of its own.
"""

from random import Random

import torch
import torch.nn.functional as F
from torch import nn

from . import nets
from .data.captions import caption
from .data.catalogue import COLORS, OBJECTS, POSITIONS, SIZES
from .data.domains import parse_mixture
from .data.scenes import sample_scenes
from .device import on
from .tokens import encode, load_tokenizer
from .training import Training, arguments, prepare

HEADS = {
    "color": len(COLORS) + 1,
    "first": len(OBJECTS),
    "second": len(OBJECTS) + 1,
    "size": len(SIZES),
    "position": len(POSITIONS),
}


def labels(scene, words: str) -> list[int]:
    said = scene.color is not None and any(word in words for word in (scene.color, "violet", "grey"))
    names = [thing.name for thing in OBJECTS]
    first, *rest = scene.placed
    return [
        list(COLORS).index(scene.color) if said else len(COLORS),
        names.index(first.thing.name),
        names.index(rest[0].thing.name) if rest else len(OBJECTS),
        list(SIZES).index(first.size),
        list(POSITIONS).index(first.position),
    ]


def text_batch(random, mixture, batch):
    scenes = sample_scenes(random, mixture, batch)
    words = [caption(random, scene) for scene in scenes]
    return words, torch.tensor([labels(s, w) for s, w in zip(scenes, words, strict=True)])


def main():
    args = arguments(__doc__, steps=1500, batch=64, lr=1e-3, mixture="1:0.3,4:0.7").parse_args()
    prepare(args)
    tokenizer, mixture, random = load_tokenizer(args.work), parse_mixture(args.mixture), Random(args.seed)
    model = nets.text_encoder(len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id).to(args.device).train()
    heads = nn.ModuleDict({key: nn.Linear(nets.TEXT_WIDTH, n) for key, n in HEADS.items()}).to(args.device)
    training = Training("text", args, {"text": model, "heads": heads}, [{"params": [*model.parameters(), *heads.parameters()]}])
    training.restore()
    random.seed(training.data_seed)
    while not training.done:
        words, target = text_batch(random, mixture, args.batch)
        ids, mask = encode(tokenizer, words, args.device)
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state  # [B, L, C]
        last = hidden[torch.arange(len(ids)), mask.sum(1) - 1]  # [B, C] at end of text
        target = on(args.device, target)
        scores = [heads[key](last) for key in HEADS]
        loss = sum(F.cross_entropy(s, target[:, i]) for i, s in enumerate(scores))
        right = torch.stack([s.argmax(1) == target[:, i] for i, s in enumerate(scores)]).all(0).float().mean()
        training.update(loss, all_right=right)
    training.save()


if __name__ == "__main__":
    main()
