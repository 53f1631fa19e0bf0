"""Fit a scaling law to a run table: which law describes these runs, and how sure can one be of its parameters?"""

from pathlib import Path

from ie_scaling.laws import fitting
from ie_scaling.laws.bayes import quantities
from ie_scaling.laws.config import FitConfig
from ie_scaling.running import files

Config = FitConfig
inputs_of = fitting.inputs_of
SECONDS_LEAST_SQUARES, SECONDS_BAYES, BOOTSTRAPS_A_SECOND = 5, 40, 1000


def main(config: FitConfig, directory: Path) -> list[str]:
    """Fit and print the table."""
    failures = fitting.run(config, directory)
    from ie_scaling.report import figures, law_figures  # here, so that no fit waits for matplotlib

    if (certificate := directory / "certificate.json").exists():
        checks = files.read_json(certificate)["prior_predictive"]
        figures.refresh(law_figures.prior_checks(checks), directory / "figures" / "priors.png")
    print(report(files.read_json(directory / "fit.json")))
    print(f"{directory}: {', '.join(sorted(path.name for path in directory.glob('[a-z]*.*')))}")
    return failures


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


def estimate(config: FitConfig) -> str:
    """Rows, law, free parameters and a rough time."""
    inputs = fitting.load(config)
    held = "none" if inputs.holdout is None else f"{len(inputs.holdout)} rows"
    seconds = (
        SECONDS_LEAST_SQUARES
        + SECONDS_BAYES * (config.method != "least_squares")
        + config.n_bootstrap // BOOTSTRAPS_A_SECOND
    )
    law = inputs.law
    return (
        f"{config.runs}: {len(inputs.fitted)} rows of {len(inputs.fitted.model_ids)} models fitted, held out {held}\n"
        f"law {law.name} (tie {law.tie}, N {law.count}), {len(law.names)} free parameters: {', '.join(law.names)}\n"
        f"about {seconds} s on two CPU cores"
    )
