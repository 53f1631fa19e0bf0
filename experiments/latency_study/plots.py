"""Figures of a latency study: medians with their 90 % intervals along a sweep, and predictions beside measurements."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from ie_scaling.report.figures import COLORS, MARKERS

MOST_TICKS = 8


@dataclasses.dataclass(frozen=True)
class Measured:
    """A series of medians with 90 % intervals, [A] each, in the units of the axes.

    Attributes:
      bound: what the hardware allows at each x (a floor of latency, a roof of throughput), or None.
      line: slope and intercept of a fitted line, or None.
    """

    label: str
    x: np.ndarray
    median: np.ndarray
    lo90: np.ndarray
    hi90: np.ndarray
    bound: np.ndarray | None = None
    line: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True)
class Panel:
    """What one pair of axes shows."""

    y_label: str
    series: Sequence[Measured]
    bound_label: str = "floor"
    log_y: bool = False


@dataclasses.dataclass(frozen=True)
class LatencyForecast:
    """Predictions of one metric with 90 % intervals beside what was measured with its own, [A] each, in seconds."""

    label: str
    measured: np.ndarray
    measured_lo90: np.ndarray
    measured_hi90: np.ndarray
    predicted: np.ndarray
    lo90: np.ndarray
    hi90: np.ndarray


def along(panels: Sequence[Panel], x_label: str, log_x: bool = False) -> Figure:
    """Panels side by side over one kind of x: points with 90 % bars, fitted lines, dashed bounds."""
    figure, all_axes = _figure(len(panels))
    for axes, panel in zip(all_axes, panels, strict=True):
        for index, series in enumerate(panel.series):
            _draw(axes, series, COLORS[index % len(COLORS)], MARKERS[index % len(MARKERS)])
        handles, _ = axes.get_legend_handles_labels()
        if any(series.bound is not None for series in panel.series):
            handles += axes.plot([], [], "--", color="black", linewidth=1, label=panel.bound_label)
        if log_x:
            _log_ticks(axes, np.concatenate([series.x for series in panel.series]))
        else:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if panel.log_y:
            _plain_log(axes, "y")
        else:
            axes.set_ylim(0, None)
        axes.set(xlabel=x_label, ylabel=panel.y_label)
        axes.legend(handles=handles, frameon=False, fontsize=8)
    return figure


def _draw(axes: Axes, series: Measured, color: str, marker: str) -> None:
    """Medians with their intervals, joined unless a line was fitted, and the bound."""
    bars = np.maximum([series.median - series.lo90, series.hi90 - series.median], 0)
    style: dict[str, Any] = {"color": color, "label": series.label, "markersize": 5, "capsize": 3, "elinewidth": 1.4}
    axes.errorbar(series.x, series.median, yerr=bars, fmt=marker if series.line else f"{marker}-", linewidth=1, **style)
    if series.line:
        ends = np.array([0.0, series.x.max()])
        axes.plot(ends, series.line[1] + series.line[0] * ends, color=color, linewidth=1)
    if series.bound is not None:
        axes.plot(series.x, series.bound, "--", color=color, linewidth=1)


def predicted_against_measured(forecasts: Sequence[LatencyForecast]) -> Figure:
    """A panel a metric, both axes logarithmic: predictions with 90 % bars, those that miss in another color."""
    figure, all_axes = _figure(len(forecasts))
    for axes, forecast in zip(all_axes, forecasts, strict=True):
        x, y = forecast.measured * 1e3, forecast.predicted * 1e3
        inside = (forecast.lo90 <= forecast.measured) & (forecast.measured <= forecast.hi90)
        across = np.maximum([x - forecast.measured_lo90 * 1e3, forecast.measured_hi90 * 1e3 - x], 0)
        upright = np.maximum([y - forecast.lo90 * 1e3, forecast.hi90 * 1e3 - y], 0)
        for chosen, label, marker, color in ((inside, "inside", "o", COLORS[0]), (~inside, "outside", "s", COLORS[1])):
            axes.errorbar(
                x[chosen],
                y[chosen],
                xerr=across[:, chosen],
                yerr=upright[:, chosen],
                fmt=marker,
                markersize=4,
                linewidth=1,
                capsize=2,
                color=color,
                label=f"{label} ({chosen.sum()})",
            )
        reach = [min(x.min(), y.min()), max(x.max(), y.max())]
        axes.plot(reach, reach, color="black", linewidth=0.8)
        for axis in ("x", "y"):
            _plain_log(axes, axis)
        axes.set(xlabel=f"measured {forecast.label} (ms)", ylabel="predicted (ms)")
        axes.legend(frameon=False, fontsize=8)
    return figure


def _figure(n_panels: int) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(max(6.4, 4.6 * n_panels), 4.2), dpi=120, layout="constrained")
    all_axes = figure.subplots(1, n_panels, squeeze=False)[0]
    for axes in all_axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, linewidth=0.6)
    return figure, all_axes


def _plain_log(axes: Axes, axis: str) -> None:
    """A logarithmic axis in plain numbers: decades where they are many, else 1, 2 and 5 of each."""
    axes.set_xscale("log") if axis == "x" else axes.set_yscale("log")
    chosen = axes.xaxis if axis == "x" else axes.yaxis
    low, high = axes.get_xlim() if axis == "x" else axes.get_ylim()
    chosen.set_major_locator(LogLocator(subs=(1,) if high > 300 * low else (1, 2, 5)))
    chosen.set_major_formatter(FormatStrFormatter("%g"))
    chosen.set_minor_formatter(NullFormatter())


def _log_ticks(axes: Axes, x: np.ndarray) -> None:
    """A logarithmic x axis, ticked where there are points if they are few, else at powers of two."""
    ticks = np.unique(x)
    if len(ticks) > MOST_TICKS:
        ticks = 2.0 ** np.arange(np.ceil(np.log2(x.min())), np.floor(np.log2(x.max())) + 1)
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(ticks, [f"{tick:.3g}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
