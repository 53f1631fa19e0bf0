"""What a latency study leaves: one latency.csv of all sweeps, summary.json, and report.html with its figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.latency_study import findings, law_check, plots
from experiments.latency_study.config import Config
from experiments.latency_study.findings import LABELS, LINEAR_R2, METRICS, QUANTITIES
from experiments.latency_study.plots import LatencyForecast, Measured, Panel
from experiments.latency_study.timings import Timings
from experiments.latency_study.verdicts import Coverage, Direction, Finding, FindingVerdict, Linearity, Spread
from ie_scaling import accounting
from ie_scaling.report import page
from ie_scaling.running import diagnostic, files
from ie_scaling.running.config import to_plain
from ie_scaling.running.diagnostic import Diagnostic
from ie_scaling.tables import cells, shape_table

TITLES = {
    "depth": "Depth at fixed width",
    "aspect_ratio": "Aspect ratio at fixed size",
    "batch": "Batch",
    "query_group": "Query groups, g = n_heads / n_kv_heads, at fixed size",
    "mlp_ratio": "MLP over attention parameters, r, at fixed size",
    "training": "Random shapes that the law was fitted to besides the sweeps",
    "held_out": "The law on shapes and workloads held out",
}
AXES = {"depth": "n_layers", "aspect_ratio": "aspect ratio d_model / n_layers", "batch": "batch"}
AXES |= {"query_group": "g = n_heads / n_kv_heads", "mlp_ratio": "r = MLP / attention parameters"}
PANELS = {
    "depth": ("tpot_s",),
    "aspect_ratio": ("tpot_s", "e2e_s"),
    "batch": ("tpot_s", "tokens_per_s"),
    "query_group": ("tpot_s", "tokens_per_s"),
    "mlp_ratio": ("tpot_s", "tokens_per_s"),
}
CAPTION = "Medians with 90 % intervals; dashed: what the bandwidth and FLOP rate measured in the same run allow."


class StudySummary(TypedDict):
    """summary.json."""

    device_kind: str
    dtype: str
    mode: str
    n_cases: int
    headline: str
    findings: list[Finding]
    failures: list[str]


def write(
    config: Config,
    timed: Mapping[str, Timings],
    predictions: pd.DataFrame | None,
    diagnostics: Sequence[Diagnostic],
    directory: Path,
) -> None:
    """Write all three from the timings of each sweep, in order, and the law's predictions if there are any."""
    by_sweep = {name: findings.of_sweep(name, timings) for name, timings in timed.items()}
    if predictions is not None:
        by_sweep["held_out"] = law_check.judge(predictions, config.n_resamples, config.seed) + by_sweep["held_out"]
    table = pd.concat([timings.table for timings in timed.values()], ignore_index=True)
    cells.write_table(directory / "latency.csv", table.assign(session=table["sweep"]))
    every = [finding for of_sweep in by_sweep.values() for finding in of_sweep]
    row = table.iloc[0]
    summary = StudySummary(
        device_kind=row["device_kind"],
        dtype=row["dtype"],
        mode=row["mode"],
        n_cases=len(table),
        headline=headline(table, every),
        findings=every,
        failures=diagnostic.lines(diagnostics),
    )
    files.write_json(directory / "summary.json", files.finite(to_plain(summary)))
    sections = [
        page.Section(
            TITLES[name],
            [_about(timings.table), *(finding.statement for finding in by_sweep[name])],
            [shown(timings)],
            _figures(name, timings, predictions),
        )
        for name, timings in timed.items()
    ]
    title = f"Decode latency on {row['device_kind']}"
    page.write(directory / "report.html", title, summary["headline"], shortened(diagnostics), sections)


def shortened(diagnostics: Sequence[Diagnostic]) -> list[str]:
    """One warning for each subject, such as a sweep: the first, and how many more there are."""
    by_subject: dict[str, list[str]] = {}
    for entry in diagnostics:
        if entry.is_warning:
            by_subject.setdefault(entry.subject, []).append(str(entry))
    return [
        lines[0] + (f" (and {len(lines) - 1} more of {name}; all are in summary.json)" if len(lines) > 1 else "")
        for name, lines in by_subject.items()
    ]


def headline(table: pd.DataFrame, every: Sequence[Finding]) -> str:
    """The study in a few sentences, counted from its findings."""
    size_A = [accounting.count_parameters(a) for a in shape_table.architectures_of(table)]
    row = table.iloc[0]
    span = " to ".join(f"{size / 1e6:.3g}M" for size in (min(size_A), max(size_A)))
    sentences = [f"{len(table)} cases of {span} parameters timed on {row['device_kind']} in {row['dtype']}."]
    if lines := [finding for finding in every if isinstance(finding.numbers, Linearity)]:
        n_linear = sum(finding.verdict is FindingVerdict.LINEAR for finding in lines)
        sentences.append(f"TPOT is linear in depth (R² ≥ {LINEAR_R2}) at {n_linear} of {len(lines)} widths.")
    spreads: dict[str, float] = {}
    for finding in every:
        if isinstance(finding.numbers, Spread):
            spreads[finding.metric] = max(finding.numbers.ratio.value, spreads.get(finding.metric, 1.0))
    if spreads:
        parts = [f"{ratio:.2f}× in {LABELS[metric]}" for metric, ratio in spreads.items()]
        sentences.append(f"Shapes of one size differ by up to {' and '.join(parts)}.")
    for sweep, quantity in QUANTITIES.items():
        directions = [f for f in every if f.sweep == sweep and isinstance(f.numbers, Direction)]
        if directions:
            sentences.append(f"Larger {quantity} for {_counted(directions, METRICS[sweep])}.")
    sentences += [f"{finding.short}." for finding in every if isinstance(finding.numbers, Coverage)][:1]
    return " ".join(sentences)


def _counted(directions: Sequence[Finding], metrics: Sequence[str]) -> str:
    """How many series of each metric come to each verdict."""
    parts = []
    for metric in metrics:
        verdicts = [finding.verdict for finding in directions if finding.metric == metric]
        counts = [f"{verdict} in {verdicts.count(verdict)}" for verdict in dict.fromkeys(verdicts)]
        parts.append(f"{LABELS[metric]}: {', '.join(counts)} of {len(verdicts)}")
    return "; for ".join(parts)


def shown(timings: Timings) -> pd.DataFrame:
    """The table that a reader wants: shape, size, proportions, and times in milliseconds with 90 % intervals."""
    table, shapes = timings.table, shape_table.architectures_of(timings.table)
    columns: dict[str, Any] = {
        "series": table["series"],
        "shape (d×n)": [f"{a.d_model}×{a.n_layers}" for a in shapes],
        "heads/kv": [f"{a.n_heads}/{a.n_kv_heads}" for a in shapes],
        "d_ff": table["d_ff"],
        "N_non (M)": [accounting.count_non_embedding_parameters(a) / 1e6 for a in shapes],
        "d/n": [a.aspect_ratio for a in shapes],
        "g": [a.query_group for a in shapes],
        "r": [accounting.mlp_attention_ratio(a) for a in shapes],
    }
    for name in ("batch", "prompt_tokens", "new_tokens"):
        columns[name.removesuffix("_tokens")] = table[name].astype(int)
    low_A, high_A = timings.interval("tpot_s")
    columns |= {"TTFT ms": 1e3 * table["ttft_s"], "TPOT ms": 1e3 * table["tpot_s"]}
    columns["TPOT 90 %"] = [f"{1e3 * low:.3g} to {1e3 * high:.3g}" for low, high in zip(low_A, high_A, strict=True)]
    columns |= {"E2E ms": 1e3 * table["e2e_s"], "tokens/s": table["tokens_per_s"]}
    columns |= {"TPOT / floor": table["tpot_s"] / table["floor_s"], "samples": table["count"].astype(int)}
    frame = pd.DataFrame(columns)
    return frame.drop(columns="series") if (table["series"] == "").all() else frame


def _about(table: pd.DataFrame) -> str:
    """The workload, or its span."""

    def span(column: str) -> str:
        low, high = int(table[column].min()), int(table[column].max())
        return f"{low}" if low == high else f"{low} to {high}"

    return f"Batch {span('batch')}, prompt {span('prompt_tokens')}, new {span('new_tokens')}; cases interleaved."


def _figures(name: str, timings: Timings, predictions: pd.DataFrame | None) -> dict[str, tuple[Figure, str]]:
    if name == "held_out" and predictions is not None:
        caption = (
            "Predicted medians with 90 % intervals against measured ones with theirs; the line: predicted = measured."
        )
        figure = plots.predicted_against_measured(
            [_forecast(metric, predictions[predictions["metric"] == metric]) for metric in law_check.PREDICTED]
        )
        return {"law_on_held_out": (figure, caption)}
    if name not in PANELS:
        return {}
    panels = [_panel(name, metric, timings) for metric in PANELS[name]]
    figure = plots.along(panels, AXES[name], log_x=name != "depth")
    return {f"latency_against_{name}": (figure, CAPTION)}


def _panel(sweep: str, metric: str, timings: Timings) -> Panel:
    scale = 1.0 if metric == "tokens_per_s" else 1e3
    series = []
    for label, part in timings.by_series().items():
        low_A, high_A = part.interval(metric)
        x_A, median_A = part.values("x"), part.values(metric)
        line = None
        if sweep == "depth":
            slope, intercept, _ = findings.line_through(x_A, median_A)
            line = slope * scale, intercept * scale
        bound_A = _bound(metric, part)
        bound_A = None if bound_A is None else bound_A * scale
        series.append(Measured(label, x_A, median_A * scale, low_A * scale, high_A * scale, bound_A, line))
    unit = "tokens/s" if metric == "tokens_per_s" else f"{LABELS[metric]} (ms)"
    return Panel(unit, series, "roof" if metric == "tokens_per_s" else "floor", log_y=sweep == "batch")


def _bound(metric: str, timings: Timings) -> np.ndarray | None:
    """The floor of TPOT or E2E, or the roof of throughput, at the ceilings measured in the same run."""
    floor_A = timings.values("floor_s")
    if metric == "tpot_s":
        return floor_A
    request_A = timings.values("ttft_floor_s") + (timings.values("new_tokens") - 1) * floor_A
    if metric == "tokens_per_s":
        return timings.values("batch") * timings.values("new_tokens") / request_A
    return request_A if metric == "e2e_s" else None


def _forecast(metric: str, rows: pd.DataFrame) -> LatencyForecast:
    columns = ("measured", "measured_lo90", "measured_hi90", "predicted", "lo90", "hi90")
    return LatencyForecast(LABELS[metric], *(rows[column].to_numpy(float) for column in columns))
