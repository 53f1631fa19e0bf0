"""A law fitted to rows from Python: least squares, its bootstrap, the posterior, by the steps of `configs/fit.py`."""

import dataclasses
from collections.abc import Sequence

from ie_scaling.api.loss_fits import PointFit, PosteriorFit
from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import bayes, choices, forms, least_squares, reading
from ie_scaling.laws.bayes import fit_failures, quantities
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.bayes.quantities import Question
from ie_scaling.laws.bayes.sampler import Prepared
from ie_scaling.laws.choices import FitMethod, Misses, Objective, Resample
from ie_scaling.laws.evidence import certificate
from ie_scaling.laws.least_squares import LeastSquaresFit, published
from ie_scaling.laws.problem import Problem
from ie_scaling.running import diagnostic
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.running.progress import Progress, say, shown
from ie_scaling.tables.run_source import RunSource


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What a caller may set of a fit, checked; `calls.fit` says what each is, and has the defaults."""

    law: str
    tie: str
    count: str
    columns: str | dict
    where: str
    method: str
    objective: str
    huber_delta: float
    n_starts: int
    n_bootstrap: int
    resample: str
    misses: str
    skip_forward_coverage: bool
    nuts: NutsConfig
    seed: int

    def __post_init__(self) -> None:
        choices.check_fitting(self)


def fit(settings: Settings, runs: RunSource, source: str, warned: Sequence[str] = ()) -> PointFit | PosteriorFit:
    """What the settings ask for, of these rows, which come from `source`; `warned` are warnings from before.

    Raises:
      InputError: rows that are bad for this law.
      FloatingPointError: no start of least squares gave a finite objective.
    """
    problem = _pose(settings, runs, warned)
    rows, mixed, question = problem.rows, reading.mixed_losses(problem.rows), quantities.ask(problem)
    prepared = None if settings.method == FitMethod.LEAST_SQUARES else bayes.prepare(problem, settings.nuts)
    fitted = _least_squares(settings, problem)
    point, bootstrap = None, None
    if settings.method != FitMethod.BAYES:
        warnings = (*diagnostic.lines([*fitted.diagnose(), *mixed]), *rows.warnings)
        point = PointFit(fitted=fitted, source=source, warnings=warnings)
    if settings.n_bootstrap:
        draws = _with_failures(_bootstrap(settings, fitted, question), mixed, rows.warnings)
        bootstrap = PosteriorFit(posterior=draws, source=source, point=point, remarks=rows.remarks)
    if prepared is not None:
        draws = _sample(settings, prepared, fitted, question)
        skip = settings.skip_forward_coverage
        rolled = None if skip else certificate.roll_forward_briefly(problem, settings.seed, settings.nuts)
        draws = _with_failures(draws, [*certificate.short(draws, rolled).diagnostics, *mixed], rows.warnings)
        return PosteriorFit(posterior=draws, source=source, point=point, bootstrap=bootstrap, remarks=rows.remarks)
    answer = bootstrap or point
    assert answer is not None  # without draws, least squares is the answer
    return answer


def _pose(settings: Settings, runs: RunSource, warned: Sequence[str]) -> Problem:
    """The law on the rows, whose warnings are those from before and what is new."""
    law = forms.get_law(settings.law, settings.tie, settings.count)
    if settings.objective == Objective.SQUARED:
        published.check(law)
    resamples_models = settings.n_bootstrap > 0 and settings.resample == Resample.MODEL
    gives_intervals = settings.method != FitMethod.LEAST_SQUARES or resamples_models
    with shown(False):  # warnings about the rows are in the result
        misses = Misses(settings.misses)
        split = reading.split(runs, law, where=settings.where, gives_intervals=gives_intervals, misses=misses)
    new = [line for line in split.warnings if _words(line) not in map(_words, warned)]
    rows = dataclasses.replace(split.problem.rows, warnings=(*warned, *new))
    return dataclasses.replace(split.problem, rows=rows)


def _words(line: str) -> str:
    """A warning without the name of its table."""
    return line.partition(": ")[2]


def _least_squares(settings: Settings, problem: Problem) -> LeastSquaresFit:
    say(f"least squares: {problem.law.name}, {len(problem)} rows, {settings.objective}")
    if settings.objective == Objective.SQUARED:
        return published.fit(problem)
    n_starts, seed = settings.n_starts, settings.seed
    return least_squares.fit(problem, huber_delta=settings.huber_delta, n_starts=n_starts, seed=seed)


def _bootstrap(settings: Settings, fitted: LeastSquaresFit, question: Question) -> Posterior:
    n_draws = settings.n_bootstrap
    say(f"bootstrap: {n_draws} resamples of {fitted.problem.n_models} models")
    with Progress("bootstrap", n_draws, "fits") as progress:
        by, advance = settings.resample, progress.advance
        return bayes.bootstrap(fitted, n_draws, settings.seed, by, advance, question=question)


def _sample(settings: Settings, prepared: Prepared, start: LeastSquaresFit, question: Question) -> Posterior:
    problem, nuts, seed = prepared.problem, settings.nuts, settings.seed
    if settings.objective == Objective.SQUARED:  # its coefficients may be negative: nowhere to start from
        start = least_squares.fit(problem, n_starts=settings.n_starts, seed=seed)
    label = f"sampling {problem.law.name} ({nuts.n_chains} chains)"
    with Progress(label, nuts.n_warmup + nuts.n_samples, "draw") as progress:
        return bayes.finish(prepared, start, seed, progress.advance, question=question)


def _with_failures(draws: Posterior, diagnostics: Sequence[Diagnostic], warnings: Sequence[str]) -> Posterior:
    """Draws that say what a fit directory would say of them."""
    every = [*diagnostic.each(Kind.TABLE, warnings), *diagnostics]
    return dataclasses.replace(draws, fit_failures=fit_failures.of_draws(every))
