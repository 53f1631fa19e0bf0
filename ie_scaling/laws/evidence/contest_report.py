"""The contest in words and tables, from its scores alone."""

import enum
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling.inference import scoring
from ie_scaling.laws.evidence.contest import Approach, Entry
from ie_scaling.running import markdown

DECISIONS = ("decision", "brier")
MORE_IS_BETTER = ("log_score", "decision")
MIN_PAIRS = 10


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
    if not np.isfinite(low) or low <= 0 <= high or (metric in DECISIONS and row["n_pairs"] < MIN_PAIRS):
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
        n_inside = int(own.between(*scoring.COVERAGE_90).sum())
        if len(own):
            clauses.append(f"{label} {n_inside} of {len(own)} times (least {100 * own.min():.0f} %)")
    low, high = (f"{100 * edge:.0f}" for edge in scoring.COVERAGE_90)
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
