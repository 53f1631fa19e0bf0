"""Published numbers, row by row; a check that cannot fail would not be one."""

import dataclasses

import numpy as np
import pytest

from ie_scaling.laws import forms
from ie_scaling.laws.evidence import reproduction
from ie_scaling.laws.least_squares import published
from ie_scaling.laws.problem import pose
from tests.laws.simulated import DATA, read

TABLES = reproduction.Tables(DATA)
EFFORT = reproduction.Effort(n_starts=16, n_bootstrap=4000, seed=0)
SLOW = ("b24_bootstrap", "gemstones_width_depth", "exploratory_bian2025", "exploratory_gemstones")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in reproduction.ROWS]
)
def test_a_published_row_is_reproduced(name):
    checks = reproduction.ROWS[name](TABLES, EFFORT)
    assert checks
    assert [(check.quantity, check.printed, check.ours) for check in checks if not check.passed] == []


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
    assert reproduction.check("value", printed, ours).passed is passed


def test_a_bound_may_be_undercut_but_not_exceeded():
    at_most = reproduction.check("objective", "2e-4", 1.9e-4, 0.0, at_most=True)
    assert at_most.passed
    assert not dataclasses.replace(at_most, ours=2.0001e-4).passed


def test_where_curve_fit_stops_depends_on_the_order_of_its_parameters():
    rows = read("bian2025", reproduction.PUBLISHED_FIGURES["fig7"])
    problem = pose(forms.get_law("aspect_ratio"), rows)
    stops = published.stopping_points(problem)
    assert stops[0] == published.fit(problem)
    assert 0 < np.ptp([stop.derived["A"] for stop in stops]) < 1e-4 * 54754
    assert np.ptp([stop.derived["alpha"] for stop in stops]) < 1e-5


def test_a_value_between_stopping_points_passes_and_one_outside_does_not():
    between = reproduction._as_stopped("value", "1.00", [1.006, 0.99, 1.007])
    assert between.passed
    assert between.tolerance == pytest.approx(0.021)
    assert between.note == reproduction.STOPPING
    assert not reproduction._as_stopped("value", "1.00", [1.006, 1.0065, 1.007]).passed
    assert reproduction._as_stopped("value", "1.00", [1.004, 0.5]).tolerance == pytest.approx(0.005)
