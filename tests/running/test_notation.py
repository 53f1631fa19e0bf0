"""Numbers as people write them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ie_scaling.errors import InputError
from ie_scaling.running import notation


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("8", 8), ("250k", 250_000), ("1e6", 1_000_000), ("1.5B", 1_500_000_000), ("3e10", 30_000_000_000)),
        *(
            ("-3", -3),
            ("1_000", 1000),
            ("2T", 2 * 10**12),
            ("0.1M", 100_000),
            ("1.0", 1),
        ),
    ],
)
def test_whole_numbers(text, value):
    assert notation.parse_int(text) == value
    assert notation.parse_float(text) == value


@pytest.mark.parametrize(
    "text", ["1.5", "1e30", "9" * 400, "1e9999", "1e-3", "nan", "inf", "", "k", "1.5X", "1,5", "0x10"]
)
def test_what_is_no_whole_number_is_one_line(text):
    with pytest.raises(InputError) as caught:
        notation.parse_int(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("text", "value"), [(".5", 0.5), ("1e-3", 1e-3), ("1.5B", 1.5e9), ("0.1", 0.1), ("1e300", 1e300)]
)
def test_floats(text, value):
    assert notation.parse_float(text) == value


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e309", "1e9999", "9" * 400, "one", ""])
def test_what_is_no_finite_number_is_refused(text):
    with pytest.raises(InputError):
        notation.parse_float(text)


def test_tokens_by_parameters():
    assert notation.parse_tokens("20N", 1_000_000) == 20_000_000
    assert notation.parse_tokens("0.5N", 1001) == 500
    assert notation.parse_tokens("1.5B", 7) == 1_500_000_000
    with pytest.raises(InputError):
        notation.parse_tokens("N", 7)


@given(st.text())
def test_any_text_is_a_number_or_refused(text):
    for parse in (notation.parse_int, notation.parse_float, lambda each: notation.parse_tokens(each, 5)):
        with contextlib.suppress(InputError):
            assert isinstance(parse(text), int | float)


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_every_integer_is_itself(value):
    assert notation.parse_int(str(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_itself(value):
    assert notation.parse_float(repr(value)) == value
