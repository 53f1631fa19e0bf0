"""Scores against scikit-style definitions written out."""

import numpy as np
import pytest
from scipy import stats

from ie_scaling.inference import scoring

LOSS_R, PREDICTION_R = np.array([3.0, 2.5, 2.9, 2.5]), np.array([3.1, 2.4, 2.7, 2.6])


def test_scores():
    assert scoring.mse(LOSS_R, PREDICTION_R) == pytest.approx((0.01 + 0.01 + 0.04 + 0.01) / 4)
    assert scoring.r2(LOSS_R, PREDICTION_R) == pytest.approx(1 - 0.07 / (4 * LOSS_R.var()))
    assert scoring.spearman(LOSS_R, PREDICTION_R) == pytest.approx(stats.spearmanr(LOSS_R, PREDICTION_R).statistic)
    assert scoring.coverage(LOSS_R, PREDICTION_R - 0.15, PREDICTION_R + 0.15) == 0.75


def test_undefined_scores_are_none():
    assert scoring.metrics(np.array([3.0]), np.array([2.0])) == {"n": 1, "mse": 1.0, "r2": None, "spearman": None}


def test_crps_of_normal_draws_is_the_closed_form():
    draws = np.random.default_rng(0).normal(2.0, 0.3, (40_000, 1)) * np.ones(3)
    loss = np.array([2.0, 2.2, 1.0])
    z = (loss - 2.0) / 0.3
    exact = 0.3 * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    np.testing.assert_allclose(scoring.crps(loss, draws), exact, rtol=0.02)


def test_the_interval_score_by_hand():
    losses, low, high = np.array([2.5, 1.9, 3.2]), np.full(3, 2.0), np.full(3, 3.0)
    np.testing.assert_allclose(scoring.interval_score(losses, low, high), [1.0, 3.0, 5.0])
