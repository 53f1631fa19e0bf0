"""The methods that a row filter may call, with their arguments."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ie_scaling.tables import filter_values
from ie_scaling.tables.filter_syntax import NotAllowed
from ie_scaling.tables.filter_values import Column, Value

NEEDED: Any = object()
_BOUNDS = {"both": (">=", "<="), "left": (">=", "<"), "right": (">", "<="), "neither": (">", "<")}


@dataclasses.dataclass(frozen=True)
class FilterMethod:
    """What a method does with its value and arguments.

    Attributes:
      arguments: names and defaults (NEEDED: none), in order.
      n_positional: how many may be given without their names.
    """

    apply: Callable[..., Value]
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    n_positional: int = 1


def between(value: Value, left: Value, right: Value, inclusive: str) -> Value:
    """Whether it lies within bounds, both, one or neither of them included."""
    if not isinstance(inclusive, str) or inclusive not in _BOUNDS:
        raise NotAllowed(f"inclusive must be one of {', '.join(_BOUNDS)}")
    above, below = _BOUNDS[inclusive]
    return np.logical_and(filter_values.compare(above, value, left), filter_values.compare(below, value, right))


def is_missing(value: Value) -> np.ndarray:
    """Whether it is blank, or no number among numbers."""
    if isinstance(value, Column):
        return value.is_missing | np.isnan(value.numbers()) if value.is_numeric else value.is_missing
    cells = filter_values.per_row(value)
    return np.isnan(cells) if cells.dtype.kind == "f" else np.zeros(len(cells), bool)


def is_in(value: Value, values: Any) -> Value:
    """Whether it equals one of a list."""
    if not isinstance(values, list):
        raise NotAllowed(".isin() takes a list such as ['a', 'b']")
    return filter_values.is_in(value, values)


def contains(value: Value, pat: Any, case: Any, na: Any, regex: Any) -> Value:
    """Whether the text has a part that matches."""
    if not isinstance(pat, str) or not isinstance(case, bool) or not isinstance(regex, bool) or na is not False:
        raise NotAllowed(".str.contains() takes a text in quotes, and case, regex: True or False, na: False")
    return filter_values.contains(value, pat, case, regex)


def starts(value: Value, pat: Any) -> Value:
    """Whether the text begins with this, or with one of these."""
    return filter_values.each_text(value, lambda text: text.startswith(_texts(pat)), bool)


def ends(value: Value, pat: Any) -> Value:
    """Whether the text ends with this, or with one of these."""
    return filter_values.each_text(value, lambda text: text.endswith(_texts(pat)), bool)


def _texts(pat: Any) -> tuple[str, ...]:
    texts = tuple(pat) if isinstance(pat, list) else (pat,)
    if not all(isinstance(text, str) for text in texts):
        raise NotAllowed(".str.startswith() and .str.endswith() take text in quotes")
    return texts


METHODS = {
    "abs": FilterMethod(lambda value: np.abs(filter_values.as_numbers(value))),
    "isna": FilterMethod(is_missing),
    "isnull": FilterMethod(is_missing),
    "notna": FilterMethod(lambda value: ~is_missing(value)),
    "notnull": FilterMethod(lambda value: ~is_missing(value)),
    "between": FilterMethod(between, {"left": NEEDED, "right": NEEDED, "inclusive": "both"}, 3),
    "isin": FilterMethod(is_in, {"values": NEEDED}),
}
TEXT_METHODS = {
    "contains": FilterMethod(contains, {"pat": NEEDED, "case": True, "na": False, "regex": True}, 2),
    "startswith": FilterMethod(starts, {"pat": NEEDED}),
    "endswith": FilterMethod(ends, {"pat": NEEDED}),
    "lower": FilterMethod(lambda value: filter_values.each_text(value, str.lower, object)),
    "upper": FilterMethod(lambda value: filter_values.each_text(value, str.upper, object)),
}
