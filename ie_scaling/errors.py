"""What a user can put right: bad input, said in one line."""

import reprlib
from typing import Any

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 100


class InputError(ValueError):
    """Bad input: one line that names field or file, value and rule; the command exits with 2."""


def short(value: Any) -> str:
    """repr of a value for a message, a long one cut; no value can break it, nor the line."""
    try:
        return " ".join(_SHORT.repr(value).split())
    except Exception:  # a repr of another's class, or an integer of too many digits
        return f"<{type(value).__name__}>"
