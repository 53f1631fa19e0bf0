"""Scores of the contest: means with 90 % intervals over models, and paired differences.

Intervals resample the models that were left out, the same for every entry, so differences are paired; a pair of shapes
counts as often as both its models were drawn. Regret is resampled by scale. W resamples.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling.laws.evidence.contest import Approach, Entry, Part, Way

METRICS = {
    "log_score": "row",
    "crps": "row",
    "coverage50": "row",
    "coverage90": "row",
    "squared_error": "row",
    "decision": "pair",
    "brier": "pair",
    "regret": "scale",
}  # and what each is averaged over

Parts = Mapping[str, Mapping[Way, Sequence[Part]]]  # by table and way of holding out


def tabulate(parts: Parts, entries: Sequence[Entry], n_resamples: int, seed: int) -> pd.DataFrame:
    """A row for each table, way of leaving out (size, model) and entry.

    Each metric with its 90 % interval, and its difference from `against`: the bootstrap of least CRPS there, chosen in
    hindsight. Blank where nothing could be scored.
    """
    rows = []
    for table, by_way in parts.items():
        for way, of_way in by_way.items():
            rows += _tabulate(table, way, of_way, entries, _resample(of_way, n_resamples, np.random.default_rng(seed)))
    return pd.DataFrame(rows)


def _tabulate(
    table: str, way: Way, parts: Sequence[Part], entries: Sequence[Entry], weights: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """The rows of one table and way of leaving out, choosing at random last."""
    rows = []
    values = {entry: _joined(parts, entry) for entry in entries}
    bootstraps = [entry for entry in entries if entry.approach is Approach.BOOTSTRAP]
    against = min(bootstraps, key=lambda entry: np.mean(values[entry]["crps"]))
    for entry, own in values.items():
        n_flagged = sum(bool(part["failures"].get(str(entry))) for part in parts)
        row: dict[str, Any] = {"table": table, "left_out": str(way), "entry": str(entry)}
        row |= {"splits": len(parts), "splits_flagged": n_flagged}
        row |= {"n_rows": weights["row"].shape[1], "n_pairs": weights["pair"].shape[1], "against": str(against)}
        row |= {"n_scales": weights["scale"].shape[1]}
        for metric in METRICS:
            row |= _describe(metric, own, values[against], weights)
        rows.append(row)
    regret = _mean([regret for part in parts for regret in part["random_regret"]])
    at_random = {"table": table, "left_out": str(way), "entry": str(Approach.AT_RANDOM)}
    return [*rows, at_random | {"regret": regret, "decision": 0.5}]


def _joined(parts: Sequence[Part], entry: Entry) -> dict[str, np.ndarray]:
    """An entry's values of every metric over the parts; empty where it has none."""
    return {
        metric: np.concatenate([np.asarray(part["entries"][str(entry)].get(metric, []), float) for part in parts])
        for metric in METRICS
    }


def _resample(parts: Sequence[Part], n_resamples: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """How often each row, pair and scale counts in each resample, [W, ·]; the first is the data themselves."""
    models = sorted({model for part in parts for model in part["model"]})
    index_of = {model: index for index, model in enumerate(models)}
    count_WM = rng.multinomial(len(models), np.full(len(models), 1 / len(models)), size=n_resamples)
    count_WM = np.concatenate([np.ones((1, len(models)), int), count_WM])
    row_R = np.array([index_of[model] for part in parts for model in part["model"]], int)
    pair_P2 = np.array([[index_of[model] for model in pair] for part in parts for pair in part["pair_models"]], int)
    pair_P2 = pair_P2.reshape(-1, 2)
    n_scales = sum(len(part["random_regret"]) for part in parts)
    scale_WS = np.zeros((n_resamples, 0), int)
    if n_scales:
        scale_WS = rng.multinomial(n_scales, np.full(n_scales, 1 / n_scales), size=n_resamples)
    return {
        "row": count_WM[:, row_R],
        "pair": count_WM[:, pair_P2[:, 0]] * count_WM[:, pair_P2[:, 1]],
        "scale": np.concatenate([np.ones((1, n_scales), int), scale_WS]),
    }


def _describe(
    metric: str, own: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], weights: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """The metric and its difference from the other entry's, each with its 90 % interval."""
    described: dict[str, float] = {}
    if not len(own[metric]):
        names = (metric, f"{metric}_difference")
        return {f"{name}{tail}": float("nan") for name in names for tail in ("", "_lo90", "_hi90")}
    for name, values in ((metric, own[metric]), (f"{metric}_difference", own[metric] - other[metric])):
        weight_Wx = weights[METRICS[metric]]
        total_W = weight_Wx.sum(axis=1)
        mean_W = (weight_Wx @ values)[total_W > 0] / total_W[total_W > 0]
        low, high = np.quantile(mean_W, (0.05, 0.95))
        described |= {name: mean_W[0], f"{name}_lo90": low, f"{name}_hi90": high}
    return described


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
