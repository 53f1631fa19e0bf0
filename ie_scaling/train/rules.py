"""Rules shared by fields of a training run: bounds of integers, and valid directory names."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from ie_scaling.errors import InputError, short
from ie_scaling.running.config import require

MAX_INT = 2**31 - 1  # counters of steps and positions are int32
MAX_TOKENS = 10**18
MAX_NAME_BYTES = 200  # of each part of a run_id, which names a directory; file systems end at 255


def require_whole(config: Any, fields: Iterable[str], low: int, high: int = MAX_INT) -> None:
    """Raise unless the integers in `fields` lie from `low` to `high`."""
    for field in fields:
        value = getattr(config, field)
        require(value >= low, field, value, "must not be negative" if low == 0 else f"must be at least {low}")
        require(value <= high, field, value, f"must be at most {high:,}")


def require_run_id(run_id: str, field: str, value: object) -> None:
    """Raise unless `run_id` can name a directory below another; `field` is what to change."""
    parts = PurePosixPath(run_id).parts
    usable = run_id.isprintable() and ".." not in parts and not run_id.startswith("/")
    require(usable, field, value, "names a directory, so it must be printable and without '..'")
    if any(len(part.encode("utf-8", "replace")) > MAX_NAME_BYTES for part in parts):
        raise InputError(f"{field}={short(value)}: makes a name of more than {MAX_NAME_BYTES} bytes, {short(run_id)}")
