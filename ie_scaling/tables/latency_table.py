"""The latency table: a row for each shape timed at a workload."""

from pathlib import Path
from typing import Any

import pandas as pd

from ie_scaling.architecture import SHAPE_FIELDS, Architecture
from ie_scaling.tables import cells, shape_table

TIMED = ("ttft_s", "tpot_s", "e2e_s", "tokens_per_s")
LATENCY_COLUMNS = (
    "architecture",
    *shape_table.ARCHITECTURE_COLUMNS,
    *("device_kind", "n_devices", "dtype", "batch", "prompt_tokens", "new_tokens", "mode", "compile_s"),
    *(f"{name}{tail}" for name in TIMED for tail in ("", "_p10", "_p90", "_p99")),
    *("count", "floor_s"),
)
WHOLE_LATENCY_COLUMNS = (*SHAPE_FIELDS, "n_devices", "batch", "prompt_tokens", "new_tokens")
POSITIVE_LATENCY_COLUMNS = (*WHOLE_LATENCY_COLUMNS, *TIMED, "count")


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
    frame = cells.read_frame(path)
    cells.require_columns(path, frame, LATENCY_COLUMNS)
    if frame.empty:
        raise ValueError(f"{path}: has no rows")
    for column in POSITIVE_LATENCY_COLUMNS:
        given = frame[column]
        frame[column] = cells.positive(path, frame, column, required=column != "tpot_s")
        if column in WHOLE_LATENCY_COLUMNS:
            cells.refuse(path, given, frame[column] % 1 != 0, "must be a whole number")
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
