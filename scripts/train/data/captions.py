"""Scenes put into words: a small grammar with synonyms."""

from random import Random

from .catalogue import COLOR_SYNONYMS, SIZE_WORDS
from .scenes import Placed, Scene

_OPENINGS = ("", "", "", "a picture of ", "an emoji of ", "a drawing of ", "an icon of ")
_PLACES = {
    "center": ("", "", "", " in the center", " in the middle"),
    "left": (" on the left", " on the left side"),
    "right": (" on the right", " on the right side"),
    "top": (" at the top",),
    "bottom": (" at the bottom",),
    "top left": (" in the top left corner", " at the top left"),
    "top right": (" in the top right corner", " at the top right"),
    "bottom left": (" in the bottom left corner", " at the bottom left"),
    "bottom right": (" in the bottom right corner", " at the bottom right"),
}
_PLURALS = {"cherries", "grapes", "glasses", "scissors"}
_NO_ARTICLE = {"santa claus", "santa", "corn", "cheese", "coffee", "fire"}


def _noun(random: Random, placed: Placed) -> str:
    noun = placed.thing.name
    if placed.thing.synonyms and random.random() < 0.3:
        noun = random.choice(placed.thing.synonyms)
    size = random.choice(SIZE_WORDS[placed.size])
    phrase = f"{size} {noun}".strip()
    if noun in _PLURALS or (noun in _NO_ARTICLE and not size):
        return phrase
    the = "an" if phrase[0] in "aeiou" and not phrase.startswith(("uni", "eu")) else "a"
    return f"{the} {phrase}" if random.random() < 0.9 else phrase


def _background(random: Random, scene: Scene, unstated: float) -> str:
    if scene.color is None or random.random() < unstated:
        return ""
    color = random.choice((scene.color, scene.color, *COLOR_SYNONYMS.get(scene.color, ())))
    article = "an" if color[0] in "aeiou" else "a"
    return random.choice(
        (f" on {article} {color} background",) * 4
        + (f" on {color}", f" on a plain {color} background", f", {color} background", f" in front of {article} {color} wall")
    )


def caption(random: Random, scene: Scene, unstated=0.07) -> str:
    opening, background = random.choice(_OPENINGS), _background(random, scene, unstated)
    if len(scene.placed) == 1:
        only = scene.placed[0]
        return opening + _noun(random, only) + random.choice(_PLACES[only.position]) + background
    left, right = scene.placed
    a, b = _noun(random, left), _noun(random, right)
    words = random.choice(
        (
            f"{a} on the left and {b} on the right",
            f"{a} to the left of {b}",
            f"{a} next to {b}",
            f"{a} and {b}",
            f"{b} to the right of {a}",
        )
    )
    return opening + words + background


def plain_caption(scene: Scene) -> str:
    """The one wording used for scores."""

    def noun(placed: Placed) -> str:
        size = placed.size if placed.size in ("small", "large") else ""
        name = f"{size} {placed.thing.name}".strip()
        if placed.thing.name in _PLURALS:
            return name
        return ("an " if name[0] in "aeiou" and not name.startswith("uni") else "a ") + name

    assert scene.color is not None  # a background without a name is never captioned
    article = "an" if scene.color[0] in "aeiou" else "a"
    background = f" on {article} {scene.color} background"
    if len(scene.placed) == 2:
        return f"{noun(scene.placed[0])} on the left and {noun(scene.placed[1])} on the right{background}"
    only = scene.placed[0]
    return noun(only) + ("" if only.position == "center" else _PLACES[only.position][0]) + background
