"""Tests of coverage and of normal scores, and their power, against numbers worked out by hand."""

import numpy as np
import pytest
from scipy import stats

from ie_scaling.laws.evidence import detectable
from ie_scaling.laws.evidence.detectable import Sides

MANY = 4000  # draws


def test_power_of_a_coverage_by_hand():
    assert detectable.by_coverage(1) is None  # right intervals miss one of one every tenth time
    assert detectable.by_coverage(2) == pytest.approx(1 - np.sqrt(0.8))  # none of two fails, one time in a hundred
    share = detectable.by_coverage(3)  # at most one of three fails: 0.1³ + 3·0.9·0.1² = 0.028
    assert (1 - share) ** 3 + 3 * share * (1 - share) ** 2 == pytest.approx(0.8)
    share = detectable.by_coverage(9)  # at most five of nine: 0.0083; six would be 0.053
    assert stats.binom.cdf(5, 9, share) == pytest.approx(0.8)
    assert share == pytest.approx(0.471, abs=0.001)


def test_a_right_coverage_of_few_is_improbable_by_the_binomial():
    assert detectable.as_few_covered(0.0, 2) == pytest.approx(0.01)
    assert detectable.as_few_covered(1 / 3, 3) == pytest.approx(0.028)
    assert detectable.as_few_covered(0.77, 35) == pytest.approx(stats.binom.cdf(27, 35, 0.9))
    assert detectable.as_few_covered(0.77, 35) < detectable.LEVEL < detectable.as_few_covered(0.77, 9)


def test_power_of_the_spread_by_hand():
    """χ² of two models is exponential: its tail of 0.0125 begins at −2 ln 0.0125, its first fifth ends at −2 ln 0.8."""
    widening = np.sqrt(np.log(0.0125) / np.log(0.8))
    assert detectable.by_spread(2) == pytest.approx(2 * stats.norm.cdf(1.6448536 / widening) - 1)
    shares = [detectable.by_spread(n_models) for n_models in (2, 9, 35, 1000)]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(0.88, abs=0.01)


def test_power_of_the_spread_is_what_simulation_gives():
    rng = np.random.default_rng(0)
    narrowed = stats.norm.ppf(0.95) / stats.norm.ppf(0.5 + detectable.by_spread(9) / 2)
    pits = stats.norm.cdf(narrowed * rng.standard_normal((1000, 9)))
    noticed = [detectable.normal_scores(pit_R, np.arange(9), 10**9).p_value < detectable.LEVEL for pit_R in pits]
    assert np.mean(noticed) == pytest.approx(detectable.POWER, abs=0.04)


def test_power_by_draws_is_the_binomial_of_independent_rows():
    draws_WR = np.random.default_rng(0).standard_normal((MANY, 9))
    edge_R = np.full(9, 1.6448536)
    share = detectable.by_draws(draws_WR, -edge_R, edge_R, critical=5 / 9)
    assert share == pytest.approx(detectable.by_coverage(9), abs=0.02)


def test_rows_that_err_together_say_less():
    """A row repeated nine times is one row, of which no coverage can be told."""
    together_WR = np.repeat(np.random.default_rng(0).standard_normal((MANY, 1)), 9, axis=1)
    edge_R = np.full(9, 1.6448536)
    share = detectable.by_draws(together_WR, -edge_R, edge_R, critical=5 / 9)
    assert share == pytest.approx(0.2, abs=0.02)  # all are missed with probability 0.8 where one is
    assert detectable.by_draws(np.zeros((MANY, 9)), -edge_R, edge_R, critical=5 / 9) is None


def test_scores_by_hand():
    found = detectable.normal_scores(stats.norm.cdf([1.0, 3.0, -2.0]), np.array([0, 0, 1]), MANY)
    assert (found.n_models, found.mean, found.spread) == (2, pytest.approx(0.0), pytest.approx(4.5))  # 2, −2; 5, 4
    assert found.p_value == pytest.approx(4 * np.exp(-4.5))  # χ² of two beyond 9, two tails, two tests
    assert found.departs is Sides.SPREAD
    shifted = detectable.normal_scores(stats.norm.cdf(np.full(9, 1.0)), np.arange(9), MANY)
    assert (shifted.departs, shifted.p_value) == (Sides.LOCATION, pytest.approx(4 * stats.norm.sf(3.0)))


def test_rows_of_a_model_count_once():
    one_R = stats.norm.cdf(np.random.default_rng(0).standard_normal(9))
    ten_R = np.repeat(one_R, 10)
    once = detectable.normal_scores(one_R, np.arange(9), MANY)
    assert detectable.normal_scores(ten_R, np.repeat(np.arange(9), 10), MANY).p_value == pytest.approx(once.p_value)


@pytest.mark.parametrize("shared", [0.0, 0.7, 1.0])
def test_right_scores_seldom_fail_however_the_rows_of_a_model_depend(shared):
    """Where every row counts for itself, models of ten like rows fail most of the time."""
    rng, model_R = np.random.default_rng(0), np.repeat(np.arange(10), 10)
    own, of_model = rng.standard_normal((500, 100)), rng.standard_normal((500, 10))[:, model_R]
    pits = stats.norm.cdf(np.sqrt(shared) * of_model + np.sqrt(1 - shared) * own)
    by_model = [detectable.normal_scores(pit_R, model_R, MANY).p_value < detectable.LEVEL for pit_R in pits]
    by_row = [detectable.normal_scores(pit_R, np.arange(100), MANY).p_value < detectable.LEVEL for pit_R in pits]
    assert np.mean(by_model) < 0.07
    assert np.mean(by_row) > 0.5 or shared < 1.0


def test_overconfident_scores_fail():
    rng = np.random.default_rng(0)
    pits = stats.norm.cdf(4 * rng.standard_normal((100, 10)))
    assert np.mean([detectable.normal_scores(pit_R, np.arange(10), MANY).p_value < 0.05 for pit_R in pits]) > 0.95


def test_a_pit_at_an_end_is_as_far_as_the_draws_reach():
    found = detectable.normal_scores(np.array([0.0, 1.0]), np.arange(2), 100)
    assert found.spread == pytest.approx(stats.norm.isf(0.005) ** 2)
