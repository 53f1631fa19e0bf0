"""Fit the latency law to timed shapes: what do a layer, a byte and a FLOP cost here, and how well does that predict?"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from ie_scaling.latency_law.config import LatencyLawConfig
from ie_scaling.running import diagnostic, files, identity, workdir
from ie_scaling.running.diagnostic import Diagnostic, Kind

if TYPE_CHECKING:
    import pandas as pd

    from ie_scaling.inference.draws import DrawSummary
    from ie_scaling.latency_law.goodness import PriorCheck, TimeScore
    from ie_scaling.latency_law.posterior import LatencyPosterior
    from ie_scaling.latency_law.proxy import Proxy
    from ie_scaling.latency_law.timed_rows import TimedRows

LABELS = {"ttft_s": "TTFT", "tpot_s": "TPOT", "e2e_s": "E2E"}
SECONDS_TO_COMPILE, SECONDS_A_THOUSAND_STEPS, OF_ROWS = 10, 45, 90


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(LatencyLawConfig):
    """Fit the latency law to latency tables.

    `tables` is a latency.csv, or several with commas between them, each then a session of its own (or several, by a
    column `session`). `where` is a row filter; of the rows it keeps, those that `holdout` (another, "" for none) is
    true for are only predicted. Filters may use every column, and `n_params_total`, `n_params_non_embedding`,
    `step_bytes`, `step_flops` and `shape_index`
    (shapes numbered in the order met: "shape_index % 4 == 0" holds out every fourth with all of its rows).
    """

    tables: str = "runs/time_decode/latency.csv"
    where: str = ""
    holdout: str = ""
    allow_unfinished: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inputs:
    """The rows to fit, those only to predict (None for none), as tables and as rows, and what is suspicious of them."""

    fitted: pd.DataFrame
    held_out: pd.DataFrame | None
    rows: TimedRows
    held_out_rows: TimedRows | None
    remarks: list[str]


class ProxyReport(TypedDict):
    """The proxy's weights by metric, and its scores by split and metric."""

    weights: dict[str, dict[str, Any] | None]
    metrics: dict[str, dict[str, TimeScore] | None]


class GateReport(TypedDict):
    """The verdict of the convergence gate."""

    passed: bool
    failures: list[str]


class Report(TypedDict):
    """latency_fit.json."""

    form: str
    n_rows: int
    devices: list[dict[str, Any]]
    sessions: tuple[str, ...]
    params: dict[str, dict[str, DrawSummary]]
    metrics: dict[str, dict[str, TimeScore] | None]
    proxy: ProxyReport
    gate: GateReport
    prior_predictive: dict[str, PriorCheck]
    tables_sha256: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class FittedLatency:
    """The posterior, what it predicts of every row, what latency_fit.json says, and the gate as a detail."""

    posterior: LatencyPosterior
    predictions: pd.DataFrame
    fit: Report
    diagnostics: list[Diagnostic]
    details: dict[str, Any]


def inputs_of(config: Config) -> workdir.Inputs:
    """What it reads, by name."""
    from ie_scaling.tables import run_source

    return identity.named("tables", run_source.split_paths(config.tables))


def load(config: Config) -> Inputs:
    """The rows of a configuration, checked.

    Raises:
      InputError: naming field or file, row, column and rule.
    """
    from ie_scaling.errors import InputError
    from ie_scaling.latency_law.posterior import LEAST_ROWS
    from ie_scaling.latency_law.table import read, remarks, split
    from ie_scaling.latency_law.timed_rows import rows_of

    table = read(config.tables, config.where)
    fitted, held_out = split(table, config.holdout)
    rows = rows_of(fitted)
    if len(rows) < LEAST_ROWS:
        raise InputError(f"tables={config.tables!r}: {len(rows)} rows to fit; a latency law needs {LEAST_ROWS}")
    return Inputs(
        fitted=fitted,
        held_out=held_out,
        rows=rows,
        held_out_rows=None if held_out is None else rows_of(held_out, rows.devices, rows.sessions),
        remarks=remarks(table),
    )


def preview(_: Config, loaded: Inputs) -> list[Diagnostic]:
    """What is suspicious of the tables."""
    return diagnostic.each(Kind.TABLE, loaded.remarks)


def compute(config: Config, loaded: Inputs) -> FittedLatency:
    """Fit as configured, and score the law and the proxy on every row."""
    from ie_scaling.latency_law import goodness, proxy
    from ie_scaling.latency_law.config import RooflineForm
    from ie_scaling.latency_law.posterior import fit_rows
    from ie_scaling.running.config import to_plain
    from ie_scaling.running.progress import say
    from ie_scaling.tables import run_source

    for remark in loaded.remarks:
        say(f"warning: {remark}")
    posterior = fit_rows(loaded.rows, config)
    gate_failures = posterior.failures
    posterior = dataclasses.replace(posterior, failures=(*loaded.remarks, *gate_failures))  # for all who read it
    proxies = {metric: proxy.fit(loaded.rows, metric) for metric in ("ttft_s", "tpot_s")}
    splits = {"fit": (loaded.fitted, loaded.rows), "holdout": None}
    if loaded.held_out is not None and loaded.held_out_rows is not None:
        splits["holdout"] = loaded.held_out, loaded.held_out_rows
    table = goodness.predict_table(splits, posterior, proxies, config.seed)
    fit: Report = {
        "form": config.form,
        "n_rows": len(loaded.rows),
        "devices": [dataclasses.asdict(device) for device in posterior.devices],
        "sessions": posterior.sessions,
        "params": posterior.summary(),
        "metrics": {split: goodness.score(table, split) for split in ("fit", "holdout")},
        "proxy": {
            "weights": {metric: None if found is None else _weights(found) for metric, found in proxies.items()},
            "metrics": {split: goodness.score(table, split, "_proxy") for split in ("fit", "holdout")},
        },
        "gate": {"passed": not gate_failures, "failures": list(gate_failures)},
        "prior_predictive": goodness.check_prior(loaded.rows, RooflineForm(config.form), config.seed),
        "tables_sha256": ",".join(files.sha256(Path(path)) for path in run_source.split_paths(config.tables)),
    }
    return FittedLatency(
        posterior=posterior,
        predictions=table,
        fit=fit,
        diagnostics=preview(config, loaded) + diagnostic.each(Kind.CONVERGENCE, gate_failures, "latency law"),
        details={"gate": to_plain(posterior.gate)},
    )


def save(result: FittedLatency, directory: Path) -> None:
    """The posterior, predictions.csv and latency_fit.json."""
    from ie_scaling.latency_law.posterior import FILE_NAME
    from ie_scaling.tables import cells

    result.posterior.save(directory / FILE_NAME)
    cells.write_table(directory / "predictions.csv", result.predictions)
    files.write_json(directory / "latency_fit.json", result.fit)


def figures(result: FittedLatency, directory: Path) -> None:
    """Predicted against measured."""
    from ie_scaling.report import figures, latency_figures

    table = result.predictions
    labels = {metric: label for metric, label in LABELS.items() if table[metric].notna().any()}
    figures.save(
        latency_figures.predicted_against_measured(table, labels), directory / "figures" / "predicted_measured.png"
    )


def show(directory: Path) -> None:
    """The parameters and the errors."""
    print(report(files.read_json(directory / "latency_fit.json")))
    print(f"{directory}: {', '.join(sorted(path.name for path in directory.glob('[a-z]*.*')))}")


def report(fit: dict) -> str:
    """Each device's parameters with their intervals, errors of the law and of the proxy, and the gate, as text."""
    lines = [f"latency law, form {fit['form']}, {fit['n_rows']} rows"]
    for device, params in fit["params"].items():
        lines.append(f"  {device:28} {'median':>11} {'90 % from':>11} {'to':>11}")
        lines += [
            f"    {name:28}" + "".join(f"{entry[key]:11.4g} " for key in ("median", "lo90", "hi90"))
            for name, entry in params.items()
        ]
    lines.append(
        f"  {'':16} {'n':>4} {'law: error':>11} {'in 90 %':>8} {'R² of ln':>9} {'proxy: error':>13} {'R² of ln':>9}"
    )
    for split in ("fit", "holdout"):
        for metric, label in LABELS.items() if fit["metrics"][split] else ():
            law, linear = fit["metrics"][split][metric], fit["proxy"]["metrics"][split][metric]
            if law["n"]:
                lines.append(
                    f"  {split + ' ' + label:16} {law['n']:4d} {_percent(law['median_abs_relative_error']):>11} "
                    f"{_percent(law['coverage90'], 0):>8} {_number(law['r2_log']):>9} "
                    f"{_percent(linear['median_abs_relative_error']):>13} {_number(linear['r2_log']):>9}"
                )
    lines.append(f"  convergence gate: {'passed' if fit['gate']['passed'] else 'FAILED'}")
    lines += [f"    {failure}" for failure in fit["gate"]["failures"]]
    return "\n".join(lines)


def estimate(config: Config, loaded: Inputs) -> str:
    """Rows, those held out, and a rough time."""
    import numpy as np

    from ie_scaling.latency_law import likelihood, sampling

    held_out = "none" if loaded.held_out is None else f"{len(loaded.held_out)} rows"
    nuts = sampling.nuts_of(loaded.rows, config.nuts)
    steps = (nuts.n_warmup + nuts.n_samples) / 1000
    factorized = max(np.sum((np.bincount(likelihood.blocks_of(loaded.rows)) / OF_ROWS) ** 3), 0.3)
    seconds = SECONDS_TO_COMPILE + SECONDS_A_THOUSAND_STEPS * steps * factorized
    return (
        f"{config.tables}: {len(loaded.rows)} rows of {len(loaded.rows.devices)} devices in "
        f"{len(loaded.rows.sessions)} sessions fitted, held out {held_out}\n"
        f"about {seconds:.0f} s on two CPU cores"
    )


def _percent(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:.{digits}%}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _weights(fitted: Proxy) -> dict[str, Any]:
    return {
        "layers_per_byte": fitted.layers_per_byte,
        "layers_per_flop": fitted.layers_per_flop,
        "seconds_per_layer": fitted.seconds_per_layer_K.tolist(),
    }
