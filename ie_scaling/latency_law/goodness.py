"""Predictions of a latency law, its proxy and its priors beside measured times, and their scores."""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

import numpy as np
import pandas as pd
from scipy import stats

from ie_scaling.inference.draws import INTERVAL_QUANTILES
from ie_scaling.latency_law import formula
from ie_scaling.latency_law.config import RooflineForm
from ie_scaling.latency_law.posterior import LatencyPosterior
from ie_scaling.latency_law.proxy import Proxy
from ie_scaling.latency_law.timed_rows import TimedRows
from ie_scaling.tables.latency_metric import TIMES

CASE_COLUMNS = (
    "architecture",
    "n_params_total",
    "n_params_non_embedding",
    "shape_index",
    "device_kind",
    "dtype",
    "mode",
)
CASE_COLUMNS += ("batch", "prompt_tokens", "new_tokens", "session")
N_PRIOR_DRAWS = 2000


class TimeScore(TypedDict):
    """How predicted times of one metric compare with measured ones; None where that is not defined."""

    n: int
    median_abs_relative_error: float | None
    r2_log: float | None
    spearman: float | None
    coverage90: NotRequired[float]


class PriorCheck(TypedDict):
    """Of the prior's 90 % intervals of the rows: the median of upper over lower end, and the share of rows inside."""

    median_width_factor: float
    share_inside_90: float


Split = tuple[pd.DataFrame, TimedRows]


def predict_table(
    splits: Mapping[str, Split | None], posterior: LatencyPosterior, proxies: Mapping[str, Proxy | None], seed: int
) -> pd.DataFrame:
    """A row a timed case: TIMES as measured, as predicted for a new measurement (median, 90 %), and by the proxy.

    `splits` has the rows of each split, as a table and as rows; None for none.
    """
    tables = []
    for split, both in splits.items():
        if both is None:
            continue
        frame, rows = both
        names = frame["session"].astype(str).tolist()
        table = frame[list(CASE_COLUMNS)].reset_index(drop=True).assign(split=split)
        intervals = _predict(posterior, rows, names, seed)
        proxy = {
            metric: np.full(len(rows), np.nan) if fitted is None else fitted.predict(rows.features, rows.device_R)
            for metric, fitted in proxies.items()
        }
        steps = frame["new_tokens"].to_numpy(float) - 1
        proxy["e2e_s"] = proxy["ttft_s"] + np.where(steps > 0, steps * proxy["tpot_s"], 0.0)
        for metric in TIMES:
            table[metric] = frame[metric].to_numpy(float)
            table[f"{metric}_predicted"] = intervals[metric]
            table[f"{metric}_lo90"], table[f"{metric}_hi90"] = intervals[f"{metric}_lo90"], intervals[f"{metric}_hi90"]
            table[f"{metric}_proxy"] = proxy[metric]
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _predict(posterior: LatencyPosterior, rows: TimedRows, sessions: list[str], seed: int) -> pd.DataFrame:
    """The intervals of rows of several device kinds, in their order."""
    kinds = np.array([posterior.devices[device].device_kind for device in rows.device_R])
    parts = []
    for kind in dict.fromkeys(kinds):
        own = np.flatnonzero(kinds == kind)
        own_cases, own_sessions = [rows.cases[row] for row in own], [sessions[row] for row in own]
        speeds = rows.speed_2R[:, own]
        predicted = posterior.predict(own_cases, str(kind), seed, sessions=own_sessions, speeds=speeds)
        parts.append(predicted.intervals().set_index(own))
    return pd.concat(parts).sort_index()


def score(table: pd.DataFrame, split: str, tail: str = "_predicted") -> dict[str, TimeScore] | None:
    """For each of TIMES: n, median absolute relative error, R² of the logs, Spearman, coverage; None without rows."""
    rows = table[table["split"] == split]
    if rows.empty:
        return None
    scores = {}
    for metric in TIMES:
        both = rows[rows[metric].notna() & rows[f"{metric}{tail}"].notna()]
        scores[metric] = _score(*(both[name].to_numpy(float) for name in (metric, f"{metric}{tail}")))
        if tail == "_predicted" and len(both):
            inside = both[metric].between(both[f"{metric}_lo90"], both[f"{metric}_hi90"])
            scores[metric]["coverage90"] = float(inside.mean())
    return scores


def _score(measured: np.ndarray, predicted: np.ndarray) -> TimeScore:
    if not len(measured):
        return {"n": 0, "median_abs_relative_error": None, "r2_log": None, "spearman": None}
    logs = np.log(measured)
    total = float(np.sum((logs - logs.mean()) ** 2))
    varies = len(measured) > 2 and min(np.ptp(measured), np.ptp(predicted)) > 0
    return {
        "n": len(measured),
        "median_abs_relative_error": float(np.median(np.abs(predicted / measured - 1))),
        "r2_log": 1 - float(np.sum((np.log(predicted) - logs) ** 2)) / total if total > 0 else None,
        "spearman": float(stats.spearmanr(measured, predicted).statistic) if varies else None,
    }


def check_prior(rows: TimedRows, form: RooflineForm, seed: int) -> dict[str, PriorCheck]:
    """The prior predictive of ttft_s and tpot_s of the rows, without misfit and noise, against what was measured."""
    rng = np.random.default_rng(seed)
    x_PWK = formula.draw_prior(rng, N_PRIOR_DRAWS, len(rows.devices))
    z = formula.free_of(x_PWK[:, :, rows.device_R])
    times = {"ttft_s": np.exp(formula.log_prefill_s(z, rows.features))}
    times["tpot_s"] = np.exp(formula.log_step_s(z, rows.features, form))
    checks: dict[str, PriorCheck] = {}
    for metric, measured_R in (("ttft_s", rows.ttft_s_R), ("tpot_s", rows.tpot_s_R)):
        low_R, high_R = np.quantile(times[metric], INTERVAL_QUANTILES[::2], axis=0)
        is_measured = np.isfinite(measured_R)
        if is_measured.any():
            inside = (low_R <= measured_R) & (measured_R <= high_R)
            checks[metric] = {
                "median_width_factor": float(np.median(high_R / low_R)),
                "share_inside_90": float(inside[is_measured].mean()),
            }
    return checks
