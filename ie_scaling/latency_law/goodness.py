"""How well a latency law, its proxy and its priors say what was timed: predictions beside measurements, and scores."""

import dataclasses

import numpy as np
import pandas as pd
from scipy import stats

from ie_scaling.latency_law import formula as law_model
from ie_scaling.latency_law.config import FitLatencyConfig
from ie_scaling.latency_law.posterior import LatencyPosterior
from ie_scaling.latency_law.proxy import Proxy
from ie_scaling.latency_law.table import Rows
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inputs:
    """The rows to fit, those only to predict (None for none), as tables and as rows, and what is suspicious of them."""

    fitted: pd.DataFrame
    held: pd.DataFrame | None
    rows: Rows
    held_rows: Rows | None
    remarks: list[str] = dataclasses.field(default_factory=list)


def predict_table(
    inputs: Inputs, posterior: LatencyPosterior, proxies: dict[str, Proxy | None], seed: int
) -> pd.DataFrame:
    """A row a timed case: TIMES as measured, as predicted for a new measurement (median, 90 %), and by the proxy."""
    tables = []
    for split, frame, rows in (("fit", inputs.fitted, inputs.rows), ("holdout", inputs.held, inputs.held_rows)):
        if frame is None or rows is None:
            continue
        names = frame["session"].astype(str).tolist()
        table = frame[list(CASE_COLUMNS)].reset_index(drop=True).assign(split=split)
        intervals = _predict(posterior, rows, names, seed)
        proxy = {
            metric: np.full(len(rows), np.nan) if found is None else found.predict(rows.features, rows.device_R)
            for metric, found in proxies.items()
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


def _predict(posterior: LatencyPosterior, rows: Rows, sessions: list[str], seed: int) -> pd.DataFrame:
    """The intervals of rows of several device kinds, in their order."""
    kinds = np.array([posterior.devices[place].device_kind for place in rows.device_R])
    parts = []
    for kind in dict.fromkeys(kinds):
        places = np.flatnonzero(kinds == kind)
        chosen, theirs = [rows.cases[place] for place in places], [sessions[place] for place in places]
        speeds = rows.speed_2R[:, places]
        predicted = posterior.predict(chosen, str(kind), seed, sessions=theirs, speeds=speeds)
        parts.append(predicted.intervals().set_index(places))
    return pd.concat(parts).sort_index()


def score(table: pd.DataFrame, split: str, tail: str = "_predicted") -> dict[str, dict[str, float | int | None]] | None:
    """For each of TIMES: n, median absolute relative error, R² of the logs, Spearman, coverage; None without rows."""
    rows = table[table["split"] == split]
    if rows.empty:
        return None
    scores = {}
    for metric in TIMES:
        known = rows[rows[metric].notna() & rows[f"{metric}{tail}"].notna()]
        measured, predicted = (known[name].to_numpy(float) for name in (metric, f"{metric}{tail}"))
        scores[metric] = {"n": len(known)} | _errors(measured, predicted)
        if tail == "_predicted" and len(known):
            inside = known[metric].between(known[f"{metric}_lo90"], known[f"{metric}_hi90"])
            scores[metric]["coverage90"] = float(inside.mean())
    return scores


def _errors(measured: np.ndarray, predicted: np.ndarray) -> dict[str, float | None]:
    """How far predicted times are from measured ones; None where that is not defined."""
    if not len(measured):
        return dict.fromkeys(("median_abs_relative_error", "r2_log", "spearman"))
    logs = np.log(measured)
    total = float(np.sum((logs - logs.mean()) ** 2))
    varies = len(measured) > 2 and min(np.ptp(measured), np.ptp(predicted)) > 0
    return {
        "median_abs_relative_error": float(np.median(np.abs(predicted / measured - 1))),
        "r2_log": 1 - float(np.sum((np.log(predicted) - logs) ** 2)) / total if total > 0 else None,
        "spearman": float(stats.spearmanr(measured, predicted).statistic) if varies else None,
    }


def check_prior(rows: Rows, config: FitLatencyConfig) -> dict[str, dict[str, float]]:
    """What the priors alone say of the rows: how wide their 90 % intervals are, and the share of rows inside."""
    rng = np.random.default_rng(config.seed)
    x_PWK = law_model.draw_prior(rng, N_PRIOR_DRAWS, len(rows.devices))
    z = law_model.free_of(x_PWK[:, :, rows.device_R])
    times = {"ttft_s": np.exp(law_model.log_prefill_s(z, rows.features))}
    times["tpot_s"] = np.exp(law_model.log_step_s(z, rows.features, config.form))
    checks = {}
    for metric, measured_R in (("ttft_s", rows.ttft_s_R), ("tpot_s", rows.tpot_s_R)):
        low_R, high_R = np.quantile(times[metric], (0.05, 0.95), axis=0)
        known = np.isfinite(measured_R)
        if known.any():
            inside = (low_R <= measured_R) & (measured_R <= high_R)
            checks[metric] = {
                "median_width_factor": float(np.median(high_R / low_R)),
                "share_inside_90": float(inside[known].mean()),
            }
    return checks
