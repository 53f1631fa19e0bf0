"""One latency fit from latency tables to a fit directory: posterior, predictions, the proxy beside it, diagnostics."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ie_scaling.latency_law import formula as law_model
from ie_scaling.latency_law import posterior as latency_law
from ie_scaling.latency_law import proxy as law_proxy
from ie_scaling.latency_law import table as law_table
from ie_scaling.latency_law.config import FitLatencyConfig
from ie_scaling.latency_law.posterior import LatencyPosterior
from ie_scaling.latency_law.proxy import Proxy
from ie_scaling.latency_law.table import Rows
from ie_scaling.running import config as config_lib
from ie_scaling.running import files, identity, workdir
from ie_scaling.running.progress import say
from ie_scaling.tables import cells, run_table

TIMES = ("ttft_s", "tpot_s", "e2e_s")
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


def inputs_of(config: FitLatencyConfig) -> workdir.Inputs:
    """What it reads, by name."""
    return identity.named("tables", run_table.split_paths(config.tables))


def run(config: FitLatencyConfig, directory: Path) -> list[str]:
    """Fit as configured and write latency_fit.json, predictions.csv, the posterior, diagnostics.json; returns failures.

    A directory that already holds this very fit is read, not refitted.

    Raises:
      ValueError: bad input, before anything is written.
    """
    resolved = {"experiment": "fit_latency"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, resolved, inputs=inputs_of(config)):
        inputs = load(config)
        with workdir.opened(directory, resolved, inputs=inputs_of(config)):
            _write(config, inputs, directory)
    return files.read_json(directory / "diagnostics.json")["failures"]


def load(config: FitLatencyConfig) -> Inputs:
    """The rows of a configuration, checked.

    Raises:
      ValueError: naming field or file, row, column and rule.
    """
    table = law_table.read(config.tables, config.where)
    fitted, held = law_table.split(table, config.holdout)
    rows = law_table.rows_of(fitted)
    if len(rows) < latency_law.LEAST_ROWS:
        raise ValueError(
            f"tables={config.tables!r}: {len(rows)} rows to fit; a latency law needs {latency_law.LEAST_ROWS}"
        )
    held_rows = None if held is None else law_table.rows_of(held, rows.devices, rows.sessions)
    return Inputs(fitted=fitted, held=held, rows=rows, held_rows=held_rows, remarks=law_table.remarks(table))


def _write(config: FitLatencyConfig, inputs: Inputs, directory: Path) -> None:
    """Fit and write everything but DONE."""
    for remark in inputs.remarks:
        say(f"warning: {remark}")
    posterior, gate = latency_law.fit_rows(inputs.rows, config)
    posterior = dataclasses.replace(posterior, failures=(*inputs.remarks, *posterior.failures))  # for all who read it
    posterior.save(directory / latency_law.FILE_NAME)
    proxies = {metric: law_proxy.fit(inputs.rows, metric) for metric in ("ttft_s", "tpot_s")}
    table = predict_table(inputs, posterior, proxies, config.seed)
    cells.write_table(directory / "predictions.csv", table)
    failures = [*inputs.remarks, *(f"latency law: {failure}" for failure in gate.failures)]
    files.write_json(directory / "diagnostics.json", {"failures": failures, "gate": config_lib.to_plain(gate)})
    fit: dict[str, Any] = {
        "form": config.form,
        "n_rows": len(inputs.rows),
        "devices": [dataclasses.asdict(device) for device in posterior.devices],
        "sessions": posterior.sessions,
        "params": posterior.summary(),
        "metrics": {split: score(table, split) for split in ("fit", "holdout")},
        "proxy": {
            "weights": {metric: None if proxy is None else _weights(proxy) for metric, proxy in proxies.items()},
            "metrics": {split: score(table, split, "_proxy") for split in ("fit", "holdout")},
        },
        "gate": {"passed": gate.passed, "failures": list(gate.failures)},
        "prior_predictive": check_prior(inputs.rows, config),
        "tables_sha256": ",".join(files.sha256(Path(path)) for path in run_table.split_paths(config.tables)),
    }
    files.write_json(directory / "latency_fit.json", fit)


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


def _weights(proxy: Proxy) -> dict[str, Any]:
    return {
        "layers_per_byte": proxy.layers_per_byte,
        "layers_per_flop": proxy.layers_per_flop,
        "seconds_per_layer": proxy.seconds_per_layer_K.tolist(),
    }
