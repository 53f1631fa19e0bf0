"""Scores of a contest made up: what tests of its tables and of its words read."""

import numpy as np

from ie_scaling.laws.evidence import contest_scores
from ie_scaling.laws.evidence.entries import ORDERS, Approach, Entry
from ie_scaling.laws.evidence.splits import Way

ENTRIES = [
    Entry(Approach.BAYES, "effective"),
    Entry(Approach.STACKED),
    Entry(Approach.BOOTSTRAP, "effective"),
    Entry(Approach.BOOTSTRAP_STACKED),
    Entry(Approach.CONFORMAL, "effective"),
    Entry(Approach.CONFORMAL_STACKED),
    *ORDERS,
]


def part(crps_of_bayes: float, n_models: int = 12) -> dict:
    """Two rows of each model, as many pairs as models, one scale."""
    n_rows = 2 * n_models
    by_row = 1e-5 * np.tile([1, 1, -1, -1], n_models // 2)

    def entry(crps, right):
        rows = {name: (crps + np.zeros(n_rows)).tolist() for name in ("crps", "squared_error", "interval_score")}
        rows |= {"log_score": (-crps + np.zeros(n_rows)).tolist()}
        rows |= {name: [1.0] * (n_rows - 1) + [0.0] for name in ("coverage50", "coverage90")}
        return rows | {"decision": [right] * n_models, "brier": [0.1] * n_models, "regret": [0.0]}

    bayes, order = entry(crps_of_bayes + by_row, 1.0), {"decision": [0.5] * n_models, "brier": [0.25] * n_models}
    conformal = {name: values for name, values in entry(0.004, 0.0).items() if name != "log_score"}
    return {
        "model": [f"m{row // 2}" for row in range(n_rows)],
        "pair_models": [[f"m{i}", f"m{(i + 1) % n_models}"] for i in range(n_models)],
        "scale_models": [[f"m{i}" for i in range(n_models)]],
        "random_regret": [0.02],
        "failures": {},
        "entries": {
            "bayes effective": bayes,
            Approach.STACKED: bayes,
            "bootstrap effective": entry(0.002, 0.5),
            Approach.BOOTSTRAP_STACKED: entry(0.002, 0.5),
            "conformal effective": conformal,
            Approach.CONFORMAL_STACKED: conformal,
            **{str(entry): order | {"regret": [0.01]} for entry in ORDERS},
        },
    }


def parts(crps_of_bayes: float, n_models: int = 12) -> dict:
    """By size one part, by model two of which the posterior earns nothing, nothing by tokens."""
    by_model = [part(0.002, n_models)] * 2
    return {"made_up": {Way.SIZE: [part(crps_of_bayes, n_models)], Way.TOKENS: [], Way.MODEL: by_model}}


def tabulated(crps_of_bayes: float, n_models: int = 12):
    return contest_scores.tabulate(parts(crps_of_bayes, n_models), ENTRIES)


def compared(crps_of_bayes: float, n_models: int = 12):
    return contest_scores.compare(parts(crps_of_bayes, n_models), ENTRIES)
