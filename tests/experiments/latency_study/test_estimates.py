"""Estimates and scores: which side of one they are on, and how they read."""

import numpy as np
import pandas as pd
import pytest

from experiments.latency_study.estimates import Estimate, PredictionScore, coordinate, describe_change, percent


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        ((0.65, 0.63, 0.67), "falls by 35 % [33, 37]"),
        ((1.052, 1.04, 1.06), "rises by 5.2 % [4.0, 6.0]"),
        ((6.2, 6.0, 6.4), "grows 6.2-fold [6, 6.4]"),
        ((0.25, 0.2, 0.4), "shrinks 4-fold [2.5, 5]"),
        ((0.99, 0.97, 1.02), "moves by -1.0 % [-3.0, +2.0]"),
    ],
)
def test_a_ratio_in_words(ratio, words):
    assert describe_change(Estimate(*ratio)) == words


def test_an_interval_is_wider_where_several_are_judged_together():
    draws_W = np.arange(1001) / 1000
    alone, together = Estimate.of(0.5, draws_W), Estimate.of(0.5, draws_W, n_together=10)
    assert (alone.low, alone.high) == pytest.approx((0.05, 0.95))
    assert (together.low, together.high) == pytest.approx((0.005, 0.995))


@pytest.mark.parametrize(("low", "high", "side"), [(1.1, 1.3, 1), (0.9, 1.1, 0), (0.7, 0.9, -1), (1.0, 1.2, 0)])
def test_a_ratio_is_on_a_side_where_its_whole_interval_is(low, high, side):
    assert Estimate((low + high) / 2, low, high).side == side


def test_a_score_counts_and_reads_in_percent():
    rows = pd.DataFrame({"inside": [True] * 9 + [False], "error": [0.02] * 9 + [-0.5]})
    score = PredictionScore.of(rows, n_resamples=200, seed=0)
    assert (score.n_cases, score.n_inside, score.coverage.value, score.error.value) == (10, 9, 0.9, 0.02)
    assert score.show().startswith("9 of 10 inside (90 % [")
    assert "median absolute error 2.0 % [" in score.show()


def test_shares_and_coordinates_are_short():
    assert [percent(0.5), percent(0.043), percent(-0.2)] == ["50", "4.3", "-20"]
    assert [coordinate(2.3456), coordinate(1234.5)] == ["2.35", "1,234"]
