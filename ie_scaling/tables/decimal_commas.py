"""Decimal commas: columns that are certainly written with them are read, cells that may mean two numbers are not."""

import re
from pathlib import Path

import pandas as pd

from ie_scaling.errors import InputError
from ie_scaling.tables import numbers

_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+(?:[eE][+-]?[0-9]+)?")
_CERTAIN = re.compile(r"[+-]?(?:0[0-9]*,[0-9]+|[0-9]{4,},[0-9]+|[0-9]+,(?:[0-9]{1,2}|[0-9]{4,}))(?:[eE][+-]?[0-9]+)?")
_POINT = re.compile(r"[+-]?[1-9][0-9]{0,2}\.[0-9]{3}")  # 30.000 is 30 or 30,000
_UNKNOWN = ("", "nan")


def to_points(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """The text cells with decimal points, in each column of numbers of which one can only have a decimal comma.

    1,234 is 1.234 or 1234: a column with none but such stays text, and is refused where numbers are read from it.

    Raises:
      InputError: a cell such as 30.000 where another column has decimal commas.
    """
    commas = [column for column in frame.columns if _has_decimal_commas(frame[column])]
    if not commas:
        return frame
    for column in frame.columns:
        _refuse_points(path, frame[column], commas[0])
    return frame.assign(**{column: frame[column].str.strip().str.replace(",", ".") for column in commas})


def _has_decimal_commas(cells: pd.Series) -> bool:
    texts = [cell.strip() for cell in cells]
    return any(_CERTAIN.fullmatch(text) for text in texts) and all(map(_is_number, texts))


def _is_number(text: str) -> bool:
    return text.lower() in _UNKNOWN or bool(_COMMA.fullmatch(text)) or numbers.is_number(text)


def _refuse_points(path: Path, cells: pd.Series, commas: str) -> None:
    texts = [cell.strip() for cell in cells]
    row = next((row for row, text in enumerate(texts) if _POINT.fullmatch(text)), None)
    if row is not None and all(map(_is_number, texts)):
        whole = texts[row].replace(".", "")
        raise InputError(
            f"{path}: row {row + 1}, column {numbers.label(cells.name)}: {texts[row]!r} is {texts[row]} or {whole}, as "
            f"column {numbers.label(commas)} has decimal commas; write decimal points and no thousands separators"
        )
