"""RecordedFit: least squares as the fit.json of a finished directory records it, without the rows."""

import dataclasses
from pathlib import Path

import numpy as np

from ie_scaling.errors import InputError
from ie_scaling.laws import forms
from ie_scaling.laws.law import Law
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.observations import Features, Reference
from ie_scaling.running import files

FILE_NAME = "fit.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordedFit:
    """What a LeastSquaresFit has, at full precision, but the rows that it was fitted to."""

    law: Law
    reference: Reference
    derived: dict[str, float]
    objective: float
    grad_norm: float
    status: str
    reasons: tuple[str, ...]
    n_rows: int

    @property
    def params(self) -> dict[str, float]:
        """The law's free parameters by name, coefficients at the reference point."""
        return {name: self.derived[name] for name in self.law.names}

    def predict(self, features: Features) -> np.ndarray:
        """ln L̂ of each row."""
        return solver.evaluate(self.law, self.params, features, self.reference)


def read(directory: Path) -> RecordedFit:
    """The fit by least squares of a directory that `configs/fit.py` wrote.

    Raises:
      InputError: no fit.json, or one that is not of least squares.
    """
    path = directory / FILE_NAME
    record = files.read_json(path)
    try:
        law = forms.get_law(record["law"], record["tie"], record["count"])
        fit = RecordedFit(
            law=law,
            reference=Reference(**{name: float(value) for name, value in record["reference"].items()}),
            derived={name: float(value) for name, value in record["params"].items()},
            objective=float(record["objective"]),
            grad_norm=float(record["grad_norm"]),
            status=str(record["status"]),
            reasons=tuple(map(str, record["reasons"])),
            n_rows=int(record["n_rows"]),
        )
        missing = [name for name in law.names if name not in fit.derived]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: is no record of least squares ({' '.join(str(error).split())}); fit again") from None
    if missing:
        raise InputError(f"{path}: params lack {missing[0]!r}, which law {law.name!r} has; fit again")
    return fit
