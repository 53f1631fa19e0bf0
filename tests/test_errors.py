"""Values in messages: one short line, whatever they are."""

import pytest

from ie_scaling.errors import InputError, short


class Broken:
    def __repr__(self):
        raise RuntimeError("no repr")


VALUES = ("x" * 5000, 10**5000, [["\n"] * 99] * 99, {"a": object()}, Broken(), float("nan"))


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_any_value_is_one_short_line(value):
    shown = short(value)
    assert "\n" not in shown
    assert len(shown) < 500


def test_plain_values_are_as_python_writes_them():
    assert (short(3), short("a"), short((1, 2))) == ("3", "'a'", "(1, 2)")
    assert short(Broken()).startswith("<Broken")
    assert issubclass(InputError, ValueError)
