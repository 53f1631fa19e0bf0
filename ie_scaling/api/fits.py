"""A law fitted to rows that are held: least squares, its bootstrap, the posterior, as `configs/fit.py` fits them."""

import dataclasses
from collections.abc import Sequence

from ie_scaling.api.loss_fits import PointFit, PosteriorFit
from ie_scaling.laws import fitting
from ie_scaling.laws.bayes import fit_failures
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.config import FitConfig
from ie_scaling.laws.fitting import Fitted
from ie_scaling.running import diagnostic
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.running.progress import shown
from ie_scaling.tables.run_source import RunSource


def fit(config: FitConfig, runs: RunSource, source: str, warned: Sequence[str] = ()) -> PointFit | PosteriorFit:
    """What a configuration asks for, of these rows, which come from `source`; `warned` are warnings from before.

    Raises:
      InputError: rows that are bad for this law.
      FloatingPointError: no start of least squares gave a finite objective.
    """
    with shown(False):  # what is said of the rows is in the result
        inputs = fitting.load_rows(config, runs)
    new = [line for line in inputs.warnings if _words(line) not in map(_words, warned)]
    rows = dataclasses.replace(inputs.fitted, warnings=(*warned, *new))
    fitted = fitting.fit(config, dataclasses.replace(inputs, fitted=rows))
    point = None if fitted.by_bayes else _point(fitted, source)
    bootstrap = None
    if fitted.bootstrap is not None:
        draws = _with_failures(fitted.bootstrap, fitting.mixed_losses(rows), rows.warnings)
        bootstrap = PosteriorFit(posterior=draws, source=source, point=point, remarks=rows.remarks)
    if fitted.posterior is None:
        return bootstrap or _point(fitted, source)
    posterior = _with_failures(fitted.posterior, fitted.failures, rows.warnings)
    return PosteriorFit(posterior=posterior, source=source, point=point, bootstrap=bootstrap, remarks=rows.remarks)


def _words(line: str) -> str:
    """A warning without the name of its table."""
    return line.partition(": ")[2]


def _point(fitted: Fitted, source: str) -> PointFit:
    own = [entry for entry in fitted.failures if entry.kind in (Kind.LEAST_SQUARES, Kind.MIXED_LOSSES)]
    warnings = (*diagnostic.lines(own), *fitted.inputs.fitted.warnings)
    return PointFit(fitted=fitted.least_squares, source=source, warnings=warnings)


def _with_failures(draws: Posterior, found: list[Diagnostic], warnings: Sequence[str]) -> Posterior:
    """Draws that say what a fit directory would say of them."""
    every = [*diagnostic.each(Kind.TABLE, warnings), *found]
    return dataclasses.replace(draws, fit_failures=fit_failures.of_draws(every))
