"""A scene is what a picture shows, before it is drawn or put into words."""

from dataclasses import dataclass
from random import Random

from .catalogue import COLORS, POSITIONS, SIZES, Thing
from .domains import Domain
from .holdout import is_held_out, is_pair_held_out

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Placed:
    thing: Thing
    size: str  # key of SIZES
    position: str  # key of POSITIONS
    scale: float  # side as a fraction of the shorter picture side
    x: float  # centre, fractions of width and height
    y: float


@dataclass(frozen=True)
class Scene:
    placed: tuple[Placed, ...]
    color: str | None  # None: a background without a name, never captioned with a colour
    rgb: Color


def nearest_color(rgb) -> str:
    return min(COLORS, key=lambda name: sum((a - b) ** 2 for a, b in zip(COLORS[name], rgb, strict=True)))


def any_color(random: Random) -> Color:
    return random.randint(0, 255), random.randint(0, 255), random.randint(0, 255)


def _jitter(random: Random, rgb: Color, amount=6) -> Color:
    red, green, blue = (min(255, max(0, channel + random.randint(-amount, amount))) for channel in rgb)
    return red, green, blue


def place(random: Random, thing: Thing, size="normal", position="center") -> Placed:
    scale = random.uniform(*SIZES[size])
    slack = max(0.0, (1.0 - scale) / 2 - 0.02) if position == "center" else 0.03
    wobble = min(slack, 0.03)
    x, y = (c + random.uniform(-wobble, wobble) for c in POSITIONS[position])
    return Placed(thing, size, position, scale, x, y)


def _objects(random: Random, domain: Domain) -> tuple[Placed, ...]:
    things, dice = domain.things, random.random()
    if dice < domain.pairs:
        while True:
            left, right = random.sample(things, 2)
            if not is_pair_held_out(left.name, right.name):
                return place(random, left, "pair", "left"), place(random, right, "pair", "right")
    thing = random.choice(things)
    if dice < domain.pairs + domain.positions:
        return (place(random, thing, "small", random.choice([p for p in POSITIONS if p != "center"])),)
    if dice < domain.pairs + domain.positions + domain.sizes:
        return (place(random, thing, random.choice(["small", "large"])),)
    return (place(random, thing),)


def sample_scene(random: Random, domain: Domain, unnamed=0.0) -> Scene:
    """A training scene. `unnamed`: share of backgrounds of any colour at all (they teach Stage B what a colour is)."""
    placed = _objects(random, domain)
    names = [p.thing.name for p in placed]
    while True:
        if random.random() < unnamed:
            color, rgb = None, any_color(random)
            close = nearest_color(rgb)  # a nameless red must not leak what "cat on red" looks like
        else:
            close = color = random.choice(list(COLORS))
            rgb = _jitter(random, COLORS[color])
        if not any(is_held_out(name, close) for name in names):
            return Scene(placed, color, rgb)


def sample_scenes(random: Random, mixture: list[tuple[Domain, float]], count: int, unnamed=0.0) -> list[Scene]:
    """Training scenes of a mixture of domains (see `parse_mixture`)."""
    domains, shares = zip(*mixture, strict=True)
    return [sample_scene(random, random.choices(domains, shares)[0], unnamed) for _ in range(count)]


def sample_evaluation_scene(random: Random, domain: Domain, held_out: bool) -> Scene:
    """A centred scene of one object, of a combination that training has seen or that it never saw."""
    while True:
        thing, color = random.choice(domain.things), random.choice(list(COLORS))
        if is_held_out(thing.name, color) == held_out:
            return Scene((place(random, thing),), color, _jitter(random, COLORS[color]))
