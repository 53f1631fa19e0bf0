"""Figures of the latency law beside measured latencies."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ie_scaling.report.figures import COLORS, MARKERS


def predicted_against_measured(table: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """A panel a metric of predictions.csv: predicted against measured, 90 % intervals, held-out rows in another color.

    Args:
      labels: each metric's column and what to call it; times are drawn in milliseconds.
    """
    figure = Figure(figsize=(4.2 * len(labels), 4.2), dpi=120, layout="constrained")
    for axes, (metric, label) in zip(figure.subplots(1, len(labels), squeeze=False)[0], labels.items(), strict=True):
        known = table[table[metric].notna()]
        reach = np.array([known[metric].min(), known[metric].max()]) * 1e3
        axes.plot(reach, reach, color="black", linewidth=0.8)
        for index, (split, name) in enumerate((("fit", "fitted"), ("holdout", "held out"))):
            rows = known[known["split"] == split]
            if rows.empty:
                continue
            measured, middle, low, high = (
                rows[column].to_numpy(float) * 1e3
                for column in (metric, f"{metric}_predicted", f"{metric}_lo90", f"{metric}_hi90")
            )
            bars = np.maximum(np.stack([middle - low, high - middle]), 0)
            axes.errorbar(
                measured,
                middle,
                yerr=bars,
                fmt=MARKERS[index],
                color=COLORS[index],
                markersize=3.5,
                elinewidth=0.6,
                label=name,
            )
        axes.set(xscale="log", yscale="log", xlabel=f"measured {label} (ms)", ylabel=f"predicted {label} (ms)")
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.legend(frameon=False, fontsize=8)
    return figure
