"""fit.json: what a fit directory says of its fit, and the text of it that a person reads."""

from collections.abc import Iterator
from typing import Any, TypedDict

from ie_scaling.inference.draws import DrawSummary, Origin
from ie_scaling.laws.bayes import quantities
from ie_scaling.laws.choices import Method, Status

Metrics = dict[str, dict[str, Any] | None]  # of the rows fitted, held out (None without any) and all


class Verdict(TypedDict):
    """Whether something passed, and why not."""

    passed: bool
    failures: list[str]


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
    gate: Verdict | None
    certificate: Verdict | None
    reference: dict[str, float]
    n_starts: int
    n_agreeing: int
    runs_sha256: str
    quantities: dict[str, dict[str, Any]]


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
    lines += _verdict("convergence gate", record["gate"])
    lines += [f"  {remark}" for remark in record.get("remarks", [])]
    return "\n".join(lines)


def _parameters(record: FitRecord) -> Iterator[str]:
    """A heading and a line for each parameter: its point estimate, and the interval where there is one."""
    params, intervals = record["params"], record["intervals"] or {}
    source = "posterior mean" if record["method"] == Method.BAYES else "least squares"
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


def _verdict(name: str, verdict: Verdict | None) -> list[str]:
    if verdict is None:
        return []
    heading = f"  {name}: {'passed' if verdict['passed'] else 'FAILED'}"
    return [heading, *(f"    {failure}" for failure in verdict["failures"])]
