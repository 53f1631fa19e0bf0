"""The run table: a row for each trained model and checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ie_scaling import accounting
from ie_scaling.architecture import SHAPE_FIELDS, Architecture
from ie_scaling.tables import cells, run_source
from ie_scaling.tables.columns import RUN_COLUMNS


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


def read_runs(paths: str | Path, where: str = "", columns: str | Mapping[str, Any] = "") -> pd.DataFrame:
    """A validated run table: numbers as float64, text as str with "" for blank, extra columns as they are.

    Args:
      paths: a table with columns `loss`, `n_tokens` and a number of parameters at least, or several with commas between
        them (see `run_source.open_runs`).
      where: a filter that keeps rows, such as "n_tokens > 1e9 and fit_set.str.contains('fig7')"; "" keeps all.
      columns: a map from the run table's names to the table's (see `columns.parse`).

    Raises:
      InputError: naming file, row, column, value and rule.
    """
    runs = run_source.open_runs(paths, columns)
    return runs.judge(runs.filter(where)).frame
