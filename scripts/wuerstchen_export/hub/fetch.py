"""One file into the cache: resumed where it stopped, checked, and fetched again once if it is not what the hub lists.

huggingface_hub 2.4 begins a file anew when its process was interrupted, and compares sizes only. Files of 4 GB need more, so
they come over plain HTTP with ranges, into the places that its cache has for them and under its locks. Xet is not used.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .. import VERSION
from .error import INVALID, NOT_FOUND, HubError
from .faults import endpoint, fault_of
from .listing import Listing, RemoteFile, fits, patiently
from .progress import Progress

TRIES = 5  # of a connection that ends early, without a byte more than before
WAITS = (1, 2, 4, 8, 8)  # seconds: longer than before the first file, for much may have come already


def fetch_file(listing: Listing, path: str, progress: Progress, report: Callable[[str], None]) -> Path:
    """The file in the cache, whole and checked."""
    remote, place = listing.files[path], listing.snapshot / path
    if is_whole(place, remote, progress):
        return place
    if listing.missing:
        raise damaged(listing, path)
    try:
        blob = listing.blob(remote)
        with locked(listing, remote, report):
            # Another process may have fetched it, or another commit may have the same file.
            if not is_whole(blob, remote, progress):
                receive_checked(listing, path, progress, report)
            put(blob, place)
    except Exception as error:
        raise fault_of(error, listing.repository.name, listing.commit) from error
    return place


def is_whole(file: Path, remote: RemoteFile, progress: Progress) -> bool:
    done = progress.done
    if file.is_file() and fits(file, remote, lambda count: progress.step(count, f"checking {file.name}", came=False)):
        return True
    progress.done = done
    return False


def damaged(listing: Listing, path: str) -> HubError:
    return HubError(
        INVALID,
        f"Expected {path} of {listing.repository.name} in the cache as the hub lists it but it is damaged, and the hub cannot be "
        f"asked: delete {listing.snapshot / path}, and run the same command where the hub can be reached",
        path,
    )


@contextmanager
def locked(listing: Listing, remote: RemoteFile, report: Callable[[str], None]) -> Iterator[None]:
    """huggingface_hub's own lock of the file, so that its processes and ours wait for each other."""
    from filelock import Timeout
    from huggingface_hub.utils import WeakFileLock

    file = listing.storage.parent / ".locks" / listing.storage.name / f"{remote.hash}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with WeakFileLock(file, timeout=0.1):
            yield
            return
    except Timeout:
        report(f"{listing.repository.name}: another process fetches the same file; waiting for it")
    with WeakFileLock(file):
        yield


def receive_checked(listing: Listing, path: str, progress: Progress, report: Callable[[str], None]) -> None:
    remote = listing.files[path]
    blob = listing.blob(remote)
    partial = blob.with_name(f"{blob.name}.incomplete")
    partial.parent.mkdir(parents=True, exist_ok=True)
    for again in (False, True):
        receive(listing, path, partial, progress)
        if fits(partial, remote):
            with partial.open("rb") as opened:
                os.fsync(opened.fileno())
            os.replace(partial, blob)
            return
        size = partial.stat().st_size
        partial.unlink()
        progress.had(-size)
        if not again:
            report(f"{listing.repository.name}: {path} is not what the hub lists; fetching it again")
    raise HubError(
        INVALID,
        f"Expected {path} of {listing.repository.name} with {remote.size} bytes and the hash {remote.hash} but received twice "
        f"something else: check HF_ENDPOINT and the proxy",
        path,
    )


def receive(listing: Listing, path: str, partial: Path, progress: Progress) -> None:
    """Goes on until the file has as many bytes as the hub lists."""
    remote = listing.files[path]
    label = f"{listing.repository.name} {path}"
    size = partial.stat().st_size if partial.is_file() else 0
    if size > remote.size:
        partial.unlink()
        size = 0
    progress.had(size)
    partial.touch()
    left = TRIES
    while size < remote.size:
        fault = patiently(lambda: receive_on(listing, path, partial, progress, label), WAITS)
        now = partial.stat().st_size
        left = TRIES if now > size else left - 1
        size = now
        if size < remote.size:
            if left == 0:
                raise fault or ends_early(listing, path, size)
            time.sleep(1)


def ends_early(listing: Listing, path: str, size: int) -> HubError:
    return HubError(
        NOT_FOUND,
        f"Expected {listing.files[path].size} bytes of {path} from {endpoint()} but the answer ends after {size}: "
        "run the same command again, it goes on where it stopped",
        listing.repository.name,
    )


def receive_on(listing: Listing, path: str, partial: Path, progress: Progress, label: str) -> Exception | None:
    """One request from where the file ends. Returns what broke the connection in its middle, if anything did."""
    import httpx2
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    remote, start = listing.files[path], partial.stat().st_size
    headers = build_hf_headers(library_name="wuerstchen", library_version=VERSION)
    headers["Accept-Encoding"] = "identity"  # ranges are of the file's own bytes
    if start:
        headers["Range"] = f"bytes={start}-"
    url = hf_hub_url(listing.repository.name, path, revision=listing.commit)
    with get_session().stream("GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT) as response:
        hf_raise_for_status(response)
        given = response.headers.get("Content-Range", "") if response.status_code == 206 else ""
        if start and not given.startswith(f"bytes {start}-"):
            progress.had(-start)  # the server knows no ranges: the whole file comes
            start = 0
        # Without a buffer: what has come is in the file when the process is killed.
        with partial.open("r+b", buffering=0) as file:
            file.truncate(start)
            file.seek(start)
            try:
                for block in response.iter_bytes():
                    file.write(block)
                    progress.step(len(block), label)
                    start += len(block)
                    if start > remote.size:  # another file, perhaps without an end
                        break
            except httpx2.TransportError as error:
                return error
    return None


def put(blob: Path, place: Path) -> None:
    """A link from the commit to the content, as the cache has it, or whatever comes nearest on this file system."""
    from huggingface_hub import constants

    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    fresh.unlink(missing_ok=True)
    if constants.HF_HUB_DISABLE_SYMLINKS:
        link_or_copy(blob, fresh)
    else:
        try:
            os.symlink(os.path.relpath(blob, place.parent), fresh)
        except OSError:
            link_or_copy(blob, fresh)
    os.replace(fresh, place)


def link_or_copy(source: Path, target: Path) -> None:
    """A second name of the file where both are on one file system that has such names, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
