"""The contest in words and tables, from its scores and differences alone.

Every sentence on a posterior has its bootstrap in it, and says the same of every entry of a kind: none is of the entry
that came out best.
"""

import enum
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling.inference import clustered, scoring
from ie_scaling.laws.evidence.entries import ORDERS, STACKS, Approach, Entry
from ie_scaling.laws.evidence.law_table import TOO_FEW
from ie_scaling.running import markdown

COMPARED = {
    "log_score": "log score",
    "crps": "CRPS",
    "interval_score": "interval score",
    "squared_error": "squared error",
    "brier": "Brier score of the decisions",
}  # metrics in words
MORE_IS_BETTER = ("log_score", "decision")
HEADER = (
    "entry",
    "log score",
    "CRPS (mnat)",
    "interval score (mnat)",
    "50 %",
    "90 %",
    "decisions right",
    "Brier",
    "regret (mnat)",
    "flagged",
)


class Verdict(enum.StrEnum):
    """A score beside a rival's, by the 90 % interval of their difference."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no different"
    TOO_FEW = TOO_FEW


TOLD = (Verdict.BETTER, Verdict.WORSE, Verdict.NO_DIFFERENCE)


def verdict(row: Any) -> Verdict:
    """The verdict on a row of the table of differences; fewer than `MIN_CLUSTERS` models give none."""
    low, high = row["difference_lo90"], row["difference_hi90"]
    if row["clusters"] < clustered.MIN_CLUSTERS:
        return Verdict.TOO_FEW
    if not np.isfinite(low) or low <= 0 <= high:
        return Verdict.NO_DIFFERENCE
    return Verdict.BETTER if (low > 0) == (row["metric"] in MORE_IS_BETTER) else Verdict.WORSE


def to_markdown(scores: pd.DataFrame, differences: pd.DataFrame, entries: Sequence[Entry]) -> str:
    """The paragraph, what posteriors earn, then for each table and way of leaving out its entries, least CRPS first."""
    judged = differences.assign(verdict=[str(verdict(row)) for _, row in differences.iterrows()])
    text = paragraph(scores, judged, entries) + "\n" + _earned(judged)
    for _, group in scores.groupby(["table", "left_out"], sort=False):
        first = group.iloc[0]
        counts = f"{first['n_rows']:.0f} rows of {first['n_models']:.0f} models"
        few = f" ({TOO_FEW})" if first["n_models"] < clustered.MIN_CLUSTERS else ""
        counts += f"{few}, {first['n_pairs']:.0f} pairs at {first['n_scales']:.0f} scales"
        text += f"\n**{first['table']}**, left out by {first['left_out']}: {counts}\n\n"
        lines = [_line(row) for row in group.sort_values("crps", na_position="last").to_dict("records")]
        text += markdown.table(HEADER, lines)
    return text


def _line(row: dict[str, Any]) -> list[str]:
    """An entry's line of a table of scores."""
    line = [row["entry"], _cell(row, "log_score", 1, 2), _cell(row, "crps", 1e3, 2)]
    line.append(_cell(row, "interval_score", 1e3, 1))
    line += [_cell(row, name, 100, 0) for name in ("coverage50", "coverage90", "decision")]
    line += [_cell(row, "brier", 1, 3), _cell(row, "regret", 1e3, 2)]
    flagged = row["splits_flagged"]
    return [*line, f"{flagged:.0f} of {row['splits']:.0f}" if flagged and flagged > 0 else ""]


def _cell(row: dict[str, Any], metric: str, scale: float, digits: int) -> str:
    low, middle, high = (scale * row.get(f"{metric}{tail}", np.nan) for tail in ("_lo90", "", "_hi90"))
    if not np.isfinite(middle):
        return "–"
    text = _number(middle, digits)
    if np.isfinite(low):
        text += f" ({_number(low, digits)} to {_number(high, digits)})"
    return text


def _number(value: float, digits: int) -> str:
    return f"{value:.1e}" if abs(value) >= 1e5 else f"{value:.{digits}f}"


def paragraph(scores: pd.DataFrame, judged: pd.DataFrame, entries: Sequence[Entry]) -> str:
    """What the contest shows of posteriors beside their rivals, in words, from the numbers alone.

    `judged` are the differences with a column `verdict`.
    """
    by_way = scores.groupby(["table", "left_out"], sort=False)["n_models"].first()
    few = [" by ".join(name) for name, n in zip(list(by_way.index), by_way, strict=True) if n < clustered.MIN_CLUSTERS]
    text = f"{len(by_way)} ways of leaving runs out. "
    if few:
        text += f"On {', '.join(few)} fewer than {clustered.MIN_CLUSTERS} models are scored: {TOO_FEW}. "
    stacked = Entry(Approach.STACKED)
    if stacked in entries:
        for rival in (stacked.by(approach) for approach in STACKS if approach is not Approach.BAYES):
            text += f"The stacked posterior beside {rival} (the same laws in the same proportions): "
            text += _where(_of(judged, stacked, rival)) + " "
    return (text + _coverage(scores, entries) + _decisions(scores, entries) + _ranks(judged, entries)).strip() + "\n"


def _of(judged: pd.DataFrame, entry: Entry, rival: Entry) -> pd.DataFrame:
    return judged[(judged["entry"] == str(entry)) & (judged["rival"] == str(rival))]


def _where(pairs: pd.DataFrame) -> str:
    """On which tables and ways of leaving out each score is better, and on which worse."""
    clauses = []
    for metric, words in COMPARED.items():
        own = pairs[pairs["metric"] == metric]
        told = []
        for kind in (Verdict.BETTER, Verdict.WORSE):
            where = [f"{row['table']} by {row['left_out']}" for _, row in own[own["verdict"] == kind].iterrows()]
            told += [f"{kind} on {', '.join(where)}"] if where else []
        if (own["verdict"] != Verdict.TOO_FEW).any():
            clauses.append(f"{words} {' and '.join(told) or 'nowhere different'}")
        elif len(own):
            clauses.append(f"{words} {TOO_FEW}")
    return ("; ".join(clauses) or "nothing to compare") + "."


def _earned(judged: pd.DataFrame) -> str:
    """How often each posterior is better, worse and no different than its bootstrap and its conformal curve."""
    lines = []
    rivals = judged[~judged["rival"].isin([str(order) for order in ORDERS])]
    for (entry, rival), pairs in rivals.groupby(["entry", "rival"], sort=False):
        line = [entry, rival]
        for metric in COMPARED:
            verdicts = pairs.loc[pairs["metric"] == metric, "verdict"]
            counts = [f"{(verdicts == kind).sum()} {kind}" for kind in TOLD if (verdicts == kind).any()]
            line.append(", ".join(counts) or "–")
        lines.append(line)
    if not lines:
        return ""
    title = (
        "**Posteriors beside the same laws by least squares**, over the ways of leaving out that score enough models"
    )
    return f"\n{title}\n\n" + markdown.table(("posterior", "beside", *COMPARED.values()), lines)


def _coverage(scores: pd.DataFrame, entries: Sequence[Entry]) -> str:
    """How often the 90 % intervals of each kind of entry cover what they should."""
    clauses = []
    kinds = (*STACKS.values(), *STACKS, Approach.CURVE_FIT)
    for approach in kinds:
        names = [str(entry) for entry in entries if entry.approach is approach]
        own = scores.loc[scores["entry"].isin(names), "coverage90"].dropna()
        n_inside = int(own.between(*scoring.COVERAGE_90).sum())
        if len(own):
            clauses.append(f"{approach} {n_inside} of {len(own)} times (least {100 * own.min():.0f} %)")
    low, high = (f"{100 * edge:.0f}" for edge in scoring.COVERAGE_90)
    return f"90 % intervals cover between {low} and {high} % of the rows left out for {'; '.join(clauses)}. "


def _decisions(scores: pd.DataFrame, entries: Sequence[Entry]) -> str:
    """Pairs decided right and regret of every entry, over the splits in which all of them decide."""
    right, regret = {}, {}
    decided = scores[scores["decision"].notna() & scores["entry"].isin([str(entry) for entry in entries])]
    whole = decided.groupby(["table", "left_out"])["entry"].transform("nunique") == decided["entry"].nunique()
    for entry in sorted(entries, key=str):
        own = decided[whole & (decided["entry"] == str(entry))]
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
    shares = [by_bootstrap[law] for law in shared]
    differences = ", ".join(f"{law} {round(by_bayes[law] - by_bootstrap[law]):+d}" for law in shared)
    return (
        f"Between laws the bootstrap's share varies by {max(shares) - min(shares):.0f} points; "
        f"the posterior adds to the bootstrap of the same law: {differences}. "
    )


def _ranks(judged: pd.DataFrame, entries: Sequence[Entry]) -> str:
    """Whether the decisions of each posterior can be told from those of the orders that fit no law."""
    rows = judged[judged["rival"].isin([str(order) for order in ORDERS]) & (judged["metric"] == "decision")]
    clauses = []
    for entry in entries:
        if (rows["entry"] != str(entry)).all():
            continue
        own = rows[rows["entry"] == str(entry)]
        told = [
            f"{row['verdict']} than {row['rival']} on {row['table']} by {row['left_out']}"
            for _, row in own.iterrows()
            if row["verdict"] in (Verdict.BETTER, Verdict.WORSE)
        ]
        clauses.append(f"{entry} {'; '.join(told) if told else 'nowhere'}")
    if not clauses:
        return ""
    return f"Decisions that are told from those of orders that fit no law: {', '.join(clauses)}. "
