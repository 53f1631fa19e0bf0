"""The queue of descents: answers in the order of the problems, whatever the lanes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ie_scaling.laws.least_squares import newton

SCHEDULE = newton.Stages(
    delta_S=np.array([1.0, 0.1]), tolerance_S=np.array([1e-4, 1e-12]), max_steps_S=np.array([5, 200])
)
TARGET_ZR = np.random.default_rng(0).normal(size=(23, 2))


def rosenbrock(z_P, weight_R, delta):
    """Minimum 0 at z = weight; δ scales it."""
    x, y = z_P[0] - weight_R[0] + 1, z_P[1] - weight_R[1] + 1
    return delta * ((1 - x) ** 2 + 100 * (y - x**2) ** 2)


def solve(start_ZP, n_lanes, high=10.0):
    with jax.enable_x64(True):
        step = jax.jit(functools.partial(newton.advance, rosenbrock))
        low_P = jnp.full(2, -10.0)

        def advance(lanes, weight_BR, settled_B, high_BP):
            return step(lanes, weight_BR, settled_B, low_P, high_BP, SCHEDULE)

        return newton.solve(advance, start_ZP, lambda k: TARGET_ZR[k], np.full(start_ZP.shape, high), n_lanes)


@pytest.mark.parametrize("n_lanes", [1, 4, 64])
def test_every_problem_gets_its_own_answer(n_lanes):
    start_ZP = np.random.default_rng(1).normal(scale=3, size=TARGET_ZR.shape)
    found = solve(start_ZP, n_lanes)
    np.testing.assert_allclose(found.z_ZP, TARGET_ZR, atol=1e-9)
    assert (found.grad_norm_Z <= 1e-12).all()


def test_a_hopeless_start_holds_up_nobody():
    start_ZP = np.zeros(TARGET_ZR.shape)
    start_ZP[3] = np.nan
    found = solve(start_ZP, 4)
    assert not np.isfinite(found.objective_Z[3])
    others = np.arange(len(TARGET_ZR)) != 3
    np.testing.assert_allclose(found.z_ZP[others], TARGET_ZR[others], atol=1e-9)


def test_the_box_holds_and_the_gradient_is_over_what_may_move():
    found = solve(np.zeros(TARGET_ZR.shape) - 3, 8, high=-1.0)
    assert (found.z_ZP <= -1.0).all()
    bound = (TARGET_ZR > -1.0).all(axis=1)
    assert bound.any()
    assert (found.grad_norm_Z[bound] <= 1e-9).all()
