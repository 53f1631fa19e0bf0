"""Scores of the contest and their words, from parts made up."""

import numpy as np
import pytest

from ie_scaling.laws.evidence import contest_scores
from ie_scaling.laws.evidence.contest import Approach, Entry, Way
from ie_scaling.report import law_figures

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


@pytest.mark.parametrize(("crps", "word"), [(0.001, "better"), (0.003, "worse"), (0.002, "no different")])
def test_the_words_follow_the_interval(crps, word):
    scores = tabulated(crps).set_index(["left_out", "entry"])
    row = scores.loc[("size", Approach.STACKED)]
    assert row["against"] == "bootstrap effective"
    assert row["crps"] == pytest.approx(crps, abs=2e-5)
    assert contest_scores.verdict(row, "crps") == word
    assert row["coverage90"] == pytest.approx(11 / 12)
    assert scores.loc[("size", Approach.SMALL_SCALE)]["decision"] == pytest.approx(0.5)
    assert scores.loc[("model", Approach.STACKED)]["n_rows"] == 24


def test_the_paragraph_says_when_bayes_buys_nothing():
    scores = tabulated(0.002)
    assert "can show on made_up by model." in contest_scores.paragraph(tabulated(0.001), ENTRIES)
    scores.loc[scores["entry"] == Approach.STACKED, ["decision_difference_lo90", "decision_difference_hi90"]] = [-1, 1]
    text = contest_scores.paragraph(scores, ENTRIES)
    assert "buys nothing that these runs can show on made_up by size, made_up by model" in text
    assert "92 %" in text
    assert "| bootstrap effective |" in contest_scores.to_markdown(scores, ENTRIES)


def test_a_table_without_decisions_is_scored_on_losses_alone():
    alone = part(0.001) | {"pair_models": [], "random_regret": []}
    for entry in alone["entries"].values():
        entry |= {"decision": [], "brier": [], "regret": []}
    scores = contest_scores.tabulate({"sizes": {Way.SIZE: [alone], Way.MODEL: [alone]}}, ENTRIES, 50, 0)
    row = scores[scores["entry"] == Approach.STACKED].iloc[0]
    assert row["crps"] == pytest.approx(0.001, abs=2e-5)
    assert np.isnan(row.get("decision", np.nan))
    assert "0 pairs at 0 scales" in contest_scores.to_markdown(scores, ENTRIES)
    assert "decision_lo90" in scores  # which the figure asks for
    assert law_figures.contest(scores) is not None


def test_what_the_law_earns_and_what_the_posterior_earns():
    shares = {
        Entry(Approach.BAYES, "chinchilla"): 68.0,
        Entry(Approach.BAYES, "effective"): 97.0,
        Entry(Approach.STACKED): 97.0,
        Entry(Approach.BOOTSTRAP, "chinchilla"): 69.0,
        Entry(Approach.BOOTSTRAP, "effective"): 97.0,
        Entry(Approach.BOOTSTRAP, "width_depth"): 10.0,  # no posterior of it
    }
    text = contest_scores._law_or_posterior(shares)
    assert "the law earns 28 (bootstrap effective over bootstrap chinchilla)" in text
    assert text.endswith("the same law: chinchilla -1, effective +0. ")
