"""The run table: a row for each trained model and checkpoint."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ie_scaling import accounting
from ie_scaling.architecture import SHAPE_FIELDS, Architecture
from ie_scaling.tables import cells, filters

TEXT_COLUMNS = ("source", "run_id", "model_id", "loss_split", "fit_set", "notes")
RUN_COLUMNS = (
    *("source", "run_id", "model_id"),
    *SHAPE_FIELDS,
    *("n_params_total", "n_params_non_embedding", "n_tokens", "loss", "loss_split", "fit_set", "notes"),
)
REQUIRED_RUN_COLUMNS = ("run_id", "n_params_total", "n_tokens", "loss")
POSITIVE_RUN_COLUMNS = (*SHAPE_FIELDS, "n_params_total", "n_params_non_embedding", "n_tokens", "loss")


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
        rows = [old for old in cells.read_frame(path).to_dict("records") if old["run_id"] != row["run_id"]]
    cells.write_table(path, pd.DataFrame([*rows, dict(row)]))


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
    return filters.filter_rows(frame, where, str(paths))


def split_paths(paths: str | Path) -> list[str]:
    """The files of a comma-separated list."""
    return [name for name in (part.strip() for part in str(paths).split(",")) if name] or [str(paths)]


def _read_one(path: Path) -> pd.DataFrame:
    frame = cells.read_frame(path)
    cells.require_columns(path, frame, REQUIRED_RUN_COLUMNS)
    if frame.empty:
        raise ValueError(f"{path}: has no rows")
    for column in TEXT_COLUMNS:
        frame[column] = frame[column].fillna("").astype(str) if column in frame else ""
    for column in POSITIVE_RUN_COLUMNS:
        required = column in REQUIRED_RUN_COLUMNS
        frame[column] = cells.positive(path, frame, column, required) if column in frame else math.nan
    blank = frame["model_id"] == ""
    frame.loc[blank, "model_id"] = frame.loc[blank, "run_id"]
    return frame
