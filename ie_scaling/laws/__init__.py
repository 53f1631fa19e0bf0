"""Scaling laws of the loss: forms, least squares, posteriors, and the evidence for them.

problem = laws.pose(forms.get_law("effective"), rows)     a law on a table
least_squares.fit(problem)                                the best point, with a status
bayes.fit(problem, config, seed, on_progress)             the posterior
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ie_scaling.laws.problem import Problem, pose

__all__ = ["Problem", "pose"]


def __getattr__(name: str) -> Any:
    """What the package offers is imported on first use, so that importing a config loads no JAX."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("ie_scaling.laws.problem"), name)
