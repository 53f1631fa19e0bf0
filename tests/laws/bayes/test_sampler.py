"""The NumPyro models against log densities written out by hand; the posterior against the truth."""

import jax
import numpy as np
import pytest
from numpyro import handlers
from numpyro.infer.util import log_density
from scipy import stats

from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import bayes, forms
from ie_scaling.laws.bayes import sampler
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from tests.laws.simulated import read, simulate, truth

LAW = forms.get_law("effective")
ROWS = Observations.from_frame(simulate(LAW, seed=1, tau=0.004, sigma=0.005))
PROBLEM = pose(LAW, ROWS)
REFERENCE = PROBLEM.reference
TAU, SIGMA, NU, FALL_N, FALL_D = 0.006, 0.004, 7.0, 0.1, 0.3
SITES = {
    "z": np.array([parameter.to_free(truth(LAW)[parameter.name]) for parameter in LAW.parameters]),
    "noise": np.array([np.log(TAU), np.log(SIGMA), np.log(NU - 2), FALL_N, FALL_D]),
}
N_R = ROWS.features.n_non_embedding + truth(LAW)["omega"] * ROWS.features.n_embedding
SIGMA_R = SIGMA * (N_R / REFERENCE.N0) ** -FALL_N * (ROWS.features.n_tokens / REFERENCE.D0) ** -FALL_D


def log_prior():
    """Σ ln Normal of the law's free coordinates and of the noise's."""
    total = sum(
        stats.norm.logpdf(z, parameter.center(REFERENCE), parameter.spread)
        for z, parameter in zip(SITES["z"], LAW.parameters, strict=True)
    )
    centers, spreads = (*np.log([0.005, 0.01, 8.0]), 0.0, 0.0), (1.0, 1.0, 1.0, 0.2, 0.2)
    return total + stats.norm.logpdf(SITES["noise"], centers, spreads).sum()


def test_log_density_equals_the_sum_written_out():
    u_M = 0.003 * np.random.default_rng(0).standard_normal(len(ROWS.model_ids))
    mean_R = solver.evaluate(LAW, truth(LAW), ROWS.features, REFERENCE) + u_M[ROWS.model_R]
    by_hand = log_prior() + stats.norm.logpdf(u_M, 0, TAU).sum()
    by_hand += (stats.t.logpdf((ROWS.log_loss_R - mean_R) / SIGMA_R, NU) - np.log(SIGMA_R)).sum()
    with jax.enable_x64(True):
        ours, _ = log_density(sampler.model, (PROBLEM, ROWS.log_loss_R), {}, SITES | {"u": u_M})
    assert float(ours) == pytest.approx(by_hand, rel=1e-12)


def test_marginal_log_density_integrates_the_effects():
    residual_R = ROWS.log_loss_R - solver.evaluate(LAW, truth(LAW), ROWS.features, REFERENCE)
    u = np.linspace(-0.06, 0.06, 24_001)
    by_hand = log_prior()
    for model in range(len(ROWS.model_ids)):
        own_R = ROWS.model_R == model
        sigma_R1 = SIGMA_R[own_R][:, None]
        density = stats.t.pdf((residual_R[own_R][:, None] - u) / sigma_R1, NU) / sigma_R1
        by_hand += np.log(np.trapezoid(density.prod(axis=0) * stats.norm.pdf(u, 0, TAU), u))
    with jax.enable_x64(True):
        ours, _ = log_density(sampler.marginal_model, (PROBLEM,), {}, SITES)
    assert float(ours) == pytest.approx(by_hand, abs=1e-4)


def test_the_model_simulates():
    with jax.enable_x64(True):
        seeded = handlers.seed(sampler.model, jax.random.key(0))
        trace = handlers.trace(seeded).get_trace(PROBLEM, None)
    assert trace["log_loss"]["value"].shape == (len(ROWS),)


def fit(law, rows, config):
    return bayes.fit(pose(law, rows), config, 0, n_starts=16)


@pytest.mark.slow
def test_the_posterior_of_the_effective_law_covers_the_truth():
    posterior = fit(LAW, ROWS, NutsConfig(n_warmup=400, n_samples=400, min_ess=150, max_rhat=1.03))
    assert not posterior.failures
    draws = {name: value.ravel() for name, value in posterior.draws.items()}
    inside = 0
    for name, value in truth(LAW).items():
        low, high = np.quantile(draws[name], [0.005, 0.995])
        assert low < value < high, name
        inside += np.quantile(draws[name], 0.05) < value < np.quantile(draws[name], 0.95)
    assert inside >= 5
    assert np.quantile(draws["tau"], 0.01) < 0.004 < np.quantile(draws["tau"], 0.99)
    assert np.quantile(draws["sigma"], 0.01) < 0.005 < np.quantile(draws["sigma"], 0.99)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chinchilla", "aspect_ratio", "effective"])
def test_published_runs_pass_the_gate_at_default_settings(name):
    assert not fit(forms.get_law(name), read("bian2025"), NutsConfig()).failures


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chinchilla", "aspect_ratio", "effective"])
@pytest.mark.parametrize("n_rows", [10, 14])
def test_a_small_grid_samples_without_divergences(name, n_rows):
    frame = simulate(LAW, seed=n_rows, tau=0.003, sigma=0.01, tokens=(2e8, 8e8))
    rows = Observations.from_frame(frame.head(n_rows).reset_index(drop=True))
    assert not fit(forms.get_law(name), rows, NutsConfig()).failures
