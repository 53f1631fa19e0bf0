"""Arguments of calls as the fields of configurations, with the same rules; NumPy's scalars are taken as Python's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ie_scaling.errors import InputError, short
from ie_scaling.running import config

T = TypeVar("T")


def build(cls: type[T], call: str, values: Mapping[str, Any]) -> T:
    """The configuration that a call's arguments make.

    Raises:
      InputError: an unknown field, a value of the wrong type, or a rule that is broken.
    """
    return config.build(cls, _plain(values), call)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def text(field: str, value: object) -> str:
    """Text or a path, as text."""
    if not isinstance(value, str | Path):
        raise InputError(f"{field}={short(value)}: must be text")
    return str(value)


def flag(field: str, value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise InputError(f"{field}={short(value)}: must be True or False")
    return value


def group(field: str, value: object) -> dict[str, Any]:
    """A group of fields; None for none."""
    if value is not None and not isinstance(value, Mapping):
        raise InputError(f"{field}={short(value)}: must be a map from names of fields to values")
    return dict(value or {})


def column_map(columns: object) -> str | dict[str, Any]:
    """A map of columns, as text or as a map."""
    if not isinstance(columns, str | Mapping):
        raise InputError(f"columns={short(columns)}: must be a map from the run table's column names to the table's")
    return columns if isinstance(columns, str) else dict(columns)
