"""Values of a config: the default where one is absent or null, and what is no count, flag or number."""

import pytest

from ie_scaling.errors import InputError
from ie_scaling.shapes import values


def test_values_and_their_defaults():
    assert values.count({"n": 7}, "n") == 7
    assert values.count({"n": None}, "n", 3) == values.count({}, "n", 3) == 3
    assert values.flag({}, "tied", True)
    assert values.number({"a": None, "b": 2}, ("a", "b"), 9.0, 0, 10) == 2.0
    assert values.number({}, ("a", "b"), 9.0, 0, 10) == 9.0


@pytest.mark.parametrize("value", [0, -1, True, 1.0, "8", None, 2**31])
def test_what_is_no_count_is_named(value):
    with pytest.raises(InputError, match=r"^n=.*: must be an integer from 1 to 2147483647$"):
        values.count({"n": value}, "n")


def test_what_is_no_flag_and_no_number_is_named():
    with pytest.raises(InputError, match=r"^n is missing$"):
        values.count({}, "n")
    with pytest.raises(InputError, match=r"^tied=1: must be true or false$"):
        values.flag({"tied": 1}, "tied", False)
    for value in (0, 11, True, "5"):
        with pytest.raises(InputError, match=r"^b=.*: must be a number above 0 and at most 10$"):
            values.number({"b": value}, ("a", "b"), 9.0, 0, 10)
