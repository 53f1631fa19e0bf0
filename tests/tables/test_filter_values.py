"""What a filter computes: comparisons, arithmetic and patterns, and operands that do not go together."""

import numpy as np
import pandas as pd
import pytest

from ie_scaling.tables import filter_values as compute
from ie_scaling.tables.filter_columns import Column
from ie_scaling.tables.filter_syntax import NotAllowed

N = Column("n", pd.Series([1.0, 2.0, np.nan]))
NAME = Column("name", pd.Series(["a1", "b2", ""]))


def test_a_comparison_with_an_unknown_number_is_false_but_for_unequal():
    assert compute.compare("<", N, 2).tolist() == [True, False, False]
    assert compute.compare("!=", N, 2).tolist() == [True, False, True]
    assert compute.is_in(NAME, ["a1", "c"]).tolist() == [True, False, False]


def test_arithmetic_is_of_floats_and_constants_are_finite():
    np.testing.assert_array_equal(compute.calculate("**", N, 2), [1, 4, np.nan])
    assert compute.calculate("//", 7, 2) == 3
    for operands in (("/", 1, 0), ("**", N, 101), ("**", 2, N), ("+", NAME, 1)):
        with pytest.raises(NotAllowed):
            compute.calculate(*operands)


def test_kinds_that_do_not_go_together_are_refused():
    with pytest.raises(NotAllowed, match=r"numbers cannot be compared with text|holds numbers"):
        compute.compare("==", N, "x")
    with pytest.raises(NotAllowed, match="orders numbers or text"):
        compute.compare("<", np.array([True]), np.array([False]))
    with pytest.raises(NotAllowed, match="whole numbers beyond"):
        compute.compare("==", Column("id", pd.Series([2**53 + 1])), 2**53)


def test_patterns_match_a_part_of_the_text():
    assert compute.contains(NAME, "[0-9]$", case=True, regex=True).tolist() == [True, True, False]
    assert compute.contains(NAME, "A", case=False, regex=False).tolist() == [True, False, False]
    with pytest.raises(NotAllowed, match="is no regular expression"):
        compute.contains(NAME, "(", case=True, regex=True)
