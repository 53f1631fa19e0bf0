"""A posterior from draws: priors against their densities, log likelihoods by hand, bootstraps by their residuals."""

import numpy as np
import pytest
from scipy import stats

from ie_scaling.inference.draws import Origin
from ie_scaling.laws import forms
from ie_scaling.laws.bayes import assemble, noise, quantities, sampler
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from tests.laws.simulated import simulate

LAW = forms.get_law("chinchilla")


@pytest.fixture(scope="module")
def problem():
    return pose(LAW, Observations.from_frame(simulate(LAW, tau=0.004, sigma=0.006, tokens=(1e9, 3e9))))


@pytest.fixture(scope="module")
def bootstrap(problem):
    fitted = solver.fit(problem, n_starts=4)
    return assemble.from_refits(fitted, solver.bootstrap(fitted, 6, 0), 0)


def test_draws_of_the_prior_have_its_moments(problem):
    prior = assemble.draw_prior(problem, 0)
    assert {*LAW.names, *noise.NAMES} <= set(prior)
    assert all(values.shape == (1, assemble.N_PRIOR_DRAWS) for values in prior.values())
    center_P, spread_P = problem.prior
    log_E = np.log(prior["E"])
    assert log_E.mean() == pytest.approx(center_P[LAW.names.index("E")], abs=0.15 * spread_P[LAW.names.index("E")])
    assert np.log(prior["tau"]).std() == pytest.approx(1.0, abs=0.1)


def test_the_log_prior_is_a_sum_of_normals(problem):
    center_P, spread_P = problem.prior
    samples = sampler.Samples(
        z_CSP=np.broadcast_to(center_P + spread_P, (2, 3, len(center_P))),
        noise=noise.from_coordinates(np.broadcast_to(noise.CENTER, (2, 3, len(noise.CENTER)))),
        effects_CSM=np.zeros((2, 3, problem.n_models)),
        stats={},
        seconds=0.0,
    )
    log_prior = assemble.log_prior(problem, samples)
    assert set(log_prior) == {*LAW.names, *noise.COORDINATES}
    np.testing.assert_allclose(log_prior["alpha"], stats.norm.logpdf(1) - np.log(spread_P[LAW.names.index("alpha")]))
    np.testing.assert_allclose(log_prior["log_nu"], stats.norm.logpdf(0), atol=1e-9)


def test_a_bootstrap_is_one_chain_of_normal_noise(bootstrap, problem):
    assert (bootstrap.method, bootstrap.shape) == (Origin.BOOTSTRAP, (1, 6))
    assert (bootstrap.draws["nu"] == assemble.NORMAL_NU).all()
    assert not bootstrap.prior
    assert not bootstrap.stats
    assert len(bootstrap.rows) == len(problem.rows)


def test_the_log_likelihood_of_a_row_by_hand(bootstrap):
    rows, draw = bootstrap.rows, 2
    params = {name: bootstrap.draws[name][0, draw] for name in LAW.names}
    f_R = np.asarray(LAW.log_loss(params, rows.features, bootstrap.reference))
    location_R = f_R + bootstrap.effects_CSM[0, draw, rows.model_R]
    expected_R = stats.norm.logpdf(rows.log_loss_R, location_R, bootstrap.draws["sigma"][0, draw])
    np.testing.assert_allclose(bootstrap.log_likelihood_CSR[0, draw], expected_R, atol=2e-3)


def test_quantities_stand_beside_the_draws(bootstrap, problem):
    made = assemble.with_quantities(bootstrap, quantities.ask(problem))
    assert not bootstrap.quantities
    assert made.quantities
    assert all(values.shape == made.shape for values in made.quantities.values())
