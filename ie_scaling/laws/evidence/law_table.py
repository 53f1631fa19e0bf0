"""The contest of laws as a table and in markdown: errors with their intervals over models, and who has the least."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling.inference import clustered
from ie_scaling.inference.clustered import Values
from ie_scaling.laws.evidence.cross_validation import SKIPPED, Result, name_of
from ie_scaling.laws.evidence.splits import Score
from ie_scaling.laws.observations import Observations
from ie_scaling.running import markdown

TOO_FEW = "too few models to tell"


def to_markdown(table: pd.DataFrame) -> str:
    """For each table its laws, best extrapolation first: mean squared errors in 1e-4 nats² with 90 % intervals."""
    text = (
        "Mean squared error in 1e-4 nats² on models (cross-validation), on sizes and on token budgets (extrapolation)\n"
        "left out, with 90 % intervals over models (Student's t). P(best) is the share of resamples of the models in\n"
        f"which the law has the least; it is not given of fewer than {clustered.MIN_CLUSTERS} models.\n"
    )
    header = ["law", "tie", "N", "parameters"]
    for name in ("cross-validation", "extrapolation by size", "by tokens"):
        header += [name, "P(best)"]
    for name, group in table.groupby("table", sort=False):
        contested = group[group["status"] != SKIPPED]
        lines = [_line(row) for row in contested.sort_values("mse_extrapolation").to_dict("records")]
        counts = f"{group['n_rows'].iloc[0]} rows of {group['n_models'].iloc[0]} models"
        text += f"\n**{name}**, {counts}{_scored(contested.iloc[0])}\n\n{markdown.table([*header, 'status'], lines)}"
        if left_out := names(group[group["status"] == SKIPPED]):
            text += f"\nNot contested, for want of a column: {left_out}.\n"
    if table["sees_budget_minimum"].any():
        text += "\n† reads the smallest loss observed at the very budget that it predicts: out of the contest.\n"
    return text


def names(table: pd.DataFrame) -> str:
    """The laws of a table, each once, with its ways of counting N."""
    counts = table.groupby("law", sort=False)["count"].unique()
    return "; ".join(f"{law} (N {', '.join(own)})" for law, own in counts.items())


def _line(row: Mapping[str, Any]) -> list[Any]:
    """A law's line of the table."""
    line = [row["law"] + "†" * row["sees_budget_minimum"], row["tie"], row["count"], row["n_parameters"]]
    for score in Score:
        low, middle, high = (1e4 * row[f"mse_{score}{tail}"] for tail in ("_lo90", "", "_hi90"))
        interval = f" ({low:.3g} to {high:.3g})" if np.isfinite(low) else ""
        p_best = row[f"p_best_{score}"]
        line += [f"{middle:.3g}{interval}" if np.isfinite(middle) else "–", f"{p_best:.2f}" if p_best >= 0 else "–"]
    return [*line, row["status"]]


def _scored(row: Mapping[str, Any]) -> str:
    """How many models each kind of extrapolation is scored on, and where they are too few to tell laws apart."""
    words = ""
    for score, name in ((Score.EXTRAPOLATION, "size"), (Score.EXTRAPOLATION_TOKENS, "tokens")):
        n_models = int(row[f"n_models_{score}"])
        few = f" ({TOO_FEW})" if 0 < n_models < clustered.MIN_CLUSTERS else ""
        words += f"; by {name} {n_models} models are scored{few}" if n_models else f"; none by {name}"
    return words


def tabulate(
    name: str, table: Observations, results: Sequence[Result], *, baseline: str, n_bootstrap: int, seed: int
) -> pd.DataFrame:
    """A row for each law: its mean squared errors with 90 % intervals, and its paired difference from the baseline.

    Intervals are over models, of the errors as they stand (the laws are not refitted). P(best) is of a bootstrap over
    models, among the laws that have not seen the smallest loss at the budget that they predict; NaN of few models.
    """
    reference = next(result for result in results if name_of(result.law) == baseline)
    sees_K = np.array(["loss_optimal" in result.law.needs for result in results])
    p_best_K = {score: _p_best(table, results, sees_K, score, n_bootstrap, seed) for score in Score}
    rows = []
    for index, result in enumerate(results):
        row: dict[str, Any] = {
            "table": name,
            "law": result.law.name,
            "tie": result.law.tie,
            "count": result.law.count,
            "n_parameters": len(result.law.names),
            "n_rows": len(table),
            "n_models": len(table.model_ids),
        }
        for score in Score:
            row |= _describe(score, result, reference, table.model_R)
            row[f"p_best_{score}"] = p_best_K[score][index]
        row["fold_sd_cross_validation"] = float(result.by_repeat.std(ddof=1)) if len(result.by_repeat) > 1 else np.nan
        row |= {"objective": result.objective, "status": result.status, "reasons": "; ".join(result.reasons)}
        row["sees_budget_minimum"] = bool(sees_K[index])
        rows.append(row)
    return pd.DataFrame(rows)


def _describe(score: Score, result: Result, baseline: Result, model_R: np.ndarray) -> dict[str, float]:
    """A law's mean squared error and its difference from the baseline's, each with its 90 % interval over models."""
    own_R, other_R = (one.squared_error_R[score] for one in (result, baseline))
    described: dict[str, float] = {}
    values = (("mse", own_R, Values.POSITIVE), ("difference", own_R - other_R, Values.ANY))
    for name, value_R, kind in values:
        scored_R = ~np.isnan(value_R)
        mean = clustered.mean(value_R[scored_R], model_R[scored_R], kind)
        tails = {"": mean.value, "_lo90": mean.low, "_hi90": mean.high}
        described |= {f"{name}_{score}{tail}": value for tail, value in tails.items()}
        if name == "mse":
            described[f"n_models_{score}"] = mean.n_clusters
    return described


def _p_best(
    table: Observations, results: Sequence[Result], sees_K: np.ndarray, score: Score, n_bootstrap: int, seed: int
) -> np.ndarray:
    """The share of resamples of the models in which each law has the least error, [K]; NaN of laws out of contest."""
    error_KR = np.array([result.squared_error_R[score] for result in results])
    out_K = sees_K | np.isnan(error_KR).all(axis=1)
    p_best_K = np.full(len(results), np.nan)
    scored_R = ~np.isnan(error_KR[~out_K]).all(axis=0) if not out_K.all() else np.zeros(len(table), bool)
    model_R = np.unique(table.model_R[scored_R], return_inverse=True)[1]
    n_models = int(model_R.max(initial=-1)) + 1
    if n_models < clustered.MIN_CLUSTERS:
        return p_best_K
    counts_WM = np.random.default_rng(seed).multinomial(n_models, np.full(n_models, 1 / n_models), size=n_bootstrap)
    sums_KM = np.array([np.bincount(model_R, error_R[scored_R], n_models) for error_R in error_KR[~out_K]])
    best_W = (sums_KM @ counts_WM.T).argmin(axis=0)
    p_best_K[~out_K] = np.bincount(best_W, minlength=(~out_K).sum()) / n_bootstrap
    return p_best_K
