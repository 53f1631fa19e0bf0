"""A fit with all that was asked for, what fit.json says of it, and the text of that for a person."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import pandas as pd

from ie_scaling.inference.draws import DrawSummary, Origin
from ie_scaling.laws import reading
from ie_scaling.laws.bayes import quantities
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.choices import FitMethod, Status
from ie_scaling.laws.evidence import goodness
from ie_scaling.laws.least_squares import LeastSquaresFit
from ie_scaling.laws.observations import Observations
from ie_scaling.running import diagnostic, files
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.tables import run_source

if TYPE_CHECKING:
    from ie_scaling.laws.evidence.certificate import ShortCertificate

Metrics = dict[str, dict[str, Any] | None]  # of the rows fitted, held out (None without any) and all


class Judgment(TypedDict):
    """Whether something passed, and why not."""

    passed: bool
    failures: list[str]


class CertificateRecord(Judgment):
    """The verdict of a short certificate, what it could have noticed in one line, and what it notes besides."""

    noticeable: str
    notes: list[str]


class FitRecord(TypedDict):
    """fit.json: `params` are least squares' but under method bayes, `intervals` those of `intervals_from`'s draws.

    `status` is how least squares ended, or whether the draws converged; `gate` and `certificate` are of a posterior.
    """

    law: str
    tie: str
    count: str
    method: str
    params: dict[str, float]
    objective: float | None
    grad_norm: float | None
    status: Status
    reasons: list[str]
    n_rows: int
    n_rows_in_table: int
    warnings: list[str]
    remarks: list[str]
    metrics: Metrics
    metrics_least_squares: Metrics | None
    intervals: dict[str, DrawSummary] | None
    intervals_from: Origin | None
    gate: Judgment | None
    certificate: CertificateRecord | None
    reference: dict[str, float]
    n_starts: int
    n_agreeing: int
    runs_sha256: str
    quantities: dict[str, dict[str, Any]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fitted:
    """A law fitted: by least squares always, with a bootstrap and a posterior where they are configured."""

    split: reading.PosedSplit
    question: quantities.Question
    method: FitMethod
    least_squares: LeastSquaresFit
    bootstrap: Posterior | None
    posterior: Posterior | None
    certificate: ShortCertificate | None

    @property
    def point(self) -> LeastSquaresFit | None:
        """The fit by least squares; None where it is no more than the start of a posterior."""
        return None if self.method is FitMethod.BAYES else self.least_squares

    @property
    def draws(self) -> Posterior | None:
        """Those that intervals are of: the posterior's, else the bootstrap's."""
        return self.bootstrap if self.posterior is None else self.posterior

    @property
    def failures(self) -> list[Diagnostic]:
        """What failed of the fit itself."""
        from ie_scaling.laws import reading

        failures = self.point.diagnose() if self.point is not None else []
        if self.posterior is not None:
            failures += diagnostic.each(Kind.CONVERGENCE, self.posterior.failures, f"bayes {self.posterior.law.name}")
        if self.certificate is not None:
            failures += self.certificate.diagnostics
        return failures + reading.mixed_losses(self.split.problem.rows)


def summarize(fitted: Fitted, table: pd.DataFrame) -> FitRecord:
    """fit.json."""

    start, point, draws, failures = fitted.least_squares, fitted.point, fitted.draws, fitted.failures
    rows, law = fitted.split.problem.rows, fitted.split.problem.law
    intervals = None if draws is None else draws.summary()
    if point is not None:
        params, status, reasons = point.derived, point.status, list(point.reasons)
    else:
        params = {name: entry["mean"] for name, entry in (intervals or {}).items()}
        status, reasons = Status.FAILED_GATE if failures else Status.CONVERGED, diagnostic.lines(failures)
    return {
        "law": law.name,
        "tie": law.tie,
        "count": law.count,
        "method": fitted.method,
        "params": params,
        "objective": None if point is None else point.objective,
        "grad_norm": None if point is None else point.grad_norm,
        "status": status,
        "reasons": reasons,
        "n_rows": len(rows),
        "n_rows_in_table": fitted.split.n_in_table,
        "warnings": fitted.split.warnings,
        "remarks": remarks(rows),
        "metrics": goodness.score(table, "prediction"),
        "metrics_least_squares": None if point is None else goodness.score(table, "least_squares"),
        "intervals": intervals,
        "intervals_from": None if draws is None else draws.method,
        "gate": None if fitted.posterior is None else _gate(fitted.posterior),
        "certificate": None if fitted.certificate is None else fitted.certificate.verdict,
        "reference": dataclasses.asdict(start.reference),
        "n_starts": start.n_starts,
        "n_agreeing": start.n_agreeing,
        "runs_sha256": ",".join(files.sha256(Path(path)) for path in run_source.split_paths(rows.name)),
        "quantities": goodness.describe_quantities(fitted.question, point, draws),
    }


def remarks(rows: Observations) -> list[str]:
    """What was assumed of the rows, and which quantities they do not allow for."""
    if not np.isnan(rows.features.n_total).any():
        return list(rows.remarks)
    left_out = "n_params_total is unknown, so compute-optimal sizes (C = 6·N_total·D) are left out"
    return [*rows.remarks, f"{rows.name}: {left_out}"]


def _gate(posterior: Posterior) -> Judgment:
    return {"passed": not posterior.failures, "failures": list(posterior.failures)}


def to_text(record: FitRecord) -> str:
    """Parameters with their intervals, quantities, metrics and verdicts."""
    law = f"law {record['law']} (tie {record['tie']}, N {record['count']})"
    lines = [
        f"{law}, {record['n_rows']} rows, method {record['method']}",
        *_parameters(record),
        *_quantities(record),
        *_metrics(record["metrics"]),
    ]
    if record["objective"] is not None:
        minimum = f"objective {record['objective']:.9g}, gradient {record['grad_norm']:.1e}"
        lines.append(f"  least squares: {record['status']}, {minimum}")
        lines += [f"    {reason}" for reason in record["reasons"]]
    lines += _verdict("short certificate", record["certificate"])
    lines += [f"    {line}" for line in besides(record["certificate"])]
    lines += _verdict("convergence gate", record["gate"])
    lines += [f"  {remark}" for remark in record.get("remarks", [])]
    return "\n".join(lines)


def _parameters(record: FitRecord) -> Iterator[str]:
    """A heading and a line for each parameter: its point estimate, and the interval where there is one."""
    params, intervals = record["params"], record["intervals"] or {}
    source = "posterior mean" if record["method"] == FitMethod.BAYES else "least squares"
    yield f"  {'parameter':12} {source:>15}" + f" {'mean':>12} {'90 % from':>12} {'to':>12}" * bool(intervals)
    for name in [*params, *(name for name in intervals if name not in params)]:
        line = f"  {name:12} " + (f"{params[name]:15.6g}" if name in params else " " * 15)
        if name in intervals:
            line += "".join(f" {intervals[name][key]:12.6g}" for key in ("mean", "lo90", "hi90"))
        yield line


def _quantities(record: FitRecord) -> Iterator[str]:
    """What the law implies: a line for least squares and a line for the draws, never a point of one in the other's."""
    for name, entry in (record["quantities"] or {}).items():
        yield f"  {name} ({quantities.meaning(name)})"
        if entry["estimate"] is not None:
            yield f"    least squares   {entry['estimate']:.6g}"
        if "mean" in entry:
            drawn = "bootstrap" if record["intervals_from"] == Origin.BOOTSTRAP else "posterior"
            interval = f"90 % {entry['lo90']:.6g} to {entry['hi90']:.6g}"
            yield f"    {drawn} median {entry['median']:.6g} ({interval})"
        if "note" in entry:
            yield f"    {entry['note']}"


def _metrics(metrics: Metrics) -> Iterator[str]:
    for split, values in metrics.items():
        if values is not None and (split != "all" or metrics["holdout"] is not None):
            shown = (f"{key} {value:.5g}" for key, value in values.items() if value is not None)
            yield f"  {split:8} {', '.join(shown)}"


def besides(certificate: CertificateRecord | None) -> list[str]:
    """What a certificate could have noticed, and its notes; earlier versions wrote neither."""
    if certificate is None:
        return []
    line = certificate.get("noticeable")
    return [*([line] if line else []), *certificate.get("notes", [])]


def _verdict(name: str, verdict: Judgment | None) -> list[str]:
    if verdict is None:
        return []
    heading = f"  {name}: {'passed' if verdict['passed'] else 'FAILED'}"
    return [heading, *(f"    {failure}" for failure in verdict["failures"])]
