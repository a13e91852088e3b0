"""Names of repositories, and which ones belong together."""

import re
from dataclasses import dataclass

from ..files import SUFFIXES
from .error import INVALID_ARGUMENT, HubError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")
REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}")
COMMIT = re.compile(r"[0-9a-f]{40}")
MAIN = "main"
WEIGHTS = (*SUFFIXES, ".pt", ".pth", ".ckpt")


@dataclass(frozen=True)
class Repository:
    name: str
    revision: str | None = None  # None: the pinned commit, else main

    @property
    def wanted(self) -> str:
        return self.revision or PINNED.get(self.name, MAIN)


@dataclass(frozen=True)
class Family:
    """What belongs to a decoder's repository where nothing else is said."""

    prior: str
    image_encoder: str


PUBLISHED = {"warp-ai/wuerstchen": Family("warp-ai/wuerstchen-prior", "warp-ai/EfficientNetEncoder")}
PUBLISHED_PRIOR_TEXT = "warp-ai/wuerstchen-prior"  # of the priors that the authors publish by themselves
LONE_PRIORS = tuple(f"warp-ai/wuerstchen-prior-model-{name}" for name in ("base", "finetuned", "interpolated"))
# Commits that others have published results with. The other repositories have none that is known whole: there it is main.
PINNED = {"warp-ai/wuerstchen": "c3da41406ddd4d9c48c49aa93981a82354351b83"}


def looks_like_repository(text: str) -> bool:
    """Whether a text can be a repository's name and not a file's."""
    return NAME.fullmatch(text.split("@")[0]) is not None and not text.endswith(WEIGHTS)


def repository_of(text: str, revision: str | None = None) -> Repository:
    """`owner/name` or `owner/name@revision`; `revision` is one that was given beside it."""
    name, at, own = text.partition("@")
    if not NAME.fullmatch(name) or ".." in name or "--" in name:
        raise refused(f"Expected a repository as owner/name or owner/name@revision but received {text!r}", text)
    if at and revision is not None:
        raise refused(f"Expected one revision of {name} but received {own!r} and {revision!r}", "revision")
    chosen = own if at else revision
    if chosen is not None and (not REVISION.fullmatch(chosen) or ".." in chosen):
        raise refused(f"Expected a branch, a tag or a commit for the revision of {name} but received {chosen!r}", "revision")
    return Repository(name, chosen)


def refused(message: str, subject: str) -> HubError:
    return HubError(INVALID_ARGUMENT, message, subject)
