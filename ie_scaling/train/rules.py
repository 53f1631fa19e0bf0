"""Rules that many fields of a training run share: bounds of whole numbers, finite numbers, names of runs."""

import math
import reprlib
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from ie_scaling.config import require
from ie_scaling.errors import InputError

MAX_INT = 2**31 - 1  # counters of steps and positions are int32
MAX_NAME_BYTES = 200  # of each part of a run_id, which names a directory; file systems end at 255


def require_whole(config: Any, fields: Iterable[str], low: int, high: int = MAX_INT) -> None:
    """Raise unless the integers in `fields` lie from `low` to `high`."""
    for field in fields:
        value = getattr(config, field)
        if value < low:
            rule = "must not be negative" if low == 0 else f"must be at least {low}"
            raise InputError(f"{field}={cut(value)}: {rule}")
        if value > high:
            raise InputError(f"{field}={cut(value)}: must be at most {high:,}")


def require_finite(config: Any, fields: Iterable[str], low: float = 0.0, above: bool = False) -> None:
    """Raise unless the numbers in `fields` are finite and at least `low`, or above it."""
    for field in fields:
        value = getattr(config, field)
        require(not math.isinf(value), field, value, "must be finite")
        if above:
            require(value > low, field, value, f"must be above {'zero' if low == 0 else low}")
        else:
            require(value >= low, field, value, "must not be negative" if low == 0 else f"must be at least {low}")


def require_run_id(run_id: str, field: str, value: object) -> None:
    """Raise unless `run_id` can name a directory below another; `field` is what to change."""
    parts = PurePosixPath(run_id).parts
    usable = run_id.isprintable() and ".." not in parts and not run_id.startswith("/")
    if not usable:
        raise InputError(f"{field}={cut(value)}: names a directory, so it must be printable and without '..'")
    if any(len(part.encode("utf-8", "replace")) > MAX_NAME_BYTES for part in parts):
        raise InputError(f"{field}={cut(value)}: makes a name of more than {MAX_NAME_BYTES} bytes, {cut(run_id)}")


def cut(value: object) -> str:
    """A value for a message of one line, however long it is."""
    if isinstance(value, int) and abs(value) >= 10**20:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, str) and len(value) > 120:
        return f"{value[:60]!r}... ({len(value):,} characters)"
    return repr(value) if isinstance(value, str) else reprlib.repr(value)
