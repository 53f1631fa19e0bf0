"""Tokens as people write them."""

import pytest

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.train import token_budget

SHAPE = Architecture.parse("d24-n2-h2-k1-c10-f37-v270")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("500000", 500_000),
        ("500_000", 500_000),
        ("250k", 250_000),
        ("1.5B", 1_500_000_000),
        ("0.1M", 100_000),  # in binary floats 0.1e6 is no whole number of everything
        ("3e10", 30_000_000_000),
        ("1E+6", 1_000_000),
        ("1T", 10**12),
        ("20N", 20 * accounting.count_parameters(SHAPE)),
        ("0.5N", accounting.count_parameters(SHAPE) // 2),
    ],
)
def test_the_usual_ways_of_writing_are_read(text, tokens):
    assert token_budget.parse(text, SHAPE) == tokens


@pytest.mark.parametrize(
    "text",
    [
        *("", "N", "many", "-5", "1.5", "0", "0N", "1e-3", "nan", "inf", "20n", "1.5BB", "1e400", "9" * 30, "9" * 5000),
        *("٣", "1e999N", "1 000", "1,000", "0x10"),
    ],
)
def test_anything_else_is_refused_in_one_short_line(text):
    with pytest.raises(InputError, match="n_tokens=") as raised:
        token_budget.parse(text, SHAPE)
    assert len(str(raised.value)) < 250
