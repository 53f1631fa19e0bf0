"""Tables as CSV and Parquet, in and out, with errors that name the cell."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ie_scaling import files
from ie_scaling.errors import InputError


def write_table(path: Path, table: pd.DataFrame | Sequence[Mapping[str, Any]]) -> None:
    """Write CSV (floats at full precision) or Parquet by the path's ending, whole or not at all."""
    frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(list(table))
    with files.replacing(path) as temporary:
        if path.suffix == ".parquet":
            frame.to_parquet(temporary, index=False)
        else:
            frame.to_csv(temporary, index=False)


def read_table(path: Path) -> pd.DataFrame:
    """Any table that `write_table` wrote: cells as text for CSV, typed for Parquet."""
    return read_frame(path)


def read_frame(path: Path) -> pd.DataFrame:
    """Cells as text for CSV (converted later, so that an error can quote them), typed for Parquet."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if path.suffix == ".csv":
            return pd.read_csv(path, dtype=str, keep_default_na=False)
    except Exception as error:  # parser errors come in many classes
        raise InputError(f"{path}: cannot be read as {path.suffix[1:]} ({str(error).splitlines()[0]})") from None
    raise InputError(f"{path}: must end in .csv or .parquet")


def require_columns(path: Path, frame: pd.DataFrame, columns: Sequence[str]) -> None:
    if missing := [column for column in columns if column not in frame]:
        raise InputError(f"{path}: column {missing[0]} is missing; needed are {', '.join(columns)}")


def positive(path: Path, frame: pd.DataFrame, column: str, required: bool) -> pd.Series:
    """The column as float64 with NaN for blanks, every number finite and above zero."""
    cells = frame[column]
    blank = cells.isna() | (cells.astype(str).str.strip() == "")
    numbers = pd.to_numeric(cells.where(~blank), errors="coerce").astype(float)
    rules = (
        (blank & required, "must not be blank"),
        (numbers.isna() & ~blank, "must be a number"),
        ((numbers == math.inf) | (numbers <= 0), "must be finite and above zero"),
    )
    for broken, rule in rules:
        refuse(path, cells, broken, rule)
    return numbers


def refuse(path: Path, cells: pd.Series, broken: pd.Series, rule: str) -> None:
    """Where any cell of a column is broken, the first of them as an error."""
    if broken.any():
        row = int(broken.to_numpy().argmax())
        raise InputError(f"{path}: row {row + 1}, column {cells.name}: {cells.iloc[row]!r} {rule}")
