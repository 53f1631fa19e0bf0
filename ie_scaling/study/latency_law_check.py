"""The latency law of a study: fitted to its sweeps, tested on shapes and workloads that it has not seen."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from ie_scaling import accounting
from ie_scaling.latency_law import posterior as latency_law
from ie_scaling.latency_law import table as law_table
from ie_scaling.latency_law.config import LatencyLawConfig
from ie_scaling.running import config as config_lib
from ie_scaling.running import diagnostic, workdir
from ie_scaling.running.diagnostic import Kind
from ie_scaling.study.latency_findings import LABELS, LEVEL, Estimate, Finding, percent
from ie_scaling.study.latency_timings import QUANTILES, Timings
from ie_scaling.tables import cells, shape_table

PREDICTED = ("tpot_s", "ttft_s", "e2e_s")
COVERAGE = (0.80, 0.97)
MOST_TPOT_ERROR = 0.10


def run(
    config: LatencyLawConfig,
    fitted: Sequence[Timings],
    held_out: Timings,
    seed: int,
    directory: Path,
) -> list[str]:
    """Fit the law and write posterior.nc and predictions.csv, one row a held-out case and metric; failed diagnostics.

    A sweep is a session, timed in one go; what is held out was timed among cases that are fitted, so that it shares
    their session. What is done is not done again.
    """
    table = pd.concat([timings.table for timings in fitted], ignore_index=True)
    table = table.assign(session=table["sweep"])
    asked = held_out.table.assign(session=held_out.table["sweep"])
    stored = {"experiment": "latency_law", "seed": seed, "n_fitted": len(table), "law": config_lib.to_plain(config)}
    stored |= {"held_out": [case.name for case in law_table.cases_of(asked)]}
    timings = pd.concat([table, asked]).to_csv(index=False)
    inputs = {"timings": hashlib.sha256(timings.encode()).hexdigest()}
    if not workdir.is_done(directory, stored, inputs=inputs):
        with workdir.opened(directory, stored, inputs=inputs):
            posterior = latency_law.fit(table, config)
            posterior.save(directory / "posterior.nc")
            rows = law_table.rows_of(law_table.add_columns(asked), posterior.devices, posterior.sessions)
            kind, sessions = str(table["device_kind"].iloc[0]), list(asked["session"])
            drawn = posterior.predict(rows.cases, kind, seed, sessions=sessions, speeds=rows.speed_2R)
            draws_WA = {metric: getattr(drawn, f"{metric}_WA") for metric in PREDICTED}
            predictions = compare(held_out, draws_WA)
            cells.write_table(directory / "predictions.csv", predictions)
            found = diagnostic.each(Kind.CONVERGENCE, posterior.failures, "law")
            found += diagnostic.each(Kind.CERTIFICATE, misses(predictions))
            diagnostic.write(directory, found)
    return diagnostic.lines(diagnostic.read(directory))


def compare(held_out: Timings, draws_WA: dict[str, np.ndarray]) -> pd.DataFrame:
    """Measured medians beside predicted ones with their 90 % intervals: a row a case and metric, in seconds.

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


@dataclasses.dataclass(frozen=True)
class Score:
    """How some predictions fared: coverage with Wilson's interval, median |error| with a bootstrap one over cases."""

    n_cases: int
    n_inside: int
    coverage: Estimate
    error: Estimate

    @classmethod
    def of(cls, rows: pd.DataFrame, n_resamples: int, seed: int) -> "Score":
        n, inside = len(rows), int(rows["inside"].sum())
        wilson = stats.binomtest(inside, n).proportion_ci(LEVEL, "wilson")
        error_A = rows["error"].abs().to_numpy(float)
        chosen = np.random.default_rng(seed).integers(n, size=(n_resamples, n))
        error = Estimate.of(float(np.median(error_A)), np.median(error_A[chosen], axis=1))
        return cls(n, inside, Estimate(inside / n, float(wilson.low), float(wilson.high)), error)

    def show(self) -> str:
        """Both, with their intervals."""
        cover, error = ([percent(v) for v in (e.value, e.low, e.high)] for e in (self.coverage, self.error))
        return (
            f"{self.n_inside} of {self.n_cases} inside ({cover[0]} % [{cover[1]}, {cover[2]}]), "
            f"median absolute error {error[0]} % [{error[1]}, {error[2]}]"
        )


def judge(predictions: pd.DataFrame, n_resamples: int, seed: int) -> list[Finding]:
    """For each metric: coverage of the 90 % intervals and the median error, in all and by halves of size."""
    found = []
    for metric in PREDICTED:
        rows = predictions[predictions["metric"] == metric].sort_values("n_params_total", kind="stable")
        half = len(rows) // 2
        scores = {"all": Score.of(rows, n_resamples, seed)}
        statement = in_short(metric, scores["all"])
        for name, part in (("smaller", rows.iloc[:half]), ("larger", rows.iloc[half:])):
            if len(rows) > 1:
                scores[name] = Score.of(part, n_resamples, seed)
                span = " to ".join(f"{part['n_params_total'].iloc[end] / 1e6:.3g}M" for end in (0, -1))
                statement += f" The {name} half, {span} parameters: {scores[name].show()}."
        failed = misses(predictions[predictions["metric"] == metric])
        verdict = "as wanted" if not failed else "not as wanted"
        found.append(Finding("held_out", "law", metric, verdict, statement, {"scores": scores}))
    return found


def in_short(metric: str, score: Score) -> str:
    """The first sentence of a statement: coverage and error of all held-out cases."""
    return f"{LABELS[metric]} of {score.n_cases} held-out shapes and workloads: {score.show()}."


def misses(predictions: pd.DataFrame) -> list[str]:
    """A line for each metric whose 90 % intervals cover too little or too much, and for too large an error of TPOT."""
    failures = []
    for metric, rows in predictions.groupby("metric", sort=False):
        share, error = rows["inside"].mean(), rows["error"].abs().median()
        about = f"of {LABELS[str(metric)]} on {len(rows)} held-out cases"
        if not COVERAGE[0] <= share <= COVERAGE[1]:
            wanted = " to ".join(f"{bound:.0%}" for bound in COVERAGE)
            failures.append(f"law: coverage of 90 % intervals {about} is {share:.0%}, not {wanted}")
        if metric == "tpot_s" and error > MOST_TPOT_ERROR:
            failures.append(f"law: median absolute error {about} is {error:.1%}, not at most {MOST_TPOT_ERROR:.0%}")
    return failures
