"""Files that become visible together: written into a hidden directory, renamed at the end, the one that names them last."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from .errors import ExportError

PARTIAL = ".partial-"


@contextlib.contextmanager
def partial_directory(out: Path) -> Iterator[Path]:
    """A fresh directory for unfinished files in `out`, gone at the end; those of processes that are no longer running go too."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for stale in out.glob(f"{PARTIAL}*"):
            if not is_running(stale.name.removeprefix(PARTIAL)):
                shutil.rmtree(stale)
        partial = out / f"{PARTIAL}{os.getpid()}"
        partial.mkdir()
    except OSError as error:
        raise ExportError(f"Cannot write to {out}: {error}") from error
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def is_running(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def publish(partial: Path, out: Path, name: str, content: str) -> None:
    """Renames the finished files into place; the last is the one called `name`, which gets this content."""
    (partial / name).write_text(content, encoding="utf-8")
    for file in sorted(partial.iterdir(), key=lambda file: file.name == name):
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
        os.replace(file, out / file.name)
