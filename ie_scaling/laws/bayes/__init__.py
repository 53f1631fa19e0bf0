"""Laws as posteriors: the model, sampling, draws and their file, and what follows from them.

fit(problem, config, seed, on_progress)       the posterior of a law posed on a table
prepare(problem, config)                      begins to compile its sampler, for work to be done meanwhile
finish(prepared, start, seed, on_progress)    the posterior, started about a least-squares fit
bootstrap(fitted, n_draws, seed, by)          refits to resampled tables, in the posterior's layout
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ie_scaling.laws.bayes.fitting import bootstrap, finish, fit
    from ie_scaling.laws.bayes.sampler import prepare

_HOMES = {"bootstrap": "fitting", "finish": "fitting", "fit": "fitting", "prepare": "sampler"}
__all__ = ["bootstrap", "finish", "fit", "prepare"]


def __getattr__(name: str) -> Any:
    """What the package offers, imported on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"ie_scaling.laws.bayes.{_HOMES[name]}"), name)
