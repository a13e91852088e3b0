"""A bar of bytes on a terminal's stderr, and nothing elsewhere."""

import sys
import time

WIDTH = 24
EVERY = 0.1  # seconds


class Progress:
    def __init__(self, shown: bool):
        self.shown = shown and sys.stderr.isatty()
        self.total = self.done = self.received = 0  # bytes
        self.since = 0  # what had been received when the bar began
        self.started = self.drawn = time.monotonic()

    def start(self, total: int) -> None:
        self.total, self.done, self.since = total, 0, self.received
        self.started = time.monotonic()

    def had(self, count: int) -> None:
        """Bytes that were there before; a negative number takes back what has to be fetched again."""
        self.done += count

    def step(self, count: int, label: str, came: bool = True) -> None:
        """Bytes that came over the network, or else were read on the disk."""
        self.done += count
        self.received += count if came else 0
        now = time.monotonic()
        if self.shown and now - self.drawn >= EVERY:
            self.drawn = now
            self.draw(f"{self.line(now - self.started)}  {label}")

    def line(self, seconds: float) -> str:
        filled = round(WIDTH * min(1.0, self.done / self.total)) if self.total else WIDTH
        rate = (self.received - self.since) / seconds if seconds > 0 else 0
        left = f", {duration((self.total - self.done) / rate)} left" if rate > 0 else ""
        bar = "=" * filled + " " * (WIDTH - filled)
        return f"[{bar}] {amount(self.done)} of {amount(self.total)}, {amount(rate)}/s{left}"

    def draw(self, text: str) -> None:
        print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self.shown:
            self.draw("")


def amount(count: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} bytes"


def duration(seconds: float) -> str:
    whole = int(seconds + 1)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"
