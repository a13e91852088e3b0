"""A checkpoint directory of its own: a directory for each option of the exporter, outside of the cache."""

import os
import shutil
from pathlib import Path

from ..publish import is_running
from .error import INVALID_ARGUMENT, HubError
from .faults import disk_fault
from .fetch import link_or_copy
from .listing import Listing, cache_directory
from .origin import write_origin
from .sources import Fetched, Room, is_weights
from .space import existing, on_one_disk

PARTIAL = ".partial-"


def check_out(out: Path, extends: bool) -> None:
    """Refuses before anything is fetched what cannot be made: a pulled checkpoint is a new directory. A model directory may be
    there: then the export `extends` it."""
    if extends and out.exists() and not out.is_dir():
        raise HubError(INVALID_ARGUMENT, f"Expected a directory for --out but {out} is none", "out")
    if not extends and out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise HubError(INVALID_ARGUMENT, f"Expected a new or empty directory for --out but {out} is there", "out")
    parent = existing(out if extends else out.absolute().parent)
    if not (parent.is_dir() and os.access(parent, os.W_OK)):
        raise HubError(INVALID_ARGUMENT, f"Expected a directory that can be written to for --out but {parent} is none", "out")


def room_of(out: Path) -> Room:
    """Weights are second names of the cache's files where both are on one disk, and copies elsewhere."""
    linked = on_one_disk(out, cache_directory())

    def share(listing: Listing, path: str) -> float:
        return 0 if linked and is_weights(path) else 1

    return Room(out, share, "copies of them")


def role_directory(out: Path, role: str) -> Path:
    return out / role.replace("_", "-")


def write_checkpoint(fetched: list[Fetched], out: Path) -> None:
    """Written beside `out` and renamed: a directory of that name is whole."""
    absolute = out.absolute()
    try:
        absolute.parent.mkdir(parents=True, exist_ok=True)
        for stale in absolute.parent.glob(f".{absolute.name}{PARTIAL}*"):
            if not is_running(stale.name.rpartition("-")[2]):
                shutil.rmtree(stale)
        partial = absolute.with_name(f".{absolute.name}{PARTIAL}{os.getpid()}")
        try:
            for each in fetched:
                for role in each.roles:
                    write_role(each, role_directory(partial, role))
            os.replace(partial, absolute)  # also over an empty directory
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise disk_fault(error) from error


def write_role(fetched: Fetched, directory: Path) -> None:
    for path in fetched.paths:
        source, target = (fetched.listing.snapshot / path).resolve(), directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # Small files are copied, for people change them: an editor would change the cache's file too.
        if is_weights(path):
            link_or_copy(source, target)
        else:
            shutil.copyfile(source, target)
    write_origin(directory, fetched.origin, fetched.files)
