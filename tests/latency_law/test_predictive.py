"""Draws of a new measurement: speeds of sessions, correlated noise, and effects that a session's cases share."""

import numpy as np
import pytest

from ie_scaling.latency_law import predictive
from tests.latency_law import small_posterior

LAW = small_posterior.make()
DEVICE = LAW.devices[0]  # sessions a and b, factors 1.0 and 1.1 of bandwidth, 1.0 and 0.9 of rate


def test_a_fitted_session_has_its_speed_and_a_new_one_that_of_one_of_them():
    rng = np.random.default_rng(0)
    speed_2WA = predictive.draw_speeds([DEVICE], np.zeros(3, int), ["b", "new", "new"], 500, rng)
    assert (speed_2WA[:, :, 0].T == [1.1, 0.9]).all()
    assert {tuple(pair) for pair in speed_2WA[:, :, 1].T} == {(1.0, 1.0), (1.1, 0.9)}
    np.testing.assert_array_equal(speed_2WA[:, :, 1], speed_2WA[:, :, 2])
    assert (predictive.draw_speeds([DEVICE], np.zeros(1, int), ["new"], 4, None) == 1).all()


def test_noise_is_correlated_and_as_wide_as_noise_and_error_together():
    n = 40_000
    flat = {"ttft_noise": np.full((n, 1), 0.03), "tpot_noise": np.full((n, 1), 0.04)}
    flat["noise_correlation"] = np.full(n, 0.6)
    noise_2W = predictive.draw_noise(flat, [DEVICE], np.zeros(1, int), np.random.default_rng(0))[:, :, 0]
    np.testing.assert_allclose(noise_2W.std(axis=1), np.hypot([0.03, 0.04], 0.01), rtol=0.02)
    assert np.corrcoef(noise_2W)[0, 1] == pytest.approx(0.6, abs=0.02)


def test_cases_of_a_session_share_its_effect():
    rng = np.random.default_rng(0)
    effect_2WA = predictive.draw_effects(LAW.flat, LAW.effects_CS2N, LAW.sessions, ["a", "x", "y", "b"], rng)
    fitted_W2N = LAW.effects_CS2N.reshape(LAW.n_draws, 2, -1)
    np.testing.assert_array_equal(effect_2WA[:, :, 0].T, fitted_W2N[:, :, 0])
    np.testing.assert_array_equal(effect_2WA[:, :, 3].T, fitted_W2N[:, :, 1])
    np.testing.assert_array_equal(effect_2WA[:, :, 1], effect_2WA[:, :, 2])
    assert effect_2WA[:, :, 1].std() == pytest.approx(0.05, rel=0.4)


def test_misfits_are_of_the_amplitude_far_from_every_row():
    from ie_scaling.latency_law.posterior import TYPICAL_LOAD, TYPICAL_SHAPE
    from ie_scaling.workload import Case, Workload

    cases = [Case(TYPICAL_SHAPE, Workload(**TYPICAL_LOAD))]
    delta_2WA = predictive.draw_misfits(LAW.flat, LAW.misfit, cases, np.zeros(1, int), np.random.default_rng(0))
    amplitude_2 = [np.median(LAW.draws[f"{metric}_misfit"]) for metric in ("ttft", "tpot")]
    np.testing.assert_allclose(delta_2WA[:, :, 0].std(axis=1), amplitude_2, rtol=0.4)
