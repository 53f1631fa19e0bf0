"""Asked to stop: signals become an event that long work looks at between steps, so that it can save first."""

import contextlib
import signal
import threading
from collections.abc import Generator

from ie_scaling.progress import say


class Stopped(Exception):
    """Work was asked to stop and has saved what it had: the same call goes on from there.

    `signal_number` says which signal asked (0: none).
    """

    signal_number = 0


class Stop(threading.Event):
    """Set once a signal has asked for a stop; `signal_number` says which (0: none did)."""

    signal_number = 0


@contextlib.contextmanager
def on_signals() -> Generator[Stop]:
    """A Stop that SIGTERM (preemption) or a first Ctrl-C sets; a second Ctrl-C interrupts at once.

    Outside the main thread, where Python allows no handlers, it is set by nobody.
    """
    stop = Stop()

    def handle(number: int, _: object) -> None:
        if number == signal.SIGINT and stop.is_set():
            raise KeyboardInterrupt
        stop.signal_number = number
        stop.set()
        say(f"{signal.Signals(number).name}: saving, then stopping" + " (again: at once)" * (number == signal.SIGINT))

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    earlier = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    except Stopped as stopped:
        stopped.signal_number = stop.signal_number
        raise
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
