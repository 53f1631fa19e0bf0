"""The run table and the latency table: their columns, and CSV and Parquet in and out with errors that name the cell."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ie_scaling import accounting, files
from ie_scaling.architecture import SHAPE_FIELDS, Architecture

TEXT_COLUMNS = ("source", "run_id", "model_id", "loss_split", "fit_set", "notes")
RUN_COLUMNS = (
    *("source", "run_id", "model_id"),
    *SHAPE_FIELDS,
    *("n_params_total", "n_params_non_embedding", "n_tokens", "loss", "loss_split", "fit_set", "notes"),
)
REQUIRED_RUN_COLUMNS = ("run_id", "n_params_total", "n_tokens", "loss")
POSITIVE_RUN_COLUMNS = (*SHAPE_FIELDS, "n_params_total", "n_params_non_embedding", "n_tokens", "loss")

TIMED = ("ttft_s", "tpot_s", "e2e_s", "tokens_per_s")
ARCHITECTURE_COLUMNS = tuple(field.name for field in dataclasses.fields(Architecture))
LATENCY_COLUMNS = (
    "architecture",
    *ARCHITECTURE_COLUMNS,
    *("device_kind", "n_devices", "dtype", "batch", "prompt_tokens", "new_tokens", "mode", "compile_s"),
    *(f"{name}{tail}" for name in TIMED for tail in ("", "_p10", "_p90", "_p99")),
    *("count", "floor_s"),
)
WHOLE_LATENCY_COLUMNS = (*SHAPE_FIELDS, "n_devices", "batch", "prompt_tokens", "new_tokens")
POSITIVE_LATENCY_COLUMNS = (*WHOLE_LATENCY_COLUMNS, *TIMED, "count")


def run_record(
    architecture: Architecture, *, source: str, run_id: str, n_tokens: int, loss: float, loss_split: str, **extra: Any
) -> dict[str, Any]:
    """One row of the run table for a model trained here: shape and counts come from its architecture."""
    row: dict[str, Any] = dict.fromkeys(RUN_COLUMNS, "")
    row |= {"source": source, "run_id": run_id, "model_id": run_id}
    row |= {field: getattr(architecture, field) for field in SHAPE_FIELDS}
    row["n_params_total"] = accounting.count_parameters(architecture)
    row["n_params_non_embedding"] = accounting.count_non_embedding_parameters(architecture)
    row |= {"n_tokens": n_tokens, "loss": loss, "loss_split": loss_split}
    return row | extra


def append_run(path: Path, row: Mapping[str, Any]) -> None:
    """Add one row to a CSV run table, once: a row of the same run_id is replaced, never doubled."""
    rows = []
    if path.exists():
        rows = [old for old in _read_frame(path).to_dict("records") if old["run_id"] != row["run_id"]]
    write_table(path, pd.DataFrame([*rows, dict(row)]))


def read_runs(paths: str | Path, where: str = "") -> pd.DataFrame:
    """A validated run table: numbers as float64, text as str with "" for blank, extra columns as they are.

    Args:
      paths: CSV or Parquet with the columns of RUN_COLUMNS (REQUIRED_RUN_COLUMNS at least), or several with commas
        between them. Of several, a blank `source` becomes the file's name, and a `model_id` that two of them share
        is told apart by its source.
      where: a pandas query that keeps rows, such as "n_tokens > 1e9 and fit_set.str.contains('fig7')"; "" keeps all.

    Returns:
      The rows; of several files, with their file and row (1 = first data row) in columns `table` and `table_row`.

    Raises:
      ValueError: naming file, row, column, value and rule.
    """
    names = split_paths(paths)
    frames = [_read_one(Path(name)) for name in names]
    if len(frames) > 1:
        for name, frame in zip(names, frames, strict=True):
            frame.loc[frame["source"] == "", "source"] = Path(name).stem
            frame[["table", "table_row"]] = [[name, row + 1] for row in range(len(frame))]
    frame = pd.concat(frames, ignore_index=True)
    n_sources = frame.groupby("model_id")["source"].transform("nunique")
    shared = n_sources > 1
    frame.loc[shared, "model_id"] = frame.loc[shared, "source"] + "/" + frame.loc[shared, "model_id"]
    return filter_rows(frame, where, str(paths))


def split_paths(paths: str | Path) -> list[str]:
    """The files of a comma-separated list."""
    return [name for name in (part.strip() for part in str(paths).split(",")) if name] or [str(paths)]


def _read_one(path: Path) -> pd.DataFrame:
    frame = _read_frame(path)
    _require_columns(path, frame, REQUIRED_RUN_COLUMNS)
    if frame.empty:
        raise ValueError(f"{path}: has no rows")
    for column in TEXT_COLUMNS:
        frame[column] = frame[column].fillna("").astype(str) if column in frame else ""
    for column in POSITIVE_RUN_COLUMNS:
        required = column in REQUIRED_RUN_COLUMNS
        frame[column] = _positive(path, frame, column, required) if column in frame else math.nan
    blank = frame["model_id"] == ""
    frame.loc[blank, "model_id"] = frame.loc[blank, "run_id"]
    return frame


def filter_rows(frame: pd.DataFrame, where: str, path: Path | str = "table", field: str = "where") -> pd.DataFrame:
    """The rows for which the pandas query `where` is true; none left is an error."""
    if not where:
        return frame
    try:
        kept = frame.query(where, engine="python")
    except Exception as error:  # pandas raises whatever the expression does
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{field}={where!r}: not a row filter for {path} ({reason})") from None
    if not isinstance(kept, pd.DataFrame) or kept.empty:
        raise ValueError(f"{field}={where!r}: keeps no row of {path}")
    return kept


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
    """A validated latency table, with the columns of LATENCY_COLUMNS at least; others are numbers where they can be."""
    path = Path(path)
    frame = _read_frame(path)
    _require_columns(path, frame, LATENCY_COLUMNS)
    if frame.empty:
        raise ValueError(f"{path}: has no rows")
    for column in POSITIVE_LATENCY_COLUMNS:
        cells, frame[column] = frame[column], _positive(path, frame, column, required=column != "tpot_s")
        if column in WHOLE_LATENCY_COLUMNS:
            _refuse(path, cells, frame[column] % 1 != 0, "must be a whole number")
            frame[column] = frame[column].astype(int)
    for column in ("tied_embeddings", "qk_norm"):
        frame[column] = frame[column].astype(str).str.lower() == "true"
    floats = ("rope_base", "compile_s", "floor_s")
    for column in (*floats, *(f"{name}_p{tail}" for name in TIMED for tail in (10, 90, 99))):
        frame[column] = pd.to_numeric(frame[column], errors="coerce")
    for column in frame.columns.difference(LATENCY_COLUMNS):
        filled = frame[column] != ""
        numbers = pd.to_numeric(frame[column].where(filled), errors="coerce")
        if numbers[filled].notna().all():
            frame[column] = numbers
    return frame


def architectures_of(frame: pd.DataFrame) -> list[Architecture]:
    """The Architecture of each row of a latency or candidate table."""
    rows = frame[list(ARCHITECTURE_COLUMNS)].to_dict("records")
    return [
        Architecture.from_fields(
            row
            | {field: int(row[field]) for field in SHAPE_FIELDS}
            | {field: bool(row[field]) for field in ("tied_embeddings", "qk_norm")}
        )
        for row in rows
    ]


def architecture_table(architectures: Sequence[Architecture], n_tokens: float) -> pd.DataFrame:
    """A row a shape: its name and fields, total parameters, and the tokens asked about."""
    table = pd.DataFrame([{"architecture": a.name} | a.to_fields() for a in architectures])
    return table.assign(n_params_total=[accounting.count_parameters(a) for a in architectures], n_tokens=n_tokens)


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
    return _read_frame(path)


def _read_frame(path: Path) -> pd.DataFrame:
    """Cells as text for CSV (converted later, so that an error can quote them), typed for Parquet."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if path.suffix == ".csv":
            return pd.read_csv(path, dtype=str, keep_default_na=False)
    except Exception as error:  # parser errors come in many classes
        raise ValueError(f"{path}: cannot be read as {path.suffix[1:]} ({str(error).splitlines()[0]})") from None
    raise ValueError(f"{path}: must end in .csv or .parquet")


def _require_columns(path: Path, frame: pd.DataFrame, columns: Sequence[str]) -> None:
    if missing := [column for column in columns if column not in frame]:
        raise ValueError(f"{path}: column {missing[0]} is missing; needed are {', '.join(columns)}")


def _positive(path: Path, frame: pd.DataFrame, column: str, required: bool) -> pd.Series:
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
        _refuse(path, cells, broken, rule)
    return numbers


def _refuse(path: Path, cells: pd.Series, broken: pd.Series, rule: str) -> None:
    """Where any cell of a column is broken, the first of them as an error."""
    if broken.any():
        row = int(broken.to_numpy().argmax())
        raise ValueError(f"{path}: row {row + 1}, column {cells.name}: {cells.iloc[row]!r} {rule}")
