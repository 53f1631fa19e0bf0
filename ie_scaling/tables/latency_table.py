"""The latency table: a row for each shape timed at a workload."""

from pathlib import Path
from typing import Any

import pandas as pd

from ie_scaling.architecture import SHAPE_FIELDS, Architecture
from ie_scaling.errors import InputError
from ie_scaling.tables import cells, latency_checks, numbers, shape_table
from ie_scaling.tables.latency_metric import LatencyMetric

PERCENTILES = tuple(f"{name}_p{percent}" for name in LatencyMetric for percent in (10, 90, 99))
LATENCY_COLUMNS = (
    "architecture",
    *shape_table.ARCHITECTURE_COLUMNS,
    *("device_kind", "n_devices", "dtype", "batch", "prompt_tokens", "new_tokens", "mode", "compile_s"),
    *(f"{name}{tail}" for name in LatencyMetric for tail in ("", "_p10", "_p90", "_p99")),
    *("count", "floor_s"),
)
TEXT_LATENCY_COLUMNS = ("architecture", "device_kind", "dtype", "mode")
WHOLE_LATENCY_COLUMNS = (*SHAPE_FIELDS, "n_devices", "batch", "prompt_tokens", "new_tokens")
POSITIVE_LATENCY_COLUMNS = (*WHOLE_LATENCY_COLUMNS, *LatencyMetric, "count")
MAY_BE_BLANK = ("tpot_s", *PERCENTILES, "floor_s")


def latency_record(architecture: Architecture, **measured: Any) -> dict[str, Any]:
    """One row of the latency table; `measured` gives every column that is not the architecture's."""
    row = {"architecture": architecture.name} | architecture.to_fields() | measured
    missing = set(LATENCY_COLUMNS) - set(row)
    if missing:
        raise ValueError(f"latency record: missing {', '.join(sorted(missing))}")
    return {column: row[column] for column in LATENCY_COLUMNS} | {
        key: value for key, value in row.items() if key not in LATENCY_COLUMNS
    }


def read_latency(path: str | Path) -> pd.DataFrame:
    """A validated latency table, with the columns of LATENCY_COLUMNS at least; others are numbers where they can be.

    What is usable but suspicious, such as times in milliseconds, `latency_checks.remarks` says.

    Raises:
      InputError: a cell that cannot be, or cells that contradict one another, by file, row, column and text.
    """
    return judge(cells.read_frame(Path(path)), path)


def judge(given: pd.DataFrame, name: str | Path) -> pd.DataFrame:
    """The rows of a latency table, checked as `read_latency` does; `name` is the table's in messages."""
    path = Path(name)
    cells.require_columns(path, given, LATENCY_COLUMNS)
    if given.empty:
        raise InputError(f"{path}: has no rows")
    frame, architectures = shape_table.read_architectures(path, given)
    columns = {column: _text(path, given, column) for column in TEXT_LATENCY_COLUMNS}
    columns |= {column: shape_table.whole(path, given, column) for column in WHOLE_LATENCY_COLUMNS[len(SHAPE_FIELDS) :]}
    columns["count"] = shape_table.whole(path, given, "count").astype(float)
    for column in (*LatencyMetric, *PERCENTILES, "floor_s"):
        columns[column] = cells.positive(path, given, column, required=column not in MAY_BE_BLANK)
    columns["compile_s"] = cells.finite(path, given, "compile_s", required=False)
    cells.refuse(path, given["compile_s"], columns["compile_s"] < 0, "must not be negative")
    columns |= {column: _numbers_or_as_given(given[column]) for column in given.columns.difference(LATENCY_COLUMNS)}
    frame = frame.assign(**columns)
    latency_checks.check(path, frame, given, architectures)
    return frame


def _text(path: Path, frame: pd.DataFrame, column: str) -> pd.Series:
    """The column as text without spaces around it, no cell blank."""
    cells.refuse(path, frame[column], numbers.is_blank(frame[column]), "must not be blank")
    return frame[column].astype(str).str.strip()


def _numbers_or_as_given(given: pd.Series) -> pd.Series:
    """Numbers, NaN for blanks, where every other cell is one; else the cells as they are."""
    values, is_number = numbers.to_numbers(given)
    blank = numbers.is_blank(given)
    if not (is_number | blank).all() or blank.all():
        return given
    if blank.any() or (values.abs() > cells.EXACT).any():
        return values
    return pd.to_numeric(given)
