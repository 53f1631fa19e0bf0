"""Conformal forecasts: coverage where rows are exchangeable, quantiles by hand, and which errors a split gives."""

import numpy as np
import pytest

from ie_scaling.inference import scoring
from ie_scaling.laws import forms
from ie_scaling.laws.evidence import conformal, splits
from ie_scaling.laws.evidence.splits import Way
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from tests.laws.simulated import simulate

LAW = forms.get_law("chinchilla")
BUDGETS = tuple(np.geomspace(1e8, 3e9, 12))


def test_intervals_cover_what_they_should_where_rows_are_exchangeable():
    inside = []
    for seed in range(12):
        frame = simulate(LAW, seed=seed, sigma=0.01, tokens=BUDGETS)
        rows = Observations.from_frame(frame.assign(model_id=frame["run_id"]))
        held_out_R = np.random.default_rng(seed).random(len(rows)) < 0.5
        fitted, held_out = rows.take(~held_out_R), rows.take(held_out_R)
        point = solver.fit(pose(LAW, fitted), n_starts=4)
        error_C = conformal.errors(point, Way.MODEL, 0.25)
        assert len(error_C) == len(fitted)
        predicted = conformal.forecast(point, error_C, held_out, (50, 90), 200, seed)
        inside.append([scoring.coverage(held_out.loss_R, *predicted.interval(level)) for level in (50, 90)])
    at_50, at_90 = np.mean(inside, axis=0)
    assert at_50 == pytest.approx(0.5, abs=0.06)
    assert at_90 == pytest.approx(0.9, abs=0.04)


def test_the_reach_is_the_conformal_quantile():
    error_C = np.array([0.1, -0.2, 0.3, -0.4, 0.5, -0.6, 0.7, -0.8, 0.9])
    assert conformal.reach(error_C, 90) == 0.9  # the ninth of nine
    assert conformal.reach(error_C, 50) == 0.5
    assert conformal.is_enough(error_C, 90)
    assert conformal.reach(error_C[:5], 90) == 0.5
    assert not conformal.is_enough(error_C[:5], 90)


def test_errors_are_of_the_kind_of_rows_that_are_left_out():
    rows = Observations.from_frame(simulate(LAW, sigma=0.01, tokens=(1e8, 3e8, 7e8, 3e9)))
    point = solver.fit(pose(LAW, rows), n_starts=4)
    every = splits.split(rows, n_folds=3, n_repeats=1, extrapolate=0.25, seed=0)
    largest = splits.largest_models(rows, 0.25)
    assert len(conformal.errors(point, Way.SIZE, 0.25)) == largest.sum() == 8
    assert len(conformal.errors(point, Way.TOKENS, 0.25)) == every.scored_WR[-1].sum() == 10
    few = Observations.from_frame(simulate(LAW, sigma=0.01, tokens=(1e8, 3e8, 7e8)))
    point = solver.fit(pose(LAW, few), n_starts=4)
    assert len(conformal.errors(point, Way.TOKENS, 0.25)) == 6  # by size


def test_draws_hold_every_error_equally_often_and_independently():
    rows = Observations.from_frame(simulate(LAW, sigma=0.01))
    point = solver.fit(pose(LAW, rows), n_starts=4)
    error_C = np.array([-0.1, 0.0, 0.2])
    predicted = conformal.forecast(point, error_C, rows, (90,), 100, 0)
    error_WR = np.log(predicted.loss_WR) - point.predict(rows.features)
    assert predicted.log_density_R is None
    np.testing.assert_allclose(
        np.sort(error_WR, axis=0), np.sort(np.tile(error_C, 34))[:, None] + 0 * error_WR, atol=1e-12
    )
    assert abs(np.corrcoef(error_WR[:, 0], error_WR[:, 1])[0, 1]) < 0.5
