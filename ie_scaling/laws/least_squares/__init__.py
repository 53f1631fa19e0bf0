"""Least squares: many starts at once, Newton steps, and what a table cannot identify.

fit(problem, huber_delta, n_starts, seed)     the robust fit of a law posed on a table
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ie_scaling.laws.least_squares.solver import LeastSquaresFit, fit

__all__ = ["LeastSquaresFit", "fit"]


def __getattr__(name: str) -> Any:
    """What the package offers, imported on first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("ie_scaling.laws.least_squares.solver"), name)
