"""Published numbers, row by row; a check that cannot fail would not be one."""

import numpy as np
import pytest

from ie_scaling.laws import forms
from ie_scaling.laws.evidence import reproduction
from ie_scaling.laws.least_squares import published
from ie_scaling.laws.problem import pose
from tests.laws.simulated import DATA, read

TABLES = reproduction.ShippedTables(DATA)
EFFORT = reproduction.Effort(n_starts=16, n_bootstrap=4000, seed=0)
SLOW = ("b24_bootstrap", "gemstones_width_depth", "exploratory_bian2025", "exploratory_gemstones")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in reproduction.ROWS]
)
def test_a_published_row_is_reproduced(name):
    checks = reproduction.ROWS[name](TABLES, EFFORT)
    assert checks
    assert [(check.quantity, check.printed, check.ours) for check in checks if not check.passed] == []


def test_where_curve_fit_stops_depends_on_the_order_of_its_parameters():
    rows = read("bian2025", reproduction.PUBLISHED_FIGURES["fig7"])
    problem = pose(forms.get_law("aspect_ratio"), rows)
    stops = published.stopping_points(problem)
    assert stops[0] == published.fit(problem)
    assert 0 < np.ptp([stop.derived["A"] for stop in stops]) < 1e-4 * 54754
    assert np.ptp([stop.derived["alpha"] for stop in stops]) < 1e-5
