"""Fit a scaling law to a run table: which law describes these runs, and how sure can one be of its parameters?"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling.laws import fitting
from ie_scaling.laws.bayes import quantities
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.config import FitConfig as Config
from ie_scaling.laws.evidence import checklist, goodness
from ie_scaling.laws.fitting import Fitted, Inputs
from ie_scaling.laws.observations import Observations
from ie_scaling.running import config as config_lib
from ie_scaling.running import diagnostic, files, identity, workdir
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.tables import cells, run_table

SECONDS_LEAST_SQUARES, SECONDS_BAYES, BOOTSTRAPS_A_SECOND = 5, 40, 1000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """A fit with its predictions, what fit.json and fit_report say, and the diagnostics with their details."""

    fitted: Fitted
    predictions: pd.DataFrame
    fit: dict[str, Any]
    report: dict[str, Any]
    diagnostics: list[Diagnostic]
    details: dict[str, Any]


def inputs_of(config: Config) -> workdir.Inputs:
    """What it reads, by name."""
    tables = [config.holdout] if cells.is_table(config.holdout) else []
    return identity.named("runs", run_table.split_paths(config.runs)) | identity.named("holdout", tables)


def load(config: Config) -> Inputs:
    """The law and the rows, checked.

    Raises:
      InputError: one line that names field or file, row, column and rule.
    """
    return fitting.load(config)


def preview(_: Config, loaded: Inputs) -> list[Diagnostic]:
    """What is suspicious in the rows, and losses that cannot be compared."""
    return diagnostic.each(Kind.TABLE, loaded.warnings) + fitting.mixed_losses(loaded.fitted)


def compute(config: Config, loaded: Inputs) -> Result:
    """Fit, predict every row, and report."""
    fitted = fitting.fit(config, loaded)
    point = None if fitted.by_bayes else fitted.least_squares
    splits = {"fit": loaded.fitted, "holdout": loaded.holdout}
    table = goodness.predict_table(splits, point, fitted.draws, config.seed)
    found = goodness.describe_quantities(loaded.law, point, fitted.draws, fitted.question)
    fit = files.finite(summarise(config, fitted, table) | {"quantities": found})
    return Result(
        fitted=fitted,
        predictions=table,
        fit=fit,
        report=checklist.fill(config, loaded.law, loaded.fitted, loaded.holdout, fit),
        diagnostics=diagnose(fitted),
        details=files.finite(_details(fitted)),
    )


def diagnose(fitted: Fitted) -> list[Diagnostic]:
    """What was assumed of the rows, what is suspicious in them, and what failed of their fit."""
    assumed = diagnostic.each(Kind.ASSUMPTION, remarks(fitted.inputs.fitted))
    return assumed + diagnostic.each(Kind.TABLE, fitted.inputs.warnings) + fitted.failures


def save(result: Result, directory: Path) -> None:
    """The draws, predictions.csv, fit.json, fit_report and, of a posterior, certificate.json."""
    fitted = result.fitted
    if fitted.bootstrap is not None:
        fitted.bootstrap.save(directory / "bootstrap.nc")
    if fitted.posterior is not None:
        fitted.posterior.save(directory / "posterior.nc")
    if fitted.certificate is not None:
        files.write_json(directory / "certificate.json", files.finite(fitted.certificate.answer))
    cells.write_table(directory / "predictions.csv", result.predictions)
    files.write_json(directory / "fit_report.json", result.report)
    files.write_text(directory / "fit_report.md", checklist.to_markdown(result.report))
    files.write_json(directory / "fit.json", result.fit)


def figures(result: Result, directory: Path) -> None:
    """Of a posterior: what its priors allow, beside the losses."""
    if result.fitted.certificate is None:
        return
    from ie_scaling.report import figures as draw  # here, so that least squares does not wait for matplotlib
    from ie_scaling.report import law_figures

    checks = files.finite(result.fitted.certificate.answer["prior_predictive"])
    draw.save(law_figures.prior_checks(checks), directory / "figures" / "priors.png")


def show(directory: Path) -> None:
    """The parameters with their intervals, the metrics and the verdicts."""
    print(report(files.read_json(directory / "fit.json")))
    print(f"{directory}: {', '.join(sorted(path.name for path in directory.glob('[a-z]*.*')))}")


def estimate(config: Config, loaded: Inputs) -> str:
    """Rows, law, free parameters and a rough time."""
    held = "none" if loaded.holdout is None else f"{len(loaded.holdout)} rows"
    seconds = (
        SECONDS_LEAST_SQUARES
        + SECONDS_BAYES * (config.method != "least_squares")
        + config.n_bootstrap // BOOTSTRAPS_A_SECOND
    )
    law = loaded.law
    return (
        f"{config.runs}: {len(loaded.fitted)} rows of {len(loaded.fitted.model_ids)} models fitted, held out {held}\n"
        f"law {law.name} (tie {law.tie}, N {law.count}), {len(law.names)} free parameters: {', '.join(law.names)}\n"
        f"about {seconds} s on two CPU cores"
    )


def remarks(rows: Observations) -> list[str]:
    """What was assumed of the rows, and which quantities they do not allow for."""
    if not np.isnan(rows.features.n_total).any():
        return list(rows.remarks)
    left_out = "n_params_total is unknown, so compute-optimal sizes (C = 6·N_total·D) are left out"
    return [*rows.remarks, f"{rows.name}: {left_out}"]


def summarise(config: Config, fitted: Fitted, table: pd.DataFrame) -> dict[str, Any]:
    """fit.json: `params` are least squares' where asked for, else posterior means; `intervals` are of the draws."""
    inputs, point, draws, certified = fitted.inputs, fitted.least_squares, fitted.draws, fitted.certificate
    intervals, by_bayes, failures = None if draws is None else draws.summary(), fitted.by_bayes, fitted.failures
    return {
        "law": inputs.law.name,
        "tie": inputs.law.tie,
        "count": inputs.law.count,
        "method": config.method,
        "params": {name: entry["mean"] for name, entry in intervals.items()}
        if by_bayes and intervals
        else point.derived,
        "objective": None if by_bayes else point.objective,
        "grad_norm": None if by_bayes else point.grad_norm,
        "status": ("converged" if not failures else "failed_gate") if by_bayes else point.status,
        "reasons": diagnostic.lines(failures) if by_bayes else list(point.reasons),
        "n_rows": len(inputs.fitted),
        "n_rows_in_table": inputs.n_in_table,
        "warnings": inputs.warnings,
        "remarks": remarks(inputs.fitted),
        "metrics": goodness.score(table, "prediction"),
        "metrics_least_squares": None if by_bayes else goodness.score(table, "least_squares"),
        "intervals": intervals,
        "intervals_from": None if draws is None else draws.method,
        "gate": None if fitted.posterior is None else _gate(fitted.posterior),
        "certificate": None if certified is None else _passed(certified.answer),
        "reference": dataclasses.asdict(point.reference),
        "n_starts": point.n_starts,
        "n_agreeing": point.n_agreeing,
        "runs_sha256": ",".join(files.sha256(Path(path)) for path in run_table.split_paths(config.runs)),
    }


def _gate(posterior: Posterior) -> dict[str, Any]:
    return {"passed": not posterior.failures, "failures": list(posterior.failures)}


def _passed(certificate: dict[str, Any]) -> dict[str, Any]:
    return {name: certificate[name] for name in ("passed", "failures")}


def _details(fitted: Fitted) -> dict[str, Any]:
    """Status of least squares, and of a posterior the gate in full, seconds and the certificate's verdict."""
    point, posterior = fitted.least_squares, fitted.posterior
    details: dict[str, Any] = {"least_squares": {"status": point.status, "reasons": list(point.reasons)}}
    if posterior is not None:
        gate = {"passed": not posterior.failures, "seconds": posterior.seconds}
        details["bayes"] = gate | config_lib.to_plain(posterior.gate)
    if fitted.certificate is not None:
        details["certificate"] = _passed(fitted.certificate.answer)
    return details


def report(fit: dict) -> str:
    """Parameters with their intervals, metrics and the verdicts, as text."""
    lines = [f"law {fit['law']} (tie {fit['tie']}, N {fit['count']}), {fit['n_rows']} rows, method {fit['method']}"]
    intervals = fit["intervals"] or {}
    lines.append(
        f"  {'parameter':12} {point_heading(fit):>15}" + f" {'mean':>12} {'90 % from':>12} {'to':>12}" * bool(intervals)
    )
    for name in [*fit["params"], *(name for name in intervals if name not in fit["params"])]:
        line = f"  {name:12} " + (f"{fit['params'][name]:15.6g}" if name in fit["params"] else " " * 15)
        if name in intervals:
            line += "".join(f" {intervals[name][key]:12.6g}" for key in ("mean", "lo90", "hi90"))
        lines.append(line)
    lines += quantity_lines(fit)
    for split, metrics in fit["metrics"].items():
        if metrics is not None and (split != "all" or fit["metrics"]["holdout"] is not None):
            shown = (f"{key} {value:.5g}" for key, value in metrics.items() if value is not None)
            lines.append(f"  {split:8} {', '.join(shown)}")
    if fit["objective"] is not None:
        lines.append(
            f"  least squares: {fit['status']}, objective {fit['objective']:.9g}, gradient {fit['grad_norm']:.1e}"
        )
        lines += [f"    {reason}" for reason in fit["reasons"]]
    if fit["certificate"] is not None:
        lines.append(f"  short certificate: {'passed' if fit['certificate']['passed'] else 'FAILED'}")
        lines += [f"    {failure}" for failure in fit["certificate"]["failures"]]
    if fit["gate"] is not None:
        lines.append(f"  convergence gate: {'passed' if fit['gate']['passed'] else 'FAILED'}")
        lines += [f"    {failure}" for failure in fit["gate"]["failures"]]
    lines += [f"  {remark}" for remark in fit.get("remarks", [])]
    return "\n".join(lines)


def point_heading(fit: dict) -> str:
    """Whose point estimates stand in fit.json's `params`."""
    return "posterior mean" if fit["method"] == "bayes" else "least squares"


def quantity_lines(fit: dict) -> list[str]:
    """What the law implies: a line for least squares and a line for the draws, never a point of one in the other's."""
    lines = []
    for name, entry in (fit["quantities"] or {}).items():
        lines.append(f"  {name} ({quantities.meaning(name)})")
        if entry["estimate"] is not None:
            lines.append(f"    least squares   {entry['estimate']:.6g}")
        if "mean" in entry:
            drawn = "bootstrap" if fit["intervals_from"] == "bootstrap" else "posterior"
            interval = f"90 % {entry['lo90']:.6g} to {entry['hi90']:.6g}"
            lines.append(f"    {drawn} median {entry['median']:.6g} ({interval})")
        if "note" in entry:
            lines.append(f"    {entry['note']}")
    return lines
