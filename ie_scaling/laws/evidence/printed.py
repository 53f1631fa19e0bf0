"""A printed value beside ours: whether they agree to the digits printed."""

import dataclasses
from collections.abc import Sequence

STOPPING = "where curve_fit stops: printed value within its spread over orders of the parameters"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """One printed value and ours; `tolerance` is half a unit of its last digit unless `note` says otherwise.

    `at_most` marks a bound: ours may be lower.
    """

    quantity: str
    printed: str
    ours: float
    tolerance: float
    at_most: bool = False
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether ours agrees; a hair is left for the decimal digits themselves."""
        gap = self.ours - float(self.printed)
        return bool((gap if self.at_most else abs(gap)) <= self.tolerance * (1 + 1e-9))


def check(quantity: str, printed: str, ours: float, tolerance: float | None = None, **more) -> Check:
    """A Check whose tolerance is half a unit of the last printed digit, or the one given."""
    mantissa, _, exponent = printed.lower().partition("e")
    digits = len(mantissa.partition(".")[2]) - int(exponent or 0)
    return Check(
        quantity=quantity,
        printed=printed,
        ours=float(ours),
        tolerance=0.5 * 10.0**-digits if tolerance is None else tolerance,
        **more,
    )


def as_stopped(quantity: str, text: str, stops: Sequence[float]) -> Check:
    """A quantity of a fit as published, whose value at each stopping point is given, the published one's first.

    To its last digit where it can be; elsewhere the printed value must lie in the stopping points' range.
    """
    ours, low, high = stops[0], min(stops), max(stops)
    plain = check(quantity, text, ours)
    if plain.passed or not low - plain.tolerance <= float(text) <= high + plain.tolerance:
        return plain
    return check(quantity, text, ours, max(high - ours, ours - low) + plain.tolerance, note=STOPPING)
