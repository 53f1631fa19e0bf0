"""Run tables as the verbs read them: rows as observations, with what was assumed and what is suspicious said first."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ie_scaling.laws.observations import Observations
from ie_scaling.running import diagnostic
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.running.progress import say
from ie_scaling.tables import run_source
from ie_scaling.tables.run_source import Rows, RunSource

FEW_MODELS = 5  # a spread among fewer says next to nothing


def read(paths: str | Path, where: str = "", columns: str | Mapping[str, Any] = "") -> Observations:
    """The rows of run tables that a filter keeps, under a map of columns.

    Raises:
      InputError: a bad table, map or filter.
    """
    runs = run_source.open_runs(paths, columns)
    return observe(runs, runs.filter(where))


def read_each(paths: Sequence[str], wheres: Sequence[str], columns: str | Mapping[str, Any] = "") -> list[Observations]:
    """Each table by itself with its own filter, under one map of columns.

    Raises:
      InputError: a bad table, map or filter.
    """
    tables = run_source.open_tables(paths, columns)
    every = [run_source.assemble(path, [table]) for path, table in zip(paths, tables, strict=True)]
    return [observe(runs, runs.filter(where)) for runs, where in zip(every, wheres, strict=True)]


def observe(runs: RunSource, index: pd.Index, say_remarks: bool = True) -> Observations:
    """These rows, checked; warnings are said, and remarks unless they were about other rows of the source.

    Raises:
      InputError: naming file, row, column, value and rule.
    """
    rows = judge(runs, index, say_remarks)
    return Observations.from_frame(rows.frame, runs.name, rows.remarks, rows.warnings)


def judge(runs: RunSource, index: pd.Index, say_remarks: bool = True) -> Rows:
    """These rows, checked, as a table; what `observe` says is said.

    Raises:
      InputError: naming file, row, column, value and rule.
    """
    rows = runs.judge(index)
    for remark in rows.remarks if say_remarks else ():
        say(remark)
    say_all(rows.warnings)
    return rows


def say_all(warnings: Sequence[str]) -> list[str]:
    """These warnings, said before anything is made of what they are about."""
    for warning in warnings:
        say(f"warning: {warning}")
    return list(warnings)


def warn_of_few_models(rows: Observations, name: str = "") -> Observations:
    """The rows, with a warning (also said) where intervals would rest on fewer than five models."""
    n_models = len(rows.model_ids)
    if n_models >= FEW_MODELS:
        return rows
    warning = (
        f"{name or rows.name}: {len(rows)} rows of {n_models} model{'s' * (n_models != 1)}; a posterior or bootstrap "
        f"over fewer than {FEW_MODELS} says little of how sure the law is"
    )
    return dataclasses.replace(rows, warnings=(*rows.warnings, *say_all([warning])))


def diagnose(tables: Iterable[Observations]) -> list[Diagnostic]:
    """What was assumed of tables, and what is suspicious of them."""
    tables = list(tables)
    assumed = [remark for rows in tables for remark in rows.remarks]
    suspicious = [warning for rows in tables for warning in rows.warnings]
    return diagnostic.each(Kind.ASSUMPTION, assumed) + diagnostic.each(Kind.TABLE, suspicious)
