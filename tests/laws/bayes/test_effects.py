"""The integral over a model's effect against a dense grid, and its draws against the grid's distribution."""

import jax
import numpy as np
import pytest
from scipy import stats

from ie_scaling.laws.bayes import effects
from ie_scaling.laws.problem import group

GRID = np.linspace(-0.4, 0.4, 200_001)
CASES = [  # residuals, τ, σ of each row, ν
    (np.array([0.004]), 0.005, np.array([0.01]), 8.0),
    (np.array([0.03, -0.002]), 0.02, np.array([0.003, 0.003]), 4.0),
    (np.array([0.01, 0.012, 0.009, 0.03]), 0.002, np.array([0.008, 0.006, 0.004, 0.02]), 3.0),
    (np.linspace(0.01, 0.03, 11), 0.02, np.linspace(0.01, 0.002, 11), 20.0),
]


def log_integrand(residual_R, tau, sigma_R, nu):
    rows = stats.t.logpdf((residual_R[:, None] - GRID) / sigma_R[:, None], nu) - np.log(sigma_R[:, None])
    return stats.norm.logpdf(GRID, 0, tau) + rows.sum(axis=0)


@pytest.mark.parametrize(("case", "tolerance"), [(0, 1e-6), (1, 1e-3), (2, 1e-6), (3, 1e-6)])
def test_the_integral(case, tolerance):
    """Two peaks, as when two rows of a model stand ten σ apart (case 1), are the hard ones."""
    residual_R, tau, sigma_R, nu = CASES[case]
    exact = np.log(np.trapezoid(np.exp(log_integrand(residual_R, tau, sigma_R, nu)), GRID))
    grouping = group(np.zeros(len(residual_R), int), 1)
    with jax.enable_x64(True):
        ours = effects.log_marginal(residual_R, grouping, tau, sigma_R, nu)
    assert float(ours[0]) == pytest.approx(exact, abs=tolerance)


def dense(residual_R, tau, sigma, nu):
    """ln of the integral by a trapezoid over some thirty thousand points, most of them near a row."""
    near = [np.linspace(-20 * tau, 20 * tau, 20_001)]
    near += [residual + sigma * np.sinh(np.linspace(-8, 8, 2001)) for residual in residual_R]
    u = np.unique(np.concatenate(near))
    rows = stats.t.logpdf((residual_R[:, None] - u) / sigma, nu) - np.log(sigma)
    log_value = stats.norm.logpdf(u, 0, tau) + rows.sum(axis=0)
    return log_value.max() + np.log(np.trapezoid(np.exp(log_value - log_value.max()), u))


def test_the_integral_where_rows_disagree():
    """Some of a model's rows stand up to 300 σ from the others, on either side: as many peaks as there are opinions."""
    rng, sigma, n_rows, cases = np.random.default_rng(0), 1e-3, 5, []
    for gap in (8.0, 60.0, 300.0):
        for nu in (1.5, 4.0, 20.0):
            for _ in range(4):
                tau = sigma * 10 ** rng.uniform(-0.5, 1.7)
                shift_R = gap * (rng.random(n_rows) < 0.5) * rng.choice([-1, 1], n_rows)
                cases.append((sigma * (rng.standard_t(nu, n_rows) + shift_R) + tau * rng.standard_normal(), tau, nu))
    grouping = group(np.zeros(n_rows, int), 1)
    residual_NR, tau_N, nu_N = (np.stack(each) for each in zip(*cases, strict=True))
    with jax.enable_x64(True):
        one = lambda residual_R, tau, nu: effects.log_marginal(residual_R, grouping, tau, np.full(n_rows, sigma), nu)  # noqa: E731
        ours_N = np.asarray(jax.jit(jax.vmap(one))(residual_NR, tau_N, nu_N))[:, 0]
    exact_N = [dense(residual_R, tau, sigma, nu) for residual_R, tau, nu in cases]
    np.testing.assert_allclose(ours_N, exact_N, atol=0.1)


def test_models_are_kept_apart():
    model_R = np.array([1, 0, 1, 1])
    residual_R = np.array([0.01, -0.02, 0.013, 0.004])
    sigma_R = np.array([0.005, 0.004, 0.003, 0.006])
    with jax.enable_x64(True):
        together = effects.log_marginal(residual_R, group(model_R, 2), 0.01, sigma_R, 6.0)
        for model in (0, 1):
            own_R = model_R == model
            grouping = group(np.zeros(own_R.sum(), int), 1)
            alone = effects.log_marginal(residual_R[own_R], grouping, 0.01, sigma_R[own_R], 6.0)
            assert float(together[model]) == pytest.approx(float(alone[0]), rel=1e-10)


def test_draws_follow_the_conditional():
    residual_R, tau, sigma_R, nu = CASES[1]
    grouping = group(np.zeros(2, int), 1)
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(0), 4000)
        draws = jax.vmap(lambda key: effects.draw(key, residual_R, grouping, tau, sigma_R, nu)[0])(keys)
    density = np.exp(log_integrand(residual_R, tau, sigma_R, nu))
    cumulative = np.cumsum(density) / density.sum()
    uniform = np.interp(np.asarray(draws), GRID, cumulative)
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3
