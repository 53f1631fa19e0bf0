"""What a row filter computes: comparisons, arithmetic, text and groups of columns and constants."""

import functools
import operator
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ie_scaling.tables import numbers
from ie_scaling.tables.filter_columns import Column
from ie_scaling.tables.filter_syntax import NotAllowed

COMPARISONS: dict[str, Callable] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ARITHMETIC: dict[str, Callable] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.true_divide,
    "//": np.floor_divide,
    "%": np.mod,
    "**": np.power,
}
MOST_EXPONENT = 100
_PLURAL = {"number": "numbers", "text": "text", "truth": "true and false"}

Value = Column | np.ndarray | float | bool | str


def as_numbers(value: Value) -> np.ndarray | float:
    """A number for each row, or one."""
    if isinstance(value, Column):
        return value.numbers()
    if kind_of(value) != "number":
        raise NotAllowed(f"{_shown(value)}, but must be a number here")
    return cast(Any, value)


def as_text(value: Value) -> np.ndarray | str:
    """Text for each row, or one."""
    if isinstance(value, Column):
        return value.text()
    if kind_of(value) != "text":
        raise NotAllowed(f"{_shown(value)}, but must be text here")
    return cast(Any, value)


def as_truth(value: Value) -> np.ndarray | bool:
    """Truth for each row, or one."""
    if isinstance(value, Column):
        return value.truth()
    if kind_of(value) != "truth":
        raise NotAllowed(f"{_shown(value)}, but must be true or false for each row")
    return cast(Any, value)


def kind_of(value: Value) -> str:
    """number, text or truth; a column is what its cells can be, numbers first."""
    if isinstance(value, Column):
        return "number" if value.is_numeric else "truth" if value.cells.dtype.kind == "b" else "text"
    if isinstance(value, np.ndarray):
        return {"f": "number", "b": "truth"}.get(value.dtype.kind, "text")
    return "truth" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def compare(symbol: str, left: Value, right: Value) -> np.ndarray | bool:
    """Row by row, or of two constants; a comparison with an unknown number is false, but != is true."""
    kind = _common_kind(left, right)
    if kind == "number":
        _check_digits(symbol, left, right)
        return COMPARISONS[symbol](as_numbers(left), as_numbers(right))
    if kind == "truth" or symbol in ("==", "!="):
        if symbol not in ("==", "!="):
            raise NotAllowed(f"{symbol} orders numbers or text, not true and false")
        _check_quoted(left, right)
        as_kind = as_truth if kind == "truth" else as_text
        return COMPARISONS[symbol](as_kind(left), as_kind(right))
    for value in (left, right):
        if isinstance(value, Column) and value.is_numeric:
            raise NotAllowed(f"column {value.name} holds numbers, which {symbol} does not compare with text")
    return COMPARISONS[symbol](as_text(left), as_text(right))


def _common_kind(left: Value, right: Value) -> str:
    """As what two values are compared: what is not a column decides."""
    kinds = [kind_of(value) for value in (left, right) if not isinstance(value, Column)]
    kinds = kinds or [kind_of(left), kind_of(right)]
    if len(set(kinds)) == 2 and not (isinstance(left, Column) and isinstance(right, Column) and "truth" not in kinds):
        raise NotAllowed(f"{_PLURAL[kinds[0]]} cannot be compared with {_PLURAL[kinds[1]]}")
    return kinds[0] if len(set(kinds)) == 1 else "text"


def _check_digits(symbol: str, left: Value, right: Value) -> None:
    for value in (left, right):
        if symbol in ("==", "!=") and isinstance(value, Column) and value.is_numeric and not value.is_exact:
            raise NotAllowed(f"column {value.name} has whole numbers beyond 2**53: compare them as text, in quotes")


def _check_quoted(left: Value, right: Value) -> None:
    for column, literal in ((left, right), (right, left)):
        if isinstance(column, Column) and isinstance(literal, str):
            column.check_quoted(literal)


def is_in(left: Value, values: list[float | str]) -> np.ndarray | bool:
    """Whether each equals one of the values."""
    return functools.reduce(np.logical_or, [compare("==", left, value) for value in values])


def calculate(symbol: str, left: Value, right: Value) -> np.ndarray | float:
    """Arithmetic of float64; a constant must be finite, and an exponent a constant of at most MOST_EXPONENT."""
    a, b = as_numbers(left), as_numbers(right)
    if symbol == "**" and (isinstance(b, np.ndarray) or abs(b) > MOST_EXPONENT):
        raise NotAllowed(f"an exponent must be one number, at most {MOST_EXPONENT}")
    with np.errstate(all="ignore"):
        result = ARITHMETIC[symbol](a, b)
    if isinstance(result, np.ndarray):
        return result
    if not np.isfinite(result):
        raise NotAllowed(f"{a:g} {symbol} {b:g} is not a finite number")
    return float(result)


def contains(value: Value, pattern: str, case: bool, regex: bool) -> np.ndarray:
    """Whether each text has a part that matches, by RE2, whose time is linear in the text whatever the pattern."""
    match = pc.get_function("match_substring_regex" if regex else "match_substring")
    try:
        texts = pa.array(per_row(as_text(value)), pa.large_string())
        matches = match.call([texts], pc.MatchSubstringOptions(pattern, ignore_case=not case))
    except pa.ArrowException as error:
        raise NotAllowed(f"{numbers.quoted(pattern)} is no regular expression ({str(error).splitlines()[0]})") from None
    return np.asarray(matches, bool)


def each_text(value: Value, method: Callable[[str], object], dtype: type) -> np.ndarray:
    """A method of text for each row."""
    return np.array([method(text) for text in per_row(as_text(value))], dtype)


def per_row(value: object) -> np.ndarray:
    """The value, if it has one for each row."""
    if not isinstance(value, np.ndarray):
        raise NotAllowed(f"{numbers.quoted(value)} must be a column or made of one")
    return value


def best_of_group(value: Value, keys: list[Column], name: str) -> np.ndarray:
    """The min, max or mean of the rows that agree in all keys; NaN where a key is unknown."""
    by = [pd.Series(column.keys()) for column in keys]
    return pd.Series(per_row(as_numbers(value))).groupby(by).transform(name).to_numpy(float)


def _shown(value: Value) -> str:
    return f"it gives {_PLURAL[kind_of(value)]}" if isinstance(value, np.ndarray) else f"it is {numbers.quoted(value)}"
