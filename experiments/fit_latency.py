"""Fit the latency law to timed shapes: what do a layer, a byte and a FLOP cost here, and how well does that predict?"""

from pathlib import Path

import numpy as np
import pandas as pd

from ie_scaling.latency_law import fitting as law_fitting
from ie_scaling.latency_law import likelihood as law_density
from ie_scaling.latency_law import sampling as law_sampling
from ie_scaling.latency_law.config import FitLatencyConfig as Config
from ie_scaling.running import files

inputs_of = law_fitting.inputs_of

LABELS = {"ttft_s": "TTFT", "tpot_s": "TPOT", "e2e_s": "E2E"}
SECONDS_TO_COMPILE, SECONDS_A_THOUSAND_STEPS, OF_ROWS = 10, 45, 90


def main(config: Config, directory: Path) -> list[str]:
    """Fit, draw predicted against measured, and print the parameters and the errors."""
    failures = law_fitting.run(config, directory)
    from ie_scaling.report import figures, latency_figures  # here, so that no fit waits for matplotlib

    table = pd.read_csv(directory / "predictions.csv")
    labels = {metric: label for metric, label in LABELS.items() if table[metric].notna().any()}
    figures.refresh(
        latency_figures.predicted_against_measured(table, labels), directory / "figures" / "predicted_measured.png"
    )
    print(report(files.read_json(directory / "latency_fit.json")))
    print(f"{directory}: {', '.join(sorted(path.name for path in directory.glob('[a-z]*.*')))}")
    return failures


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
            law, proxy = fit["metrics"][split][metric], fit["proxy"]["metrics"][split][metric]
            if law["n"]:
                lines.append(
                    f"  {split + ' ' + label:16} {law['n']:4d} {_percent(law['median_abs_relative_error']):>11} "
                    f"{_percent(law['coverage90'], 0):>8} {_number(law['r2_log']):>9} "
                    f"{_percent(proxy['median_abs_relative_error']):>13} {_number(proxy['r2_log']):>9}"
                )
    lines.append(f"  convergence gate: {'passed' if fit['gate']['passed'] else 'FAILED'}")
    lines += [f"    {failure}" for failure in fit["gate"]["failures"]]
    return "\n".join(lines)


def check(config: Config, directory: Path) -> list[str]:
    """Read the tables, and write nothing; what is suspicious of them."""
    return law_fitting.load(config).remarks


def estimate(config: Config) -> str:
    """Rows, what is held out, and a rough time."""
    inputs = law_fitting.load(config)
    held = "none" if inputs.held is None else f"{len(inputs.held)} rows"
    nuts = law_sampling.nuts_of(inputs.rows, config)
    steps = (nuts.n_warmup + nuts.n_samples) / 1000
    factorised = max(np.sum((np.bincount(law_density.blocks_of(inputs.rows)) / OF_ROWS) ** 3), 0.3)
    seconds = SECONDS_TO_COMPILE + SECONDS_A_THOUSAND_STEPS * steps * factorised
    return (
        f"{config.tables}: {len(inputs.rows)} rows of {len(inputs.rows.devices)} devices in "
        f"{len(inputs.rows.sessions)} sessions fitted, held out {held}\n"
        f"about {seconds:.0f} s on two CPU cores"
    )


def _percent(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:.{digits}%}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
