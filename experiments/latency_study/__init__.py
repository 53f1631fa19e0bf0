"""A latency study: depth, aspect ratio, batch, g and r on this device, and a law tested on shapes held out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.latency_study.config import Config
from ie_scaling.running import files
from ie_scaling.running.diagnostic import Diagnostic

if TYPE_CHECKING:
    from experiments.latency_study.design import Sweep


@dataclasses.dataclass(frozen=True, kw_only=True)
class LatencyStudy:
    """Diagnostics of all stages; the results are in the files of each."""

    diagnostics: list[Diagnostic]


def load(config: Config) -> list[Sweep]:
    """What is timed, once it is known that this machine can.

    Raises:
      InputError: a design that cannot be had, too few devices, or a case that does not fit in memory.
    """
    from experiments.latency_study import stages

    return stages.checked_sweeps(config)


def resume(config: Config, loaded: list[Sweep], directory: Path) -> LatencyStudy:
    """Do the stages that are not done yet, then write latency.csv, summary.json and report.html with its figures."""
    from experiments.latency_study import stages

    return LatencyStudy(diagnostics=stages.run(config, loaded, directory))


def show(directory: Path) -> None:
    """The findings."""
    summary = files.read_json(directory / "summary.json")
    for finding in summary["findings"]:
        print(f"{finding['sweep']}: {finding['statement']}")
    print(f"\n{summary['headline']}\nreport: {directory / 'report.html'}")


def estimate(config: Config, loaded: list[Sweep]) -> str:
    """Each sweep's cases, bytes and rough time, and the sum."""
    from experiments.latency_study import design

    lines, least_s, most_s = [], 0.0, 0.0
    for sweep in loaded:
        cost = design.price(sweep, config)
        least_s, most_s = least_s + cost.least_s, most_s + cost.most_s
        lines.append(
            f"{sweep.name}: {len(sweep.points)} cases, the largest {cost.largest_bytes / 2**20:,.0f} MiB, together "
            f"{cost.total_bytes / 2**20:,.0f} MiB, {cost.least_s:.0f} to {cost.most_s:.0f} s"
        )
    law_s = config.assumed.law_s if config.random.n_held_out else 0.0
    n_cases, dtype = sum(len(sweep.points) for sweep in loaded), loaded[0].cases[0].workload.dtype
    rates = f"{config.assumed.bytes_per_s / 1e9:g} GB/s and {config.assumed.flops_per_s / 1e9:g} GFLOP/s"
    minutes = f"{(least_s + law_s) / 60:.0f} to {(most_s + law_s) / 60:.0f} minutes"
    lines.append(f"{n_cases} cases in {dtype}, {minutes} at {rates}, the law's fit included")
    return "\n".join(lines)
