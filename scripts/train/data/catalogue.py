"""The closed world that the tiny model knows: objects, background colours, sizes, positions.

Objects are ordered: a smaller domain is a prefix of a larger one (see domains.py), so that widening the domain
never renames anything and a model can simply go on training.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thing:
    name: str  # the canonical caption noun; also the class name in scores
    icon: str  # name of the drawing in the Noto emoji set
    synonyms: tuple[str, ...]  # other nouns used in captions


def _thing(line: str) -> Thing:
    name, icon, *rest = [part.strip() for part in line.split("|")]
    return Thing(name, icon or name.replace(" ", "-"), tuple(s.strip() for s in rest[0].split(",")) if rest else ())


# name | icon (when it differs from the name) | synonyms
_OBJECTS = """
cat | cat-face | kitty
dog | dog-face | puppy
panda |
fox |
frog |
lion |
penguin |
owl |
unicorn |
octopus |
apple | red-apple | red apple
banana |
watermelon |
strawberry |
pizza | | slice of pizza
hamburger | | burger
carrot |
pineapple |
fire engine | fire-engine | fire truck
car | automobile | automobile
bus |
rocket | | spaceship
airplane | | plane
sailboat | | sailing boat
smiley | grinning-face | smiling face, happy face
robot |
ghost |
heart | red-heart | red heart
star |
sunflower |
house | | home
soccer ball | soccer-ball | football
firefighter | | fireman
elephant |
butterfly |
turtle | | tortoise
mushroom | | toadstool
umbrella |
crown |
tree | evergreen-tree | fir tree
monkey | monkey-face
bear |
koala |
rabbit | rabbit-face | bunny
tiger | tiger-face
pig | pig-face
cow | cow-face
horse | horse-face
chicken | | hen
fish | tropical-fish
whale | spouting-whale
bee | honeybee
ladybug | lady-beetle | ladybird
snail |
cherries |
grapes |
lemon |
ice cream | ice-cream
doughnut | | donut
birthday cake | birthday-cake | cake
bicycle | | bike
police car | police-car
helicopter |
train | locomotive | locomotive
alien |
snowman |
christmas tree | christmas-tree
cactus |
rose |
tulip |
guitar |
trumpet |
drum |
basketball |
tennis ball | tennis
trophy | | cup
gem | gem-stone | diamond
bell |
key |
lock | locked | padlock
book | closed-book | red book
gift | wrapped-gift | present
balloon |
teddy bear | teddy-bear | teddy
camera |
phone | mobile-phone | smartphone
alarm clock | alarm-clock
light bulb | light-bulb | lamp
sun |
moon | crescent-moon | crescent moon
cloud |
rainbow |
snowflake |
fire | | flame
volcano |
globe | globe-showing-europe-africa | earth
skull |
jack-o-lantern | | pumpkin
astronaut |
police officer | police-officer | policeman
cook | | chef
princess |
santa claus | santa-claus | santa
doctor | health-worker
baby |
mermaid |
fairy |
dragon | dragon-face
dinosaur | t-rex
snake |
crocodile |
dolphin |
shark |
crab |
flamingo |
parrot |
swan |
eagle |
wolf |
giraffe |
zebra |
hedgehog |
mouse | mouse-face
hamster |
avocado |
corn | ear-of-corn
tomato |
eggplant | | aubergine
croissant |
cheese | cheese-wedge
egg | cooking | fried egg
coffee | hot-beverage | cup of coffee
hat | top-hat | top hat
t-shirt | | shirt
shoe | running-shoe | sneaker
glasses |
tractor |
motorcycle | motor-scooter | scooter
ambulance |
anchor |
hammer |
scissors |
pencil |
"""

OBJECTS = [_thing(line) for line in _OBJECTS.strip().splitlines()]

# Named backgrounds: centre in sRGB. Chosen far apart, so that "the colour is right" has one meaning.
COLORS: dict[str, tuple[int, int, int]] = {
    "red": (214, 40, 40),
    "orange": (245, 140, 30),
    "yellow": (250, 216, 60),
    "green": (56, 166, 76),
    "blue": (48, 104, 220),
    "purple": (132, 66, 180),
    "pink": (250, 150, 190),
    "white": (250, 250, 250),
    "black": (22, 22, 24),
    "gray": (140, 142, 146),
}
COLOR_SYNONYMS = {"purple": ("violet",), "gray": ("grey",)}

# Side of the drawing as a fraction of the shorter picture side. A pair is two drawings of size "pair".
SIZES: dict[str, tuple[float, float]] = {
    "small": (0.38, 0.46),
    "normal": (0.76, 0.86),
    "large": (0.92, 1.0),
    "pair": (0.44, 0.5),
}
SIZE_WORDS = {"small": ("small", "tiny", "little"), "normal": ("",), "large": ("large", "big", "huge"), "pair": ("",)}

# Centre of the drawing as fractions of width and height; only small drawings leave the centre.
POSITIONS: dict[str, tuple[float, float]] = {
    "center": (0.5, 0.5),
    "left": (0.25, 0.5),
    "right": (0.75, 0.5),
    "top": (0.5, 0.25),
    "bottom": (0.5, 0.75),
    "top left": (0.25, 0.25),
    "top right": (0.75, 0.25),
    "bottom left": (0.25, 0.75),
    "bottom right": (0.75, 0.75),
}
