"""From a law posed on a table to its posterior: least squares, NUTS from there, the convergence gate, every group."""

from collections.abc import Callable

from ie_scaling.inference import diagnostics
from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws.bayes import assemble, sampler
from ie_scaling.laws.bayes.posterior import Posterior
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
) -> Posterior:
    """The posterior by NUTS from the least-squares fit; `failures` say what did not pass the gate.

    `on_progress` gets the transitions of each chain since the last call; `n_starts` are those of least squares.
    """
    prepared = sampler.prepare(problem, config or NutsConfig())
    return finish(prepared, solver.fit(problem, n_starts=n_starts, seed=seed), seed, on_progress)


def finish(
    prepared: sampler.Prepared,
    start: LeastSquaresFit,
    seed: int,
    on_progress: Callable[[int], None] = _say_nothing,
) -> Posterior:
    """The posterior of what `sampler.prepare` began to compile, sampled from a least-squares fit."""
    samples = sampler.sample(prepared, start.z_P, seed, on_progress)
    gate = diagnostics.check(assemble.monitored(prepared.problem.law, samples), samples.stats, prepared.config)
    return assemble.from_samples(prepared.problem, samples, gate, seed)
