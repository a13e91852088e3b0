"""The whole way: from repositories to directories that the exporter reads."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import ExportError
from ..files import SUFFIXES, is_index
from .card import Card, read_card
from .error import INVALID, INVALID_ARGUMENT, NOT_FOUND, HubError
from .faults import endpoint
from .fetch import fetch_file
from .library import need_library
from .listing import Listing, RemoteFile, list_files
from .needed import CARD, ROLES, needed_files
from .origin import Origin
from .progress import Progress, amount
from .repositories import LONE_PRIORS, PUBLISHED, PUBLISHED_PRIOR_TEXT, Repository, looks_like_repository, repository_of
from .space import check_space

# Bytes of what comes before the room on the disk is looked at. An index has a line for each tensor.
LARGEST_CARD = 1 << 20
LARGEST_INDEX = 16 << 20
Source = Path | Repository
Report = Callable[[str], None]


@dataclass(frozen=True)
class Fetched:
    """A repository as far as it is read; `roles` are the options that it stands for."""

    listing: Listing
    roles: tuple[str, ...]
    paths: tuple[str, ...]
    origin: Origin

    @property
    def files(self) -> dict[str, RemoteFile]:
        return {path: self.listing.files[path] for path in self.paths}


@dataclass(frozen=True)
class Room:
    """What else is to be written: into `out`, as many bytes of a file as `share` says of it."""

    out: Path
    share: Callable[[Listing, str], float]
    what: str


def source_of(text: str) -> Source:
    """A path if there is one, else a repository if the text can be one's name. An empty text would be the current directory."""
    if not text:
        raise HubError(INVALID_ARGUMENT, "Expected a directory, a file or a repository but received ''", None)
    path = Path(text)
    return repository_of(text) if not path.exists() and looks_like_repository(text) else path


def with_family(sources: dict[str, Source], alone: bool, report: Report) -> dict[str, Source]:
    """What belongs to the decoder's repository where nothing else is said: its prior, the text encoder of a prior by itself and,
    unless `alone`, the image encoder."""
    decoder = sources["decoder"]
    family = PUBLISHED.get(decoder.name) if isinstance(decoder, Repository) else None
    found = dict(sources)
    if "prior" not in found and isinstance(decoder, Repository):
        named = family.prior if family else card_of(list_files(decoder, report), Progress(False), report).prior
        if named is None:
            raise HubError(
                NOT_FOUND,
                f"Expected the repository of a prior for {decoder.name} but its model card names none: name it with --prior",
                decoder.name,
            )
        found["prior"] = repository_of(named)
    if family and not alone:
        found.setdefault("image_encoder", Repository(family.image_encoder))
    prior = found.get("prior")
    if isinstance(prior, Repository) and prior.name in LONE_PRIORS:
        found.setdefault("prior_text_encoder", Repository(PUBLISHED_PRIOR_TEXT))
    return found


def fetch(
    sources: dict[str, Source], variant: str | None, room: Room | None, progress: Progress, report: Report
) -> list[Fetched]:
    """Fetches what the exporter reads of every repository among `sources`, by their roles."""
    repositories = {role: source for role, source in sources.items() if isinstance(source, Repository)}
    listings = {repository: list_files(repository, report) for repository in dict.fromkeys(repositories.values())}
    names = {
        role: set(listings[source].files) if isinstance(source, Repository) else names_in(source)
        for role, source in sources.items()
    }
    roles: dict[Repository, list[str]] = {}
    for role, repository in repositories.items():
        roles.setdefault(repository, []).append(role)
    cards = {repository: card_of(listing, progress, report) for repository, listing in listings.items()}
    paths = {
        repository: paths_of(listings[repository], roles[repository], names, variant, progress, report) for repository in roles
    }

    missing = {
        repository: {path for path in paths[repository] if not is_there(listings[repository], path)} for repository in roles
    }
    for repository, listing in listings.items():
        describe(listing, roles[repository], paths[repository], missing[repository], cards[repository], report)
    total = sum(listings[repository].files[path].size for repository in roles for path in paths[repository])
    check_room(listings, paths, missing, room)
    progress.start(total)
    try:
        # Small files come first: what is wrong with a repository shows before gigabytes have come.
        all_paths = [(listings[repository], path) for repository in roles for path in paths[repository]]
        for listing, path in sorted(all_paths, key=lambda each: each[0].files[each[1]].size):
            done = progress.done
            fetch_file(listing, path, progress, report)
            progress.done = done + listing.files[path].size  # what was there counts too
    finally:
        progress.clear()
    return [
        Fetched(
            listing,
            tuple(role for role in ROLES if role in roles[repository]),
            tuple(paths[repository]),
            Origin(repository.name, listing.commit, cards[repository].license),
        )
        for repository, listing in listings.items()
    ]


def card_of(listing: Listing, progress: Progress, report: Report) -> Card:
    card = listing.files.get(CARD)
    return read_card(fetch_file(listing, CARD, progress, report) if card and card.size <= LARGEST_CARD else None)


def names_in(source: Path) -> set[str]:
    """What the exporter will see in a directory; a file of weights is a network by itself."""
    if source.is_file():
        return {"config.json"}
    return {file.relative_to(source).as_posix() for pattern in ("*", "*/*") for file in source.glob(pattern) if file.is_file()}


def paths_of(
    listing: Listing, roles: list[str], names: dict, variant: str | None, progress: Progress, report: Report
) -> list[str]:
    def read(path: str) -> Path:
        size = listing.files[path].size
        if size > LARGEST_INDEX:
            largest = amount(LARGEST_INDEX)
            raise HubError(INVALID, f"Expected at most {largest} for {path} of {where} but the hub lists {amount(size)}", path)
        return fetch_file(listing, path, progress, report)

    where = listing.repository.name
    try:
        found = [path for role in roles for path in needed_files(role, names, variant, where, read)]
    except ExportError as error:
        if listing.missing:
            raise HubError(NOT_FOUND, f"{listing.missing}: {error}", where) from error
        raise error if isinstance(error, HubError) else HubError(NOT_FOUND, str(error), where) from error
    return list(dict.fromkeys(found))


def is_there(listing: Listing, path: str) -> bool:
    """Whether the cache has a file of that size. Its hash is looked at when its turn comes."""
    place, remote = listing.snapshot / path, listing.files[path]
    for file in (place, listing.blob(remote)) if remote.hash else (place,):
        if file.is_file() and file.stat().st_size == remote.size:
            return True
    return False


def describe(listing: Listing, roles: list[str], paths: list[str], missing: set[str], card: Card, report: Report) -> None:
    size, rest = (sum(listing.files[path].size for path in some) for some in (paths, missing))
    options = ", ".join(role.replace("_", " ") for role in ROLES if role in roles)
    fetched = f"{amount(rest)} of them to fetch" if rest else "all of them in the cache"
    report(
        f"{listing.repository.name} ({options}) at commit {listing.commit[:10]}: {len(paths)} files, {amount(size)}, {fetched}; "
        f"licence {card.license}, model card {endpoint()}/{listing.repository.name}"
    )


def check_room(listings: dict, paths: dict, missing: dict, room: Room | None) -> None:
    needs = []
    for repository, listing in listings.items():
        left = sum(remaining(listing, path) for path in missing[repository])
        needs.append((listing.storage, left, f"the files of {repository.name}"))
        if room:
            written = sum(room.share(listing, path) * listing.files[path].size for path in paths[repository])
            needs.append((room.out, int(written), room.what))
    check_space(needs)


def remaining(listing: Listing, path: str) -> int:
    remote = listing.files[path]
    partial = listing.blob(remote).with_name(f"{remote.hash}.incomplete")
    return max(0, remote.size - partial.stat().st_size) if partial.is_file() else remote.size


def is_weights(path: str) -> bool:
    return path.endswith(tuple(SUFFIXES)) and not is_index(path)


def fetch_directories(
    sources: dict[str, Source], variant: str | None, room: Room | None, progress: Progress, report: Report
) -> tuple[list[Fetched], dict[str, Path], dict[Path, Origin]]:
    """What was fetched, where each role's files lie, and which of these directories are from where."""
    found = {role: source for role, source in sources.items() if isinstance(source, Path)}
    if len(found) == len(sources):
        return [], found, {}
    for path in found.values():
        if not path.exists():  # before gigabytes are fetched for the other roles
            raise ExportError(f"Expected a directory or a file of weights but {path} is neither")
    need_library()
    fetched = fetch(sources, variant, room, progress, report)
    for each in fetched:
        found.update(dict.fromkeys(each.roles, each.listing.snapshot))
    return fetched, found, {each.listing.snapshot: each.origin for each in fetched}
