"""A law posed on a table: its reference point and prior, what it needs, and packages that cost nothing to import."""

import subprocess
import sys

import numpy as np
import pytest

from ie_scaling import laws
from ie_scaling.errors import InputError
from ie_scaling.laws import forms, least_squares, problem
from ie_scaling.laws.observations import Observations
from tests.laws.simulated import simulate, truth

LAW = forms.get_law("effective")
ROWS = Observations.from_frame(simulate(LAW, seed=1))


def test_the_reference_point_is_that_of_the_rows_unless_one_is_given():
    assert laws.pose(LAW, ROWS).reference == ROWS.reference(0.5)
    elsewhere = ROWS.reference(1.0)
    assert laws.pose(LAW, ROWS, elsewhere).reference is elsewhere


def test_a_noise_free_table_is_met_at_the_truth_by_fit_and_problem_alike():
    posed = laws.pose(LAW, ROWS)
    fitted = least_squares.fit(posed, n_starts=8)
    assert (fitted.status, fitted.law, fitted.n_rows) == ("converged", LAW, len(ROWS))
    assert fitted.params["kappa"] == pytest.approx(truth(LAW)["kappa"], rel=1e-6)
    np.testing.assert_allclose(posed.log_loss(fitted.z_P), ROWS.log_loss_R, atol=1e-9)


def test_what_a_law_needs_is_asked_when_it_is_posed():
    blank = Observations.from_frame(simulate(LAW).assign(d_model=np.nan))
    with pytest.raises(InputError, match="law 'effective' needs it"):
        laws.pose(LAW, blank)


def test_other_losses_leave_the_law_the_shapes_and_the_prior_alone():
    posed = laws.pose(LAW, ROWS)
    other = posed.with_losses(ROWS.log_loss_R + 0.1)
    np.testing.assert_array_equal(other.prior, posed.prior)
    np.testing.assert_allclose(other.log_loss_R - posed.log_loss_R, 0.1)


def test_every_row_stands_once_among_the_rows_of_its_model():
    model_R = np.array([2, 0, 2, 1, 2])
    grouping = problem.group(model_R, 3)
    assert grouping.weight_MJ.sum(axis=1).tolist() == [1, 1, 3]
    assert sorted(grouping.row_MJ[grouping.weight_MJ > 0].tolist()) == [0, 1, 2, 3, 4]
    for model, row in zip(*np.nonzero(grouping.weight_MJ), strict=True):
        assert model_R[grouping.row_MJ[model, row]] == model


def test_importing_the_packages_loads_no_jax():
    names = "ie_scaling.laws, ie_scaling.laws.least_squares, ie_scaling.laws.bayes"
    subprocess.run([sys.executable, "-c", f"import sys, {names}; assert 'jax' not in sys.modules"], check=True)


def test_an_unknown_name_of_a_package_is_an_attribute_error():
    for package in (laws, least_squares):
        with pytest.raises(AttributeError, match="nothing_here"):
            _ = package.nothing_here
