"""Figures from tables and arrays: each function returns a matplotlib Figure, and `save` writes one."""

import dataclasses
import errno
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, NullFormatter

from ie_scaling.running import files
from ie_scaling.running.progress import say

SIZE = (6.4, 4.2)
COLORS = ("#2b6cb0", "#c05621", "#2f855a", "#6b46c1", "#b83280", "#718096")
MARKERS = "osD^vPX*"


@dataclasses.dataclass(frozen=True)
class Band:
    """A predicted curve with its 90 % interval; x in the units of the axis, losses in nats per token."""

    label: str
    x: np.ndarray
    mean: np.ndarray
    lo90: np.ndarray
    hi90: np.ndarray


@dataclasses.dataclass(frozen=True)
class Interval:
    """One labeled estimate with its 90 % interval."""

    label: str
    mean: float
    lo90: float
    hi90: float


def save(figure: Figure, path: Path) -> None:
    """Write a PNG, whole or not at all."""
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def refresh(figure: Figure, path: Path) -> None:
    """Write a PNG of results that are finished; where nothing may be written, the results are shown all the same."""
    try:
        save(figure, path)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        say(f"{path}: not drawn ({error.strerror})")


def _axes(size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
    return figure, axes


def loss_curves(runs: pd.DataFrame, bands: Sequence[Band], x: str, x_label: str) -> Figure:
    """Losses of the trained runs against column `x`, colored by token budget, with predicted bands.

    `bands` are in the order of the budgets, smallest first; budgets without a band are points alone.
    """
    figure, axes = _axes()
    for index, (tokens, group) in enumerate(runs.groupby("n_tokens")):
        color = COLORS[index % len(COLORS)]
        marker = MARKERS[index % len(MARKERS)]
        axes.scatter(
            group[x],
            group["loss"],
            color=color,
            marker=marker,
            s=28,
            zorder=3,
            label=f"{si(float(str(tokens)))} tokens",
        )
        if index < len(bands):
            band = bands[index]
            axes.plot(band.x, band.mean, color=color, linewidth=1.2)
            axes.fill_between(band.x, band.lo90, band.hi90, color=color, alpha=0.15, linewidth=0)
    axes.set(xscale="log", xlabel=x_label, ylabel="validation loss (nats/token)")
    axes.xaxis.set_major_formatter(LogFormatterSciNotation(minor_thresholds=(2, 0.4)))
    axes.legend(frameon=False, fontsize=8)
    return figure


def latency_against_depth(latency: pd.DataFrame, metric: str = "tpot_s", label: str = "TPOT") -> Figure:
    """Median decode latency with p10–p90 bars against depth, and the measured-ceiling floor as ticks."""
    figure, axes = _axes()
    table = latency.sort_values("n_layers")
    colors = matplotlib.colormaps["viridis"]
    low, high = np.log(table["d_model"].min()), np.log(table["d_model"].max())
    for row in table.to_dict("records"):
        share = (np.log(row["d_model"]) - low) / (high - low) if high > low else 0.5
        middle = 1e3 * row[metric]
        bar = [[middle - 1e3 * row[f"{metric}_p10"]], [1e3 * row[f"{metric}_p90"] - middle]]
        style: dict[str, Any] = {
            "color": colors(0.9 * share),
            "marker": "o",
            "markersize": 5,
            "capsize": 2,
            "linewidth": 1,
        }
        axes.errorbar([row["n_layers"]], [middle], yerr=np.maximum(bar, 0), **style)
        axes.annotate(f"d={row['d_model']}", (row["n_layers"], middle), (4, 3), textcoords="offset points", fontsize=7)
    if metric == "tpot_s":
        axes.scatter(table["n_layers"], 1e3 * table["floor_s"], marker="_", color="black", label="memory/compute floor")
        axes.legend(frameon=False, fontsize=8)
    axes.set(xlabel="n_layers", ylabel=f"{label} (ms), median and p10 to p90", ylim=(0, None), xlim=(0, None))
    return figure


def rank_heatmap(
    names: Sequence[str], probability_AK: np.ndarray, title: str = "", expected_rank_A: np.ndarray | None = None
) -> Figure:
    """P(rank = k) of each candidate, best expected rank at the top; a last column where there are ranks beyond K.

    Without `expected_rank_A` each candidate's ranks must all be there.
    """
    order_A, shown_AK, columns = rank_cells(probability_AK, expected_rank_A)
    figure = Figure(figsize=(6.8, 1.4 + 0.36 * len(names)), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.imshow(shown_AK, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(shown_AK):
        color = "white" if value > 0.55 else "black"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=color)
    axes.set_yticks(range(len(names)), [names[index] for index in order_A], fontsize=8)
    axes.set_xticks(range(len(columns)), columns)
    axes.set(xlabel="rank by loss (1 = lowest)", title=title)
    return figure


def rank_cells(
    probability_AK: np.ndarray, expected_rank_A: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The order of the rows by expected rank, the cells in that order, and the heads of the columns."""
    n_ranks = probability_AK.shape[1]
    beyond_A = 1 - probability_AK.sum(axis=1)
    if expected_rank_A is None:
        expected_rank_A = probability_AK @ np.arange(1, n_ranks + 1)
    order_A = np.argsort(expected_rank_A, kind="stable")
    cells_AK, columns = probability_AK, [str(k) for k in range(1, n_ranks + 1)]
    if (beyond_A > 1e-9).any():
        cells_AK = np.concatenate([probability_AK, np.maximum(beyond_A, 0)[:, None]], axis=1)
        columns = [*columns, f"> {n_ranks}"]
    return order_A, cells_AK[order_A], columns


def predicted_against_realized(groups: Mapping[str, Sequence[Interval]], realized: dict[str, float]) -> Figure:
    """For each trained candidate: the 90 % interval of every law beside the loss that came out.

    `groups` maps a law's name to its intervals, whose labels are the keys of `realized`.
    """
    figure, axes = _axes((6.8, 1.6 + 0.55 * len(realized)))
    positions = {label: index for index, label in enumerate(realized)}
    for offset, (law, intervals) in enumerate(groups.items()):
        shift = 0.18 * (offset - (len(groups) - 1) / 2)
        y = [positions[interval.label] + shift for interval in intervals]
        _error_bars(axes, intervals, y, COLORS[offset % len(COLORS)], law)
    for label, loss in realized.items():
        axes.plot([loss, loss], [positions[label] - 0.35, positions[label] + 0.35], color="black", linewidth=2)
    axes.plot([], [], color="black", linewidth=2, label="realized")
    axes.set_yticks(list(positions.values()), list(positions), fontsize=8)
    axes.set(xlabel="validation loss (nats/token); predicted mean and 90 % interval", ylim=(-0.6, len(positions) - 0.4))
    axes.invert_yaxis()
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def least_squares_against_bayes(groups: dict[str, tuple[dict[str, float], Sequence[Interval]]]) -> Figure:
    """One panel a law: least-squares estimates (crosses) over posterior means and 90 % intervals, log scale.

    An estimate more than a decade beyond every interval lies outside the panel.
    """
    sizes = [len(intervals) for _, intervals in groups.values()]
    figure = Figure(figsize=(7.2, 1.0 + 0.3 * sum(sizes)), dpi=120, layout="constrained")
    panels = figure.subplots(len(groups), 1, height_ratios=sizes, squeeze=False)[:, 0]
    for axes, (law, (estimates, intervals)) in zip(panels, groups.items(), strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, linewidth=0.6)
        _error_bars(axes, intervals, range(len(intervals)), COLORS[0], "posterior")
        values = [estimates.get(interval.label, np.nan) for interval in intervals]
        axes.scatter(values, range(len(intervals)), marker="x", color=COLORS[1], zorder=4, label="least squares")
        axes.set_xlim(*_reach(intervals))
        axes.set_yticks(range(len(intervals)), [interval.label for interval in intervals], fontsize=8)
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(law, fontsize=9, loc="left")
        axes.invert_yaxis()
    panels[0].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def loss_against_latency(table: pd.DataFrame, names: Sequence[str], bound_s: float) -> Figure:
    """Predicted loss with 90 % intervals against measured latency; the bound, and the recommended shape."""
    figure, axes = _axes()
    for name, row in zip(names, table.to_dict("records"), strict=True):
        chosen, feasible = row["recommended"], np.isfinite(row["expected_regret"])
        color = COLORS[1] if chosen else COLORS[0] if feasible else COLORS[5]
        bar = [[row["loss_mean"] - row["loss_lo90"]], [row["loss_hi90"] - row["loss_mean"]]]
        point = 1e3 * row["latency_mean"], row["loss_mean"]
        axes.errorbar(*([value] for value in point), yerr=bar, color=color, marker="*" if chosen else "o", capsize=2)
        axes.annotate(name, point, (5, 4), textcoords="offset points", fontsize=7)
    if np.isfinite(bound_s):
        axes.axvline(1e3 * bound_s, color="black", linestyle="--", linewidth=1)
    axes.set(xlabel="measured latency (ms)", ylabel="predicted loss (nats/token), 90 % interval")
    return figure


def _error_bars(axes: Axes, intervals: Sequence[Interval], y: Sequence[float], color: str, label: str) -> None:
    means = np.array([interval.mean for interval in intervals])
    low = means - [interval.lo90 for interval in intervals]
    high = np.array([interval.hi90 for interval in intervals]) - means
    style: dict[str, Any] = {"fmt": "o", "markersize": 4, "capsize": 2, "color": color}
    axes.errorbar(means, list(y), xerr=np.maximum([low, high], 0), label=label, **style)


def _reach(intervals: Sequence[Interval]) -> tuple[float, float]:
    """Limits that show every interval; an estimate that ran off to nowhere may leave the panel."""
    return 0.1 * min(interval.lo90 for interval in intervals), 10 * max(interval.hi90 for interval in intervals)


def si(value: float) -> str:
    """1500000 as 1.5M."""
    for unit, scale in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= scale:
            return f"{value / scale:.3g}{unit}"
    return f"{value:.3g}"
