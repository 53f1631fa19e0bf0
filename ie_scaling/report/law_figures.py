"""Figures of laws beside the runs that they were fitted to, after the papers' figures."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, NullFormatter

from ie_scaling.laws import forms
from ie_scaling.laws.law import Support
from ie_scaling.laws.least_squares.solver import LeastSquaresFit
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.proportions import Proportions
from ie_scaling.report.figures import COLORS, MARKERS, si

N_CURVE = 120
N_BUDGETS = 5  # curves of loss against aspect ratio: the budgets with most rows


def predicted_against_actual(rows: Observations, fits: Sequence[LeastSquaresFit], fitted_R: np.ndarray) -> Figure:
    """One panel per fit: predicted against actual loss, fitted and held-out rows in different colors."""
    figure = Figure(figsize=(4.2 * len(fits), 4.2), dpi=120, layout="constrained")
    for axes, fit in zip(figure.subplots(1, len(fits), squeeze=False)[0], fits, strict=True):
        prediction_R = np.exp(fit.predict(rows.features))
        reach = [min(rows.loss_R.min(), prediction_R.min()), max(rows.loss_R.max(), prediction_R.max())]
        axes.plot(reach, reach, color="black", linewidth=0.8)
        for mask, marker, color, label in (
            (fitted_R, "o", COLORS[0], "fitted"),
            (~fitted_R, "x", COLORS[1], "held out"),
        ):
            axes.scatter(rows.loss_R[mask], prediction_R[mask], marker=marker, color=color, s=18, label=label)
        axes.set(xlabel="loss (nats/token)", ylabel="predicted", title=_title(fit))
        axes.title.set_fontsize(9)
        axes.legend(frameon=False, fontsize=8)
    return figure


def loss_against_aspect_ratio(rows: Observations, fits: Sequence[LeastSquaresFit]) -> Figure:
    """The most-trained sizes and budgets: losses against d/n, each fit's curve at that N_total and D."""
    figure = Figure(figsize=(7.2, 4.8), dpi=120, layout="constrained")
    axes = figure.subplots()
    x, family = rows.features, Proportions.of(rows)
    groups = rows.frame.groupby([np.round(np.log(x.n_total) * 8), np.round(np.log(x.n_tokens) * 8)]).indices
    chosen = sorted(groups.values(), key=len, reverse=True)[:N_BUDGETS]
    for index, rows_of_group in enumerate(sorted(chosen, key=lambda group: -rows.loss_R[group].mean())):
        color = COLORS[index % len(COLORS)]
        n_total, n_tokens = (np.exp(np.log(v[rows_of_group]).mean()) for v in (x.n_total, x.n_tokens))
        label = f"{si(n_total)} parameters, {si(n_tokens)} tokens"
        axes.scatter(x.aspect_ratio[rows_of_group], rows.loss_R[rows_of_group], color=color, s=22, label=label)
        reach = x.aspect_ratio.min(), x.aspect_ratio.max()
        ladder = np.geomspace(*reach, N_CURVE)
        for fit, style in zip(fits, ("-", "--", ":", "-."), strict=False):
            axes.plot(ladder, np.exp(fit.predict(family.members(n_total, ladder, n_tokens))), style, color=color)
    for fit, style in zip(fits, ("-", "--", ":", "-."), strict=False):
        axes.plot([], [], style, color="black", label=_title(fit))
    axes.set(xscale="log", xlabel="aspect ratio d_model / n_layers", ylabel="loss (nats/token)")
    ticks = 2.0 ** np.arange(-1, 14)
    ticks = ticks[(ticks > x.aspect_ratio.min()) & (ticks < x.aspect_ratio.max())]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def loss_against(rows: Observations, x_of: Callable[[Observations], np.ndarray], label: str) -> Figure:
    """Losses against N or FLOPs, colored by tokens per parameter."""
    figure = Figure(figsize=(6.4, 4.2), dpi=120, layout="constrained")
    axes = figure.subplots()
    per_parameter = rows.features.n_tokens / rows.features.n_total
    norm = matplotlib.colors.LogNorm(per_parameter.min(), max(per_parameter.max(), per_parameter.min() * 1.01))
    points = axes.scatter(x_of(rows), rows.loss_R, c=per_parameter, norm=norm, cmap="viridis", s=20, marker=MARKERS[0])
    figure.colorbar(points, label="tokens per parameter (D / N_total)")
    axes.set(xscale="log", xlabel=label, ylabel="loss (nats/token)")
    axes.grid(alpha=0.25, linewidth=0.6)
    return figure


def isoloss(rows: Observations, fit: LeastSquaresFit) -> Figure:
    """Contours of the fitted loss over N_total and d/n at the geometric-mean tokens, the trained shapes on it."""
    figure = Figure(figsize=(6.4, 4.6), dpi=120, layout="constrained")
    axes = figure.subplots()
    x, family = rows.features, Proportions.of(rows)
    sizes = np.geomspace(x.n_total.min() / 1.5, x.n_total.max() * 1.5, 80)
    ratios = np.geomspace(x.aspect_ratio.min() / 1.5, x.aspect_ratio.max() * 1.5, 80)
    grid_n, grid_ratio = np.meshgrid(sizes, ratios)
    members = family.members(grid_n.ravel(), grid_ratio.ravel(), fit.reference.D0)
    loss = np.exp(fit.predict(members)).reshape(grid_n.shape)
    contours = axes.contour(grid_n, grid_ratio, loss, levels=14, cmap="viridis", linewidths=1)
    axes.clabel(contours, fontsize=7, fmt="%.2f")
    best = ratios[loss.argmin(axis=0)]
    inside = (best > ratios[0]) & (best < ratios[-1])
    axes.plot(sizes[inside], best[inside], color="black", linestyle="--", linewidth=1, label="least loss at that N")
    axes.scatter(x.n_total, x.aspect_ratio, color=COLORS[5], s=8, label="trained")
    axes.set(xscale="log", yscale="log", xlabel="N_total", ylabel="aspect ratio d_model / n_layers")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(LogFormatterSciNotation())
        axis.set_minor_formatter(NullFormatter())
    axes.set_title(f"{_title(fit)}, {si(fit.reference.D0)} tokens", fontsize=9)
    if inside.any():
        axes.legend(frameon=False, fontsize=8)
    return figure


def law_contest(table: pd.DataFrame) -> Figure:
    """For each table a row of panels: mean squared error of every law on models, sizes and token budgets left out.

    `table` is comparison.csv; 90 % intervals over models, log scale, best extrapolation at the top.
    """
    names = list(table["table"].unique())
    n_laws = max((table["table"] == name).sum() for name in names)
    figure = Figure(figsize=(13, len(names) * (1.1 + 0.21 * n_laws)), dpi=120, layout="constrained")
    titles = {"cross_validation": "cross-validation", "extrapolation": "by size", "extrapolation_tokens": "by tokens"}
    panels = figure.subplots(len(names), len(titles), squeeze=False, sharey="row")
    for row, name in zip(panels, names, strict=True):
        group = table[(table["table"] == name) & table["mse_cross_validation"].notna()].sort_values("mse_extrapolation")
        labels = [f"{law} ({tie}), N {count}" for law, tie, count in group[["law", "tie", "count"]].to_numpy()]
        families = {law: f"C{index % 10}" for index, law in enumerate(dict.fromkeys(table["law"]))}
        for axes, (score, title) in zip(row, titles.items(), strict=True):
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(alpha=0.25, linewidth=0.6)
            for position, entry in enumerate(group.to_dict("records")):
                low, middle, high = (1e4 * entry[f"mse_{score}{tail}"] for tail in ("_lo90", "", "_hi90"))
                if not np.isfinite(middle):
                    continue
                reach = np.nan_to_num([[middle - low], [high - middle]], nan=0.0)
                axes.errorbar(
                    [middle], [position], xerr=reach, fmt="o", markersize=4, capsize=2, color=families[entry["law"]]
                )
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(LogFormatterSciNotation())
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_title(f"{name}: {title}", fontsize=9, loc="left")
        row[0].set_yticks(range(len(labels)), labels, fontsize=7)
        row[0].invert_yaxis()
    for axes in panels[-1]:
        axes.set_xlabel("MSE, 1e-4 nats² (90 % over models)")
    return figure


def calibration(quantities: Mapping[str, Mapping[str, Any]]) -> Figure:
    """For each quantity the ECDF of its ranks minus the uniform one, in its simultaneous 99 % band."""
    n_columns = 4
    n_rows = -(-len(quantities) // n_columns)
    figure = Figure(figsize=(11, 2.2 * n_rows), dpi=120, layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes, (name, entry) in zip(panels, quantities.items(), strict=False):
        ecdf = np.array(entry["ecdf"])
        share = np.arange(1, len(ecdf) + 1) / (len(ecdf) + 1)
        low, high = np.array(entry["band_low"]) - share, np.array(entry["band_high"]) - share
        axes.fill_between(share, low, high, color=COLORS[5], alpha=0.3, linewidth=0)
        axes.plot(share, ecdf - share, color=COLORS[0] if entry["passed"] else COLORS[1], linewidth=1.2)
        axes.axhline(0, color="black", linewidth=0.5)
        axes.set_title(f"{name}  (p {entry['p_value']:.2f})", fontsize=8)
        axes.tick_params(labelsize=7)
    for axes in panels[len(quantities) :]:
        axes.set_visible(False)
    figure.supxlabel("rank of the truth among posterior draws", fontsize=8)
    figure.supylabel("ECDF − uniform", fontsize=8)
    return figure


def prior_checks(checks: Mapping[str, Any]) -> Figure:
    """One panel per check: the 90 % interval of the priors alone, and the posterior's, within it where all is well.

    `checks` is `prior_predictive` of certificate.json.
    """
    names = [name for name, entry in checks.items() if isinstance(entry, Mapping)]
    figure = Figure(figsize=(3.1 * len(names), 1.7), dpi=120, layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False, sharey=True)[0], names, strict=True):
        for position, (kind, color) in enumerate((("prior", COLORS[5]), ("posterior", COLORS[0]))):
            entry = checks[name][kind]
            reach = [[entry["median"] - entry["lo90"]], [entry["hi90"] - entry["median"]]]
            axes.errorbar([entry["median"]], [position], xerr=reach, fmt="o", color=color, markersize=4, capsize=2)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.set_title("loss of the fitted rows (nats)" if name == "loss" else name, fontsize=8)
        axes.tick_params(labelsize=7)
        axes.set_yticks([0, 1], ["prior", "posterior"], fontsize=8)
        axes.set_ylim(-0.6, 1.6)
    return figure


def families(pooled: Mapping[str, Any]) -> Figure:
    """One panel per shape parameter: its 90 % interval in every family, and what the families have in common.

    `pooled` is pool.json.
    """
    law = forms.get_law(pooled["law"], pooled["tie"], pooled["count"])
    positive = {parameter.name for parameter in law.parameters if parameter.support is Support.POSITIVE}
    names = list(pooled["common"])
    labels = [*pooled["families"], "in common"]
    figure = Figure(figsize=(3.0 * len(names), 1.0 + 0.35 * len(labels)), dpi=120, layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False, sharey=True)[0], names, strict=True):
        entries = [entry["intervals"][name] for entry in pooled["families"].values()] + [pooled["common"][name]]
        for position, entry in enumerate(entries):
            reach = [[entry["median"] - entry["lo90"]], [entry["hi90"] - entry["median"]]]
            color = "black" if position == len(entries) - 1 else COLORS[position % len(COLORS)]
            axes.errorbar([entry["median"]], [position], xerr=reach, fmt="o", color=color, markersize=4, capsize=2)
        if name in positive:
            axes.set_xscale("log")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.set_yticks(range(len(labels)), labels, fontsize=8)
        axes.invert_yaxis()
    return figure


def contest(scores: pd.DataFrame) -> Figure:
    """A row for each table and way of leaving out: CRPS, interval score, coverage and decisions right, by entry.

    `scores` is contest.csv; bars are 90 % intervals over models. Entries are alike in every panel.
    """
    entries = [name for name in dict.fromkeys(scores["entry"]) if name != "at random"]
    groups = [group for _, group in scores.groupby(["table", "left_out"], sort=False)]
    figure = Figure(figsize=(13, len(groups) * (0.7 + 0.17 * len(entries))), dpi=120, layout="constrained")
    panels = figure.subplots(len(groups), 4, squeeze=False, sharey="row")
    kinds = {
        name: COLORS[index % len(COLORS)] for index, name in enumerate(dict.fromkeys(e.split()[0] for e in entries))
    }
    metrics = (
        ("crps", 1e3, "CRPS (mnat)"),
        ("interval_score", 1e3, "interval score, 90 % (mnat)"),
        ("coverage90", 100, "covered by 90 % (%)"),
        ("decision", 100, "right (%)"),
    )
    for row, group in zip(panels, groups, strict=True):
        table, way = group[["table", "left_out"]].iloc[0]
        by_entry = group.set_index("entry")
        for axes, (metric, scale, label) in zip(row, metrics, strict=True):
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(alpha=0.25, linewidth=0.6)
            for position, name in enumerate(entries):
                low, middle, high = (scale * by_entry.at[name, f"{metric}{tail}"] for tail in ("_lo90", "", "_hi90"))
                if np.isfinite(middle):
                    reach = np.nan_to_num([[max(middle - low, 0)], [max(high - middle, 0)]], nan=0.0)
                    color = kinds[name.split()[0]]
                    axes.errorbar([middle], [position], xerr=reach, fmt="o", markersize=4, capsize=2, color=color)
            axes.set_xlabel(label, fontsize=8)
            axes.tick_params(labelsize=7)
            axes.set_yticks(range(len(entries)), entries, fontsize=7)
        for axes in row[:2]:
            axes.set(xscale="log")
            axes.xaxis.set_minor_formatter(NullFormatter())
        row[2].axvspan(80, 97, color=COLORS[5], alpha=0.25, linewidth=0)
        row[3].axvline(50, color="black", linestyle=":", linewidth=0.8)
        row[0].set_title(f"{table}, left out by {way}", fontsize=9, loc="left")
        row[0].invert_yaxis()
    return figure


def _title(fit: LeastSquaresFit) -> str:
    return f"{fit.law.name} ({fit.law.tie}), N {fit.law.count}, {fit.n_rows} rows"
