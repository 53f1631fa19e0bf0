"""Methods of a filter: bounds, blanks, lists and text, and arguments that are none of theirs."""

import numpy as np
import pandas as pd
import pytest

from ie_scaling.tables.filter_columns import Column
from ie_scaling.tables.filter_methods import METHODS, TEXT_METHODS
from ie_scaling.tables.filter_syntax import NotAllowed

N = Column("n", pd.Series(["1", "2", "", "NA"]))
NAME = Column("name", pd.Series(["Ab", "b", "", "AB"]))


@pytest.mark.parametrize(
    ("inclusive", "expected"),
    [("both", [1, 1, 0, 0]), ("left", [1, 0, 0, 0]), ("right", [0, 1, 0, 0]), ("neither", [0, 0, 0, 0])],
)
def test_bounds_are_included_as_told(inclusive, expected):
    assert METHODS["between"].apply(N, 1, 2, inclusive).tolist() == [bool(value) for value in expected]


def test_blanks_are_missing_and_so_are_unknown_numbers():
    assert METHODS["isna"].apply(N).tolist() == [False, False, True, True]
    assert METHODS["notna"].apply(NAME).tolist() == [True, True, False, True]
    assert METHODS["isna"].apply(np.array([1.0, np.nan])).tolist() == [False, True]


def test_text_is_compared_by_its_ends():
    assert TEXT_METHODS["startswith"].apply(NAME, "A").tolist() == [True, False, False, True]
    assert TEXT_METHODS["endswith"].apply(NAME, ["b", "B"]).tolist() == [True, True, False, True]
    assert TEXT_METHODS["lower"].apply(NAME).tolist() == ["ab", "b", "", "ab"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: METHODS["between"].apply(N, 1, 2, "most"), "inclusive must be one of both"),
        (lambda: METHODS["isin"].apply(N, "a"), "takes a list"),
        (lambda: TEXT_METHODS["contains"].apply(NAME, 3, True, False, True), "takes a text in quotes"),
        (lambda: TEXT_METHODS["startswith"].apply(NAME, 3), "take text in quotes"),
    ],
)
def test_arguments_that_are_none_are_refused(call, words):
    with pytest.raises(NotAllowed, match=words):
        call()
