"""Numbers in cells: which cells of a column are numbers, and what they are."""

import decimal
import re
import reprlib
from typing import Any

import numpy as np
import pandas as pd

_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[iI]nf|[iI]nfinity|INF)")
_GROUPED = re.compile(r"[+-]?[0-9]+(?:[.,' ][0-9]+)+")
_ALIKE = {
    "b": "true or false, no number",
    "M": "a date, no number",
    "m": "a duration, no number",
    "c": "a complex number",
}
_cut = reprlib.Repr()
_cut.maxstring = _cut.maxother = 80


def quoted(value: Any) -> str:
    """A value as an error shows it: its repr on one line, the middle of a long one left out."""
    if isinstance(value, np.generic):  # 8 rather than np.int64(8)
        value = value.item()
    try:
        return " ".join(_cut.repr(value).split())
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return f"a whole number of {value.bit_length():,} bits"


def label(name: Any) -> str:
    """A column's name as an error shows it: as it is where that is short and printable."""
    text = str(name)
    return text if text.isprintable() and 0 < len(text) <= 80 else quoted(text)


def is_blank(cells: pd.Series) -> pd.Series:
    """Whether each cell is missing, or text of nothing but spaces."""
    if cells.dtype.kind in "biufcmM":
        return cells.isna()
    is_empty = [isinstance(cell, str) and not cell.strip() for cell in cells]
    return cells.isna() | pd.Series(is_empty, cells.index, dtype=bool)


def to_numbers(cells: pd.Series) -> tuple[pd.Series, pd.Series]:
    """The cells as float64, and whether each is a number.

    A number is written in ASCII digits with a decimal point and an exponent if need be, or is infinite (also a number
    beyond float64's range). Blank cells and all that is no number are NaN; true, dates, bytes and lists are no numbers.
    """
    if cells.dtype.kind in "bMmc":
        return pd.Series(np.nan, cells.index), pd.Series(False, cells.index)
    if cells.dtype.kind in "iuf":
        numbers = pd.Series(cells.to_numpy(dtype=float, na_value=np.nan), cells.index)
        return numbers, numbers.notna()
    texts = [_text(cell) for cell in cells]
    known = [is_number(text) for text in texts]
    numbers = [float(text) if is_known else np.nan for text, is_known in zip(texts, known, strict=True)]
    return pd.Series(numbers, cells.index, dtype=float), pd.Series(known, cells.index, dtype=bool)


def is_number(text: str) -> bool:
    """Whether a stripped text is a number."""
    return _NUMBER.fullmatch(text) is not None


def why_not(cells: pd.Series, cell: Any) -> str:
    """What a cell that is no number must be, and the way on where its writing suggests one."""
    if alike := _ALIKE.get(cells.dtype.kind, "true or false, no number" if isinstance(cell, bool | np.bool_) else ""):
        return f"must be a number; the column holds {alike}"
    if _GROUPED.fullmatch(_text(cell)):
        return "must be a number; write it with a decimal point and without thousands separators"
    return "must be a number"


def _text(cell: Any) -> str:
    """A cell as the text of a number, if it is one."""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, bool) or not isinstance(cell, int | float | np.integer | np.floating | decimal.Decimal):
        return ""
    try:
        return str(cell)
    except ValueError:  # more digits than Python writes
        return "inf" if cell > 0 else "-inf"
