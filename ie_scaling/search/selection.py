"""From a fit directory and a latency table to candidates.csv and selection.json."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling import accounting, files, records, workdir
from ie_scaling import config as config_lib
from ie_scaling.architecture import Architecture
from ie_scaling.laws import posterior as posterior_lib
from ie_scaling.laws.observations import features_of
from ie_scaling.search import decision
from ie_scaling.search.config import SelectConfig


def run(config: SelectConfig, directory: Path) -> list[str]:
    """Rank the candidates, recommend one, and write candidates.csv and selection.json; returns failed diagnostics.

    Raises:
      ValueError: a file that is absent or of the wrong kind, no candidates, or a bound that none of them meets;
        before anything is written.
    """
    resolved = {"experiment": "select"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, resolved):
        posterior = posterior_lib.load_fit(config.fit)
        latency = candidate_rows(config)
        architectures = records.architectures_of(latency)
        table, selection = select(config, posterior, architectures, latency)
        with workdir.opened(directory, resolved):
            records.write_table(directory / "candidates.csv", table)
            files.write_json(directory / "selection.json", selection)
    return files.read_json(directory / "selection.json")["failures"]


def candidate_rows(config: SelectConfig) -> pd.DataFrame:
    """One latency row for each candidate, in the order of the candidates (or of the table).

    Raises:
      ValueError: a candidate that was not timed, or one timed under several workloads.
    """
    table = records.filter_rows(records.read_latency(config.latency), config.where, config.latency)
    twice = table.duplicated("architecture")
    if twice.any():
        name = table.loc[twice, "architecture"].iloc[0]
        raise ValueError(f"latency={config.latency!r}: {name} stands there under several workloads; choose with where")
    table = table.set_index("architecture", drop=False)
    for name in config.candidates:
        if name not in table.index:
            raise ValueError(f"candidates={name!r}: not timed in {config.latency}; it has {', '.join(table.index)}")
    chosen = table.loc[list(config.candidates)] if config.candidates else table
    if config.max_params is not None:
        n_params = [accounting.count_parameters(a) for a in records.architectures_of(chosen)]
        chosen = chosen[np.array(n_params) <= config.max_params]
        if chosen.empty:
            raise ValueError(f"max_params={config.max_params:g}: the smallest candidate has {min(n_params):,}")
    if chosen[config.latency_metric].isna().any():
        raise ValueError(f"latency_metric={config.latency_metric!r}: blank in {config.latency}")
    return chosen.reset_index(drop=True)


def select(
    config: SelectConfig,
    posterior: posterior_lib.Posterior,
    architectures: list[Architecture],
    latency: pd.DataFrame,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The candidate table, and what there is to say about its first choice; `latency` has a row per architecture."""
    features = features_of(architectures, config.n_tokens)
    names = [a.name for a in architectures]
    log_loss_WA = posterior.log_losses(features, config.level, config.seed, model_ids=names)
    measured = decision.Latency.from_table(latency, config.latency_metric)
    bound_s = bound_of(config, measured)
    decided = decision.decide(
        log_loss_WA,
        measured,
        bound_s=bound_s,
        min_p_feasible=config.min_p_feasible,
        top_k=config.top_k,
        seed=config.seed,
    )
    table = pd.concat([records.architecture_table(architectures, config.n_tokens), decided], axis=1)
    best = table[table["recommended"]].iloc[0]
    second: dict[str, Any] | None = decision.runner_up(decided, log_loss_WA)
    if second is not None:
        second = {"architecture": names[second.pop("index")]} | second
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
        "latency_bound_s": bound_s if np.isfinite(bound_s) else None,
        "runner_up": second,
        "failures": [f"law {posterior.law.name}: {failure}" for failure in posterior.failures],
    }
    return table, selection


def bound_of(config: SelectConfig, measured: decision.Latency) -> float:
    """The latency bound in seconds; inf where none is set."""
    if config.max_latency_s is not None:
        return config.max_latency_s
    if config.max_latency_ratio is not None:
        return config.max_latency_ratio * float(measured.median_A.min())
    return float("inf")


def describe(selection: dict[str, Any]) -> str:
    """The recommendation in a sentence or two."""
    bound_s, second = selection["latency_bound_s"], selection["runner_up"]
    within = f" within {selection['latency_metric']} ≤ {1e3 * bound_s:.3g} ms" if bound_s is not None else ""
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
