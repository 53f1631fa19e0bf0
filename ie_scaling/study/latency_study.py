"""A latency study: every sweep timed, the law fitted and tested, the report; each in a directory of its own."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ie_scaling.latency import benchmark
from ie_scaling.latency.config import TimeDecodeConfig
from ie_scaling.running import config as config_lib
from ie_scaling.running import diagnostic, environment, files, workdir
from ie_scaling.running.diagnostic import Kind
from ie_scaling.running.progress import say
from ie_scaling.study import latency_design, latency_findings, latency_law_check, latency_page
from ie_scaling.study.latency_config import LatencyStudyConfig
from ie_scaling.study.latency_design import HELD_OUT, RANDOM, Sweep
from ie_scaling.study.latency_timings import Timings
from ie_scaling.tables import cells, latency_checks


def run(config: LatencyStudyConfig, directory: Path) -> list[str]:
    """Run what is not done yet, write report.html, summary.json and latency.csv, and return the failed diagnostics.

    Raises:
      ValueError: a design that cannot be had, or a case that does not fit in memory; before anything is timed.
    """
    resolved = {"experiment": "latency_study"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, resolved):
        sweeps = checked_sweeps(config)
        with workdir.opened(directory, resolved):
            failures = _run_stages(config, sweeps, directory)
            diagnostic.write(directory, diagnostic.each(Kind.STAGE, failures))
    return diagnostic.lines(diagnostic.read(directory))


def checked_sweeps(config: LatencyStudyConfig) -> list[Sweep]:
    """What is timed, once it is known that this machine can.

    Raises:
      ValueError: a design that cannot be had, too few devices, or a case that does not fit in memory.
    """
    dtype = benchmark.default_dtype() if config.decode.dtype == "auto" else config.decode.dtype
    sweeps = latency_design.design(config, dtype)
    benchmark.require_devices(config.decode.tensor)
    for sweep in sweeps:
        benchmark.groups_by_memory(sweep.cases, config.decode.tensor)
    return list(sweeps)


def _run_stages(config: LatencyStudyConfig, sweeps: Sequence[Sweep], directory: Path) -> list[str]:
    failures, timed, begun = [], {}, time.monotonic()
    n_stages = len(sweeps) + 1 + bool(config.random.n_held_out)

    def announce(number: int, title: str) -> None:
        say(f"[{number}/{n_stages}] {title}  ({time.monotonic() - begun:.0f} s so far)")

    for number, sweep in enumerate(sweeps, 1):
        announce(number, f"{sweep.name}: time {len(sweep.points)} cases")
        failures += time_sweep(sweep, config.decode, directory / sweep.name)
        timings = Timings.read(directory / sweep.name, config.n_resamples, config.seed)
        failures += latency_findings.too_fast(sweep.name, timings)
        failures += latency_checks.remarks(timings.table, str(directory / sweep.name / "latency.csv"))
        timed |= timings.by_series() if sweep.name == RANDOM else {sweep.name: timings}
    predictions = None
    if config.random.n_held_out:
        announce(len(sweeps) + 1, f"law: fit, and test on {config.random.n_held_out} cases held out")
        fitted = [timings for name, timings in timed.items() if name != HELD_OUT]
        place = directory / "law"
        failures += latency_law_check.run(config.law, fitted, timed[HELD_OUT], config.seed, place)
        predictions = pd.read_csv(place / "predictions.csv")
    announce(n_stages, "report")
    latency_page.write(config, timed, predictions, failures, directory)
    return failures


def time_sweep(sweep: Sweep, config: TimeDecodeConfig, directory: Path) -> list[str]:
    """Time the cases of one sweep and write latency.csv (with columns sweep, series, x) and samples.jsonl.

    Returns the failed diagnostics. What is done is not done again.
    """
    stored: dict[str, Any] = {
        "experiment": "latency_sweep",
        "sweep": sweep.name,
        "device_kind": environment.device_kind(),
    }
    stored |= {"points": [[point.case.name, point.x, point.series] for point in sweep.points]}
    stored |= {"decode": config_lib.to_plain(config)}
    if not workdir.is_done(directory, stored):
        with workdir.opened(directory, stored):
            timed = benchmark.time_cases(sweep.cases, config)
            rows = [
                row | {"sweep": sweep.name, "series": point.series, "x": point.x}
                for row, point in zip(timed.rows, sweep.points, strict=True)
            ]
            cells.write_table(directory / "latency.csv", rows)
            lines = "".join(json.dumps(sample) + "\n" for sample in timed.samples)
            files.write_text(directory / "samples.jsonl", lines)
            diagnostic.write(directory, diagnostic.each(Kind.TIMING, timed.failures, sweep.name))
    return diagnostic.lines(diagnostic.read(directory))
