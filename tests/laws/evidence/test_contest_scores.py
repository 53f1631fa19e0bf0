"""Scores of the contest from parts made up: means, the entry they are compared with, and intervals over models."""

import numpy as np
import pytest

from ie_scaling.laws.evidence import contest_report, contest_scores
from ie_scaling.laws.evidence.contest import Approach, Way
from ie_scaling.report import law_figures
from tests.laws.evidence.contest_parts import ENTRIES, part, tabulated


def test_scores_are_means_beside_the_best_bootstrap():
    scores = tabulated(0.001).set_index(["left_out", "entry"])
    row = scores.loc[("size", Approach.STACKED)]
    assert row["against"] == "bootstrap effective"
    assert row["crps"] == pytest.approx(0.001, abs=2e-5)
    assert row["crps_lo90"] <= row["crps"] <= row["crps_hi90"]
    assert row["crps_difference_hi90"] < 0
    assert row["coverage90"] == pytest.approx(11 / 12)
    assert scores.loc[("size", Approach.SMALL_SCALE)]["decision"] == pytest.approx(0.5)
    assert scores.loc[("model", Approach.STACKED)]["n_rows"] == 24
    assert scores.loc[("size", Approach.AT_RANDOM)]["regret"] == 0.02


def test_a_table_without_decisions_is_scored_on_losses_alone():
    alone = part(0.001) | {"pair_models": [], "random_regret": []}
    for entry in alone["entries"].values():
        entry |= {"decision": [], "brier": [], "regret": []}
    scores = contest_scores.tabulate({"sizes": {Way.SIZE: [alone], Way.MODEL: [alone]}}, ENTRIES, 50, 0)
    row = scores[scores["entry"] == Approach.STACKED].iloc[0]
    assert row["crps"] == pytest.approx(0.001, abs=2e-5)
    assert np.isnan(row.get("decision", np.nan))
    assert "0 pairs at 0 scales" in contest_report.to_markdown(scores, ENTRIES)
    assert "decision_lo90" in scores  # which the figure draws
    assert law_figures.contest(scores) is not None
