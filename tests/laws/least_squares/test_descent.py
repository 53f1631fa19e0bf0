"""The objective and its descent: Huber's losses in closed form, starts, bounds, and the minimum of a known surface."""

import jax.numpy as jnp
import numpy as np
import pytest

from ie_scaling.inference import numerics
from ie_scaling.laws import forms
from ie_scaling.laws.law import Role
from ie_scaling.laws.least_squares import descent
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from tests.laws.simulated import simulate, truth

LAW = forms.get_law("chinchilla")
PROBLEM = pose(LAW, Observations.from_frame(simulate(LAW)))


def test_huber_is_quadratic_within_delta_and_linear_beyond():
    losses = descent.huber(jnp.array([0.0, 0.5, -1.0, 3.0]), jnp.asarray(1.0))
    np.testing.assert_allclose(losses, [0.0, 0.125, 0.5, 2.5], rtol=1e-6)


def test_weights_multiply_rows_and_the_truth_costs_nothing():
    data, true_P = descent.Data.of(PROBLEM), [p.to_free(truth(LAW)[p.name]) for p in LAW.parameters]
    weight_R = np.zeros(len(PROBLEM))
    weight_R[0] = 2.0
    with numerics.double_precision():
        delta = jnp.asarray(1e-3)
        assert float(descent.objective(LAW, data, jnp.array(true_P), weight_R, delta)) < 1e-24
        off_P = jnp.array(true_P).at[0].add(0.1)
        one, all_rows = (
            float(descent.objective(LAW, data, off_P, w, delta)) for w in (weight_R, np.ones(len(PROBLEM)))
        )
    assert 0 < one < all_rows


def test_starts_begin_at_the_middle_of_the_prior_and_follow_the_seed():
    start_ZP = descent.draw_starts(PROBLEM, 500, seed=3)
    center_P, spread_P = PROBLEM.prior
    np.testing.assert_array_equal(start_ZP[0], center_P)
    np.testing.assert_allclose(start_ZP.std(axis=0), 1.2 * spread_P, rtol=0.1)
    np.testing.assert_array_equal(start_ZP[:7], descent.draw_starts(PROBLEM, 500, seed=3)[:7])


def test_the_box_is_as_wide_as_each_reach_and_the_floor_at_most_the_smallest_loss():
    low_P, high_P = descent.bounds(PROBLEM)
    reach_P = np.array([parameter.reach for parameter in LAW.parameters])
    np.testing.assert_allclose(low_P, PROBLEM.prior[0] - reach_P)
    (floor,) = LAW.positions_of(Role.FLOOR)
    assert high_P[floor] == PROBLEM.log_loss_R.min()
    assert (np.delete(high_P - PROBLEM.prior[0] - reach_P, floor) == 0).all()


@pytest.mark.parametrize("schedule", [descent.schedule_from_afar, descent.schedule_from_nearby])
def test_a_schedule_narrows_to_delta_and_is_strict_at_last(schedule):
    stages = schedule(1e-3, 30)
    assert (np.diff(stages.delta_S) < 0).all()
    assert stages.delta_S[-1] == 1e-3
    assert stages.tolerance_S[-1] == pytest.approx(descent.RELATIVE_TOLERANCE * 1e-3 * 30)


def test_starts_descend_to_the_truth_and_progress_counts_them():
    start_ZP, finished = descent.draw_starts(PROBLEM, 4, seed=0), []
    low_P, high_P = descent.bounds(PROBLEM)
    minima = descent.minimize(
        LAW,
        descent.Data.of(PROBLEM),
        start_ZP,
        lambda problems: np.ones((len(problems), len(PROBLEM))),
        low_P,
        np.tile(high_P, (4, 1)),
        descent.schedule_from_afar(1e-3, len(PROBLEM)),
        finished.append,
    )
    best_P = minima.z_ZP[minima.objective_Z.argmin()]
    np.testing.assert_allclose(best_P, [p.to_free(truth(LAW)[p.name]) for p in LAW.parameters], atol=1e-7)
    assert sum(finished) == 4
