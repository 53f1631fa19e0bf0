"""Latency tables as the latency law reads them: checked, with sizes for row filters, and split into fit and holdout."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ie_scaling import accounting, workload
from ie_scaling.errors import InputError
from ie_scaling.running.config import require
from ie_scaling.tables import (
    cells,
    filters,
    latency_checks,
    latency_table,
    numbers,
    run_source,
    shape_table,
)
from ie_scaling.tables.latency_metric import LatencyMetric
from ie_scaling.workload import Case, Workload

CEILINGS = ("ceiling_bytes_per_s", "ceiling_flops_per_s")
NUMBERS: dict[Any, str] = {int: "must be a whole number", float: "must be a number"}  # of a workload's fields


def read(paths: str, where: str = "") -> pd.DataFrame:
    """The rows that `where` keeps of latency tables with commas between them, with the columns that filters may use.

    Each table is a session, or several where it has a column `session` of its own.

    Raises:
      InputError: naming file, row, column, value and rule.
    """
    frames = []
    for name in run_source.split_paths(paths):
        frame = add_columns(latency_table.read_latency(name), name)
        within = " " + frame["session"].astype(str) if "session" in frame else ""
        frames.append(frame.assign(session=name + within, table=name, table_row=range(len(frame))))
    frame = pd.concat(frames, ignore_index=True)
    codes, _ = pd.factorize(frame["architecture"])
    return filters.filter_rows(frame.assign(shape_index=codes), where, paths)


def remarks(frame: pd.DataFrame) -> list[str]:
    """What is suspicious about the rows of a table that `read` gave, file by file."""
    return [
        remark
        for name, rows in frame.groupby("table", sort=False)
        for remark in latency_checks.remarks(rows.set_index("table_row"), str(name))
    ]


def add_columns(frame: pd.DataFrame, path: str = "table") -> pd.DataFrame:
    """The table with its ceilings as numbers, parameter counts, and the bytes and FLOPs of a step.

    Raises:
      InputError: a ceiling that is blank or absent, or rows of more than one device working together.
    """
    columns: dict[str, Any] = {}
    for column in CEILINGS:
        if column not in frame:
            raise InputError(f"{path}: column {column} is missing; the latency law needs it, so time the shapes again")
        columns[column] = cells.positive(Path(path), frame, column, required=True).to_numpy()
    cells.refuse(Path(path), frame["n_devices"], frame["n_devices"] != 1, "must be 1")
    timed = [f"{metric}{tail}" for metric in LatencyMetric for tail in ("", "_p10", "_p90")]
    columns |= {name: pd.to_numeric(frame[name], errors="coerce").astype(float) for name in timed}
    cases = cases_of(frame, path)
    columns["n_params_total"] = [accounting.count_parameters(case.architecture) for case in cases]
    columns["n_params_non_embedding"] = [accounting.count_non_embedding_parameters(case.architecture) for case in cases]
    sizes = workload.arrays_of(cases)
    columns |= {"step_bytes": workload.step_bytes(*sizes), "step_flops": workload.step_flops(*sizes)}
    return frame.assign(**columns)


def split(frame: pd.DataFrame, holdout: str) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Rows to fit and rows only to predict (None without any).

    Raises:
      InputError: a filter that keeps no row, or leaves none to fit.
    """
    if not holdout:
        return frame, None
    held_out = filters.filter_rows(frame, holdout, "the table", "holdout")
    fitted = frame[~frame.index.isin(held_out.index)]
    if fitted.empty:
        raise InputError(f"holdout={holdout!r}: keeps every row, leaving none to fit")
    return fitted, held_out


def cases_of(frame: pd.DataFrame, path: str = "table") -> list[Case]:
    """The Case of each row; a field of Workload that is blank and no column of LATENCY_COLUMNS has its default.

    Raises:
      InputError: a workload that cannot be, by its row.
    """
    loads = []
    for number, row in enumerate(frame.to_dict("records"), 1):
        try:
            loads.append(_workload(row))
        except ValueError as error:
            raise InputError(f"{path}: row {number}: {error}") from None
    return [Case(a, load) for a, load in zip(shape_table.architectures_of(frame, path), loads, strict=True)]


def _workload(row: Mapping[str, Any]) -> Workload:
    values = {}
    for field in dataclasses.fields(Workload):
        value, is_optional = row.get(field.name, ""), field.name not in latency_table.LATENCY_COLUMNS
        if is_optional and (pd.isna(value) or value == ""):
            continue
        if field.type in NUMBERS:
            number, is_number = (result.iloc[0] for result in numbers.to_numbers(pd.Series([value])))
            is_allowed = is_number and abs(number) <= cells.EXACT and (field.type is float or number % 1 == 0)
            require(bool(is_allowed), field.name, value, NUMBERS[field.type])
            value = number
        values[field.name] = field.type(value)  # ty: ignore
    return Workload(**values)
