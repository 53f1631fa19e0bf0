"""Run tables as the verbs read them: rows as observations, assumptions and suspicions about them reported first."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ie_scaling.errors import InputError
from ie_scaling.laws.choices import Misses
from ie_scaling.laws.law import Law
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import Problem, pose
from ie_scaling.running import diagnostic
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.running.progress import say
from ie_scaling.tables import cells, run_source
from ie_scaling.tables.run_source import Rows, RunSource

MIN_ROWS = 3
REST = "rest"  # the rows that are not fitted
FEW_MODELS = 5  # a spread among fewer says next to nothing


@dataclasses.dataclass(frozen=True, kw_only=True)
class PosedSplit:
    """A law posed on the rows that are fitted, and the rows that are only predicted (None for none).

    `n_in_table` counts the rows of the tables; `where` and `held_out` are the words that chose the rows, `columns` the
    map that they were read under.
    """

    problem: Problem
    holdout: Observations | None
    n_in_table: int
    where: str
    held_out: str
    columns: str | Mapping[str, Any]

    @property
    def by_name(self) -> dict[str, Observations]:
        """The rows as predictions call them: `fit` and, where there are some, `holdout`."""
        return {"fit": self.problem.rows} | ({} if self.holdout is None else {"holdout": self.holdout})

    @property
    def warnings(self) -> list[str]:
        """What is suspicious in the rows, each once."""
        return list(dict.fromkeys(warning for rows in self.by_name.values() for warning in rows.warnings))


def split(
    runs: RunSource,
    law: Law,
    *,
    where: str = "",
    holdout: str = "",
    columns: str | Mapping[str, Any] = "",
    gives_intervals: bool = True,
    misses: Misses = Misses.INDEPENDENT,
) -> PosedSplit:
    """A law posed on the rows that `where` keeps, and those that `holdout` names: a table, a row filter, or `rest`.

    `gives_intervals` says that the spread among models will matter: then few models are warned of. `misses` is what a
    posterior will let the law miss.

    Raises:
      InputError: too few rows, none held out, or a feature that the law needs and rows lack.
    """
    index = runs.filter(where)
    fitted = observe(runs, index)
    fitted.require(law.needs, law.name)
    if len(fitted) < MIN_ROWS:
        raise InputError(f"where={where!r}: keeps {len(fitted)} rows of {runs.name}; a fit needs at least {MIN_ROWS}")
    if gives_intervals:
        fitted = warn_of_few_models(fitted)
    held_out = None
    if cells.is_table(holdout):
        held_out = _warn_of_fitted(read(holdout, columns=columns), fitted)
    elif holdout:
        held_out = _rows_not_fitted(runs, index, holdout)
    if held_out is not None:
        held_out.require(law.needs, law.name)
    return PosedSplit(
        problem=pose(law, fitted, misses=misses),
        holdout=held_out,
        n_in_table=len(runs),
        where=where,
        held_out=holdout,
        columns=columns,
    )


def _rows_not_fitted(runs: RunSource, fitted_index: pd.Index, holdout: str) -> Observations:
    """The rows that a filter or `rest` keeps, those fitted left out."""
    index = runs.filter("" if holdout == REST else holdout, "holdout")
    index = index[~index.isin(fitted_index)]
    if index.empty:
        raise InputError(
            f"holdout={holdout!r}: every row it keeps of {runs.name} is fitted; where must leave them out, "
            "such as where='n_params_total < 5e8' with holdout=rest"
        )
    return observe(runs, index, report_remarks=False)


def _warn_of_fitted(held_out: Observations, fitted: Observations) -> Observations:
    """The held-out rows, with a warning (also reported) where some are those that are fitted."""
    known = set(_identities(fitted))
    n_same = sum(row in known for row in _identities(held_out))
    if not n_same:
        return held_out
    warning = (
        f"{held_out.name}: {n_same} of {len(held_out)} held-out rows have the size, tokens and loss of a fitted row: "
        "what the law predicts of them is no test of it"
    )
    return dataclasses.replace(held_out, warnings=(*held_out.warnings, *report([warning])))


def _identities(rows: Observations) -> list[tuple[float, ...]]:
    """Size, tokens and loss of each row."""
    return list(zip(rows.features.n_known, rows.features.n_tokens, rows.log_loss_R, strict=True))


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


def observe(runs: RunSource, index: pd.Index, report_remarks: bool = True) -> Observations:
    """These rows, checked; warnings are reported, and remarks unless they were about other rows of the source.

    Raises:
      InputError: naming file, row, column, value and rule.
    """
    rows = judge(runs, index, report_remarks)
    return Observations.from_frame(rows.frame, runs.name, rows.remarks, rows.warnings)


def judge(runs: RunSource, index: pd.Index, report_remarks: bool = True) -> Rows:
    """These rows, checked, as a table; reported as by `observe`.

    Raises:
      InputError: naming file, row, column, value and rule.
    """
    rows = runs.judge(index)
    for remark in rows.remarks if report_remarks else ():
        say(remark)
    report(rows.warnings)
    return rows


def report(warnings: Sequence[str]) -> list[str]:
    """These warnings, reported before anything is computed from what they are about."""
    for warning in warnings:
        say(f"warning: {warning}")
    return list(warnings)


def warn_of_few_models(rows: Observations, name: str = "") -> Observations:
    """The rows, with a warning (also reported) where intervals would rest on fewer than five models."""
    n_models = len(rows.model_ids)
    if n_models >= FEW_MODELS:
        return rows
    warning = (
        f"{name or rows.name}: {len(rows)} rows of {n_models} model{'s' * (n_models != 1)}; a posterior or bootstrap "
        f"over fewer than {FEW_MODELS} says little of how sure the law is"
    )
    return dataclasses.replace(rows, warnings=(*rows.warnings, *report([warning])))


def mixed_losses(rows: Observations) -> list[Diagnostic]:
    """A failure where rows of several sources or loss splits are fitted as if their losses were comparable."""
    for column in ("source", "loss_split"):
        kinds = sorted(set(rows.frame[column]))
        if len(kinds) > 1:
            message = f"{', '.join(kinds)} share one law without an effect of their own; their E, A, B differ"
            return [Diagnostic(Kind.MIXED_LOSSES, column, message)]
    return []


def diagnose(tables: Iterable[Observations]) -> list[Diagnostic]:
    """What was assumed of tables, and what is suspicious of them."""
    tables = list(tables)
    assumed = [remark for rows in tables for remark in rows.remarks]
    suspicious = [warning for rows in tables for warning in rows.warnings]
    return diagnostic.each(Kind.ASSUMPTION, assumed) + diagnostic.each(Kind.TABLE, suspicious)
