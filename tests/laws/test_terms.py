"""Terms and factors at the reference point, where each is what its coefficients say, and away from it."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ie_scaling.laws import terms
from ie_scaling.laws.law import Role
from ie_scaling.laws.observations import Features, Reference

REFERENCE = Reference(N0=2e6, D0=1e8, R0=30.0, d0=96.0, n0=4.0, r0=1.5, x0=0.2, g0=2.0, L0=3.0, L_min=2.5)
AT_REFERENCE = Features(
    n_total=np.array([2e6]),
    n_non_embedding=np.array([230_400.0]),  # (d0 / x0)²
    n_embedding=np.array([1e6]),
    n_tokens=np.array([1e8]),
    d_model=np.array([96.0]),
    n_layers=np.array([4.0]),
    aspect_ratio=np.array([30.0]),
    mlp_attention_ratio=np.array([1.5]),
    query_group=np.array([math.e]),
    loss_optimal=np.array([2.5]),
)
POWERS = [
    (terms.N_TERM, "N0"),
    (terms.D_TERM, "D0"),
    (terms.WIDTH_TERM, "d0"),
    (terms.DEPTH_TERM, "n0"),
]


def value(term, p, features=AT_REFERENCE, n_params=2e6):
    return float(jnp.ravel(jnp.asarray(term.value(p, features, jnp.array([n_params]), REFERENCE)))[0])


@pytest.mark.parametrize(("term", "middle"), POWERS)
def test_a_power_is_its_coefficient_at_the_reference_point(term, middle):
    coefficient, exponent = (term.name_of(role) for role in (Role.COEFFICIENT, Role.EXPONENT))
    p = {coefficient: 0.7, exponent: 0.3}
    assert value(term, p) == pytest.approx(0.7, rel=1e-6)
    (raw,) = term.derive(p, REFERENCE).values()
    assert raw * getattr(REFERENCE, middle) ** -0.3 == pytest.approx(0.7)


def test_ten_times_the_parameters_divide_the_power_of_n():
    p = {"A_ref": 0.7, "alpha": 0.3}
    assert value(terms.N_TERM, p, n_params=2e7) == pytest.approx(0.7 * 10**-0.3, rel=1e-6)
    assert terms.N_TERM.reads_count
    assert not terms.D_TERM.reads_count


COUPLED = {"A_ref": 0.7, "alpha": 0.3, "B_ref": 0.2, "beta": 0.5}


@pytest.mark.parametrize(("h", "expected"), [(1.0, 0.9), (0.5, math.hypot(0.7, 0.2)), (1e-3, 0.7)])
def test_coupled_powers_are_their_sum_at_1_and_the_largest_near_0(h, expected):
    with jax.enable_x64(True):
        assert value(terms.COUPLED_TERM, COUPLED | {"h": h}) == pytest.approx(expected, rel=1e-6)
    assert terms.COUPLED_TERM.derive(COUPLED, REFERENCE)["B"] * REFERENCE.D0**-0.5 == pytest.approx(0.2)
    assert terms.COUPLED_TERM.reads_count


def test_a_coupled_law_of_no_floor_is_that_of_kaplan():
    """[(N_c/N)^(α_N/α_D) + D_c/D]^α_D is the coupled core with h = β and no floor [K20]."""
    p, features = COUPLED | {"h": 0.5}, dataclasses.replace(AT_REFERENCE, n_tokens=np.array([3e8]))
    n_critical, d_critical = 0.7 ** (1 / 0.3) * 2e6, 0.2 ** (1 / 0.5) * 1e8
    by_hand = ((n_critical / 5e6) ** (0.3 / 0.5) + d_critical / 3e8) ** 0.5
    assert value(terms.COUPLED_TERM, p, features, 5e6) == pytest.approx(by_hand, rel=1e-6)


def test_factors_of_an_optimum_are_one_there():
    assert value(terms.INTERIOR_FACTOR, {"kappa": 0.01, "R_star": 30.0}) == 1
    assert value(terms.RELATIVE_WIDTH_FACTOR, {"k_x": 0.05, "x_star": 0.2}) == pytest.approx(1, abs=1e-6)
    assert value(terms.MLP_ATTENTION_FACTOR, {"k_r": 0.05, "r_star": 1.5}) == pytest.approx(1, abs=1e-6)
    assert value(terms.INTERIOR_FACTOR, {"kappa": 0.01, "R_star": 30 / math.e}) == pytest.approx(1.01, rel=1e-6)


def test_a_moving_optimum_is_where_its_slope_puts_it():
    p = {"kappa": 0.01, "R_star": 30.0, "slope_N": -0.1, "slope_D": -0.1}
    moved = 0.1 * 2 * math.tanh(0.5)
    at_more_tokens = AT_REFERENCE.scale_tokens(math.e)
    assert value(terms.MOVING_WITH_N_FACTOR, p, n_params=2e6 * math.e) == pytest.approx(1 + 0.01 * moved**2, rel=1e-6)
    assert value(terms.MOVING_WITH_D_FACTOR, p, at_more_tokens) == pytest.approx(1 + 0.01 * moved**2, rel=1e-6)


def test_a_moving_optimum_moves_with_the_log_near_the_table_and_stays_far_from_it():
    p = {"kappa": 1.0, "R_star": 30.0, "slope_D": 1.0}
    moved = [math.sqrt(value(terms.MOVING_WITH_D_FACTOR, p, AT_REFERENCE.scale_tokens(k)) - 1) for k in (1.2, 1e3, 1e6)]
    assert moved[0] == pytest.approx(math.log(1.2), rel=0.01)
    assert moved[1:] == pytest.approx([terms.SATURATION] * 2, rel=0.01)


def test_the_other_factors_at_the_reference_point():
    assert value(terms.MONOTONE_FACTOR, {"epsilon_ref": 0.02, "gamma": 0.7}) == pytest.approx(1.02)
    assert value(terms.QUERY_GROUP_FACTOR, {"eta_g": 0.013}) == pytest.approx(1.013)
    level = {"level": 1.1, "a1": 0.09, "a2_ref": 0.06}
    assert value(terms.WIDTH_CURVE_FACTOR, level) == pytest.approx(1.1, rel=1e-6)
    assert value(terms.MLP_CURVE_FACTOR, {"b1": 0.03, "b2_ref": 0.04}) == pytest.approx(1.0)
    assert value(terms.MLP_CURVE_TERM, {"b1": 0.03, "b2_ref": 0.04}) == pytest.approx(0.0)


def test_published_curves_have_their_optimum_at_a2_over_a1():
    derived = terms.WIDTH_CURVE_FACTOR.derive({"level": 1.1, "a1": 0.09, "a2_ref": 0.06}, REFERENCE)
    assert derived["x_star"] == pytest.approx(0.06 * 0.2 / 0.09)
    a0 = derived["a0"] + 0.09 * math.log(0.2) + derived["a2"] / 0.2
    assert a0 == pytest.approx(1.1)
