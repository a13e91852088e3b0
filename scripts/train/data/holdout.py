"""What no stage may ever see in training: decided by a seeded hash, so it never changes when the lists grow."""

import hashlib
from functools import cache

from .catalogue import COLORS

SEED = "wuerstchen-tiny-1"


def _hash(*parts: str) -> int:
    return int.from_bytes(hashlib.sha256("/".join((SEED, *parts)).encode()).digest()[:8], "big")


@cache
def held_out_colors(name: str) -> tuple[str, ...]:
    """One colour for each object, two for every second object: 15 % of all combinations."""
    ranked = sorted(COLORS, key=lambda color: _hash("color", name, color))
    return tuple(ranked[: 1 + _hash("two", name) % 2])


def is_held_out(name: str, color: str) -> bool:
    return color in held_out_colors(name)


def is_pair_held_out(first: str, second: str) -> bool:
    return _hash("pair", *sorted((first, second))) % 5 == 0
