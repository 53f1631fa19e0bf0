"""Numbers in cells: what is one, what is blank, and why another cell is none."""

import math

import numpy as np
import pandas as pd
import pytest

from ie_scaling.tables import numbers


@pytest.mark.parametrize("text", ["1", "-2.5", "+.5", "3.", "1e-9", "6E23", "inf", "-Infinity"])
def test_these_are_numbers(text):
    assert numbers.is_number(text)
    values, known = numbers.to_numbers(pd.Series([f" {text} "]))
    assert known.all()
    assert values[0] == float(text)


@pytest.mark.parametrize("text", ["", "1,5", "1_000", "0x10", "nan", "one", "1e", "٣", "1 000", "--1"])
def test_these_are_not(text):
    assert not numbers.is_number(text)
    values, known = numbers.to_numbers(pd.Series([text]))
    assert not known.any()
    assert math.isnan(values[0])


def test_columns_of_other_types_are_what_they_are():
    for cells in ([True, False], pd.to_datetime(["2024-01-01"]), [b"1"], [[1]]):
        assert not numbers.to_numbers(pd.Series(cells))[1].any()
    values, known = numbers.to_numbers(pd.Series([1.0, np.nan]))
    assert known.tolist() == [True, False]
    assert values[0] == 1.0
    assert numbers.to_numbers(pd.Series([10**5000], dtype=object))[0][0] == math.inf


def test_blanks_are_missing_cells_and_spaces():
    assert numbers.is_blank(pd.Series(["", "  ", None, "a", 0], dtype=object)).tolist() == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_why_a_cell_is_no_number():
    cells = pd.Series(["1,234.5", "x"], dtype=object)
    assert "without thousands separators" in numbers.why_not(cells, "1,234.5")
    assert numbers.why_not(cells, "x") == "must be a number"
    assert "true or false" in numbers.why_not(pd.Series([True]), True)


def test_a_value_is_quoted_on_one_short_line():
    assert numbers.quoted(np.int64(8)) == "8"
    assert numbers.quoted("a\nb") == r"'a\nb'"
    assert len(numbers.quoted("x" * 5000)) < 100
    assert numbers.quoted(10**5000) == "a whole number of 16,610 bits"
