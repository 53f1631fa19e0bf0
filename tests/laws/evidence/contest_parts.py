"""Scores of a contest made up: what tests of its tables and of its words read."""

import numpy as np

from ie_scaling.laws.evidence import contest_scores
from ie_scaling.laws.evidence.contest import Approach, Entry, Way

ENTRIES = [
    Entry(Approach.STACKED),
    Entry(Approach.BOOTSTRAP, "effective"),
    Entry(Approach.BOOTSTRAP, "chinchilla"),
    Entry(Approach.SMALL_SCALE),
]


def part(crps_of_bayes: float) -> dict:
    """Twelve rows of six models, twelve pairs, one scale."""
    by_model = 1e-5 * np.array([1, 1, -1, -1] * 3)

    def entry(crps, right):
        jitter = by_model if right[-1] else 0
        rows = {name: (crps + jitter + np.zeros(12)).tolist() for name in ("crps", "log_score", "squared_error")}
        rows |= {name: [1.0] * 11 + [0.0] for name in ("coverage50", "coverage90")}
        return rows | {"decision": right * 4, "brier": [0.1] * 12, "regret": [0.0]}

    return {
        "model": [f"m{i // 2}" for i in range(12)],
        "pair_models": [["m0", "m1"], ["m2", "m3"], ["m4", "m5"]] * 4,
        "random_regret": [0.02],
        "failures": {},
        "entries": {
            Approach.STACKED: entry(crps_of_bayes, [1.0, 1.0, 1.0]),
            "bootstrap effective": entry(0.002, [1.0, 0.0, 0.0]),
            "bootstrap chinchilla": entry(0.004, [0.0, 0.0, 0.0]),
            Approach.SMALL_SCALE: {"decision": [1.0, 0.0, 0.5] * 4, "brier": [0.0, 1.0, 0.25] * 4, "regret": [0.01]},
        },
    }


def tabulated(crps_of_bayes: float):
    parts = {"made_up": {Way.SIZE: [part(crps_of_bayes)], Way.MODEL: [part(0.002), part(0.002)]}}
    return contest_scores.tabulate(parts, ENTRIES, 200, 0)
