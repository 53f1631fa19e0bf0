"""A law under other names, and one with two powers of N: nothing asks for a parameter by its name or position."""

import dataclasses

import jax
import numpy as np
import pytest

from ie_scaling.laws import forms, least_squares
from ie_scaling.laws.bayes import coordinates, pooling
from ie_scaling.laws.law import Law, Role, Term, Tie
from ie_scaling.laws.least_squares import descent, identification, solver
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from ie_scaling.laws.terms import D_TERM, E_TERM, N_TERM
from tests.laws.simulated import simulate

EFFECTIVE = forms.get_law("effective")
ROWS = Observations.from_frame(simulate(EFFECTIVE, seed=3, tau=0.004, sigma=0.003))


def renamed(term: Term, backward: bool = False) -> Term:
    """The same term with `x_` before every name, its parameters in reverse order if `backward`."""
    order = -1 if backward else 1
    names = [parameter.name for parameter in term.parameters]
    return dataclasses.replace(
        term,
        parameters=tuple(dataclasses.replace(each, name=f"x_{each.name}") for each in term.parameters[::order]),
        value=lambda p, *rest: term.value({name: p[f"x_{name}"] for name in names}, *rest),
        derive=lambda p, reference: {},
    )


def other_names(law: Law, backward: bool = False) -> Law:
    """The law under other names; with `backward`, its summands and their parameters stand in reverse order as well."""
    terms = tuple(renamed(term, backward) for term in law.terms)
    factors = tuple(renamed(factor, backward) for factor in law.factors)
    ties = tuple(Tie(tie.name, tuple((f"x_{one}", f"x_{other}") for one, other in tie.equal)) for tie in law.ties)
    return dataclasses.replace(law, terms=terms[:: -1 if backward else 1], factors=factors, ties=ties)


def test_every_power_has_a_coefficient_and_an_exponent_and_the_floor_is_one():
    for law in forms.LAWS.values():
        assert len(law.positions_of(Role.FLOOR)) == ("published" not in law.name)
        for term in law.terms:
            assert (term.name_of(Role.EXPONENT) is None) == (term.name_of(Role.COEFFICIENT) is None)
        assert law.needs_no_count == ("published" in law.name)


@pytest.mark.parametrize("tie", ["free", "alpha=beta"])
def test_least_squares_is_the_same_under_other_names(tie):
    law = forms.get_law("effective", tie)
    ours, theirs = (least_squares.fit(pose(each, ROWS), n_starts=4) for each in (law, other_names(law)))
    np.testing.assert_array_equal(ours.z_P, theirs.z_P)
    assert (ours.status, ours.objective) == (theirs.status, theirs.objective)


def test_a_floor_of_another_name_and_place_stays_below_the_smallest_loss():
    law = other_names(EFFECTIVE, backward=True)
    assert law.names[0] == "x_beta"
    problem = pose(law, ROWS)
    _, high_P = descent.bounds(problem)
    assert high_P[law.names.index("x_E")] == ROWS.log_loss_R.min()
    kept_WR = np.array([ROWS.loss_R > np.median(ROWS.loss_R)])
    fitted = solver.fit(problem, n_starts=4)
    (z_P,) = solver.fit_subsets(fitted, kept_WR, n_starts=2)
    assert z_P[law.names.index("x_E")] <= ROWS.log_loss_R[kept_WR[0]].min()


def test_what_a_design_leaves_open_is_said_under_other_names():
    rows = ROWS.take(ROWS.features.n_tokens == ROWS.features.n_tokens.max())
    ours = identification.design_gaps(EFFECTIVE, rows.features)
    theirs = identification.design_gaps(other_names(EFFECTIVE), rows.features)
    assert [message.split(":")[0] for message in ours] == ["A_ref, B_ref, alpha, beta", "E, B_ref, beta"]
    assert [message.split(":")[0] for message in theirs] == [
        "x_A_ref, x_B_ref, x_alpha, x_beta",
        "x_E, x_B_ref, x_beta",
    ]


def test_families_share_the_same_parameters_under_other_names():
    np.testing.assert_array_equal(pooling.shared_indices(other_names(EFFECTIVE)), pooling.shared_indices(EFFECTIVE))


def straightened(law: Law):
    """z, the straightened y, the way back, and the Jacobian of the latter."""
    problem = pose(law, ROWS)
    center_P, spread_P = problem.prior
    with jax.enable_x64(True):
        z_P = jax.numpy.asarray(center_P + 0.3 * spread_P)
        y_P = coordinates.straighten(problem, z_P)
        bend = lambda y_P: coordinates.bend(problem, y_P)  # noqa: E731
        return z_P, y_P, bend(y_P), jax.jacfwd(bend)(y_P)


def test_coordinates_are_the_same_under_other_names_and_in_another_order():
    _, ours_P, *_ = straightened(EFFECTIVE)
    _, theirs_P, *_ = straightened(other_names(EFFECTIVE))
    np.testing.assert_array_equal(ours_P, theirs_P)
    backward = other_names(EFFECTIVE, backward=True)
    _, backward_P, *_ = straightened(backward)
    place = [backward.names.index(name if name == "omega" else f"x_{name}") for name in EFFECTIVE.names]
    np.testing.assert_allclose(np.asarray(backward_P)[place], ours_P, rtol=1e-12)


def test_two_powers_of_n_are_both_straightened():
    law = dataclasses.replace(EFFECTIVE, terms=(E_TERM, N_TERM, renamed(N_TERM), D_TERM))
    assert len(law.size_powers) == 2
    z_P, y_P, back_P, bend_PP = straightened(law)
    np.testing.assert_allclose(back_P, z_P, rtol=1e-11, atol=1e-11)
    assert abs(np.linalg.det(bend_PP)) == pytest.approx(1.0, rel=1e-9)
    mean = np.log(law.count_parameters(law.from_free(np.asarray(z_P)), ROWS.features)).mean()
    p = law.from_free(np.asarray(z_P))
    shrink = mean - np.log(ROWS.reference(0.5).N0)
    parts = [
        p["E"],
        p["A_ref"] * np.exp(-p["alpha"] * shrink),
        p["x_A_ref"] * np.exp(-p["x_alpha"] * shrink),
        p["B_ref"],
    ]
    assert float(np.exp(y_P[0])) == pytest.approx(sum(parts), rel=1e-9)  # the loss in the middle of the rows
