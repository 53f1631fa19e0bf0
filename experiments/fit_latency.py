"""Fit the latency law to timed shapes: what do a layer, a byte and a FLOP cost here, and how well does that predict?"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling.errors import InputError
from ie_scaling.latency_law import goodness, likelihood, proxy, sampling
from ie_scaling.latency_law import posterior as latency_law
from ie_scaling.latency_law import table as law_table
from ie_scaling.latency_law.config import FitLatencyConfig as Config
from ie_scaling.latency_law.goodness import Inputs
from ie_scaling.latency_law.posterior import LatencyPosterior
from ie_scaling.latency_law.proxy import Proxy
from ie_scaling.running import config as config_lib
from ie_scaling.running import diagnostic, files, identity, workdir
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.running.progress import say
from ie_scaling.tables import cells, run_table

LABELS = {"ttft_s": "TTFT", "tpot_s": "TPOT", "e2e_s": "E2E"}
SECONDS_TO_COMPILE, SECONDS_A_THOUSAND_STEPS, OF_ROWS = 10, 45, 90


@dataclasses.dataclass(frozen=True, kw_only=True)
class LatencyFit:
    """The posterior, what it predicts of every row, what latency_fit.json says, and the gate as a detail."""

    posterior: LatencyPosterior
    predictions: pd.DataFrame
    fit: dict[str, Any]
    diagnostics: list[Diagnostic]
    details: dict[str, Any]


def inputs_of(config: Config) -> workdir.Inputs:
    """What it reads, by name."""
    return identity.named("tables", run_table.split_paths(config.tables))


def load(config: Config) -> Inputs:
    """The rows of a configuration, checked.

    Raises:
      InputError: naming field or file, row, column and rule.
    """
    table = law_table.read(config.tables, config.where)
    fitted, held = law_table.split(table, config.holdout)
    rows = law_table.rows_of(fitted)
    if len(rows) < latency_law.LEAST_ROWS:
        raise InputError(
            f"tables={config.tables!r}: {len(rows)} rows to fit; a latency law needs {latency_law.LEAST_ROWS}"
        )
    held_rows = None if held is None else law_table.rows_of(held, rows.devices, rows.sessions)
    return Inputs(fitted=fitted, held=held, rows=rows, held_rows=held_rows, remarks=law_table.remarks(table))


def preview(_: Config, loaded: Inputs) -> list[Diagnostic]:
    """What is suspicious of the tables."""
    return diagnostic.each(Kind.TABLE, loaded.remarks)


def compute(config: Config, loaded: Inputs) -> LatencyFit:
    """Fit as configured, and score the law and the proxy on every row."""
    for remark in loaded.remarks:
        say(f"warning: {remark}")
    posterior, gate = latency_law.fit_rows(loaded.rows, config)
    posterior = dataclasses.replace(posterior, failures=(*loaded.remarks, *posterior.failures))  # for all who read it
    proxies = {metric: proxy.fit(loaded.rows, metric) for metric in ("ttft_s", "tpot_s")}
    table = goodness.predict_table(loaded, posterior, proxies, config.seed)
    fit = {
        "form": config.form,
        "n_rows": len(loaded.rows),
        "devices": [dataclasses.asdict(device) for device in posterior.devices],
        "sessions": posterior.sessions,
        "params": posterior.summary(),
        "metrics": {split: goodness.score(table, split) for split in ("fit", "holdout")},
        "proxy": {
            "weights": {metric: None if each is None else _weights(each) for metric, each in proxies.items()},
            "metrics": {split: goodness.score(table, split, "_proxy") for split in ("fit", "holdout")},
        },
        "gate": {"passed": gate.passed, "failures": list(gate.failures)},
        "prior_predictive": goodness.check_prior(loaded.rows, config),
        "tables_sha256": ",".join(files.sha256(Path(path)) for path in run_table.split_paths(config.tables)),
    }
    found = preview(config, loaded) + diagnostic.each(Kind.CONVERGENCE, gate.failures, "latency law")
    details = {"gate": config_lib.to_plain(gate)}
    return LatencyFit(posterior=posterior, predictions=table, fit=fit, diagnostics=found, details=details)


def save(result: LatencyFit, directory: Path) -> None:
    """The posterior, predictions.csv and latency_fit.json."""
    result.posterior.save(directory / latency_law.FILE_NAME)
    cells.write_table(directory / "predictions.csv", result.predictions)
    files.write_json(directory / "latency_fit.json", result.fit)


def figures(result: LatencyFit, directory: Path) -> None:
    """Predicted against measured."""
    from ie_scaling.report import figures as draw
    from ie_scaling.report import latency_figures

    table = result.predictions
    labels = {metric: label for metric, label in LABELS.items() if table[metric].notna().any()}
    draw.save(
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
    """Rows, what is held out, and a rough time."""
    held = "none" if loaded.held is None else f"{len(loaded.held)} rows"
    nuts = sampling.nuts_of(loaded.rows, config)
    steps = (nuts.n_warmup + nuts.n_samples) / 1000
    factorised = max(np.sum((np.bincount(likelihood.blocks_of(loaded.rows)) / OF_ROWS) ** 3), 0.3)
    seconds = SECONDS_TO_COMPILE + SECONDS_A_THOUSAND_STEPS * steps * factorised
    return (
        f"{config.tables}: {len(loaded.rows)} rows of {len(loaded.rows.devices)} devices in "
        f"{len(loaded.rows.sessions)} sessions fitted, held out {held}\n"
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
