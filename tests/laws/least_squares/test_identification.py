"""What a design leaves open: features that follow others, curves of two points, bounds, and wide standard errors."""

import dataclasses

import numpy as np
import pytest

from ie_scaling.laws import forms
from ie_scaling.laws.choices import Status
from ie_scaling.laws.least_squares import descent, identification
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from tests.laws.simulated import simulate, truth

LAW = forms.get_law("effective")
ROWS = Observations.from_frame(simulate(LAW, sigma=0.001))
PROBLEM = pose(LAW, ROWS)
TRUE_P = np.array([parameter.to_free(truth(LAW)[parameter.name]) for parameter in LAW.parameters])
LOW_P, HIGH_P = descent.bounds(PROBLEM)


def with_features(**changes):
    """The features of the rows with these changed."""
    return dataclasses.replace(ROWS.features, **changes)


def test_a_design_that_varies_everything_has_no_gap():
    assert identification.design_gaps(LAW, ROWS.features) == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_tokens": 20 * ROWS.features.n_total}, "A_ref, B_ref, alpha, beta: tokens are 20 × parameters throughout"),
        ({"n_tokens": ROWS.features.n_total**1.5}, "A_ref, B_ref, alpha, beta: tokens follow parameters throughout"),
        ({"n_tokens": np.full(len(ROWS), 1e9)}, "E, B_ref, beta: only 1 token count, three are needed for a curve"),
        ({"aspect_ratio": np.full(len(ROWS), 64.0)}, "kappa, R_star: aspect_ratio is 64 throughout"),
        (
            {"aspect_ratio": ROWS.features.n_total**0.5},
            "kappa, R_star: aspect_ratio follows parameters and tokens throughout",
        ),
    ],
)
def test_gaps_name_the_parameters_and_the_cause(changes, message):
    assert message in identification.design_gaps(LAW, with_features(**changes))


def test_a_fit_at_the_truth_is_judged_by_its_gradient():
    assert identification.judge(PROBLEM, TRUE_P, LOW_P, HIGH_P, small_gradient=True) == (Status.CONVERGED, ())
    status, reasons = identification.judge(PROBLEM, TRUE_P, LOW_P, HIGH_P, small_gradient=False)
    assert status is Status.MAX_STEPS
    assert reasons == ("the gradient is still above its tolerance",)


def test_a_parameter_at_an_end_of_its_range_is_named():
    high_P = HIGH_P.copy()
    high_P[LAW.positions["alpha"]] = TRUE_P[LAW.positions["alpha"]]
    status, reasons = identification.judge(PROBLEM, TRUE_P, LOW_P, high_P, small_gradient=True)
    assert status is Status.AT_BOUND
    assert reasons == ("alpha: at the largest value allowed",)


def test_what_few_noisy_rows_cannot_tell_is_open():
    noisy = Observations.from_frame(simulate(LAW, sigma=0.5, seed=1))
    (reason,) = (
        reason
        for reason in identification.open_parameters(pose(LAW, noisy), TRUE_P, [""] * len(TRUE_P))
        if reason.startswith("kappa:")
    )
    assert reason.startswith("kappa: the rows")
