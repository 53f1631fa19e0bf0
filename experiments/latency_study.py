"""A latency study: depth, aspect ratio, batch, g and r on this device, and a law tested on shapes held out."""

from pathlib import Path

from ie_scaling.running import files
from ie_scaling.study import latency_design, latency_study
from ie_scaling.study.latency_config import LatencyStudyConfig as Config


def main(config: Config, directory: Path) -> list[str]:
    """Run the study and print what it found."""
    failures = latency_study.run(config, directory)
    summary = files.read_json(directory / "summary.json")
    for finding in summary["findings"]:
        print(f"{finding['sweep']}: {finding['statement']}")
    print(f"\n{summary['headline']}\nreport: {directory / 'report.html'}")
    return failures


def check(config: Config, _: Path) -> list[str]:
    """Raise what the study would refuse: a design that cannot be had, too few devices, too little memory."""
    latency_study.checked_sweeps(config)
    return []


def estimate(config: Config) -> str:
    """Each sweep's cases, bytes and rough time, and the sum."""
    dtype = "float32" if config.decode.dtype == "auto" else config.decode.dtype
    sweeps = latency_design.design(config, dtype)
    lines, least_s, most_s = [], 0.0, 0.0
    for sweep in sweeps:
        cost = latency_design.price(sweep, config)
        least_s, most_s = least_s + cost.least_s, most_s + cost.most_s
        lines.append(
            f"{sweep.name}: {len(sweep.points)} cases, the largest {cost.largest_bytes / 2**20:,.0f} MiB, together "
            f"{cost.total_bytes / 2**20:,.0f} MiB, {cost.least_s:.0f} to {cost.most_s:.0f} s"
        )
    law_s = config.assumed.law_s if config.random.n_held_out else 0.0
    total = f"{sum(len(sweep.points) for sweep in sweeps)} cases in {dtype}, {(least_s + law_s) / 60:.0f} to "
    rates = f"{config.assumed.bytes_per_s / 1e9:g} GB/s and {config.assumed.flops_per_s / 1e9:g} GFLOP/s"
    lines.append(f"{total}{(most_s + law_s) / 60:.0f} minutes at {rates}, the law's fit included")
    return "\n".join(lines)
