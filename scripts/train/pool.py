"""A moving window of prepared samples: each step replaces a few, so preparing costs little and variety has no end."""

import math
from collections.abc import Callable
from random import Random

import torch

from .data.domains import Domain
from .data.scenes import Scene, sample_scenes

Sample = dict[str, torch.Tensor]


class Pool:
    def __init__(
        self,
        random: Random,
        mixture: list[tuple[Domain, float]],
        prepare: Callable[[list[Scene]], Sample],
        size: int,
        unnamed: float,
        chunk: int,
    ):
        self.random, self.mixture, self.prepare, self.unnamed, self.chunk = random, mixture, prepare, unnamed, chunk
        self.size, self._added, self._owed = size, 0, 0.0
        self._samples: Sample = {}
        while self._added < size:
            self._add()

    def _add(self) -> None:
        scenes = sample_scenes(self.random, self.mixture, self.chunk, self.unnamed)
        with torch.no_grad():
            fresh = self.prepare(scenes)
        room = math.ceil(self.size / self.chunk) * self.chunk
        if not self._samples:
            self._samples = {key: value.new_empty((room, *value.shape[1:])) for key, value in fresh.items()}
        start = self._added % room
        for key, value in fresh.items():
            self._samples[key][start : start + self.chunk] = value
        self._added += self.chunk

    def draw(self, batch: int, fresh: float) -> Sample:
        """A batch; on average `fresh` × batch samples of the pool are replaced by new ones first."""
        self._owed += fresh * batch
        while self._owed >= self.chunk:
            self._add()
            self._owed -= self.chunk
        device = next(iter(self._samples.values())).device
        chosen = torch.randint(self.size, (batch,), device=device)
        return {key: value[chosen] for key, value in self._samples.items()}


def chunk_of(args):
    """Samples prepared at once: many at once on a GPU."""
    return max(16, min(512, args.batch // 4))
