"""Room on the disks, looked at before anything is fetched: hours later it would be a pity."""

import os
import shutil
from collections import defaultdict
from pathlib import Path

from .error import NO_ROOM, HubError
from .progress import amount


def existing(path: Path) -> Path:
    """The path, or the nearest directory above it that is there."""
    path = path.absolute()
    while not path.exists() and path.parent != path:
        path = path.parent
    return path


def on_one_disk(first: Path, second: Path) -> bool:
    return os.stat(existing(first)).st_dev == os.stat(existing(second)).st_dev


def check_space(needs: list[tuple[Path, int, str]]) -> None:
    """Each is a place, the bytes that go there, and what they are. What goes to one file system is counted together."""
    by_disk = defaultdict(list)
    for place, size, what in needs:
        by_disk[os.stat(existing(place)).st_dev].append((place, size, what))
    for parts in by_disk.values():
        place, total = parts[0][0], sum(size for _, size, _ in parts)
        free = shutil.disk_usage(existing(place)).free
        if total > free:
            listed = ", ".join(f"{amount(size)} for {what}" for _, size, what in parts if size > 0)
            raise HubError(
                NO_ROOM,
                f"Expected {amount(total)} of room on the disk of {place} ({listed}) but {amount(free)} are free: "
                "make room, or choose another disk with HF_HOME for the cache and --out for the result",
                str(place),
            )
