"""One experiment's directory: its lock, config.json, environment.json, and DONE last."""

import contextlib
import fcntl
import time
from collections.abc import Collection, Generator, Mapping
from pathlib import Path
from typing import Any

from ie_scaling import environment, files

LOCK_TRIES, LOCK_WAIT_S = 4, 0.05  # `is_locked` holds a free lock for the instant in which it looks


@contextlib.contextmanager
def opened(directory: Path, config: Mapping[str, Any], may_change: Collection[str] = ()) -> Generator[Path]:
    """Hold `directory` for one experiment: lock it, record config and environment, and mark it DONE at a clean end.

    Args:
      directory: made if absent. One left unfinished by the same config is taken up again.
      config: the resolved configuration, JSON-ready; it must equal that of an earlier start in the same place.
      may_change: fields in which it need not, such as how the work is run.

    Raises:
      ValueError: another process holds the directory, or it was started with another configuration.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory):
        _match_config(directory, config, may_change)
        files.write_json(directory / "config.json", config)
        files.write_json(directory / "environment.json", environment.describe())
        yield directory
        files.write_text(directory / "DONE", "")


def is_done(directory: Path, config: Mapping[str, Any], may_change: Collection[str] = ()) -> bool:
    """Whether `directory` holds the finished results of this very configuration.

    Raises:
      ValueError: it holds those of another one.
    """
    if not (directory / "DONE").exists():
        return False
    _match_config(directory, config, may_change)
    return True


def is_locked(directory: Path) -> bool:
    """Whether a process holds `directory` now."""
    if not (directory / ".lock").exists():
        return False
    try:
        with _locked(directory):
            return False
    except ValueError:
        return True


@contextlib.contextmanager
def _locked(directory: Path) -> Generator[None]:
    with (directory / ".lock").open("a+") as lock:
        for left in reversed(range(LOCK_TRIES)):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not left:
                    message = "in use by another process; wait for it or choose another"
                    raise ValueError(f"workdir={directory}: {message}") from None
                time.sleep(LOCK_WAIT_S)
        yield


def _match_config(directory: Path, config: Mapping[str, Any], may_change: Collection[str]) -> None:
    path = directory / "config.json"
    if not path.exists():
        return
    earlier = files.read_json(path)
    if earlier != config:
        names = sorted((set(earlier) | set(config)) - set(may_change))
        name = next((name for name in names if earlier.get(name) != config.get(name)), None)
        if name is None:
            return
        raise ValueError(
            f"workdir={directory}: started with {name}={earlier.get(name)!r}, now {config.get(name)!r}; "
            "choose another --workdir or remove this one"
        )
