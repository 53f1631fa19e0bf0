"""Scores of models left out, against scores within the fit and against refits without the model."""

import dataclasses

import numpy as np
import pytest
from scipy import special, stats

from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import bayes
from ie_scaling.laws.bayes import leave_out, posterior
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from ie_scaling.tables import run_table
from tests.laws import small_smooth


def test_leave_out_scores_are_lower_than_scores_within(fit_directory):
    made = posterior.load(fit_directory / "posterior.nc")
    left = leave_out.leave_models_out(made)
    assert left.log_score_M.shape == (10,)
    rows = made.rows
    features, log_loss_R, model_R = rows.features, rows.log_loss_R, rows.model_R
    within_WR = leave_out.log_likelihood(made, features, log_loss_R, np.arange(len(log_loss_R), dtype=np.int32))
    within_R = special.logsumexp(within_WR, axis=0) - np.log(len(within_WR))
    within_M = np.bincount(model_R, within_R) / np.bincount(model_R)
    assert (left.log_score_M <= within_M + 1e-9).all()
    assert left.log_score_M.sum() < within_M.sum() - 0.3  # a fit looks better on what it has seen
    assert np.isfinite(left.pareto_k_M).all()


def test_a_posterior_without_its_data_is_refused(fit_directory):
    made = dataclasses.replace(posterior.load(fit_directory / "posterior.nc"), fitted_rows=None)
    with pytest.raises(ValueError, match="its file lacks the fitted rows"):
        leave_out.leave_models_out(made)


@pytest.mark.slow
def test_leave_out_scores_are_those_of_refits(fit_directory, fit_config):
    """By importance sampling, against NUTS on the rows of the other models."""
    made = posterior.load(fit_directory / "posterior.nc")
    left = leave_out.leave_models_out(made)
    rows = Observations.from_frame(run_table.read_runs(fit_config.runs, fit_config.where))
    assert rows.model_ids == made.model_ids
    for model in np.argsort(left.pareto_k_M)[[0, 4, 8]]:
        others, own = rows.take(rows.model_R != model), rows.take(rows.model_R == model)
        refit = bayes.fit(pose(made.law, others), NutsConfig(n_samples=500), 0, n_starts=16)
        log_density_WR = leave_out.log_likelihood(
            refit, own.features, own.log_loss_R, np.arange(len(own), dtype=np.int32)
        )
        exact = (special.logsumexp(log_density_WR, axis=0) - np.log(len(log_density_WR))).mean()
        assert left.log_score_M[model] == pytest.approx(exact, abs=0.15)


def test_densities_of_smooth_misses_are_those_by_brute_force():
    """A model's rows given v, with u integrated; a model of one token count, and one more model's row, over u + v·t."""
    posed = small_smooth.problem()
    made = small_smooth.posterior(posed, n_draws=2)
    rows, draw = posed.rows, 3
    law_R = np.log(made.losses(rows.features, level="law").all())[draw]
    smooth_R = made.discrepancy.of_sizes(rows.features)[draw]
    t_R = np.log(rows.features.n_tokens / posed.reference.D0)
    sigma_R, slope_M = made.scale_of_runs(rows.features)[draw], made.discrepancy.slope_WM[draw]
    u = np.linspace(-0.06, 0.06, 6001)

    def by_hand(chosen_r, sd, v):
        residual_rU = (rows.log_loss_R - law_R - smooth_R - v * t_R)[chosen_r][:, None] - u
        density_U = (stats.t.pdf(residual_rU / sigma_R[chosen_r][:, None], 7.0) / sigma_R[chosen_r][:, None]).prod(
            axis=0
        )
        return np.log(np.trapezoid(density_U * stats.norm.pdf(u, 0, sd), u))

    within_M = leave_out.log_likelihood(made, rows.features, rows.log_loss_R, rows.model_R, made.discrepancy.slope_WM)
    for model in (0, posed.n_models - 1):
        own_r = np.flatnonzero(rows.model_R == model)
        is_alone = len(own_r) == 1
        sd = np.hypot(0.003, 0.004 * t_R[own_r[0]]) if is_alone else 0.003
        assert within_M[draw, model] == pytest.approx(by_hand(own_r, sd, 0.0 if is_alone else slope_M[model]), abs=2e-3)
    anew_R = leave_out.log_density(made, rows.features, rows.log_loss_R)
    for row in (0, 5):
        expected = by_hand(np.array([row]), np.hypot(0.003, 0.004 * t_R[row]), 0.0)
        assert anew_R[draw, row] == pytest.approx(expected, abs=2e-3)
    assert np.isfinite(leave_out.leave_models_out(small_smooth.posterior(posed)).log_score_M).all()
