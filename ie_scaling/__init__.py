"""Choose a transformer's shape under parameter, token and latency budgets, with honest uncertainty.

From Python, `import ie_scaling as ies`:

  read_runs(path, columns=…, where=…)           a run table as a DataFrame, checked
  fit(rows, law, method=…)                      a law fitted to it: by least squares, a bootstrap, or as a posterior
  rank(posterior, shapes, n_tokens)             which shapes are best, as a DataFrame
  select(posterior, latency, n_tokens=…)        the best shape that is fast enough, as a decision
  predict_latency(latency, shapes)              times of shapes never timed, as a DataFrame
  load(directory)                               the posterior of a finished directory, of losses or of latencies

They are loaded when first used: importing the package loads neither JAX nor pandas.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ie_scaling.api.calls import fit, load, predict_latency, rank, select
    from ie_scaling.api.rows import read_runs
    from ie_scaling.architecture import Architecture
    from ie_scaling.errors import InputError

    __version__: str

__all__ = [
    "Architecture",
    "InputError",
    "__version__",
    "fit",
    "load",
    "predict_latency",
    "rank",
    "read_runs",
    "select",
]
_HOMES = {"Architecture": "architecture", "InputError": "errors", "read_runs": "api.rows"}  # others are in api.calls


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("ie_scaling")
    except metadata.PackageNotFoundError:  # the folder itself on the path, nothing installed
        return "0+unknown"


if not TYPE_CHECKING:  # which would hide from type checkers what the modules hold

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = f"ie_scaling.{_HOMES.get(name, 'api.calls')}"
        value = _version() if name == "__version__" else getattr(importlib.import_module(home), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
