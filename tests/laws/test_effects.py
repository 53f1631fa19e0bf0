"""The integral over a model's effect against a dense grid, and its draws against the grid's distribution."""

import jax
import numpy as np
import pytest
from scipy import stats

from ie_scaling.laws import effects

GRID = np.linspace(-0.4, 0.4, 200_001)
CASES = [
    ([0.004], 0.005, 0.01, 8.0),
    ([0.03, -0.002], 0.02, 0.003, 4.0),
    ([0.01, 0.012, 0.009, 0.03], 0.002, 0.008, 3.0),
    (np.linspace(0.01, 0.03, 11), 0.02, 0.01, 20.0),
]


def log_integrand(residuals, tau, sigma, nu):
    rows = stats.t.logpdf((np.asarray(residuals)[:, None] - GRID) / sigma, nu) - np.log(sigma)
    return stats.norm.logpdf(GRID, 0, tau) + rows.sum(axis=0)


@pytest.mark.parametrize(("case", "tolerance"), [(0, 1e-6), (1, 1e-3), (2, 1e-6), (3, 1e-6)])
def test_the_integral(case, tolerance):
    """Two peaks, as when two rows of a model stand ten σ apart (case 1), are the hard ones."""
    residuals, tau, sigma, nu = CASES[case]
    exact = np.log(np.trapezoid(np.exp(log_integrand(residuals, tau, sigma, nu)), GRID))
    grouping = effects.group(np.zeros(len(residuals), int), 1)
    with jax.enable_x64(True):
        ours = effects.log_marginal(np.asarray(residuals, float), grouping, tau, sigma, nu)
    assert float(ours[0]) == pytest.approx(exact, abs=tolerance)


def test_models_are_kept_apart():
    model_R = np.array([1, 0, 1, 1])
    residual_R = np.array([0.01, -0.02, 0.013, 0.004])
    with jax.enable_x64(True):
        together = effects.log_marginal(residual_R, effects.group(model_R, 2), 0.01, 0.005, 6.0)
        for model in (0, 1):
            alone_R = residual_R[model_R == model]
            alone = effects.log_marginal(alone_R, effects.group(np.zeros(len(alone_R), int), 1), 0.01, 0.005, 6.0)
            assert float(together[model]) == pytest.approx(float(alone[0]), rel=1e-10)


def test_draws_follow_the_conditional():
    residuals, tau, sigma, nu = CASES[1]
    grouping = effects.group(np.zeros(2, int), 1)
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(0), 4000)
        draws = jax.vmap(lambda key: effects.draw(key, np.array(residuals), grouping, tau, sigma, nu)[0])(keys)
    density = np.exp(log_integrand(residuals, tau, sigma, nu))
    cumulative = np.cumsum(density) / density.sum()
    uniform = np.interp(np.asarray(draws), GRID, cumulative)
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3
