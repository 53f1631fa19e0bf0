"""Stacking weights against brute force, and draws apportioned."""

import numpy as np
import pytest

from ie_scaling.laws.bayes import stacking


def test_weights_maximise_the_log_score():
    score_MK = np.random.default_rng(0).normal(size=(40, 2)) * [1.0, 1.5]
    weight_K = stacking.weigh(score_MK, np.ones(40))
    grid = np.linspace(0, 1, 2001)
    value = [np.log(w * np.exp(score_MK[:, 0]) + (1 - w) * np.exp(score_MK[:, 1])).sum() for w in grid]
    assert weight_K[0] == pytest.approx(grid[int(np.argmax(value))], abs=1e-3)
    assert weight_K.sum() == pytest.approx(1.0)


def test_a_law_that_always_scores_lower_gets_no_weight():
    score_MK = np.random.default_rng(1).normal(size=(30, 1)) + np.array([0.0, -1.0, -2.0])
    np.testing.assert_allclose(stacking.weigh(score_MK, np.ones(30)), [1, 0, 0], atol=1e-6)


def test_draws_are_apportioned_whole():
    assert stacking.apportion(np.array([0.5, 0.3, 0.2]), 11).tolist() == [6, 3, 2]
    assert stacking.apportion(np.array([1 / 3, 1 / 3, 1 / 3]), 100).sum() == 100
