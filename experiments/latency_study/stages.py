"""The stages of a latency study: every sweep timed, the law fitted and tested, each in a directory of its own."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from experiments import time_decode
from experiments.latency_study import design, findings, law_check, page
from experiments.latency_study.config import Config
from experiments.latency_study.design import HELD_OUT, RANDOM, Sweep
from experiments.latency_study.timings import Timings
from ie_scaling.latency import benchmark
from ie_scaling.running import diagnostic, environment, files, workdir
from ie_scaling.running.config import to_plain
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.running.progress import say
from ie_scaling.tables import cells, latency_checks


def checked_sweeps(config: Config) -> list[Sweep]:
    """What is timed, once it is known that this machine can.

    Raises:
      InputError: a design that cannot be had, too few devices, or a case that does not fit in memory.
    """
    dtype = benchmark.default_dtype() if config.decode.dtype == "auto" else config.decode.dtype
    sweeps = design.design(config, dtype)
    benchmark.require_devices(config.decode.tensor)
    for sweep in sweeps:
        benchmark.groups_by_memory(sweep.cases, config.decode.tensor)
    return sweeps


def run(config: Config, sweeps: Sequence[Sweep], directory: Path) -> list[Diagnostic]:
    """Do what is not done yet, write report.html, summary.json and latency.csv, and return all diagnostics."""
    diagnostics, timed, started = [], {}, time.monotonic()
    n_stages = len(sweeps) + 1 + bool(config.random.n_held_out)

    def announce(number: int, title: str) -> None:
        say(f"[{number}/{n_stages}] {title}  ({time.monotonic() - started:.0f} s so far)")

    for number, sweep in enumerate(sweeps, 1):
        announce(number, f"{sweep.name}: time {len(sweep.points)} cases")
        diagnostics += time_sweep(sweep, config.decode, directory / sweep.name)
        timings = Timings.read(directory / sweep.name, config.n_resamples, config.seed)
        diagnostics += findings.too_fast(sweep.name, timings)
        diagnostics += _suspicious(timings, str(directory / sweep.name / "latency.csv"))
        timed |= timings.by_series() if sweep.name == RANDOM else {sweep.name: timings}
    predictions = None
    if config.random.n_held_out:
        announce(len(sweeps) + 1, f"law: fit, and test on {config.random.n_held_out} cases held out")
        diagnostics += fit_law(config, timed, directory / "law")
        predictions = pd.read_csv(directory / "law" / "predictions.csv")
    announce(n_stages, "report")
    page.write(config, timed, predictions, diagnostics, directory)
    return diagnostics


def time_sweep(sweep: Sweep, config: time_decode.Config, directory: Path) -> list[Diagnostic]:
    """Time the cases of one sweep: latency.csv (with columns sweep, series, x) and samples.jsonl."""

    def work() -> list[Diagnostic]:
        timed = benchmark.time_cases(sweep.cases, config)
        rows = [
            row | {"sweep": sweep.name, "series": point.series, "x": point.x}
            for row, point in zip(timed.rows, sweep.points, strict=True)
        ]
        cells.write_table(directory / "latency.csv", rows)
        files.write_text(directory / "samples.jsonl", "".join(json.dumps(sample) + "\n" for sample in timed.samples))
        return diagnostic.each(Kind.TIMING, timed.failures, sweep.name)

    points = [[point.case.name, point.x, point.series] for point in sweep.points]
    stored = {"sweep": sweep.name, "device_kind": environment.device_kind(), "points": points}
    return _once(directory, "latency_sweep", stored | {"decode": to_plain(config)}, {}, work)


def fit_law(config: Config, timed: Mapping[str, Timings], directory: Path) -> list[Diagnostic]:
    """Fit the latency law to all that is not held out, and test it: posterior.nc and predictions.csv."""
    fitted = [timings for name, timings in timed.items() if name != HELD_OUT]
    arguments = (config.law, fitted, timed[HELD_OUT], config.seed)
    stored, inputs = law_check.identity(*arguments)
    return _once(directory, "latency_law", stored, inputs, lambda: law_check.run(*arguments, directory))


def _once(
    directory: Path,
    experiment: str,
    stored: Mapping[str, Any],
    inputs: workdir.Inputs,
    work: Callable[[], list[Diagnostic]],
) -> list[Diagnostic]:
    """The diagnostics of a stage, whose work is done unless `directory` holds it for this configuration and inputs."""
    resolved = {"experiment": experiment, **stored}
    if not workdir.is_done(directory, resolved, inputs=inputs):
        with workdir.opened(directory, resolved, inputs=inputs):
            diagnostic.write(directory, work())
    return diagnostic.read(directory)


def _suspicious(timings: Timings, path: str) -> list[Diagnostic]:
    """What is suspicious in the table at `path`."""
    remarks = latency_checks.remarks(timings.table, path)
    return diagnostic.each(Kind.TABLE, [remark.removeprefix(f"{path}: ") for remark in remarks], path)
