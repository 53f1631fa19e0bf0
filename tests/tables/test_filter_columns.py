"""A column as a filter sees it: numbers, text or truth, and never a guess between them."""

import numpy as np
import pandas as pd
import pytest

from ie_scaling.tables.filter_columns import Column
from ie_scaling.tables.filter_syntax import NotAllowed


def column(*cells, dtype=object):
    return Column("c", pd.Series(list(cells), dtype=dtype))


def test_text_that_is_numbers_is_both():
    numbers = column("1", "2.5", "", "NA")
    assert numbers.is_numeric
    assert numbers.is_text
    np.testing.assert_array_equal(numbers.numbers(), [1, 2.5, np.nan, np.nan])
    assert numbers.is_missing.tolist() == [False, False, True, False]


def test_words_are_text_and_numbers_without_quotes_are_none():
    with pytest.raises(NotAllowed, match=r"row 2 has 'x'; compare it with text"):
        column("1", "x").numbers()
    with pytest.raises(NotAllowed, match=r"does not hold text: row 1 has 1, without quotes"):
        column(1, 2, dtype="int64").text()


def test_truth_is_blank_nowhere_alone():
    assert column("True", "false", "").truth().tolist() == [True, False, False]
    with pytest.raises(NotAllowed, match="must be true or false for each row"):
        column("", "").truth()


def test_digits_that_float64_lacks_are_seen():
    assert column(2**53, dtype="int64").is_exact
    assert not column(2**53 + 1, dtype="int64").is_exact
    assert column(str(2**60 + 1), "1").keys().tolist() == [str(2**60 + 1), "1"]


def test_quoted_numbers_equal_only_what_is_written_so():
    column("8", "9").check_quoted("8")
    with pytest.raises(NotAllowed, match=r"'8.0' is not the text '8'; write the number without quotes"):
        column("8.0", "9").check_quoted("8")
    with pytest.raises(NotAllowed, match="holds numbers; 'x' is text"):
        column("8", "9").check_quoted("x")
