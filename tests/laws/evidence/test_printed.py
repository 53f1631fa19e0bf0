"""Agreement to the digits printed; a check that cannot fail would not be one."""

import dataclasses

import pytest

from ie_scaling.laws.evidence.printed import STOPPING, as_stopped, check


@pytest.mark.parametrize(
    ("printed", "ours", "passed"),
    [
        ("2.13061", 2.130614, True),
        ("2.13061", 2.130616, False),
        ("1.1462e-3", 1.14625e-3, True),
        ("1.1462e-3", 1.1463e-3, False),
        ("-.40", -0.4, True),
        (".0033", 0.0034, False),
        ("7720.6", 7720.66, False),
    ],
)
def test_a_value_agrees_to_the_digits_printed(printed, ours, passed):
    assert check("value", printed, ours).passed is passed


def test_a_bound_may_be_undercut_but_not_exceeded():
    at_most = check("objective", "2e-4", 1.9e-4, 0.0, at_most=True)
    assert at_most.passed
    assert not dataclasses.replace(at_most, ours=2.0001e-4).passed


def test_a_value_between_stopping_points_passes_and_one_outside_does_not():
    between = as_stopped("value", "1.00", [1.006, 0.99, 1.007])
    assert between.passed
    assert between.tolerance == pytest.approx(0.021)
    assert between.note == STOPPING
    assert not as_stopped("value", "1.00", [1.006, 1.0065, 1.007]).passed
    assert as_stopped("value", "1.00", [1.004, 0.5]).tolerance == pytest.approx(0.005)
