"""Domain levels: how much of the catalogue is in play. A level contains every scene of the levels below it."""

from dataclasses import dataclass

from .catalogue import OBJECTS, Thing


@dataclass(frozen=True)
class Domain:
    objects: int  # a prefix of the catalogue
    sizes: float  # share of scenes with a stated size
    positions: float  # share of scenes with one small object away from the centre
    pairs: float  # share of scenes with two objects

    @property
    def things(self) -> list[Thing]:
        return OBJECTS[: self.objects]


# The numbers are the rungs that the model card reports.
DOMAINS = {
    1: Domain(objects=40, sizes=0.0, positions=0.0, pairs=0.0),
    2: Domain(objects=64, sizes=0.15, positions=0.2, pairs=0.0),
    3: Domain(objects=80, sizes=0.15, positions=0.25, pairs=0.0),
    4: Domain(objects=len(OBJECTS), sizes=0.15, positions=0.25, pairs=0.25),
}


def parse_mixture(text: str) -> list[tuple[Domain, float]]:
    """ "1:0.8,4:0.2" → level 1 for 80 % of the scenes and level 4 for the rest; "2" is level 2 alone."""
    parts = [part.split(":") for part in text.split(",")]
    return [(DOMAINS[int(level)], float(*share) if share else 1.0) for level, *share in parts]
