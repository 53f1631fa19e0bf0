"""Architectures as columns of a table."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.tables import cells, numbers

TYPES = {field.name: field.type for field in dataclasses.fields(Architecture)}
ARCHITECTURE_COLUMNS = tuple(TYPES)
FLAGS = tuple(name for name, kind in TYPES.items() if kind is bool)
WHOLES = tuple(name for name, kind in TYPES.items() if kind is int)
TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0", "wahr", "vrai"})  # as spreadsheets and trackers write them
FALSE = frozenset({"false", "f", "no", "n", "0", "0.0", "falsch", "faux"})


def booleans(path: Path, frame: pd.DataFrame, column: str) -> pd.Series:
    """The column as bool, of text in the ways of TRUE and FALSE, of Parquet's own booleans, of 0 and 1.

    Raises:
      InputError: a cell that is blank or neither, by file, row, column and its text.
    """
    given = frame[column]
    words = given.map(_word)
    cells.refuse(path, given, numbers.is_blank(given), "must not be blank: true or false")
    cells.refuse(path, given, ~words.isin(TRUE | FALSE), "must be true or false")
    return words.isin(TRUE)


def _word(cell: Any) -> str:
    """A cell as a word of TRUE or FALSE, if it is one."""
    if isinstance(cell, str | bool | np.bool_ | int | np.integer | float | np.floating):
        return str(cell).strip().lower()
    return ""


def whole(path: Path, frame: pd.DataFrame, column: str) -> pd.Series:
    """The column as int64, every cell a whole number above zero that float64 holds exactly.

    Raises:
      InputError: a cell that is not, by file, row, column and its text.
    """
    values = cells.positive(path, frame, column, required=True)
    cells.refuse(path, frame[column], values % 1 != 0, "must be a whole number")
    cells.refuse(path, frame[column], values >= cells.EXACT, f"must be below 2**53 = {cells.EXACT:,}")
    return values.astype(np.int64)


def read_architectures(path: Path, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Architecture]]:
    """The table with its architecture columns typed, and the Architecture of each row.

    Raises:
      InputError: a cell, or a row whose cells make no architecture.
    """
    columns = {field: whole(path, frame, field) for field in WHOLES}
    columns |= {field: booleans(path, frame, field) for field in FLAGS}
    frame = frame.assign(**columns, rope_base=cells.positive(path, frame, "rope_base", required=True))
    return frame, architectures_of(frame, path)


def architectures_of(frame: pd.DataFrame, path: Path | str = "table") -> list[Architecture]:
    """The Architecture of each row of a latency or candidate table whose cells are typed.

    Raises:
      InputError: a row whose cells make no architecture, or flags that are text.
    """
    return [
        _architecture(row, f"{path}: row {number}")
        for number, row in enumerate(frame[list(ARCHITECTURE_COLUMNS)].to_dict("records"), 1)
    ]


def _architecture(row: dict[Any, Any], location: str) -> Architecture:
    flags = {field: bool(row[field]) if isinstance(row[field], np.bool_) else row[field] for field in FLAGS}
    try:
        return Architecture.from_fields(row | {field: int(row[field]) for field in WHOLES} | flags)
    except InputError as error:
        raise InputError(f"{location}: {error}") from None


def architecture_table(architectures: Sequence[Architecture], n_tokens: float) -> pd.DataFrame:
    """A row a shape: its name and fields, total parameters, and the tokens."""
    table = pd.DataFrame([{"architecture": a.name} | a.to_fields() for a in architectures])
    return table.assign(n_params_total=[accounting.count_parameters(a) for a in architectures], n_tokens=n_tokens)
