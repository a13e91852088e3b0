"""The files of a repository at one commit, with their sizes and hashes: as the hub lists them, or as the cache has them."""

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .. import VERSION
from .error import NOT_FOUND, HubError
from .faults import PASSING, fault_of
from .repositories import COMMIT, Repository

HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
WAITS = (1, 2, 4)  # seconds before the next try of a request that may pass
LONGEST_WAIT = 120  # that a hub may ask for
Result = TypeVar("Result")


@dataclass(frozen=True)
class RemoteFile:
    """`hash` is the SHA-256 of a large file and git's SHA-1 of a small one; None where the cache does not tell."""

    size: int
    hash: str | None


@dataclass(frozen=True)
class Listing:
    repository: Repository
    commit: str
    files: dict[str, RemoteFile]
    storage: Path  # the repository's folder in the cache
    missing: HubError | None  # why there are no files beside those in the cache; None: the hub has been asked

    @property
    def snapshot(self) -> Path:
        return self.storage / "snapshots" / self.commit

    def blob(self, remote: RemoteFile) -> Path:
        return self.storage / "blobs" / str(remote.hash)


def list_files(repository: Repository, report: Callable[[str], None]) -> Listing:
    """Asks the hub once. Where it cannot be reached, the cache answers for what it has."""
    from huggingface_hub import HfApi, constants

    storage = storage_of(repository.name)
    api = HfApi(library_name="wuerstchen", library_version=VERSION)

    def ask() -> Any:
        return api.model_info(
            repository.name, revision=repository.wanted, files_metadata=True, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT
        )

    try:
        info = patiently(ask)
        commit, files = str(info.sha), {file.rfilename: remote_file(file) for file in info.siblings or ()}
        if not COMMIT.fullmatch(commit):
            raise ValueError(f"the commit {commit[:60]!r}")
    except Exception as error:  # an answer that is no hub's ends in every exception there is
        fault = fault_of(error, repository.name, repository.wanted)
        cached = cached_listing(repository, storage, fault) if is_passing(error) else None
        if cached is None:
            raise fault from error
        report(f"{repository.name}: the hub cannot be asked; using commit {cached.commit[:10]} of the cache")
        return cached
    remember(storage, repository.wanted, commit)
    return Listing(repository, commit, files, storage, None)


def remote_file(file: Any) -> RemoteFile:
    if not isinstance(file.rfilename, str):
        raise ValueError(f"a file whose name is of type {type(file.rfilename).__name__}")
    size, found = (file.lfs.size, file.lfs.sha256) if file.lfs else (file.size, file.blob_id)
    if type(size) is not int or size < 0 or not isinstance(found, str) or not HASH.fullmatch(found):
        raise ValueError(f"no size and hash of {file.rfilename[:60]!r}")
    return RemoteFile(size, found)


def cache_directory() -> Path:
    """HF_HUB_CACHE, or what HF_HOME says."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE).expanduser().resolve()


def storage_of(name: str) -> Path:
    from huggingface_hub.file_download import repo_folder_name

    return cache_directory() / repo_folder_name(repo_id=name, repo_type="model")


def is_passing(error: BaseException) -> bool:
    """Whether the hub may answer later, so that what the cache has may be used instead."""
    import httpx2
    from huggingface_hub import errors

    if isinstance(error, errors.HfHubHTTPError):
        return error.response.status_code in PASSING
    unreachable = isinstance(error, httpx2.TransportError | errors.OfflineModeIsEnabled)
    return unreachable and not isinstance(error, httpx2.ProxyError | httpx2.UnsupportedProtocol)


def patiently(call: Callable[[], Result], waits: tuple[int, ...] = WAITS) -> Result:
    """Calls again after what may pass, as long as the hub asks or a little longer each time."""
    from huggingface_hub import errors

    for wait in waits:
        try:
            return call()
        except Exception as error:
            asked = error.response.headers.get("Retry-After", "") if isinstance(error, errors.HfHubHTTPError) else ""
            seconds = int(asked) if asked.isdigit() else wait
            if not is_passing(error) or isinstance(error, errors.OfflineModeIsEnabled) or seconds > LONGEST_WAIT:
                raise
        time.sleep(seconds)
    return call()


def cached_listing(repository: Repository, storage: Path, fault: HubError) -> Listing | None:
    """What the cache has of a revision: the commit that it was when the hub was last asked."""
    reference = storage / "refs" / repository.wanted
    commit = repository.wanted if COMMIT.fullmatch(repository.wanted) else read_text(reference)
    snapshot = storage / "snapshots" / commit if COMMIT.fullmatch(commit) else None
    if snapshot is None or not snapshot.is_dir():
        return None
    found = [file for file in snapshot.rglob("*") if file.is_file()]
    files = {file.relative_to(snapshot).as_posix(): RemoteFile(file.stat().st_size, hash_of(file)) for file in found}
    missing = HubError(NOT_FOUND, f"{fault}. Its commit {commit[:10]} is in the cache, but not whole", repository.name)
    return Listing(repository, commit, files, storage, missing)


def hash_of(file: Path) -> str | None:
    """A file of the cache is a link to a blob, whose name is its hash."""
    name = os.path.basename(os.path.realpath(file))
    return name if file.is_symlink() and HASH.fullmatch(name) else None


def read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def remember(storage: Path, revision: str, commit: str) -> None:
    """Notes in the cache which commit a branch or tag is, as huggingface_hub does, for the times when the hub cannot be asked."""
    if revision == commit:
        return
    reference = storage / "refs" / revision
    if read_text(reference) != commit:
        with contextlib.suppress(OSError):  # a cache that cannot be written to may have all files that are needed
            reference.parent.mkdir(parents=True, exist_ok=True)
            fresh = reference.with_name(f"{reference.name}.{os.getpid()}.tmp")
            fresh.write_text(commit, encoding="utf-8")
            os.replace(fresh, reference)


def fits(file: Path, remote: RemoteFile, step: Callable[[int], None] = lambda _: None) -> bool:
    """Whether a file has the size and the hash that the hub lists; `step` hears of the bytes that were read."""
    if file.stat().st_size != remote.size:
        return False
    if remote.hash is None:
        return True
    if len(remote.hash) == 64:
        digest = hashlib.sha256()
    else:
        digest = hashlib.sha1(f"blob {remote.size}\0".encode(), usedforsecurity=False)  # git's name for a content
    with file.open("rb") as opened:
        while block := opened.read(1 << 20):
            digest.update(block)
            step(len(block))
    return digest.hexdigest() == remote.hash
