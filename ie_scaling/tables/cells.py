"""Tables as CSV and Parquet, in and out, with errors that name the cell."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ie_scaling.errors import InputError
from ie_scaling.running import files
from ie_scaling.tables import delimited, numbers

TEXT_ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
ENDINGS = (*TEXT_ENDINGS, ".parquet")
MOST_CELLS = 50_000_000  # of a Parquet table, so that a small compressed file cannot fill the memory
EXACT = 2**53  # up to here float64 holds every whole number


def is_table(path: str | Path) -> bool:
    """Whether a path ends as a table's does."""
    return str(path).lower().endswith(ENDINGS)


def write_table(path: Path, table: pd.DataFrame | Sequence[Mapping[str, Any]]) -> None:
    """Write CSV or Parquet by the path's ending, whole or not at all.

    In CSV floats have full precision, and columns of whole numbers are written without a decimal point.
    """
    frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(list(table), dtype=object)
    with files.replacing(path) as temporary:
        if path.suffix == ".parquet":
            frame.apply(_one_type).to_parquet(temporary, index=False)
        else:
            frame.apply(_digits).to_csv(temporary, index=False, quoting=_quoting(frame))


def _quoting(frame: pd.DataFrame) -> Literal[0, 2]:
    """Quotes where they are needed; around all text if a carriage return needs them, which csv does not see."""
    texts = (cell for column in frame if frame[column].dtype.kind == "O" for cell in frame[column])
    return csv.QUOTE_NONNUMERIC if any(isinstance(text, str) and "\r" in text for text in texts) else csv.QUOTE_MINIMAL


def _one_type(cells: pd.Series) -> pd.Series:
    """Values of Parquet's types: blanks among numbers become missing ones."""
    blank = numbers.is_blank(cells)
    if cells.dtype != object or all(isinstance(cell, str) for cell in cells[~blank]):
        return cells
    return pd.Series([None if is_blank else cell for cell, is_blank in zip(cells, blank, strict=True)], dtype=object)


def _digits(cells: pd.Series) -> pd.Series:
    """Cells whose floats are Python's, or whole numbers where all of them are whole and exact."""
    if cells.dtype.kind not in "fO":
        return cells
    is_float = [isinstance(cell, float | np.floating) and not math.isnan(cell) for cell in cells]
    floats = [float(cell) for cell, chosen in zip(cells, is_float, strict=True) if chosen]
    if not floats:
        return cells
    convert = int if all(map(_is_whole, floats)) else float
    values = [convert(cell) if chosen else cell for cell, chosen in zip(cells, is_float, strict=True)]
    return pd.Series(values, cells.index, dtype=object)


def _is_whole(number: float) -> bool:
    return abs(number) <= EXACT and number % 1 == 0 and (number != 0 or math.copysign(1, number) > 0)


def read_table(path: Path) -> pd.DataFrame:
    """Any table that `write_table` wrote: cells as text for CSV, typed for Parquet."""
    return read_frame(path)


def read_frame(path: Path) -> pd.DataFrame:
    """Cells as text for CSV (converted later, so that an error can quote them), typed for Parquet.

    Raises:
      InputError: no such file, an ending not in ENDINGS, or contents that cannot be read without a guess.
    """
    if not path.is_file():
        raise InputError(f"{path}: is a directory, not a table" if path.is_dir() else f"{path}: no such file")
    if not is_table(path):
        raise InputError(f"{path}: must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")
    return delimited.read(path) if path.suffix.lower() != ".parquet" else _read_parquet(path)


def _read_parquet(path: Path) -> pd.DataFrame:
    """The columns as they are typed; whole numbers stay whole where some are missing."""
    try:
        with pq.ParquetFile(path) as stored:
            n_cells = stored.metadata.num_rows * stored.metadata.num_columns
            if n_cells > MOST_CELLS:
                raise InputError(f"{path}: has {n_cells:,} cells, more than {MOST_CELLS:,}; keep the rows needed")
            table = stored.read()
        header = table.column_names
        frame = table.rename_columns([str(i) for i in range(len(header))]).to_pandas(
            ignore_metadata=True, integer_object_nulls=True
        )
    except (pa.ArrowException, OSError, ValueError, NotImplementedError) as error:
        if isinstance(error, InputError):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: cannot be read as Parquet ({reason})") from None
    return delimited.named(path, frame, header)


def require_columns(path: Path, frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Every one of the columns is there.

    Raises:
      InputError: naming the first that is not.
    """
    if missing := [column for column in columns if column not in frame]:
        only = f"; it has one column, {numbers.label(frame.columns[0])}" if len(frame.columns) == 1 else ""
        raise InputError(f"{path}: column {missing[0]} is missing; needed are {', '.join(columns)}{only}")


def finite(path: Path, frame: pd.DataFrame, column: str, required: bool) -> pd.Series:
    """The column as float64 with NaN for blanks, every number finite."""
    cells = frame[column]
    blank = numbers.is_blank(cells)
    values, is_number = numbers.to_numbers(cells)
    refuse(path, cells, blank & required, "must not be blank")
    broken = ~is_number & ~blank
    refuse(path, cells, broken, numbers.why_not(cells, cells[broken].iloc[0]) if broken.any() else "")
    refuse(path, cells, values.abs() == math.inf, "must be finite")
    return values


def positive(path: Path, frame: pd.DataFrame, column: str, required: bool) -> pd.Series:
    """The column as float64 with NaN for blanks, every number finite and above zero."""
    values = finite(path, frame, column, required)
    refuse(path, frame[column], values <= 0, "must be finite and above zero")
    return values


def refuse(path: Path, cells: pd.Series, broken: pd.Series, rule: str) -> None:
    """Where any cell of a column is broken, the first of them as an error; rows are named by the index, 1 the first."""
    if broken.any():
        position = int(broken.to_numpy().argmax())
        index = cells.index[position]
        row = int(index) if isinstance(index, int | np.integer) else position
        raise InputError(
            f"{path}: row {row + 1}, column {numbers.label(cells.name)}: {numbers.quoted(cells.iloc[position])} {rule}"
        )
