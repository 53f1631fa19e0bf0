"""Progress of long work: a bar on a terminal, a line now and then in a log; with time left."""

import contextlib
import contextvars
import sys
import time
from collections.abc import Callable, Generator

import tqdm

LINE_EVERY_S = 10.0
_shown = contextvars.ContextVar("progress is shown", default=True)


@contextlib.contextmanager
def shown(is_shown: bool) -> Generator[None]:
    """Whether progress and messages about it appear at all, within the block."""
    token = _shown.set(is_shown and _shown.get())
    try:
        yield
    finally:
        _shown.reset(token)


class Progress:
    """Counts `total` units of one labeled piece of work; use as a context manager.

    Work that turns out longer than `total` moves the total along.
    """

    def __init__(self, label: str, total: int, unit: str = "it", clock: Callable[[], float] = time.monotonic):
        self._label, self._total, self._unit, self._clock = label, total, unit, clock
        self._done = 0
        self._start = self._said = clock()
        self._bar = None
        self._shown = _shown.get()  # now: `advance` may be called from another thread
        if self._shown and sys.stderr.isatty():
            self._bar = tqdm.tqdm(total=total, desc=label, unit=unit, dynamic_ncols=True, leave=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._done:
            self._say(self._clock(), "")

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Count `amount` more units; `note` (such as the loss) is shown beside the count."""
        self._done += amount
        self._total = max(self._total, self._done)
        if self._bar is not None:
            self._bar.total = self._total
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(amount)
            return
        now = self._clock()
        if now - self._said >= LINE_EVERY_S:
            self._say(now, note)

    def _say(self, now: float, note: str) -> None:
        if not self._shown:
            return
        elapsed = now - self._start
        left = elapsed / max(self._done, 1) * (self._total - self._done)
        tail = f", {left:.0f} s left" if self._done < self._total else ""
        print(
            f"{self._label}: {self._done}/{self._total} {self._unit} in {elapsed:.0f} s{tail} {note}".rstrip(),
            file=sys.stderr,
            flush=True,
        )
        self._said = now


def say(message: str) -> None:
    """One line about what goes on, on stderr, clear of a running bar."""
    if not _shown.get():
        return
    tqdm.tqdm.write(message, file=sys.stderr)
    sys.stderr.flush()
