"""Numbers as people write them: 1.5B, 250k, 3e10, 1_000; and tokens as multiples of a model's parameters: 20N."""

import decimal
import re

from ie_scaling.errors import InputError, short

MAGNITUDES = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "G": 10**9, "T": 10**12}
MOST_INT = 2**63 - 1  # what a 64-bit integer holds
_NUMBER = re.compile(
    r"(?P<number>[+-]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d{1,4})?)\s?(?P<magnitude>[kKMBGT]?)"
)
_MULTIPLE = re.compile(r"(?P<number>\d+\.?\d*|\.\d+)\s?N")
_LONGEST = 60  # characters: a longer number is a slip


def parse_int(text: str) -> int:
    """A whole number.

    Raises:
      InputError: no number, not whole, or more than 64 bits.
    """
    number = _parse(text)
    if number is None or number != number.to_integral_value():
        raise InputError(f"{short(text)}: must be a whole number, such as 8, 250k, 1e6 or 1.5B")
    if abs(number) > MOST_INT:
        raise InputError(f"{short(text)}: must be at most {MOST_INT}")
    return int(number)


def parse_float(text: str) -> float:
    """A finite number.

    Raises:
      InputError: no number, or none that a float can hold.
    """
    number = _parse(text)
    if number is None or abs(float(number)) == float("inf"):
        raise InputError(f"{short(text)}: must be a finite number, such as 0.1, 3e10 or 1.5B")
    return float(number)


def is_multiple(text: str) -> bool:
    """Whether `text` is a multiple of N, as 20N."""
    return _MULTIPLE.fullmatch(text) is not None


def parse_tokens(text: str, n_params: int) -> int:
    """Tokens, as a whole number or as a multiple of the `n_params` parameters of the model they train.

    Raises:
      InputError: neither.
    """
    match = _MULTIPLE.fullmatch(text[:_LONGEST])
    if match is None:
        return parse_int(text)
    return parse_int(str(round(decimal.Decimal(match["number"]) * n_params)))


def _parse(text: str) -> decimal.Decimal | None:
    match = _NUMBER.fullmatch(text.strip()[: _LONGEST + 1])
    if match is None or len(text.strip()) > _LONGEST:
        return None
    try:
        return decimal.Decimal(match["number"].replace("_", "")) * MAGNITUDES[match["magnitude"]]
    except decimal.DecimalException:
        return None
