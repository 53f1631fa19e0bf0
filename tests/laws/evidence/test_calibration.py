"""The judge of ranks and the simulated tables behind it."""

import numpy as np
import pytest

from ie_scaling.inference import nuts
from ie_scaling.laws import forms
from ie_scaling.laws.bayes import noise
from ie_scaling.laws.evidence import calibration
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from tests.laws import small_smooth
from tests.laws.simulated import simulate

LAW = forms.get_law("chinchilla")
SCHEDULE = nuts.ChainSchedule(
    n_warmup=50, n_samples=50, max_samples=50, target_accept=0.9, chunk=50, max_tree_depth=7, thin=5
)
PROBLEM = pose(LAW, Observations.from_frame(simulate(LAW, seed=1, tau=0.004, sigma=0.004)))


def test_uniform_ranks_are_inside_the_band_as_often_as_it_says():
    rng = np.random.default_rng(0)
    verdicts = [calibration.judge(rng.integers(0, 51, 200), 50, level=0.9) for _ in range(150)]
    share = np.mean([verdict["passed"] for verdict in verdicts])
    assert 0.82 < share < 0.97
    assert 0.35 < np.mean([verdict["p_value"] for verdict in verdicts]) < 0.65


@pytest.mark.parametrize(
    "ranks_of",
    [
        lambda rng: rng.binomial(50, rng.beta(0.6, 0.6, 300)),  # intervals too narrow
        lambda rng: rng.binomial(50, rng.beta(2.0, 2.0, 300)),  # too wide
        lambda rng: rng.binomial(50, rng.beta(1.0, 1.5, 300)),  # biased
    ],
)
def test_wrong_intervals_leave_the_band(ranks_of):
    assert not calibration.judge(ranks_of(np.random.default_rng(1)), 50)["passed"]


def test_simulated_tables_have_the_priors_moments():
    truths = calibration.simulate(PROBLEM, 4000, 0)
    spread_P = np.array([parameter.spread for parameter in LAW.parameters])
    np.testing.assert_allclose(truths.sites["z"].std(axis=0), spread_P, rtol=0.06)
    wider = calibration.simulate(PROBLEM, 4000, 0, prior_scale=2.0)
    np.testing.assert_allclose(wider.sites["z"].std(axis=0), 2 * spread_P, rtol=0.06)
    assert truths.log_loss_SR.shape == (4000, len(PROBLEM))


def test_ranks_of_draws_from_the_prior_itself_are_uniform():
    """With no data the posterior is the prior: exchangeable truths and draws."""
    truths = calibration.simulate(PROBLEM, 300, 0)
    others = calibration.simulate(PROBLEM, 300 * 40, 1)
    draws = {name: values.reshape(300, 40, -1) for name, values in others.sites.items()}
    ranks = calibration.ranks(PROBLEM, truths, draws, 0)
    assert set(ranks) == {*LAW.names, *noise.COORDINATES, "loss difference", "place of the deepest"}
    assert all(calibration.judge(values, 40)["passed"] for values in ranks.values())


def test_smooth_misses_of_the_prior_itself_are_uniform():
    problem = small_smooth.problem()
    truths, others = (calibration.simulate(problem, n_tables, seed) for n_tables, seed in ((300, 0), (300 * 40, 1)))
    assert set(truths.sites) == {"z", "noise", "sines", "slopes"}
    draws = {name: values.reshape(300, 40, -1) for name, values in others.sites.items()}
    ranks = calibration.ranks(problem, truths, draws, 0)
    assert {"log_tau_smooth", "log_tau_tokens"} < set(ranks)
    assert all(calibration.judge(values, 40)["passed"] for values in ranks.values())


def test_every_table_is_sampled_by_a_chain_of_its_own():
    truths = calibration.simulate(PROBLEM, 3, 0)
    draws, n_diverging_S = calibration.fit_all(PROBLEM, truths, SCHEDULE, 0)
    assert draws["z"].shape == (3, 10, len(LAW.names))
    assert draws["noise"].shape == (3, 10, len(noise.COORDINATES))
    assert n_diverging_S.shape == (3,)
    floor_SL = np.exp(draws["z"][..., LAW.names.index("E")])
    least_S = np.exp(truths.log_loss_SR.min(axis=1))
    assert (floor_SL < 1.05 * least_S[:, None]).all()
