"""One law fitted to rows as a configuration asks: by least squares, its bootstrap, and as a certified posterior."""

import dataclasses

import pandas as pd

from ie_scaling.errors import InputError
from ie_scaling.laws import bayes, forms, reading
from ie_scaling.laws.bayes import assemble, quantities
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.bayes.sampler import Prepared
from ie_scaling.laws.config import FitConfig
from ie_scaling.laws.evidence import certificate
from ie_scaling.laws.evidence.certificate import ShortCertificate
from ie_scaling.laws.law import Law
from ie_scaling.laws.least_squares import published, solver
from ie_scaling.laws.least_squares.solver import LeastSquaresFit
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import Problem, pose
from ie_scaling.running import diagnostic
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.running.progress import Progress, say
from ie_scaling.tables import cells, run_source
from ie_scaling.tables.run_source import RunSource

REST = "rest"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a fit reads: the law, the rows to fit, and the rows only to predict (None for none), of `n_in_table`."""

    law: Law
    fitted: Observations
    holdout: Observations | None
    n_in_table: int

    @property
    def warnings(self) -> list[str]:
        """What is suspicious in the rows, each once."""
        return list(
            dict.fromkeys((*self.fitted.warnings, *(self.holdout.warnings if self.holdout is not None else ())))
        )


def load(config: FitConfig) -> Inputs:
    """The law and the rows of a configuration, checked.

    Raises:
      InputError: one line that names field or file, row, column and rule.
    """
    return load_rows(config, run_source.open_runs(config.runs, config.columns))


def load_rows(config: FitConfig, runs: RunSource) -> Inputs:
    """The law and the rows of a run table that is open already, checked as `load` does.

    Raises:
      InputError: one line that names field or table, row, column and rule.
    """
    law = forms.get_law(config.law, config.tie, config.count)
    fitted_index = runs.filter(config.where)
    fitted = reading.observe(runs, fitted_index)
    fitted.require(law.needs, law.name)
    if len(fitted) < 3:
        raise InputError(f"where={config.where!r}: keeps {len(fitted)} rows of {config.runs}; a fit needs at least 3")
    if _gives_intervals(config):
        fitted = reading.warn_of_few_models(fitted)
    if config.objective == "squared":
        published.check(law)
    holdout = _load_holdout(config, runs, fitted_index, fitted)
    if holdout is not None:
        holdout.require(law.needs, law.name)
    return Inputs(law=law, fitted=fitted, holdout=holdout, n_in_table=len(runs))


def _gives_intervals(config: FitConfig) -> bool:
    """Whether the spread among models matters to what is asked."""
    return config.method != "least_squares" or bool(config.n_bootstrap and config.resample == "model")


def _load_holdout(
    config: FitConfig, runs: RunSource, fitted_index: pd.Index, fitted: Observations
) -> Observations | None:
    """Rows that `holdout` names (a table, a row filter, or `rest`), those fitted left out."""
    if not config.holdout:
        return None
    if cells.is_table(config.holdout):
        return _warn_of_fitted(reading.read(config.holdout, columns=config.columns), fitted)
    chosen = runs.filter("" if config.holdout == REST else config.holdout, "holdout")
    held = chosen[~chosen.isin(fitted_index)]
    if held.empty:
        raise InputError(
            f"holdout={config.holdout!r}: every row it keeps of {config.runs} is fitted; where must leave them out, "
            "such as where='n_params_total < 5e8' with holdout=rest"
        )
    return reading.observe(runs, held, say_remarks=False)


def _warn_of_fitted(held: Observations, fitted: Observations) -> Observations:
    """The rows of a holdout table, with a warning (also said) where some are those that are fitted."""
    known = {*zip(fitted.features.n_known, fitted.features.n_tokens, fitted.log_loss_R, strict=True)}
    n_same = sum(
        row in known for row in zip(held.features.n_known, held.features.n_tokens, held.log_loss_R, strict=True)
    )
    if not n_same:
        return held
    warning = (
        f"{held.name}: {n_same} of {len(held)} held-out rows have the size, tokens and loss of a fitted row: what "
        "the law predicts of them is no test of it"
    )
    return dataclasses.replace(held, warnings=(*held.warnings, *reading.say_all([warning])))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a configuration asks for: least squares always, a bootstrap and a posterior where it does."""

    inputs: Inputs
    question: quantities.Question
    least_squares: LeastSquaresFit
    bootstrap: Posterior | None
    posterior: Posterior | None
    certificate: ShortCertificate | None
    by_bayes: bool

    @property
    def draws(self) -> Posterior | None:
        """Those that intervals are of: the posterior's, else the bootstrap's."""
        return self.bootstrap if self.posterior is None else self.posterior

    @property
    def failures(self) -> list[Diagnostic]:
        """What failed of the fit itself."""
        law, point, found = self.inputs.law, self.least_squares, []
        if not self.by_bayes and point.status != "converged":
            reasons = f"{point.status} ({'; '.join(point.reasons)})"
            found.append(Diagnostic(Kind.LEAST_SQUARES, f"least squares {law.name}", reasons))
        if self.posterior is not None:
            found += diagnostic.each(Kind.CONVERGENCE, self.posterior.failures, f"bayes {law.name}")
        if self.certificate is not None:
            found += diagnostic.each(Kind.CERTIFICATE, self.certificate.failures, f"certificate {law.name}")
        return found + mixed_losses(self.inputs.fitted)


def fit(config: FitConfig, inputs: Inputs) -> Fitted:
    """Fit as configured.

    Raises:
      InputError: rows that a posterior cannot begin from.
    """
    rows, problem = inputs.fitted, pose(inputs.law, inputs.fitted)
    question = quantities.ask(rows, config.aspect_ratio, config.aspect_pair, config.flop_budgets)
    prepared = None if config.method == "least_squares" else bayes.prepare(problem, config.nuts)
    say(f"least squares: {inputs.law.name}, {len(rows)} rows, {config.objective}")
    point = fit_least_squares(config, problem)
    bootstrap = _bootstrap(config, point, question) if config.n_bootstrap else None
    posterior = None if prepared is None else _sample(config, prepared, point, question)
    return Fitted(
        inputs=inputs,
        question=question,
        least_squares=point,
        bootstrap=bootstrap,
        posterior=posterior,
        certificate=None if posterior is None else certificate.short(posterior, config.seed),
        by_bayes=config.method == "bayes",
    )


def fit_least_squares(config: FitConfig, problem: Problem) -> LeastSquaresFit:
    """The configured objective's minimum."""
    if config.objective == "squared":
        return published.fit(problem)
    return solver.fit(problem, huber_delta=config.huber_delta, n_starts=config.n_starts, seed=config.seed)


def _bootstrap(config: FitConfig, point: LeastSquaresFit, question: quantities.Question) -> Posterior:
    say(f"bootstrap: {config.n_bootstrap} resamples of {len(point.problem.rows.model_ids)} models")
    with Progress("bootstrap", config.n_bootstrap, "fits") as progress:
        draws = assemble.from_bootstrap(point, config.n_bootstrap, config.seed, config.resample, progress.advance)
    return assemble.with_quantities(draws, question)


def _sample(config: FitConfig, prepared: Prepared, point: LeastSquaresFit, question: quantities.Question) -> Posterior:
    """NUTS from the least-squares fit."""
    problem, nuts = prepared.problem, config.nuts
    if config.objective == "squared":  # its coefficients may be negative: no place to start from
        point = solver.fit(problem, n_starts=config.n_starts, seed=config.seed)
    label = f"sampling {problem.law.name} ({nuts.n_chains} chains)"
    with Progress(label, nuts.n_warmup + nuts.n_samples, "draw") as progress:
        posterior = bayes.finish(prepared, point, config.seed, progress.advance)
    return assemble.with_quantities(posterior, question)


def mixed_losses(rows: Observations) -> list[Diagnostic]:
    """A failure where rows of several sources or loss splits are fitted as if their losses were comparable."""
    for column in ("source", "loss_split"):
        kinds = sorted(set(rows.frame[column]))
        if len(kinds) > 1:
            message = f"{', '.join(kinds)} share one law without an effect of their own; their E, A, B differ"
            return [Diagnostic(Kind.MIXED_LOSSES, column, message)]
    return []
