"""What callers hand over besides rows: posteriors and latencies, as objects or as paths."""

import dataclasses
from pathlib import Path

import pandas as pd

from ie_scaling.api import fields, recorded_fit
from ie_scaling.api.answers import LatencyFit
from ie_scaling.api.loss_fits import PointFit, PosteriorFit
from ie_scaling.api.rows import FRAME
from ie_scaling.api.shapes import NamedShapes
from ie_scaling.errors import InputError, short
from ie_scaling.latency_law import posterior as latency_posterior
from ie_scaling.latency_law.posterior import LatencyPosterior
from ie_scaling.laws.bayes import fit_directory, fit_failures
from ie_scaling.laws.bayes import posterior as posterior_lib
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.running import diagnostic, identity, workdir
from ie_scaling.running.diagnostic import Kind
from ie_scaling.tables import latency_table


def load(directory: str | Path, allow_unfinished: bool = False) -> PointFit | PosteriorFit | LatencyFit:
    """What a finished directory holds: see `calls.load`."""
    path = Path(fields.text("directory", directory))
    identity.named("directory", [path])  # a name that no directory can have
    if path.is_file():
        draws = posterior_lib.load(path)
        if (
            path.name in (fit_directory.POSTERIOR, fit_directory.BOOTSTRAP) and not draws.fit_failures
        ):  # of a fit, which has them beside it
            draws = dataclasses.replace(draws, fit_failures=fit_failures.read(path.parent))
        return PosteriorFit(posterior=draws, source=str(path))
    workdir.require_done(path, allow_unfinished)
    if (path / latency_posterior.FILE_NAME).is_file():
        return LatencyFit(posterior=latency_posterior.load_fit(path), source=str(path))
    if (path / recorded_fit.FILE_NAME).is_file() and not fit_directory.promises_draws(path):
        return _load_point(path)
    return PosteriorFit(posterior=posterior_lib.load_fit(path), source=str(path))


def _load_point(directory: Path) -> PointFit:
    """Least squares of a directory that holds no draws, with the warnings that `ies.fit` gives."""
    failed = diagnostic.read(directory)
    own = [entry for entry in failed if entry.kind in (Kind.LEAST_SQUARES, Kind.MIXED_LOSSES)]
    warnings = diagnostic.lines(own + [entry for entry in failed if entry.kind is Kind.TABLE])
    return PointFit(fitted=recorded_fit.read(directory), source=str(directory), warnings=tuple(warnings))


def posteriors(value: object) -> tuple[Posterior, ...]:
    """The posteriors that an argument means, one or several; directories are loaded."""
    given = value if isinstance(value, list | tuple) else [value]
    return tuple(posterior(one) for one in given)


def posterior(given: object) -> Posterior:
    loaded = load(given) if isinstance(given, str | Path) else given
    if isinstance(loaded, PosteriorFit):
        return loaded.posterior
    if isinstance(loaded, Posterior):
        return loaded
    hint = "; a fit by least squares needs n_bootstrap for it" if isinstance(loaded, PointFit) else ""
    raise InputError(f"posterior={short(given)}: must be a posterior of fit or load, or a fit directory{hint}")


def read_latency(latency: object) -> tuple[str, pd.DataFrame | LatencyPosterior]:
    """The name of a latency table or law in messages, and its rows or draws."""
    if isinstance(latency, pd.DataFrame):
        return FRAME, latency_table.judge(latency.reset_index(drop=True), FRAME)
    if isinstance(latency, str | Path):
        workdir.unfinished(identity.named("latency", [latency]), False)
        if not Path(latency).is_dir():
            return str(latency), latency_table.read_latency(latency)
        latency = load(latency)
    if isinstance(latency, LatencyFit):
        return latency.source, latency.posterior
    if isinstance(latency, LatencyPosterior):
        return "latency law", latency
    raise InputError(f"latency={short(latency)}: must be a latency table, a latency law, or the path of one")


def by_name(table: pd.DataFrame, named: NamedShapes) -> pd.DataFrame:
    """The table with what the caller called each shape as its index."""
    return table.set_axis(pd.Index([named.name_of(name) for name in table["architecture"]], name="shape"))
