"""Graceful shutdown on SIGTERM and SIGINT: an event that long work polls, and a watchdog for work that cannot poll."""

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator
from typing import NoReturn

from ie_scaling.running.progress import say

GRACE_S = 8.0  # after a signal, for work that holds nothing worth saving: it may be inside XLA's compiler for minutes
SECOND_GRACE_S = 1.5  # after a second signal, for an orderly end
ECHO_S = 0.3  # batch systems send one signal to the process and to its group: within this it is the same one
POLL_S = 0.1
_TIDIES: list[Callable[[], None]] = []


class Stopped(Exception):
    """Work was asked to stop and has saved what it had: the same call goes on from there.

    `signal_number` says which signal asked (0: none).
    """

    signal_number = 0


class Stop(threading.Event):
    """Set once a signal has asked for a stop; `signal_number` says which (0: none did)."""

    signal_number = 0

    def __init__(self) -> None:
        super().__init__()
        self._lock, self._n_unsaved = threading.Lock(), 0

    @contextlib.contextmanager
    def saving_first(self) -> Generator[None]:
        """A block that holds state worth saving, and polls: a first signal leaves it all the time it needs."""
        with self._lock:
            self._n_unsaved += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_unsaved -= 1

    @property
    def has_unsaved(self) -> bool:
        """Whether some thread is inside `saving_first`."""
        return self._n_unsaved > 0


@contextlib.contextmanager
def on_signals() -> Generator[Stop]:
    """A Stop that SIGTERM (preemption) or a first Ctrl-C sets; a second signal of either kind ends the process.

    Python runs its handlers between bytecodes of the main thread alone, which may be inside the compiler. A watchdog
    ends the process with the signal's exit status where the block has not ended GRACE_S after the signal and nothing
    waits to be saved, or SECOND_GRACE_S after a second one. Files appear whole or not at all, so that this is safe.

    Outside the main thread, where Python allows no handlers, it is set by nobody.
    """
    stop = Stop()

    def handle(number: int, _: object) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.signal_number = stop.signal_number or number
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    with _watched(stop), _handled(handle):
        try:
            yield stop
        except Stopped as stopped:
            stopped.signal_number = stop.signal_number
            raise


@contextlib.contextmanager
def broken_off() -> Generator[None]:
    """A block that cannot poll and may be broken off anywhere: a signal raises Stopped in it, at once.

    Raises:
      Stopped: a signal came; also where the block was inside a library that does not return (see `on_signals`).
    """

    def handle(number: int, _: object) -> None:
        stopped = Stopped(f"{signal.Signals(number).name}: stopped")
        stopped.signal_number = number
        raise stopped

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _watched(Stop()), _handled(handle):
        yield


@contextlib.contextmanager
def at_once() -> Generator[None]:
    """A block that a signal ends with the process, at once and in one line, whatever the main thread is doing.

    No exception is raised in the main thread: in a callback from XLA's C++ one ends in abort or a segmentation fault,
    and so does an orderly exit while its threads compile. What must be tidied first says so by `tidied_by`. Inside
    `on_signals` and `broken_off` their rules hold instead.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _listening(_end_at_once), _handled(lambda number, frame: None):
        yield


@contextlib.contextmanager
def tidied_by(tidy: Callable[[], None]) -> Generator[None]:
    """A block that leaves something to tidy where `at_once` ends the process within it."""
    _TIDIES.append(tidy)
    try:
        yield
    finally:
        _TIDIES.remove(tidy)


def _end_at_once(heard: socket.socket, ended: threading.Event) -> None:
    while not ended.is_set():
        for number in _signals(heard):
            for child in multiprocessing.active_children():
                child.kill()
            for tidy in reversed(_TIDIES):
                with contextlib.suppress(Exception):
                    tidy()
            leave(number, "interrupted")


def leave(number: int, reason: str) -> NoReturn:
    """End the process with a signal's exit status, in one line, past XLA's threads and Python's own end."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    say(f"{reason}; the same command goes on from here")
    os._exit(128 + number)


@contextlib.contextmanager
def _handled(handle: Callable[[int, object], None]) -> Generator[None]:
    """Both signals handled so; the handlers before come back at the end."""
    earlier = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _watched(stop: Stop) -> Generator[None]:
    """A watchdog beside the block that ends the process where the block does not (see `on_signals`)."""
    with _listening(lambda heard, ended: _watch(heard, stop, ended)):
        yield


@contextlib.contextmanager
def _listening(listen: Callable[[socket.socket, threading.Event], None]) -> Generator[None]:
    """A thread beside the block that hears of signals from C, whatever the main thread does."""
    heard, sent = socket.socketpair()
    heard.settimeout(POLL_S)
    sent.setblocking(False)
    ended = threading.Event()
    listener = threading.Thread(target=listen, args=(heard, ended), name="signal watchdog", daemon=True)
    earlier = signal.set_wakeup_fd(sent.fileno(), warn_on_full_buffer=False)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(earlier)
        ended.set()
        listener.join()
        heard.close()
        sent.close()


def _watch(heard: socket.socket, stop: Stop, ended: threading.Event) -> None:
    first: tuple[int, float] | None = None
    second_at: float | None = None
    while not ended.is_set():
        now = time.monotonic()
        for number in _signals(heard):
            if first is None:
                first = number, now
                say(f"{signal.Signals(number).name}: saving what there is, then stopping (again: at once)")
            elif second_at is None and now - first[1] > ECHO_S:
                second_at = now
        if first is None:
            continue
        patient = second_at is None and (stop.has_unsaved or now - first[1] < GRACE_S)
        if not patient and (second_at is None or now - second_at >= SECOND_GRACE_S):
            _exit(first[0], ended, again=second_at is not None)


def _signals(heard: socket.socket) -> list[int]:
    """The signals that have come, waited for POLL_S at most."""
    try:
        received = heard.recv(64)
    except TimeoutError:
        return []
    return [number for number in received if number in (signal.SIGTERM, signal.SIGINT)]


def _exit(number: int, ended: threading.Event, again: bool) -> None:
    if ended.is_set():
        return
    reason = "a second signal" if again else "nothing to save since the last checkpoint"
    say(f"{signal.Signals(number).name}: stopped ({reason}); the same command goes on from here")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(128 + number)
