"""From a fit directory and a latency table or law to candidates.csv and selection.json."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling import accounting, files, identity, workdir
from ie_scaling import config as config_lib
from ie_scaling.architecture import Architecture
from ie_scaling.latency.law import posterior as latency_law
from ie_scaling.latency.law import predict
from ie_scaling.latency.law.config import RequestConfig
from ie_scaling.laws import posterior as posterior_lib
from ie_scaling.laws.observations import features_of
from ie_scaling.search import decision, ranked, space
from ie_scaling.search.candidate_latency import Bound, Latency, MeasuredLatency, PredictedLatency
from ie_scaling.search.config import GridConfig, SelectConfig
from ie_scaling.shapes import lookup
from ie_scaling.tables import cells, filters, latency_table, shape_table

# Candidates × draws, and candidates × candidates: an array of them is 160 MB, and some ten are held at once.
MOST_CELLS = 20_000_000


def inputs_of(config: SelectConfig) -> workdir.Inputs:
    """What it reads, by name."""
    fit, latency = identity.within("fit", config.fit, posterior_lib.FILES), identity.named("latency", [config.latency])
    if Path(config.latency).is_dir():
        latency = identity.within("latency", config.latency, latency_law.FILES)
    return fit | latency | identity.named("candidates", lookup.files_of(config.candidates))


def run(config: SelectConfig, directory: Path) -> list[str]:
    """Rank the candidates, recommend one, and write candidates.csv and selection.json; returns failed diagnostics.

    Raises:
      ValueError: a file that is absent or of the wrong kind, no candidates, or a bound that none of them meets;
        before anything is written.
    """
    resolved = {"experiment": "select"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, resolved, inputs=inputs_of(config)):
        posterior = posterior_lib.load_fit(config.fit)
        table, selection = select(config, posterior, candidates_of(config, posterior.n_draws))
        with workdir.opened(directory, resolved, inputs=inputs_of(config)):
            cells.write_table(directory / "candidates.csv", table)
            files.write_json(directory / "selection.json", selection)
    return files.read_json(directory / "selection.json")["failures"]


@dataclasses.dataclass(frozen=True)
class Candidates:
    """Shapes, how fast each is, whether that was `timed` or `predicted`, and what there is to say against it."""

    architectures: list[Architecture]
    latency: Latency
    source: str
    failures: list[str]


def candidates_of(config: SelectConfig, n_draws: int) -> Candidates:
    """The candidates, whose loss will have n_draws draws, and their latency, of a table or of a law.

    Raises:
      ValueError: no such table or law, no candidates, one that the table does not have, or too many.
    """
    return _predicted(config, n_draws) if Path(config.latency).is_dir() else _timed(config)


def _timed(config: SelectConfig) -> Candidates:
    unused = {"grid": config.grid != GridConfig(), "request": config.request != RequestConfig()}
    for field, is_given in unused.items():
        if is_given:
            raise ValueError(
                f"{field}: needs a latency law; latency={config.latency!r} is no directory of configs/fit_latency.py"
            )
    table = _timed_rows(config)
    return Candidates(
        shape_table.architectures_of(table), MeasuredLatency.from_table(table, config.latency_metric), "timed", []
    )


def _predicted(config: SelectConfig, n_draws: int) -> Candidates:
    if config.where:
        raise ValueError(f"where={config.where!r}: chooses rows of a table; latency={config.latency!r} is a law")
    law = latency_law.load_fit(config.latency)
    every = space.candidates(config.candidates, config.grid)
    architectures = [a for a, is_kept in zip(every, _small_enough(config, every), strict=True) if is_kept]
    n_draws = max(n_draws, law.n_draws)
    if len(architectures) > (most := min(MOST_CELLS // n_draws, math.isqrt(MOST_CELLS))):
        raise ValueError(f"grid: has {len(architectures):,} shapes, more than {most:,} at {n_draws:,} draws; narrow it")
    kind, cases = predict.resolve(config.request, architectures, law)
    predicted = getattr(law.predict(cases, kind, config.seed), f"{config.latency_metric}_WA")
    if np.isnan(predicted).any():
        raise ValueError(f"latency_metric={config.latency_metric!r}: there is none of one new token")
    failures = [f"latency law: {failure}" for failure in law.failures] + predict.far_outside(law, cases, kind)
    return Candidates(architectures, PredictedLatency(predicted), "predicted", failures)


def _small_enough(config: SelectConfig, architectures: list[Architecture]) -> np.ndarray:
    """Whether each has at most max_params parameters.

    Raises:
      ValueError: none has.
    """
    n_params_A = np.array([accounting.count_parameters(a) for a in architectures])
    most = np.inf if config.max_params is None else config.max_params
    if n_params_A.min() > most:
        raise ValueError(f"max_params={most:g}: the smallest candidate has {n_params_A.min():,}")
    return n_params_A <= most


def _timed_rows(config: SelectConfig) -> pd.DataFrame:
    """One latency row for each candidate, in the order of the candidates (or of the table).

    Raises:
      ValueError: a candidate that was not timed, or one timed under several workloads.
    """
    table = filters.filter_rows(latency_table.read_latency(config.latency), config.where, config.latency)
    twice = table.duplicated("architecture")
    if twice.any():
        name = table.loc[twice, "architecture"].iloc[0]
        raise ValueError(f"latency={config.latency!r}: {name} stands there under several workloads; choose with where")
    table = table.set_index("architecture", drop=False)
    for name in config.candidates:
        if name not in table.index:
            raise ValueError(f"candidates={name!r}: not timed in {config.latency}; it has {', '.join(table.index)}")
    chosen = table.loc[list(config.candidates)] if config.candidates else table
    chosen = chosen[_small_enough(config, shape_table.architectures_of(chosen))]
    if chosen[config.latency_metric].isna().any():
        raise ValueError(f"latency_metric={config.latency_metric!r}: blank in {config.latency}")
    return chosen.reset_index(drop=True)


def select(
    config: SelectConfig,
    posterior: posterior_lib.Posterior,
    candidates: Candidates,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The candidate table, and what there is to say about its first choice."""
    architectures = candidates.architectures
    features = features_of(architectures, config.n_tokens)
    names = [a.name for a in architectures]
    log_loss_WA = posterior.log_losses(features, config.level, config.seed, model_ids=names)
    bound = Bound(config.max_latency_s, config.max_latency_ratio)
    decided = decision.decide(
        log_loss_WA,
        candidates.latency,
        bound=bound,
        min_p_feasible=config.min_p_feasible,
        top_k=config.top_k,
        seed=config.seed,
    )
    table = pd.concat([shape_table.architecture_table(architectures, config.n_tokens), decided], axis=1)
    best = table[table["recommended"]].iloc[0]
    second: dict[str, Any] | None = decision.runner_up(decided, log_loss_WA)
    if second is not None:
        second = {"architecture": names[second.pop("index")]} | second
    bound_s = bound.in_seconds(candidates.latency)
    failures = [f"law {posterior.law.name}: {failure}" for failure in posterior.failures]
    selection = {
        "recommended": best["architecture"],
        "loss_mean": float(best["loss_mean"]),
        "loss_lo90": float(best["loss_lo90"]),
        "loss_hi90": float(best["loss_hi90"]),
        "p_best": float(best["p_best"]),
        "expected_regret": float(best["expected_regret"]),
        "n_feasible": int(decided["expected_regret"].notna().sum()),
        "n_candidates": len(table),
        "law": posterior.law.name,
        "level": config.level,
        "latency_metric": config.latency_metric,
        "latency_source": candidates.source,
        "latency_bound_s": bound_s if np.isfinite(bound_s) else None,
        "runner_up": second,
        "failures": failures + ranked.far_outside(posterior, features) + candidates.failures,
    }
    return table, selection


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
        f"expected regret {selection['expected_regret']:.4f} nats under law {selection['law']} ({selection['level']})."
    )
    if second is not None:
        text += (
            f" The runner-up {second['architecture']} would cost {second['extra_loss_mean']:+.4f} nats "
            f"({second['extra_loss_lo90']:+.4f} to {second['extra_loss_hi90']:+.4f}) at "
            f"{second['latency_ratio']:.2f} × the latency; it is the better one with probability "
            f"{second['p_better_than_recommended']:.2f}."
        )
    return text
