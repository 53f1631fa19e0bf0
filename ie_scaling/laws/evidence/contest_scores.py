"""Scores of the contest: means with 90 % intervals over models, paired differences, and a paragraph in words.

Intervals resample the models that were left out, the same for every entry, so differences are paired; a pair of shapes
counts as often as both its models were drawn. Regret is resampled by scale. W resamples.
"""

import enum
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling.laws.evidence.contest import Approach, Entry, Part, Way
from ie_scaling.running import markdown

OF_ROWS = ("log_score", "crps", "coverage50", "coverage90", "squared_error")
OF_PAIRS = ("decision", "brier")
OF_SCALES = ("regret",)
METRICS = (*OF_ROWS, *OF_PAIRS, *OF_SCALES)
MORE_IS_BETTER = ("log_score", "decision")
MIN_PAIRS = 10
COVERED = (0.80, 0.97)  # what the 90 % intervals of held-out rows should cover

Parts = Mapping[str, Mapping[Way, Sequence[Part]]]  # by table and way of holding out


def tabulate(parts: Parts, entries: Sequence[Entry], n_resamples: int, seed: int) -> pd.DataFrame:
    """A row for each table, way of leaving out (size, model) and entry.

    Each metric with its 90 % interval, and its difference from `against`: the bootstrap of least CRPS there, chosen in
    hindsight. Blank where nothing could be scored.
    """
    rows = []
    for table, by_way in parts.items():
        for way, of_way in by_way.items():
            rows += _tabulate(table, way, of_way, entries, _resample(of_way, n_resamples, np.random.default_rng(seed)))
    return pd.DataFrame(rows)


def _tabulate(
    table: str, way: Way, parts: Sequence[Part], entries: Sequence[Entry], weights: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """The rows of one table and way of leaving out, choosing at random last."""
    rows = []
    values = {entry: _joined(parts, entry) for entry in entries}
    bootstraps = [entry for entry in entries if entry.approach is Approach.BOOTSTRAP]
    against = min(bootstraps, key=lambda entry: np.mean(values[entry]["crps"]))
    for entry, own in values.items():
        n_flagged = sum(bool(part["failures"].get(str(entry))) for part in parts)
        row: dict[str, Any] = {"table": table, "left_out": str(way), "entry": str(entry)}
        row |= {"splits": len(parts), "splits_flagged": n_flagged}
        row |= {"n_rows": weights["row"].shape[1], "n_pairs": weights["pair"].shape[1], "against": str(against)}
        row |= {"n_scales": weights["scale"].shape[1]}
        for metric in METRICS:
            row |= _describe(metric, own, values[against], weights)
        rows.append(row)
    regret = _mean([regret for part in parts for regret in part["random_regret"]])
    at_random = {"table": table, "left_out": str(way), "entry": str(Approach.AT_RANDOM)}
    return [*rows, at_random | {"regret": regret, "decision": 0.5}]


def _joined(parts: Sequence[Part], entry: Entry) -> dict[str, np.ndarray]:
    """An entry's values of every metric over the parts; empty where it has none."""
    return {
        metric: np.concatenate([np.asarray(part["entries"][str(entry)].get(metric, []), float) for part in parts])
        for metric in METRICS
    }


def _resample(parts: Sequence[Part], n_resamples: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """How often each row, pair and scale counts in each resample, [W, ·]; the first is the data themselves."""
    models = sorted({model for part in parts for model in part["model"]})
    index_of = {model: index for index, model in enumerate(models)}
    count_WM = rng.multinomial(len(models), np.full(len(models), 1 / len(models)), size=n_resamples)
    count_WM = np.concatenate([np.ones((1, len(models)), int), count_WM])
    row_R = np.array([index_of[model] for part in parts for model in part["model"]], int)
    pair_P2 = np.array([[index_of[model] for model in pair] for part in parts for pair in part["pair_models"]], int)
    pair_P2 = pair_P2.reshape(-1, 2)
    n_scales = sum(len(part["random_regret"]) for part in parts)
    scale_WS = np.zeros((n_resamples, 0), int)
    if n_scales:
        scale_WS = rng.multinomial(n_scales, np.full(n_scales, 1 / n_scales), size=n_resamples)
    return {
        "row": count_WM[:, row_R],
        "pair": count_WM[:, pair_P2[:, 0]] * count_WM[:, pair_P2[:, 1]],
        "scale": np.concatenate([np.ones((1, n_scales), int), scale_WS]),
    }


def _describe(
    metric: str, own: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], weights: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """The metric and its difference from the other entry's, each with its 90 % interval."""
    unit = "row" if metric in OF_ROWS else "pair" if metric in OF_PAIRS else "scale"
    described: dict[str, float] = {}
    if not len(own[metric]):
        names = (metric, f"{metric}_difference")
        return {f"{name}{tail}": float("nan") for name in names for tail in ("", "_lo90", "_hi90")}
    for name, values in ((metric, own[metric]), (f"{metric}_difference", own[metric] - other[metric])):
        total_W = weights[unit].sum(axis=1)
        mean_W = (weights[unit] @ values)[total_W > 0] / total_W[total_W > 0]
        low, high = np.quantile(mean_W, (0.05, 0.95))
        described |= {name: mean_W[0], f"{name}_lo90": low, f"{name}_hi90": high}
    return described


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def to_markdown(scores: pd.DataFrame, entries: Sequence[Entry]) -> str:
    """The paragraph, then for each table and way of leaving out a table of the entries, least CRPS first."""
    text = paragraph(scores, entries) + "\n"
    header = (
        "entry",
        "log score",
        "CRPS (mnat)",
        "50 %",
        "90 %",
        "decisions right",
        "Brier",
        "regret (mnat)",
        "flagged",
    )
    for _, group in scores.groupby(["table", "left_out"], sort=False):
        first = group.iloc[0]
        counts = f"{first['n_rows']:.0f} rows, {first['n_pairs']:.0f} pairs at {first['n_scales']:.0f} scales"
        text += f"\n**{first['table']}**, left out by {first['left_out']}: {counts}\n\n"
        lines = []
        for row in group.sort_values("crps", na_position="last").to_dict("records"):
            cells = [row["entry"], _cell(row, "log_score", 1, 2), _cell(row, "crps", 1e3, 2)]
            cells += [_cell(row, name, 100, 0, False) for name in ("coverage50", "coverage90")]
            cells += [_cell(row, "decision", 100, 0), _cell(row, "brier", 1, 3), _cell(row, "regret", 1e3, 2)]
            flagged = row["splits_flagged"]
            cells.append(f"{flagged:.0f} of {row['splits']:.0f}" if flagged and flagged > 0 else "")
            lines.append(cells)
        text += markdown.table(header, lines)
    return text


def _cell(row: dict[str, Any], metric: str, scale: float, digits: int, interval: bool = True) -> str:
    low, middle, high = (scale * row.get(f"{metric}{tail}", np.nan) for tail in ("_lo90", "", "_hi90"))
    if not np.isfinite(middle):
        return "–"
    text = _number(middle, digits)
    if interval and np.isfinite(low):
        text += f" ({_number(low, digits)} to {_number(high, digits)})"
    return text


def _number(value: float, digits: int) -> str:
    return f"{value:.1e}" if abs(value) >= 1e5 else f"{value:.{digits}f}"


class Verdict(enum.StrEnum):
    """A score beside the one that it is compared with, by the 90 % interval of their difference."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no different"


def verdict(row: Any, metric: str) -> Verdict:
    """The verdict on a row of the table of scores; fewer than MIN_PAIRS pairs tell no difference in decisions."""
    low, high = (row.get(f"{metric}_difference_{end}", np.nan) for end in ("lo90", "hi90"))
    if not np.isfinite(low) or low <= 0 <= high or (metric in OF_PAIRS and row["n_pairs"] < MIN_PAIRS):
        return Verdict.NO_DIFFERENCE
    return Verdict.BETTER if (low > 0) == (metric in MORE_IS_BETTER) else Verdict.WORSE


def paragraph(scores: pd.DataFrame, entries: Sequence[Entry]) -> str:
    """What the contest shows of Bayes, in words, from the numbers alone."""
    stacked = scores[scores["entry"] == Approach.STACKED]
    verdicts = {
        f"{row['table']} by {row['left_out']}": {
            metric: verdict(row, metric) for metric in ("log_score", "crps", "brier", "decision")
        }
        for _, row in stacked.iterrows()
    }
    text = (
        f"On {len(stacked)} ways of leaving runs out, the stacked posterior is compared with the bootstrap of least "
        "CRPS in hindsight. "
    )
    for metric, words in (("log_score", "log score"), ("crps", "CRPS"), ("brier", "Brier score of the decisions")):
        text += _where(words, {name: by_metric[metric] for name, by_metric in verdicts.items()})
    text += _coverage(scores, entries) + _decisions(scores, entries)
    nowhere_better = [name for name, by_metric in verdicts.items() if Verdict.BETTER not in by_metric.values()]
    if nowhere_better:
        text += f"Bayes buys nothing that these runs can show on {', '.join(nowhere_better)}."
    return text.strip() + "\n"


def _where(words: str, verdicts: Mapping[str, Verdict]) -> str:
    """On which tables and ways of leaving out a score is better, and on which worse."""
    clauses = [
        f"{kind} on {', '.join(name for name, one in verdicts.items() if one is kind)}"
        for kind in (Verdict.BETTER, Verdict.WORSE)
        if kind in verdicts.values()
    ]
    if not clauses:
        return f"Its {words} is nowhere different. "
    elsewhere = ", elsewhere no different at 90 %" if Verdict.NO_DIFFERENCE in verdicts.values() else ""
    return f"Its {words} is {'; '.join(clauses)}{elsewhere}. "


def _coverage(scores: pd.DataFrame, entries: Sequence[Entry]) -> str:
    """How often the 90 % intervals of each kind of entry cover what they should."""
    clauses = []
    labels = {
        Approach.STACKED: "the stacked posterior",
        Approach.BOOTSTRAP: "bootstraps",
        Approach.CURVE_FIT: "curve_fit",
    }
    for approach, label in labels.items():
        names = [str(entry) for entry in entries if entry.approach is approach]
        own = scores.loc[scores["entry"].isin(names), "coverage90"]
        n_inside = int(own.between(*COVERED).sum())
        if len(own):
            clauses.append(f"{label} {n_inside} of {len(own)} times (least {100 * own.min():.0f} %)")
    low, high = (f"{100 * edge:.0f}" for edge in COVERED)
    return f"90 % intervals cover between {low} and {high} % of the rows left out for {'; '.join(clauses)}. "


def _decisions(scores: pd.DataFrame, entries: Sequence[Entry]) -> str:
    """Pairs decided right and regret of every entry, over the splits in which there is anything to decide."""
    if "decision" not in scores:
        return ""
    right, regret = {}, {}
    decided = scores[scores["decision"].notna()]
    for entry in sorted(entries, key=str):
        own = decided[decided["entry"] == str(entry)]
        if len(own):
            right[entry] = 100 * np.average(own["decision"], weights=own["n_pairs"])
            regret[entry] = 1e3 * np.average(own["regret"], weights=own["n_scales"])
    if not right:
        return ""
    ordered = sorted(right, key=lambda entry: (-round(right[entry]), regret[entry]))
    listed = "; ".join(f"{entry} {right[entry]:.0f} % (regret {regret[entry]:.1f} mnat)" for entry in ordered)
    by_chance = 1e3 * scores.loc[scores["entry"] == Approach.AT_RANDOM, "regret"].max()
    text = f"Of all pairs of shapes, called right: {listed}; choosing at random costs up to {by_chance:.1f} mnat. "
    return text + _law_or_posterior(right)


def _law_or_posterior(right: Mapping[Entry, float]) -> str:
    """What choosing the law earns under one method, and what the posterior earns under one law."""
    by_bootstrap = {entry.law: share for entry, share in right.items() if entry.approach is Approach.BOOTSTRAP}
    by_bayes = {entry.law: share for entry, share in right.items() if entry.approach is Approach.BAYES}
    shared = [law for law in by_bootstrap if law in by_bayes]
    if len(shared) < 2:
        return ""
    best, worst = max(shared, key=by_bootstrap.__getitem__), min(shared, key=by_bootstrap.__getitem__)
    earned = by_bootstrap[best] - by_bootstrap[worst]
    differences = ", ".join(f"{law} {round(by_bayes[law] - by_bootstrap[law]):+d}" for law in shared)
    return (
        f"Of these points the law earns {earned:.0f} (bootstrap {best} over bootstrap {worst}), "
        f"the posterior over the bootstrap of the same law: {differences}. "
    )
