"""The candidate to train under a latency bound: candidates with their latency, their table, and the first choice."""

import dataclasses
import math
import reprlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.latency_law import posterior as latency_law
from ie_scaling.latency_law import predict
from ie_scaling.latency_law.config import RequestConfig
from ie_scaling.latency_law.posterior import LatencyPosterior
from ie_scaling.laws.bayes import posterior as posterior_lib
from ie_scaling.running import diagnostic
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.search import decision, ranked
from ie_scaling.search import regret as regret_lib
from ie_scaling.search.belief import Belief
from ie_scaling.search.candidate_latency import Bound, Latency, MeasuredLatency, PredictedLatency
from ie_scaling.search.config import GridConfig, SelectConfig
from ie_scaling.search.space import Space
from ie_scaling.shapes import lookup
from ie_scaling.tables import filters, latency_checks, latency_spread, latency_table, shape_table

# Candidates × draws, and candidates × candidates: an array of them is 160 MB, and some ten are held at once.
MOST_CELLS = 20_000_000


@dataclasses.dataclass(frozen=True)
class Candidates:
    """Shapes, how fast each is, whether that was `timed` or `predicted`, and what there is to say against it."""

    space: Space
    latency: Latency
    source: str
    diagnostics: list[Diagnostic]

    @property
    def architectures(self) -> list[Architecture]:
        """The shapes."""
        return self.space.architectures


def candidates_of(config: SelectConfig, n_draws: int) -> Candidates:
    """The candidates, whose loss will have n_draws draws, and their latency, of a table or of a law.

    Raises:
      InputError: no such table or law, no candidates, one that the table does not have, or too many.
    """
    return candidates_by(config, n_draws, read_latency(config.latency))


def read_latency(path: str) -> pd.DataFrame | LatencyPosterior:
    """The latency law of a directory that `configs/fit_latency.py` wrote, or the rows of a latency table.

    Raises:
      InputError: no such law or table.
    """
    return latency_law.load_fit(path) if Path(path).is_dir() else latency_table.read_latency(path)


def candidates_by(config: SelectConfig, n_draws: int, latency: pd.DataFrame | LatencyPosterior) -> Candidates:
    """As `candidates_of`, from the rows of a latency table or from a law; `config.latency` is its name in messages."""
    if isinstance(latency, LatencyPosterior):
        return _predicted(config, n_draws, latency)
    return _timed(config, latency)


def _timed(config: SelectConfig, rows: pd.DataFrame) -> Candidates:
    unused = {"grid": config.grid != GridConfig(), "request": config.request != RequestConfig()}
    for field, is_given in unused.items():
        if is_given:
            raise InputError(
                f"{field}: needs a latency law; latency={config.latency!r} is no directory of configs/fit_latency.py"
            )
    table, metric = _timed_rows(config, rows), config.latency_metric
    remarks = latency_checks.remarks(table.set_index("table_row"), config.latency)
    remarks += latency_spread.remarks(table, metric, config.latency)
    found = diagnostic.each(Kind.TABLE, remarks)
    timed = Space.own_sizes(shape_table.architectures_of(table))
    return Candidates(timed, MeasuredLatency.from_table(table, metric), "timed", found)


def _predicted(config: SelectConfig, n_draws: int, law: LatencyPosterior) -> Candidates:
    if config.where:
        raise InputError(f"where={config.where!r}: chooses rows of a table; latency={config.latency!r} is a law")
    every = Space.of(config.candidates, config.grid)
    chosen = every.take(_small_enough(config, every.architectures))
    architectures = chosen.architectures
    n_draws = max(n_draws, law.n_draws)
    if len(architectures) > (most := min(MOST_CELLS // n_draws, math.isqrt(MOST_CELLS))):
        raise InputError(f"grid: has {len(architectures):,} shapes, more than {most:,} at {n_draws:,} draws; narrow it")
    kind, cases = predict.resolve(config.request, architectures, law)
    predicted = getattr(law.predict(cases, kind, config.seed), f"{config.latency_metric}_WA")
    if np.isnan(predicted).any():
        raise InputError(f"latency_metric={config.latency_metric!r}: there is none of one new token")
    found = predict.diagnose(law, cases, kind)
    return Candidates(chosen, PredictedLatency(predicted), "predicted", found)


def _small_enough(config: SelectConfig, architectures: list[Architecture]) -> np.ndarray:
    """Whether each has at most max_params parameters.

    Raises:
      InputError: none has.
    """
    n_params_A = np.array([accounting.count_parameters(a) for a in architectures])
    most = np.inf if config.max_params is None else config.max_params
    if n_params_A.min() > most:
        raise InputError(f"max_params={most:g}: the smallest candidate has {n_params_A.min():,}")
    return n_params_A <= most


def _timed_rows(config: SelectConfig, rows: pd.DataFrame) -> pd.DataFrame:
    """One latency row for each candidate, in the order of the candidates (or of the table).

    Raises:
      InputError: a candidate that was not timed, or one timed under several workloads.
    """
    table = filters.filter_rows(rows.assign(table_row=range(len(rows))), config.where, config.latency)
    twice = table.duplicated("architecture")
    if twice.any():
        name = table.loc[twice, "architecture"].iloc[0]
        raise InputError(f"latency={config.latency!r}: {name} stands there under several workloads; choose with where")
    table = table.set_index("architecture", drop=False)
    names = [candidate if candidate in table.index else _shape_name(candidate) for candidate in config.candidates]
    for candidate, name in zip(config.candidates, names, strict=True):
        if name not in table.index:
            raise InputError(
                f"candidates={reprlib.repr(candidate)}: not timed in {config.latency}; it has {', '.join(table.index)}"
            )
    chosen = table.loc[list(dict.fromkeys(names))] if names else table
    chosen = chosen[_small_enough(config, shape_table.architectures_of(chosen))]
    if chosen[config.latency_metric].isna().any():
        raise InputError(f"latency_metric={config.latency_metric!r}: blank in {config.latency}")
    return chosen.reset_index(drop=True)


def _shape_name(candidate: str) -> str:
    """The name of the shape that a public name or a config.json stands for."""
    try:
        return lookup.resolve(candidate).name
    except ValueError as error:
        raise InputError(f"candidates: {error}") from None


def select(
    config: SelectConfig,
    posterior: posterior_lib.Posterior,
    candidates: Candidates,
) -> tuple[pd.DataFrame, dict[str, Any], list[Diagnostic]]:
    """The candidate table, what there is to say about its first choice, and what against it.

    Raises:
      InputError: a bound that no candidate meets.
    """
    belief, architectures = Belief((posterior,)), candidates.architectures
    features, names = candidates.space.features(config.n_tokens), [a.name for a in architectures]
    identities, every_W = belief.identify(architectures), np.arange(belief.n_draws)
    losses_of = belief.losses(features, config.level, config.seed, identities)
    log_loss_WA, mean_WA = np.log(losses_of(every_W)), losses_of.means(every_W)
    bound = Bound(config.max_latency_s, config.max_latency_ratio)
    decided = decision.decide(
        log_loss_WA,
        candidates.latency,
        bound=bound,
        min_p_feasible=config.min_p_feasible,
        top_k=config.top_k,
        seed=config.seed,
        mean_WA=mean_WA,
    )
    table = pd.concat([shape_table.architecture_table(architectures, config.n_tokens), decided], axis=1).assign(
        size_difference=candidates.space.size_difference_A,
        fitted_models=[ranked.say_models(identity) for identity in identities],
    )
    chosen = int(table.index[table["recommended"]][0])
    second: dict[str, Any] | None = decision.runner_up(decided, log_loss_WA, mean_WA)
    if second is not None:
        second = {"architecture": names[second.pop("index")]} | second
    bound_s = bound.in_seconds(candidates.latency)
    numbers = ("loss_mean", "loss_lo90", "loss_hi90", "p_best", "expected_regret", "expected_regret_se")
    found = ranked.diagnose(belief, candidates.space, features) + candidates.diagnostics
    selection = {
        "recommended": names[chosen],
        **{name: float(np.nan_to_num(table.at[chosen, name])) for name in numbers},
        "n_feasible": int(decided["expected_regret"].notna().sum()),
        "n_candidates": len(table),
        "law": posterior.law.name,
        "level": config.level,
        "latency_metric": config.latency_metric,
        "latency_source": candidates.source,
        "latency_bound_s": bound_s if np.isfinite(bound_s) else None,
        "runner_up": second,
        "ties": regret_lib.say_ties(names, chosen, decided["tied"].to_numpy(bool), mean_WA, "fastest"),
        "sizes": candidates.space.describe_grid(),
        "failures": diagnostic.lines(found),
    }
    return table, selection, found


def describe(selection: dict[str, Any]) -> str:
    """The recommendation in a sentence or two."""
    bound_s, second = selection["latency_bound_s"], selection["runner_up"]
    within = ""
    if bound_s is not None:
        within = f" within {selection['latency_source']} {selection['latency_metric']} ≤ {1e3 * bound_s:.3g} ms"
    text = (
        f"Train {selection['recommended']}{within}: predicted loss {selection['loss_mean']:.3f} "
        f"(90 % interval {selection['loss_lo90']:.3f} to {selection['loss_hi90']:.3f}) nats/token, "
        f"P(best of {selection['n_feasible']} feasible) = {selection['p_best']:.2f}, "
        f"expected regret {selection['expected_regret']:.4f} ± {selection['expected_regret_se']:.1g} nats (Monte Carlo "
        f"error) under law {selection['law']} ({selection['level']})."
    )
    text = " ".join([text, *selection["ties"]])
    if second is not None:
        text += (
            f" The runner-up {second['architecture']} would cost {second['extra_loss_mean']:+.4f} nats "
            f"({second['extra_loss_lo90']:+.4f} to {second['extra_loss_hi90']:+.4f}) at "
            f"{second['latency_ratio']:.2f} × the latency; it is the better one with probability "
            f"{second['p_better_than_recommended']:.2f}."
        )
    return f"{text} {selection['sizes']}".rstrip()
