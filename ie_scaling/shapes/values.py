"""Values of a config's fields, checked: a count, a flag, a number."""

from collections.abc import Mapping
from typing import Any

from ie_scaling.errors import InputError
from ie_scaling.shapes.fields import shown

LARGEST = 2**31 - 1


def count(fields: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """An integer from 1 to LARGEST; `default` where it is absent or null."""
    value = fields.get(name)
    if value is None and default is not None:
        return default
    if name not in fields:
        raise InputError(f"{name} is missing")
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST:
        raise InputError(f"{name}={shown(value)}: must be an integer from 1 to {LARGEST}")
    return value


def flag(fields: Mapping[str, Any], name: str, default: bool) -> bool:
    """True or false; `default` where it is absent."""
    value = fields.get(name, default)
    if not isinstance(value, bool):
        raise InputError(f"{name}={shown(value)}: must be true or false")
    return value


def number(fields: Mapping[str, Any], names: tuple[str, ...], default: float, low: float, high: float) -> float:
    """The first of `names` that is given, above `low` and at most `high`."""
    for name in names:
        if (value := fields.get(name)) is not None:
            if isinstance(value, bool) or not isinstance(value, int | float) or not low < value <= high:
                raise InputError(f"{name}={shown(value)}: must be a number above {low:g} and at most {high:g}")
            return float(value)
    return default
