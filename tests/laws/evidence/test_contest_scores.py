"""Scores of the contest from parts made up: means, intervals over models, and differences from rivals named before."""

import numpy as np
import pytest

from ie_scaling.laws.evidence import contest_report, contest_scores
from ie_scaling.laws.evidence.entries import Approach
from ie_scaling.laws.evidence.splits import Way
from ie_scaling.report import law_figures
from tests.laws.evidence.contest_parts import ENTRIES, compared, part, tabulated


def test_scores_are_means_with_intervals_over_models():
    scores = tabulated(0.001).set_index(["left_out", "entry"])
    row = scores.loc[("size", Approach.STACKED)]
    assert row["crps"] == pytest.approx(0.001, abs=2e-5)
    assert row["crps_lo90"] <= row["crps"] <= row["crps_hi90"]
    assert row["coverage90"] == pytest.approx(23 / 24)
    assert (row["crps_clusters"], row["n_models"], row["n_scales"]) == (12, 12, 1)
    assert np.isnan(scores.loc[("size", "conformal effective")]["log_score"])
    assert scores.loc[("size", "more parameters")]["decision"] == pytest.approx(0.5)
    assert scores.loc[("model", Approach.STACKED)]["n_rows"] == 48
    assert scores.loc[("size", Approach.AT_RANDOM)]["regret"] == 0.02
    assert set(scores.reset_index()["left_out"]) == {"size", "model"}  # nothing was left out by tokens


def test_differences_are_paired_and_from_the_same_law():
    rows = compared(0.001).set_index(["left_out", "entry", "rival", "metric"]).sort_index()
    row = rows.loc[("size", "bayes effective", "bootstrap effective", "crps")]
    assert row["difference"] == pytest.approx(-0.001, abs=2e-5)
    assert row["difference_hi90"] < 0
    assert row["clusters"] == 12
    rivals = set(rows.loc[("size", "bayes stacked")].index.get_level_values("rival"))
    orders = {"one small scale interpolated", "one small scale parabola", "more parameters"}
    assert rivals == {"bootstrap stacked", "conformal stacked"} | orders
    assert rows.loc[("size", "bayes effective", "more parameters", "decision")]["difference"] == 0.5


def test_a_table_without_decisions_is_scored_on_losses_alone():
    alone = part(0.001) | {"pair_models": [], "scale_models": [], "random_regret": []}
    for entry in alone["entries"].values():
        entry |= {"decision": [], "brier": [], "regret": []}
    parts = {"sizes": {Way.SIZE: [alone], Way.MODEL: [alone]}}
    scores, differences = contest_scores.tabulate(parts, ENTRIES), contest_scores.compare(parts, ENTRIES)
    row = scores[scores["entry"] == Approach.STACKED].iloc[0]
    assert row["crps"] == pytest.approx(0.001, abs=2e-5)
    assert np.isnan(row["decision"])
    assert "0 pairs at 0 scales" in contest_report.to_markdown(scores, differences, ENTRIES)
    assert law_figures.contest(scores) is not None


def test_an_entry_that_a_table_cannot_hold_is_blank():
    without = part(0.001)
    del without["entries"]["bayes effective"]
    scores = contest_scores.tabulate({"few": {Way.SIZE: [without]}}, ENTRIES).set_index("entry")
    assert np.isnan(scores.loc["bayes effective", "crps"])
    assert scores.loc["bootstrap effective", "crps"] == pytest.approx(0.002)
