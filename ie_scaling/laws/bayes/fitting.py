"""From a law posed on a table to draws of it: NUTS from the least-squares fit behind a gate, or bootstrap refits."""

from collections.abc import Callable

from ie_scaling.inference import diagnostics
from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws.bayes import assemble, sampler
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.bayes.quantities import Question
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.least_squares.solver import LeastSquaresFit
from ie_scaling.laws.problem import Problem


def _say_nothing(transitions: int) -> None:
    pass


def fit(
    problem: Problem,
    config: NutsConfig | None = None,
    seed: int = 0,
    on_progress: Callable[[int], None] = _say_nothing,
    *,
    n_starts: int = 64,
    question: Question | None = None,
) -> Posterior:
    """The posterior by NUTS from the least-squares fit; `failures` say what did not pass the gate.

    `on_progress` gets the transitions of each chain since the last call; `n_starts` are those of least squares. What
    `question` asks of the law is among the posterior's quantities.
    """
    prepared = sampler.prepare(problem, config or NutsConfig())
    start = solver.fit(problem, n_starts=n_starts, seed=seed)
    return finish(prepared, start, seed, on_progress, question=question)


def finish(
    prepared: sampler.Prepared,
    start: LeastSquaresFit,
    seed: int,
    on_progress: Callable[[int], None] = _say_nothing,
    *,
    question: Question | None = None,
) -> Posterior:
    """The posterior of what `sampler.prepare` began to compile, sampled from a least-squares fit."""
    samples = sampler.sample(prepared, start.z_P, seed, on_progress)
    gate = diagnostics.check(assemble.monitored(prepared.problem.law, samples), samples.stats, prepared.config)
    posterior = assemble.from_samples(prepared.problem, samples, gate, seed)
    return posterior if question is None else assemble.with_quantities(posterior, question)


def bootstrap(
    fitted: LeastSquaresFit,
    n_draws: int,
    seed: int,
    by: str = "model",
    on_progress: Callable[[int], None] = _say_nothing,
    *,
    question: Question | None = None,
) -> Posterior:
    """Refits to tables whose models (or rows, by="row") are drawn with replacement, in the posterior's layout."""
    z_WP = solver.bootstrap(fitted, n_draws, seed, by, on_progress)
    draws = assemble.from_refits(fitted, z_WP, seed)
    return draws if question is None else assemble.with_quantities(draws, question)
