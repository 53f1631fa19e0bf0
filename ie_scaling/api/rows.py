"""Run tables as callers hand them over: DataFrames, or the paths of files (no JAX here)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from ie_scaling.api import fields
from ie_scaling.errors import InputError, short
from ie_scaling.running import identity, workdir
from ie_scaling.tables import run_source
from ie_scaling.tables.run_source import RunSource

T = TypeVar("T")
Table = pd.DataFrame | str | Path
FRAME = "DataFrame"  # what messages call a table that comes from no file


def read_runs(path: Table, columns: str | Mapping[str, Any] = "", where: str = "") -> pd.DataFrame:
    """A run table, checked: one row per trained model or checkpoint; numbers as float64, text "" where blank.

    Columns are those of docs/run_table.md (n_params_total, n_tokens, loss in nats per token …), others as they are.
    `.attrs` has `remarks`, what was assumed, and `warnings`, what is suspicious.

    Args:
      path: a CSV or Parquet file, several with commas between them, or a DataFrame.
      columns: a map from these column names to the table's own.
      where: a row filter (docs/row_filters.md).

    Example: `rows = ies.read_runs("mine.csv", columns={"n_params_total": "N", "n_tokens": "D", "loss": "val/loss"})`

    Raises:
      InputError: naming file, row, column, value and rule.
    """
    runs = open_rows(path, fields.column_map(columns))
    rows = runs.judge(runs.filter(fields.text("where", where)))
    rows.frame.attrs = {"source": runs.name, "remarks": list(rows.remarks), "warnings": list(rows.warnings)}
    return rows.frame


def open_rows(rows: pd.DataFrame | str | Path, columns: str | dict, allow_unfinished: bool = False) -> RunSource:
    """The run table that a DataFrame is, or those at a path.

    Raises:
      InputError: neither, a table that cannot be read, or one of a sweep that is not finished.
    """
    if isinstance(rows, pd.DataFrame):
        return run_source.open_frame(rows, FRAME, columns)
    if not isinstance(rows, str | Path):
        raise InputError(f"rows={short(rows)}: must be a DataFrame, such as of read_runs, or the path of a run table")
    workdir.unfinished(identity.named("runs", run_source.split_paths(rows)), allow_unfinished)
    return run_source.open_runs(rows, columns)


def earlier(rows: object, name: str, otherwise: T) -> T:
    """What `read_runs` noted of these rows under this name, if it read them."""
    return rows.attrs.get(name, otherwise) if isinstance(rows, pd.DataFrame) else otherwise
