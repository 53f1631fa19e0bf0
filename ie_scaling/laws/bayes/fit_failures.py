"""What a fit directory says has failed, besides the convergence gate that its draws carry themselves."""

from collections.abc import Iterable
from pathlib import Path

from ie_scaling.running import diagnostic
from ie_scaling.running.diagnostic import Diagnostic, Kind

# Not of draws: what was assumed, and another method. Convergence is carried by the draws themselves.
OTHERS = (Kind.ASSUMPTION, Kind.LEAST_SQUARES, Kind.CONVERGENCE)


def read(directory: Path) -> tuple[str, ...]:
    """A line for each diagnostic that bears on a fit's draws, each once; none without diagnostics.json.

    Raises:
      InputError: a file that is not what `configs/fit.py` writes.
    """
    if not (directory / diagnostic.FILE_NAME).is_file():
        return ()
    return of_draws(diagnostic.read(directory))


def of_draws(diagnostics: Iterable[Diagnostic]) -> tuple[str, ...]:
    """A line for each diagnostic that bears on draws, each once."""
    return tuple(dict.fromkeys(_line(entry) for entry in diagnostics if entry.kind not in OTHERS))


def _line(entry: Diagnostic) -> str:
    """Without the name of the law, which whoever reads the draws says himself."""
    return f"certificate: {entry.message}" if entry.kind is Kind.CERTIFICATE else str(entry)
