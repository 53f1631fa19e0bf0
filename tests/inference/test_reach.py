"""Extrapolation is warned of beyond a factor, on either side, with the factor."""

import numpy as np
import pytest

from ie_scaling.inference import reach

FITTED = np.array([2.0, 10.0])


@pytest.mark.parametrize(
    ("values", "warnings"),
    [
        ([2.0, 10.0], []),
        ([1.0, 29.0], []),
        ([5.0, 40.0], ["size reaches 40, 4 times beyond the largest fitted"]),
        ([0.5, 5.0], ["size falls to 0.5, 4 times below the smallest fitted"]),
        (
            [0.1, 100.0],
            [
                "size reaches 100, 10 times beyond the largest fitted",
                "size falls to 0.1, 20 times below the smallest fitted",
            ],
        ),
    ],
)
def test_both_sides(values, warnings):
    assert reach.beyond("size", FITTED, np.array(values), 3.0) == warnings
