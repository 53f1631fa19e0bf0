"""Scores of the contest: means with 90 % intervals over models, paired differences, and a paragraph in words.

Intervals resample the models that were left out, the same for every entry, so differences are paired; a pair of shapes
counts as often as both its models were drawn. Regret is resampled by scale. W resamples.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling.laws.evidence.contest import STACKED
from ie_scaling.running import markdown

OF_ROWS = ("log_score", "crps", "coverage50", "coverage90", "squared_error")
OF_PAIRS = ("decision", "brier")
OF_SCALES = ("regret",)
METRICS = (*OF_ROWS, *OF_PAIRS, *OF_SCALES)
MORE_IS_BETTER = ("log_score", "decision")
MIN_PAIRS = 10
AT_RANDOM = "at random"
COVERED = (0.80, 0.97)  # what the 90 % intervals of rows left out should cover


def tabulate(found: dict[str, dict[str, Any]], n_resamples: int, seed: int) -> pd.DataFrame:
    """A row for each table, way of leaving out (size, model) and entry.

    Each metric with its 90 % interval, and its difference from `against`: the bootstrap of least CRPS there, chosen in
    hindsight. Blank where nothing could be scored.
    """
    lines = []
    for table, splits in found.items():
        for way in ("size", "model"):
            parts = [part for name, part in splits.items() if name.startswith(way)]
            weights = _resample(parts, n_resamples, np.random.default_rng(seed))
            values = {name: _joined(parts, name) for name in parts[0]["entries"]}
            bootstraps = [name for name in values if name.startswith("bootstrap")]
            against = min(bootstraps, key=lambda name: np.mean(values[name]["crps"]))
            for name, own in values.items():
                failed = sum(bool(part["failures"].get(name)) for part in parts)
                line = {"table": table, "left_out": way, "entry": name, "splits": len(parts), "splits_flagged": failed}
                line |= {"n_rows": weights["row"].shape[1], "n_pairs": weights["pair"].shape[1], "against": against}
                line |= {"n_scales": weights["scale"].shape[1]}
                for metric in METRICS:
                    line |= _describe(metric, own, values[against], weights)
                lines.append(line)
            regrets = [regret for part in parts for regret in part["random_regret"]]
            lines.append(
                {"table": table, "left_out": way, "entry": AT_RANDOM, "regret": _mean(regrets), "decision": 0.5}
            )
    return pd.DataFrame(lines)


def _joined(parts: Sequence[dict[str, Any]], name: str) -> dict[str, np.ndarray]:
    """An entry's values of every metric over the parts; empty where it has none."""
    return {
        metric: np.concatenate([np.asarray(part["entries"][name].get(metric, []), float) for part in parts])
        for metric in METRICS
    }


def _resample(parts: Sequence[dict[str, Any]], n_resamples: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """How often each row, pair and scale counts in each resample, [W, ·]; the first is the data themselves."""
    models = sorted({model for part in parts for model in part["model"]})
    place = {model: index for index, model in enumerate(models)}
    count_WM = rng.multinomial(len(models), np.full(len(models), 1 / len(models)), size=n_resamples)
    count_WM = np.concatenate([np.ones((1, len(models)), int), count_WM])
    row_R = np.array([place[model] for part in parts for model in part["model"]], int)
    pair_P2 = np.array([[place[model] for model in pair] for part in parts for pair in part["pair_models"]], int)
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
    metric: str, own: dict[str, np.ndarray], other: dict[str, np.ndarray], weights: dict[str, np.ndarray]
) -> dict[str, float]:
    """The metric and its difference from the other entry's, each with its 90 % interval."""
    kind = "row" if metric in OF_ROWS else "pair" if metric in OF_PAIRS else "scale"
    described: dict[str, float] = {}
    if not len(own[metric]):
        names = (metric, f"{metric}_difference")
        return {f"{name}{tail}": float("nan") for name in names for tail in ("", "_lo90", "_hi90")}
    for name, values in ((metric, own[metric]), (f"{metric}_difference", own[metric] - other[metric])):
        total_W = weights[kind].sum(axis=1)
        mean_W = (weights[kind] @ values)[total_W > 0] / total_W[total_W > 0]
        low, high = np.quantile(mean_W, (0.05, 0.95))
        described |= {name: mean_W[0], f"{name}_lo90": low, f"{name}_hi90": high}
    return described


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def to_markdown(scores: pd.DataFrame) -> str:
    """The paragraph, then for each table and way of leaving out a table of the entries, least CRPS first."""
    text = paragraph(scores) + "\n"
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


def verdict(row: Any, metric: str) -> str:
    """`better`, `worse` or `no different` than what it is compared against, by the 90 % interval of the difference.

    Fewer than MIN_PAIRS pairs tell no difference in decisions.
    """
    low, high = (row.get(f"{metric}_difference_{end}", np.nan) for end in ("lo90", "hi90"))
    if not np.isfinite(low) or low <= 0 <= high or (metric in OF_PAIRS and row["n_pairs"] < MIN_PAIRS):
        return "no different"
    return "better" if (low > 0) == (metric in MORE_IS_BETTER) else "worse"


def paragraph(scores: pd.DataFrame) -> str:
    """What the contest says of Bayes, in words, from the numbers alone."""
    stacked = scores[scores["entry"] == STACKED]
    names = [f"{table} by {way}" for table, way in stacked[["table", "left_out"]].to_numpy()]
    text = (
        f"On {len(stacked)} ways of leaving runs out, the stacked posterior is compared with the bootstrap of least "
        "CRPS in hindsight. "
    )
    for metric, words in (("log_score", "log score"), ("crps", "CRPS"), ("brier", "Brier score of the decisions")):
        verdicts = [verdict(row, metric) for _, row in stacked.iterrows()]
        told = [
            f"{kind} on {', '.join(name for name, each in zip(names, verdicts, strict=True) if each == kind)}"
            for kind in ("better", "worse")
            if kind in verdicts
        ]
        text += f"Its {words} is {'; '.join(told) or 'nowhere different'}" + (
            ", elsewhere no different at 90 %. " if told and "no different" in verdicts else ". "
        )
    text += _coverage(scores) + _decisions(scores)
    nothing = [
        name
        for name, (_, row) in zip(names, stacked.iterrows(), strict=True)
        if "better" not in [verdict(row, metric) for metric in ("log_score", "crps", "brier", "decision")]
    ]
    if nothing:
        text += f"Bayes buys nothing that these runs can show on {', '.join(nothing)}."
    return text.strip() + "\n"


def _coverage(scores: pd.DataFrame) -> str:
    """How often each kind of entry's 90 % intervals cover what they should."""
    told = []
    for label, kind in (("the stacked posterior", STACKED), ("bootstraps", "bootstrap"), ("curve_fit", "curve_fit")):
        own = scores.loc[scores["entry"].str.startswith(kind), "coverage90"]
        inside = int(own.between(*COVERED).sum())
        if len(own):
            told.append(f"{label} {inside} of {len(own)} times (least {100 * own.min():.0f} %)")
    low, high = (f"{100 * edge:.0f}" for edge in COVERED)
    return f"90 % intervals cover between {low} and {high} % of the rows left out for {'; '.join(told)}. "


def _decisions(scores: pd.DataFrame) -> str:
    """Pairs called right and regret of every entry, over the splits in which there is anything to decide."""
    if "decision" not in scores:
        return ""
    right, regret = {}, {}
    for label, own in scores[scores["decision"].notna() & (scores["entry"] != AT_RANDOM)].groupby("entry"):
        right[str(label)] = 100 * np.average(own["decision"], weights=own["n_pairs"])
        regret[str(label)] = 1e3 * np.average(own["regret"], weights=own["n_scales"])
    if not right:
        return ""
    ordered = sorted(right, key=lambda label: (-round(right[label]), regret[label]))
    called = "; ".join(f"{label} {right[label]:.0f} % (regret {regret[label]:.1f} mnat)" for label in ordered)
    by_chance = 1e3 * scores.loc[scores["entry"] == AT_RANDOM, "regret"].max()
    text = f"Of all pairs of shapes, called right: {called}; choosing at random costs up to {by_chance:.1f} mnat. "
    return text + _law_or_posterior(right)


def _law_or_posterior(right: Mapping[str, float]) -> str:
    """What choosing the law earns with the method held, and what the posterior earns with the law held."""
    of = {
        method: {label.removeprefix(f"{method} "): share for label, share in right.items() if label.startswith(method)}
        for method in ("bootstrap", "bayes")
    }
    shared = [law for law in of["bootstrap"] if law in of["bayes"]]
    if len(shared) < 2:
        return ""
    best, worst = max(shared, key=of["bootstrap"].__getitem__), min(shared, key=of["bootstrap"].__getitem__)
    earned = of["bootstrap"][best] - of["bootstrap"][worst]
    each = ", ".join(f"{law} {round(of['bayes'][law] - of['bootstrap'][law]):+d}" for law in shared)
    return (
        f"Of these points the law earns {earned:.0f} (bootstrap {best} over bootstrap {worst}), "
        f"the posterior over the bootstrap of the same law: {each}. "
    )
