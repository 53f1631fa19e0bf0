"""What a law is made of: parameters by role, ties, what each needs, and coordinates that go both ways."""

import numpy as np
import pytest

from ie_scaling.laws import forms
from ie_scaling.laws.law import OMEGA_PARAMETER, Parameter, Role, Support
from ie_scaling.laws.observations import Observations
from tests.laws.simulated import simulate, truth

ROWS = Observations.from_frame(simulate(forms.get_law("chinchilla")))
REFERENCE = ROWS.reference(1.0)


def test_a_prior_is_centered_at_its_typical_value_times_a_reference_quantity():
    parameter = Parameter("A_ref", Support.POSITIVE, 0.2, 1.0, per="L0")
    assert parameter.center(REFERENCE) == pytest.approx(np.log(0.2 * REFERENCE.L0))
    assert Parameter("slope", Support.REAL, 0.3, 1.0).center(REFERENCE) == 0.3


@pytest.mark.parametrize(("support", "value"), [(Support.POSITIVE, -1.0), (Support.UNIT, 0.0), (Support.UNIT, 1.0)])
def test_a_value_outside_its_support_has_no_coordinate(support, value):
    assert np.isnan(Parameter("p", support, 0.5, 1.0).to_free(value))


def test_a_unit_parameter_is_its_own_coordinate_in_the_middle_and_stays_inside_beyond():
    assert OMEGA_PARAMETER.from_free(0.5) == pytest.approx(0.5, abs=1e-12)
    low, high = OMEGA_PARAMETER.from_free(np.array([-2.0, 3.0]))
    assert 0 < low < 1e-4 < 1 - 1e-4 < high < 1


def test_parameters_are_known_by_role_and_a_tied_one_stands_where_its_leader_does():
    law = forms.get_law("effective", "alpha=beta")
    assert law.names == ("E", "A_ref", "alpha", "B_ref", "kappa", "R_star", "omega")
    assert law.positions["beta"] == law.positions["alpha"] == 2
    assert law.positions_of(Role.COEFFICIENT) == [1, 3]
    assert law.positions_of(Role.COUNT) == [6]


def test_a_law_needs_what_its_parts_and_its_count_read():
    assert forms.get_law("effective").needs == ("n_non_embedding", "n_embedding", "n_tokens", "aspect_ratio")
    assert forms.get_law("chinchilla", count="total").needs == ("n_total", "n_tokens")
    assert [part.needs for part in forms.get_law("effective").shape_parts] == [("aspect_ratio",)]


@pytest.mark.parametrize(("count", "omega"), [("total", 1.0), ("non_embedding", 0.0), ("effective", 0.37)])
def test_n_counts_embedding_parameters_as_asked(count, omega):
    law, x = forms.get_law("chinchilla", count=count), ROWS.features
    n_params = law.count_parameters({"omega": omega}, x)
    np.testing.assert_allclose(n_params, x.n_non_embedding + omega * x.n_embedding)
    assert law.reference_omega == (0.5 if count == "effective" else omega)


def test_derived_parameters_fill_ties_in_and_add_raw_coefficients():
    law = forms.get_law("chinchilla", "alpha=beta")
    p = law.derived(truth(law), REFERENCE)
    assert p["beta"] == p["alpha"]
    assert p["A"] * REFERENCE.N0 ** -p["alpha"] == pytest.approx(p["A_ref"])
