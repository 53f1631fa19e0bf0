"""Scores of the contest: means with 90 % intervals over models, and paired differences between entries.

Intervals are Student's t over the models that are scored (`clustered.mean`): rows by their model, pairs by both of
theirs, scales by groups that share no model. Differences are of the same rows, pairs and scales.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling.inference import clustered
from ie_scaling.inference.clustered import Mean, Values
from ie_scaling.laws.evidence.contest import Part
from ie_scaling.laws.evidence.entries import ORDERS, STACKS, Approach, Entry
from ie_scaling.laws.evidence.splits import Way

METRICS = {
    "log_score": ("row", Values.ANY),
    "crps": ("row", Values.POSITIVE),
    "interval_score": ("row", Values.POSITIVE),
    "coverage50": ("row", Values.SHARE),
    "coverage90": ("row", Values.SHARE),
    "squared_error": ("row", Values.POSITIVE),
    "decision": ("pair", Values.SHARE),
    "brier": ("pair", Values.SHARE),
    "regret": ("scale", Values.COST),
}  # what each is averaged over, and what values it has
DECISIONS = ("decision", "brier", "regret")

Parts = Mapping[str, Mapping[Way, Sequence[Part]]]  # by table and way of holding out


def tabulate(parts: Parts, entries: Sequence[Entry]) -> pd.DataFrame:
    """A row for each table, way of leaving out (size, tokens, model) and entry; choosing at random last.

    Each metric with its 90 % interval and the number of clusters that it rests on. Blank where nothing was scored.
    """
    rows = []
    for table, way, of_way in _each_way(parts):
        clusters = _clusters(of_way)
        common: dict[str, Any] = {"table": table, "left_out": str(way)}
        counts = {f"n_{unit}s": len(cluster_X) for unit, cluster_X in clusters.items()}
        counts["n_models"] = len(set(clusters["row"].tolist()))
        for entry in entries:
            own = _joined(of_way, entry)
            n_flagged = sum(bool(part["failures"].get(str(entry))) for part in of_way)
            row = common | {"entry": str(entry), "splits": len(of_way), "splits_flagged": n_flagged} | counts
            for metric, (unit, values) in METRICS.items():
                is_whole = len(own[metric]) == len(clusters[unit])
                mean = clustered.mean(own[metric], clusters[unit], values) if is_whole else clustered.NONE
                row |= {f"{metric}{tail}": value for tail, value in _tails(mean).items()}
                row[f"{metric}_clusters"] = mean.n_clusters
            rows.append(row)
        regret = [regret for part in of_way for regret in part["random_regret"]]
        at_random = {"entry": str(Approach.AT_RANDOM), "regret": np.mean(regret) if regret else np.nan}
        rows.append(common | at_random | {"decision": 0.5})
    return pd.DataFrame(rows)


def compare(parts: Parts, entries: Sequence[Entry]) -> pd.DataFrame:
    """A row for each table, way of leaving out, posterior, rival and metric: their paired difference, with 90 %.

    Rivals are fixed beforehand: the bootstrap and the conformal curve of the same law or stack, and for decisions the
    orders that fit no law.
    """
    rows = []
    for table, way, of_way in _each_way(parts):
        clusters = _clusters(of_way)
        values = {entry: _joined(of_way, entry) for entry in entries}
        for entry in entries:
            if entry.approach not in (Approach.BAYES, Approach.STACKED):
                continue
            rivals = [entry.by(approach) for approach in STACKS if approach is not Approach.BAYES]
            for rival in (*rivals, *ORDERS):
                for metric, (unit, _) in METRICS.items():
                    own_X, other_X = values[entry][metric], values[rival][metric]
                    if not len(own_X) == len(other_X) == len(clusters[unit]) or not len(own_X):
                        continue
                    mean = clustered.mean(own_X - other_X, clusters[unit])
                    row: dict[str, Any] = {
                        "table": table,
                        "left_out": str(way),
                        "entry": str(entry),
                        "rival": str(rival),
                    }
                    row |= {"metric": metric} | {f"difference{tail}": value for tail, value in _tails(mean).items()}
                    rows.append(row | {"clusters": mean.n_clusters})
    columns = ["table", "left_out", "entry", "rival", "metric"]
    columns += ["difference", "difference_lo90", "difference_hi90", "clusters"]
    return pd.DataFrame(rows, columns=columns)


def _each_way(parts: Parts) -> list[tuple[str, Way, Sequence[Part]]]:
    """The parts of each table and way of leaving out, where there are some."""
    return [(table, way, of_way) for table, by_way in parts.items() for way, of_way in by_way.items() if of_way]


def _tails(mean: Mean) -> dict[str, float]:
    return {"": mean.value, "_lo90": mean.low, "_hi90": mean.high}


def _joined(parts: Sequence[Part], entry: Entry) -> dict[str, np.ndarray]:
    """An entry's values of every metric over the parts; too few where it has none in some."""
    scores = [part["entries"].get(str(entry), {}) for part in parts]
    return {metric: np.concatenate([np.asarray(own.get(metric, []), float) for own in scores]) for metric in METRICS}


def _clusters(parts: Sequence[Part]) -> dict[str, np.ndarray]:
    """The model of each row [R], the two of each pair [P, 2], and the group of each scale [S]."""
    pairs = [pair for part in parts for pair in part["pair_models"]]
    return {
        "row": np.array([model for part in parts for model in part["model"]]),
        "pair": np.array(pairs).reshape(-1, 2),
        "scale": clustered.components([models for part in parts for models in part["scale_models"]]),
    }
