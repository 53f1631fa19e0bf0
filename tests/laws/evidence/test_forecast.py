"""Forecasts of held-out runs against closed forms."""

import numpy as np
import pytest
from scipy import stats

from ie_scaling.laws import bayes, forms
from ie_scaling.laws.evidence import forecast
from ie_scaling.laws.evidence.forecast import Forecast
from ie_scaling.laws.least_squares import published, solver
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from tests.laws.simulated import read, simulate


def test_a_mixture_weighs_draws_and_densities():
    one = Forecast(loss_WR=np.full((100, 2), 1.0), log_density_R=np.log([0.2, 0.4]))
    other = Forecast(loss_WR=np.full((200, 2), 2.0), log_density_R=np.log([0.6, 0.8]))
    mixed = forecast.mix([one, other], np.array([0.25, 0.75]))
    assert (mixed.loss_WR == 1.0).mean() == 0.25
    assert len(mixed.loss_WR) == 100
    np.testing.assert_allclose(np.exp(mixed.log_density_R), [0.5, 0.7])


def test_curve_fit_is_normal_about_its_curve():
    rows = read("bian2025", "fit_set.str.contains('fig7')")
    fitted = published.fit(pose(forms.get_law("aspect_ratio"), rows))
    predicted = forecast.of_curve_fit(fitted, rows, 4000, 0)
    residual_R = rows.loss_R - np.exp(fitted.predict(rows.features))
    sd = np.sqrt((residual_R**2).sum() / (len(rows) - 5))
    np.testing.assert_allclose(predicted.log_density_R, stats.norm.logpdf(residual_R, 0, sd), rtol=1e-6)
    assert predicted.loss_WR.std(axis=0) == pytest.approx(np.full(len(rows), sd), rel=0.1)


def test_a_mixture_with_one_that_has_no_density_has_none():
    one = Forecast(loss_WR=np.full((4, 2), 1.0), log_density_R=np.log([0.2, 0.4]))
    other = Forecast(loss_WR=np.full((4, 2), 2.0), log_density_R=None, ends_2R={90: np.array([[1.0, 2.0], [3.0, 4.0]])})
    assert forecast.mix([one, other], np.array([0.5, 0.5])).log_density_R is None
    assert forecast.mix([one, other], np.array([0.5, 0.5])).ends_2R == {}
    np.testing.assert_allclose(forecast.mix([other, other], np.array([0.3, 0.7])).interval(90), other.interval(90))


def test_a_fitted_model_is_predicted_about_its_own_effect():
    rows = Observations.from_frame(simulate(forms.get_law("chinchilla"), seed=3, tau=0.05, sigma=0.002))
    point = solver.fit(pose(forms.get_law("chinchilla"), rows), n_starts=4)
    draws = bayes.bootstrap(point, 40, 0)
    known = forecast.of_posterior(draws, rows, 0)
    renamed = Observations.from_frame(rows.frame.assign(model_id="another " + rows.frame["model_id"]))
    fresh = forecast.of_posterior(draws, renamed, 0)
    assert known.log_density_R.mean() > fresh.log_density_R.mean() + 1  # narrower by ln(0.05 / 0.002) at most
    assert known.loss_WR.std(axis=0).mean() < 0.5 * fresh.loss_WR.std(axis=0).mean()
