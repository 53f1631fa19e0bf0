"""A process pool: results as they come, no process left behind on interruption."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from typing import TypeVar

THREADS = "TOKENIZERS_PARALLELISM"  # read by the tokenizers library at each call

Item = TypeVar("Item")
Result = TypeVar("Result")


def n_cores() -> int:
    """The cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def unordered_map(function: Callable[[Item], Result], items: Sequence[Item], n: int) -> Iterator[tuple[int, Result]]:
    """(index, function(item)) for each item, in whatever order they are done, from `n` fresh processes.

    Raises:
      OSError: a process died. Otherwise the first error of `function`; what has not started then does not.
    """
    context = multiprocessing.get_context("spawn")  # a fork would copy the threads of JAX and of the tokenizers
    lifeline, parent_end = context.Pipe(duplex=False)
    with (
        lifeline,
        parent_end,
        ProcessPoolExecutor(n, mp_context=context, initializer=_begin, initargs=(lifeline,)) as pool,
    ):
        try:
            futures = {pool.submit(function, item): index for index, item in enumerate(items)}
            for future in as_completed(list(futures)):
                yield futures.pop(future), future.result()
        except BaseException as error:
            parent_end.close()
            pool.shutdown(wait=True, cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                reason = "perhaps for want of memory (fewer n_workers need less)"
                raise OSError(f"a worker process died, {reason}") from None
            raise


@contextlib.contextmanager
def tokenizer_threads(wanted: bool) -> Generator[None]:
    """Whether the tokenizers library may use threads of its own, for a while."""
    earlier = os.environ.get(THREADS)
    os.environ[THREADS] = "true" if wanted else "false"
    try:
        yield
    finally:
        if earlier is None:
            del os.environ[THREADS]
        else:
            os.environ[THREADS] = earlier


def _begin(lifeline: Connection) -> None:
    """A worker is one thread, leaves Ctrl-C to its parent, and does not outlive its parent's wish for it."""
    os.environ[THREADS] = "false"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, args=(lifeline,), daemon=True).start()


def _leave_with_parent(lifeline: Connection) -> None:
    """The other end is closed by the parent, or by its death: then there is nobody to work for."""
    lifeline.poll(None)
    os._exit(1)
