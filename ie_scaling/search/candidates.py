"""Candidates of a selection: shapes with their latency, of the rows of a latency table or of a latency law."""

import dataclasses
import enum
import math
from pathlib import Path

import numpy as np
import pandas as pd

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError, short
from ie_scaling.latency_law import posterior, predict
from ie_scaling.latency_law.config import RequestConfig
from ie_scaling.latency_law.posterior import LatencyPosterior
from ie_scaling.running import diagnostic
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.search.candidate_latency import Latency, MeasuredLatency, PredictedLatency
from ie_scaling.search.config import GridConfig, SelectionConfig
from ie_scaling.search.space import Space
from ie_scaling.shapes import lookup
from ie_scaling.tables import filters, latency_checks, latency_spread, latency_table, shape_table

# Candidates × draws, and candidates × candidates: an array of them is 160 MB, and some ten are in memory at once.
MOST_CELLS = 20_000_000


class LatencySource(enum.StrEnum):
    """Where latencies come from: a table of measurements, or a latency law."""

    TIMED = "timed"
    PREDICTED = "predicted"


@dataclasses.dataclass(frozen=True)
class Candidates:
    """Shapes, how fast each is, where that comes from, and failed diagnostics of it."""

    space: Space
    latency: Latency
    source: LatencySource
    diagnostics: list[Diagnostic]

    @property
    def architectures(self) -> list[Architecture]:
        """The shapes."""
        return self.space.architectures


def read(config: SelectionConfig, n_draws: int, path: str) -> Candidates:
    """The candidates under the latency law of a directory that `configs/fit_latency.py` wrote, or in a latency table.

    Raises:
      InputError: no such law or table, or as `candidates_of`.
    """
    is_law = Path(path).is_dir()
    latency = posterior.load_fit(path) if is_law else latency_table.read_latency(path)
    return candidates_of(config, n_draws, latency, path)


def candidates_of(
    config: SelectionConfig, n_draws: int, latency: pd.DataFrame | LatencyPosterior, name: str
) -> Candidates:
    """The candidates, whose loss has n_draws draws, in a latency table or under a law, of this name in messages.

    Raises:
      InputError: no candidates, one that the table does not have, or too many.
    """
    if isinstance(latency, LatencyPosterior):
        return _predicted(config, n_draws, latency, name)
    return _timed(config, latency, name)


def _timed(config: SelectionConfig, rows: pd.DataFrame, name: str) -> Candidates:
    unused = {"grid": config.grid != GridConfig(), "request": config.request != RequestConfig()}
    for field, is_given in unused.items():
        if is_given:
            raise InputError(
                f"{field}: needs a latency law; latency={name!r} is no directory of configs/fit_latency.py"
            )
    table, metric = _timed_rows(config, rows, name), config.latency_metric
    remarks = latency_checks.remarks(table.set_index("table_row"), name)
    remarks += latency_spread.remarks(table, metric, name)
    timed = Space.own_sizes(shape_table.architectures_of(table))
    measured = MeasuredLatency.from_table(table, metric)
    return Candidates(timed, measured, LatencySource.TIMED, diagnostic.each(Kind.TABLE, remarks))


def _predicted(config: SelectionConfig, n_draws: int, law: LatencyPosterior, name: str) -> Candidates:
    if config.where:
        raise InputError(f"where={config.where!r}: chooses rows of a table; latency={name!r} is a law")
    every = Space.of(config.candidates, config.grid)
    chosen = every.take(_small_enough(config.max_params, every.architectures))
    architectures = chosen.architectures
    n_draws = max(n_draws, law.n_draws)
    if len(architectures) > (most := min(MOST_CELLS // n_draws, math.isqrt(MOST_CELLS))):
        raise InputError(f"grid: has {len(architectures):,} shapes, more than {most:,} at {n_draws:,} draws; narrow it")
    kind, cases = predict.resolve(config.request, architectures, law)
    latency_WA = getattr(law.predict(cases, kind, config.seed), f"{config.latency_metric}_WA")
    if np.isnan(latency_WA).any():
        raise InputError(f"latency_metric={config.latency_metric!r}: there is none of one new token")
    failed = predict.diagnose(law, cases, kind)
    return Candidates(chosen, PredictedLatency(latency_WA), LatencySource.PREDICTED, failed)


def _small_enough(max_params: float | None, architectures: list[Architecture]) -> np.ndarray:
    """Whether each has at most max_params parameters.

    Raises:
      InputError: none has.
    """
    n_params_A = np.array([accounting.count_parameters(a) for a in architectures])
    most = np.inf if max_params is None else max_params
    if n_params_A.min() > most:
        raise InputError(f"max_params={most:g}: the smallest candidate has {n_params_A.min():,}")
    return n_params_A <= most


def _timed_rows(config: SelectionConfig, rows: pd.DataFrame, table_name: str) -> pd.DataFrame:
    """One latency row for each candidate, in the order of the candidates (or of the table).

    Raises:
      InputError: a candidate that was not timed, or one timed under several workloads.
    """
    table = filters.filter_rows(rows.assign(table_row=range(len(rows))), config.where, table_name)
    twice = table.duplicated("architecture")
    if twice.any():
        name = table.loc[twice, "architecture"].iloc[0]
        raise InputError(f"latency={table_name!r}: {name} stands there under several workloads; choose with where")
    table = table.set_index("architecture", drop=False)
    names = [candidate if candidate in table.index else _shape_name(candidate) for candidate in config.candidates]
    for candidate, name in zip(config.candidates, names, strict=True):
        if name not in table.index:
            raise InputError(
                f"candidates={short(candidate)}: not timed in {table_name}; it has {', '.join(table.index)}"
            )
    chosen = table.loc[list(dict.fromkeys(names))] if names else table
    chosen = chosen[_small_enough(config.max_params, shape_table.architectures_of(chosen))]
    if chosen[config.latency_metric].isna().any():
        raise InputError(f"latency_metric={config.latency_metric!r}: blank in {table_name}")
    return chosen.reset_index(drop=True)


def _shape_name(candidate: str) -> str:
    """The name of the shape that a public name or a config.json stands for."""
    try:
        return lookup.resolve(candidate).name
    except InputError as error:
        raise InputError(f"candidates: {error}") from None
