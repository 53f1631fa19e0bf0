"""Forecasts of held-out runs against closed forms."""

import numpy as np
import pytest
from scipy import stats

from ie_scaling.laws import forms
from ie_scaling.laws.evidence import forecast
from ie_scaling.laws.evidence.forecast import Forecast
from ie_scaling.laws.least_squares import published
from ie_scaling.laws.problem import pose
from tests.laws.simulated import read


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
