"""Where a directory is from: the repository and its commit, which the manifest records."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from ..jsons import read_json
from .listing import COMMIT, HASH, RemoteFile, fits
from .repositories import NAME

FILE = "wuerstchen-origin.json"  # in a directory of `wuerstchen pull`


@dataclass(frozen=True)
class Origin:
    repository: str
    commit: str
    license: str

    def entry(self) -> dict[str, str]:
        return asdict(self)


def write_origin(directory: Path, origin: Origin, files: dict[str, RemoteFile]) -> None:
    """Beside the files, with what they were, so that a file that was changed since is not said to be from there."""
    listed = {path: {"size": file.size, "hash": file.hash} for path, file in files.items()}
    text = json.dumps({**origin.entry(), "files": listed}, indent=2, ensure_ascii=False)
    (directory / FILE).write_text(f"{text}\n", encoding="utf-8")


def origin_of(files: tuple[Path, ...], known: dict[Path, Origin], report: Callable[[str], None]) -> Origin | None:
    """The origin of a network's files: of a directory that was fetched just now, or that `pull` made and nobody changed."""
    for directory in (files[0].parent, files[0].parent.parent):
        if directory in known:
            return known[directory]
        if (directory / FILE).is_file():
            origin = pulled_origin(directory, files)
            if origin is None:
                report(f"{files[0]}: not what {directory / FILE} lists; no origin is recorded")
            return origin
    return None


def pulled_origin(directory: Path, files: tuple[Path, ...]) -> Origin | None:
    record = read_json(directory / FILE)
    texts = [record.get(key) for key in ("repository", "commit", "license")]
    listed = record.get("files")
    if not all(isinstance(text, str) for text in texts) or not isinstance(listed, dict):
        return None
    origin = Origin(*map(str, texts))
    if not NAME.fullmatch(origin.repository) or not COMMIT.fullmatch(origin.commit) or len(origin.license) > 256:
        return None
    config = files[0].parent / "config.json"
    return origin if all(is_listed(file, directory, listed) for file in (config, *files)) else None


def is_listed(file: Path, directory: Path, listed: dict) -> bool:
    entry = listed.get(file.relative_to(directory).as_posix())
    if not isinstance(entry, dict) or not isinstance(entry.get("size"), int) or not HASH.fullmatch(str(entry.get("hash"))):
        return False
    return fits(file, RemoteFile(entry["size"], str(entry["hash"])))
