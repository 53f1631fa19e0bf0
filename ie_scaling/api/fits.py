"""A law fitted to rows that are held: least squares, its bootstrap, the posterior, as `configs/fit.py` fits them."""

import dataclasses
from collections.abc import Sequence

from ie_scaling.api.loss_fits import PointFit, PosteriorFit
from ie_scaling.laws import bayes, fitting, problem
from ie_scaling.laws.bayes import assemble, quantities, sampler
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.config import FitConfig
from ie_scaling.laws.evidence import certificate
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.least_squares.solver import LeastSquaresFit
from ie_scaling.laws.observations import Observations
from ie_scaling.running.progress import Progress, say, shown
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
    posed = problem.pose(inputs.law, rows)
    prepared = None if config.method == "least_squares" else bayes.prepare(posed, config.nuts)
    say(f"least squares: {posed.law.name}, {len(rows)} rows, {config.objective}")
    fitted = fitting.fit_least_squares(config, posed)
    point = None if config.method == "bayes" else _point(fitted, rows, source)
    bootstrap = None
    if config.n_bootstrap:
        draws = _bootstrap(config, fitted, rows)
        bootstrap = PosteriorFit(posterior=draws, source=source, point=point, remarks=rows.remarks)
    if prepared is None:
        return bootstrap or _point(fitted, rows, source)
    posterior = _posterior(config, fitted, prepared)
    return PosteriorFit(posterior=posterior, source=source, point=point, bootstrap=bootstrap, remarks=rows.remarks)


def _words(line: str) -> str:
    """A warning without the name of its table."""
    return line.partition(": ")[2]


def _point(fitted: LeastSquaresFit, rows: Observations, source: str) -> PointFit:
    failed = [] if fitted.status == "converged" else [f"least squares: {fitted.status} ({'; '.join(fitted.reasons)})"]
    return PointFit(fitted=fitted, source=source, warnings=(*failed, *_about_rows(rows)))


def _about_rows(rows: Observations) -> tuple[str, ...]:
    return (*fitting.mixed_losses(rows), *rows.warnings)


def _bootstrap(config: FitConfig, fitted: LeastSquaresFit, rows: Observations) -> Posterior:
    say(f"bootstrap: {config.n_bootstrap} resamples of {len(rows.model_ids)} models")
    with Progress("bootstrap", config.n_bootstrap, "fits") as progress:
        draws = assemble.from_bootstrap(fitted, config.n_bootstrap, config.seed, config.resample, progress.advance)
    assemble.add_quantities(draws, _question(config, rows))
    return dataclasses.replace(draws, fit_failures=_about_rows(rows))


def _posterior(config: FitConfig, fitted: LeastSquaresFit, prepared: sampler.Prepared) -> Posterior:
    """NUTS from the least-squares fit, with the failures of its short certificate."""
    posed, nuts, start = prepared.problem, config.nuts, fitted
    if config.objective == "squared":  # its coefficients may be negative: no place to start from
        start = solver.fit(posed, n_starts=config.n_starts, seed=config.seed)
    label = f"sampling {posed.law.name} ({nuts.n_chains} chains)"
    with Progress(label, nuts.n_warmup + nuts.n_samples, "draw") as progress:
        draws = bayes.finish(prepared, start, config.seed, progress.advance)
    assemble.add_quantities(draws, _question(config, posed.rows))
    certified = certificate.short(draws, config.seed)["failures"]
    failures = [f"certificate: {failure}" for failure in certified if not failure.startswith("convergence")]
    return dataclasses.replace(draws, fit_failures=(*failures, *_about_rows(posed.rows)))


def _question(config: FitConfig, rows: Observations) -> quantities.Question:
    return quantities.ask(rows, config.aspect_ratio, config.aspect_pair, config.flop_budgets)
