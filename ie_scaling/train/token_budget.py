"""How many tokens to train on, as people write it: 500000, 250k, 1.5B, 3e10, or 20N (tokens per parameter)."""

import decimal
import re

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.train.rules import cut

MAX_TOKENS = 10**18
_UNITS = {"": 0, "k": 3, "K": 3, "M": 6, "B": 9, "G": 9, "T": 12}
PATTERN = r"[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE]\+?[0-9]{1,3})?[kKMBGTN]?"
EXAMPLES = "a number such as 500000, 250k, 1.5B, 3e10, or 20N for 20 tokens a parameter"


def parse(text: str, architecture: Architecture, field: str = "n_tokens") -> int:
    """The tokens that `text` means for a model of this architecture; "N" counts all its parameters.

    Raises:
      InputError: it is no such number, or no whole number of tokens from 1 to MAX_TOKENS.
    """
    if len(text) > 40 or re.fullmatch(PATTERN, text) is None:
        raise InputError(f"{field}={cut(text)}: must be {EXAMPLES}")
    number, unit = (text[:-1], text[-1]) if text[-1].isalpha() else (text, "")
    value = decimal.Decimal(number.replace("_", ""))
    if unit == "N":
        tokens = int(value * accounting.count_parameters(architecture))
    else:
        value = value.scaleb(_UNITS[unit])
        if value <= MAX_TOKENS and value != int(value):
            raise InputError(f"{field}={cut(text)}: must be a whole number of tokens")
        tokens = int(min(value, MAX_TOKENS + 1))
    if not 1 <= tokens <= MAX_TOKENS:
        raise InputError(f"{field}={cut(text)}: must lie between 1 and {MAX_TOKENS:.0e} tokens")
    return tokens
