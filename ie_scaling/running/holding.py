"""The lock of a directory, and what may prevent making the directory."""

import contextlib
import fcntl
import os
import time
from collections.abc import Generator
from pathlib import Path

from ie_scaling.errors import InputError, short
from ie_scaling.running import stopping

LOCK_TRIES, LOCK_WAIT_S = 4, 0.05  # `is_locked` holds a free lock for the instant in which it looks


def is_locked(directory: Path) -> bool:
    """Whether a process holds `directory` now; writes nothing."""
    try:
        with (directory / ".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextlib.contextmanager
def locked(directory: Path) -> Generator[None]:
    """Hold .lock, which is gone afterwards."""
    path = directory / ".lock"
    if exists(path) and (path.is_symlink() or not path.is_file() or path.stat().st_size):
        raise InputError(f"{path}: is no empty file, so this program did not write it; choose another --workdir")
    for left in reversed(range(LOCK_TRIES)):
        with writing(directory):
            lock = path.open("a+")
        with lock:
            if _lock(lock.fileno()) and _is_same_file(path, lock.fileno()):
                with stopping.tidied_by(lambda: path.unlink(missing_ok=True)):
                    try:
                        yield
                    finally:
                        path.unlink(missing_ok=True)
                return
        if not left:
            raise InputError(f"workdir={directory}: in use by another process; wait for it or choose another")
        time.sleep(LOCK_WAIT_S)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_same_file(path: Path, handle: int) -> bool:
    """Whether `path` still is the open file: whoever held the lock before has removed it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def writing(directory: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"workdir={directory}: cannot be written ({error.strerror})") from None


def require_place(directory: Path) -> None:
    """What is there already, or the nearest parent that is, must be a directory that can be written."""
    nearest = next(path for path in (directory, *directory.parents) if exists(path))
    if not nearest.is_dir():
        raise InputError(f"workdir={directory}: {nearest} is no directory")
    if not os.access(nearest, os.W_OK):
        raise InputError(f"workdir={directory}: {nearest} cannot be written")


def exists(path: Path) -> bool:
    """Whether there is anything of this name.

    Raises:
      InputError: there can be nothing of this name.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:  # a name too long, or with a NUL
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"workdir={short(str(path))}: no usable path ({reason})") from None
    return True
