"""The latency law of a study: fitted to its sweeps, tested on shapes and workloads that it has not seen."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.latency_study.estimates import PredictionScore
from experiments.latency_study.findings import LABELS
from experiments.latency_study.timings import QUANTILES, Timings
from experiments.latency_study.verdicts import Coverage, Finding, FindingVerdict
from ie_scaling import accounting
from ie_scaling.inference import scoring
from ie_scaling.latency_law import posterior, timed_rows
from ie_scaling.latency_law.config import LatencyLawConfig
from ie_scaling.latency_law.table import add_columns, cases_of
from ie_scaling.running import diagnostic
from ie_scaling.running.config import to_plain
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.tables import cells, shape_table

PREDICTED = ("tpot_s", "ttft_s", "e2e_s")
MOST_TPOT_ERROR = 0.10


def identity(
    config: LatencyLawConfig, fitted: Sequence[Timings], held_out: Timings, seed: int
) -> tuple[dict[str, Any], dict[str, str]]:
    """What decides the result of `run`: a configuration, and the content of what is read."""
    table, requested = _tables(fitted, held_out)
    stored = {"seed": seed, "n_fitted": len(table), "law": to_plain(config)}
    stored |= {"held_out": [case.name for case in cases_of(requested)]}
    timings = pd.concat([table, requested]).to_csv(index=False)
    return stored, {"timings": hashlib.sha256(timings.encode()).hexdigest()}


def run(
    config: LatencyLawConfig, fitted: Sequence[Timings], held_out: Timings, seed: int, directory: Path
) -> list[Diagnostic]:
    """Fit the law and write posterior.nc and predictions.csv, one row for each held-out case and metric.

    A sweep is a session, timed in one go; what is held out was timed among cases that are fitted, so that it shares
    their session.
    """
    table, requested = _tables(fitted, held_out)
    law = posterior.fit(table, config)
    law.save(directory / "posterior.nc")
    rows = timed_rows.rows_of(add_columns(requested), law.devices, law.sessions)
    kind, sessions = str(table["device_kind"].iloc[0]), list(requested["session"])
    drawn = law.predict(rows.cases, kind, seed, sessions=sessions, speeds=rows.speed_2R)
    predictions = compare(held_out, {metric: getattr(drawn, f"{metric}_WA") for metric in PREDICTED})
    cells.write_table(directory / "predictions.csv", predictions)
    return diagnostic.each(Kind.CONVERGENCE, law.failures, "law") + diagnose(predictions)


def _tables(fitted: Sequence[Timings], held_out: Timings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows that the law is fitted to, and those that it predicts."""
    table = pd.concat([timings.table for timings in fitted], ignore_index=True)
    return table.assign(session=table["sweep"]), held_out.table.assign(session=held_out.table["sweep"])


def compare(held_out: Timings, draws_WA: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Measured medians beside predicted ones with their 90 % intervals: a row for each case and metric, in seconds.

    `error` is predicted over measured, less one.
    """
    size_A = [accounting.count_parameters(a) for a in shape_table.architectures_of(held_out.table)]
    about = held_out.table[["architecture", "batch", "prompt_tokens", "new_tokens"]].assign(n_params_total=size_A)
    parts = []
    for metric, metric_WA in draws_WA.items():
        measured_A = held_out.values(metric)
        measured_lo_A, measured_hi_A = held_out.interval(metric)
        lo_A, predicted_A, hi_A = np.quantile(metric_WA, (QUANTILES[0], 0.5, QUANTILES[1]), axis=0)
        parts.append(
            about.assign(
                metric=metric,
                measured=measured_A,
                measured_lo90=measured_lo_A,
                measured_hi90=measured_hi_A,
                predicted=predicted_A,
                lo90=lo_A,
                hi90=hi_A,
                inside=(lo_A <= measured_A) & (measured_A <= hi_A),
                error=predicted_A / measured_A - 1,
            )
        )
    return pd.concat(parts, ignore_index=True)


def judge(predictions: pd.DataFrame, n_resamples: int, seed: int) -> list[Finding]:
    """For each metric: coverage of the 90 % intervals and the median error, in all and by halves of size."""
    findings = []
    for metric in PREDICTED:
        rows = predictions[predictions["metric"] == metric].sort_values("n_params_total", kind="stable")
        half = len(rows) // 2
        scores = {"all": PredictionScore.of(rows, n_resamples, seed)}
        short = f"{LABELS[metric]} of {len(rows)} held-out shapes and workloads: {scores['all'].show()}"
        statement = f"{short}."
        for name, part in (("smaller", rows.iloc[:half]), ("larger", rows.iloc[half:])):
            if len(rows) > 1:
                scores[name] = PredictionScore.of(part, n_resamples, seed)
                span = " to ".join(f"{part['n_params_total'].iloc[end] / 1e6:.3g}M" for end in (0, -1))
                statement += f" The {name} half, {span} parameters: {scores[name].show()}."
        verdict = FindingVerdict.NOT_AS_WANTED if diagnose(rows) else FindingVerdict.AS_WANTED
        findings.append(Finding("held_out", "law", metric, verdict, short, statement, Coverage(scores)))
    return findings


def diagnose(predictions: pd.DataFrame) -> list[Diagnostic]:
    """Each metric whose 90 % intervals cover too little or too much, and too large an error of TPOT."""
    messages = []
    for metric, rows in predictions.groupby("metric", sort=False):
        share, error = rows["inside"].mean(), rows["error"].abs().median()
        about = f"of {LABELS[str(metric)]} on {len(rows)} held-out cases"
        if not scoring.COVERAGE_90[0] <= share <= scoring.COVERAGE_90[1]:
            wanted = " to ".join(f"{bound:.0%}" for bound in scoring.COVERAGE_90)
            messages.append(f"coverage of 90 % intervals {about} is {share:.0%}, not {wanted}")
        if metric == "tpot_s" and error > MOST_TPOT_ERROR:
            messages.append(f"median absolute error {about} is {error:.1%}, not at most {MOST_TPOT_ERROR:.0%}")
    return diagnostic.each(Kind.CERTIFICATE, messages, "law")
