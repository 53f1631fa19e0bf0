"""Scores of models left out, against scores within the fit and against refits without the model."""

import dataclasses

import numpy as np
import pytest
from scipy import special

from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import bayes
from ie_scaling.laws.bayes import leave_out, posterior
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from ie_scaling.tables import run_table


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
