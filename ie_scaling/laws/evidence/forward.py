"""Coverage rolled forward in size: a law fitted to the smaller models, its predictions held against the larger ones."""

import time
from collections.abc import Callable
from typing import Any, NotRequired, TypedDict

import numpy as np

from ie_scaling.inference import scoring
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.evidence import detectable, splits
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import Problem, pose

SHARE = 0.25  # of the models, which are the largest and predicted
FEWEST = 4  # models of which a quarter can be predicted from the rest


class Forward(TypedDict):
    """The larger models' rows as predicted from the smaller: coverages, mean squared error in nats², and the rows.

    `p_low` and `p_high` are the shares of the predictive's own draws of which no more, or no less, is covered;
    `detectable90` is the true coverage below which that is noticed (detectable.by_draws), None where none is.
    `gate` says what failed of the chains.
    """

    n: int
    n_models: int
    gate: list[str]
    coverage50: float
    coverage90: float
    mse: float
    p_low: float
    p_high: float
    detectable90: float | None
    rows: list[dict[str, Any]]
    seconds: NotRequired[float]


def roll(problem: Problem, sample: Callable[[Problem], Posterior], seed: int) -> Forward:
    """Fit all but the largest quarter of the models by `sample`, and predict that quarter as new runs."""
    start = time.perf_counter()
    largest_R = splits.largest_models(problem.rows, SHARE)
    smaller, larger = problem.rows.take(~largest_R), problem.rows.take(largest_R)
    forward = score(sample(pose(problem.law, smaller, misses=problem.misses)), larger, seed)
    return forward | {"seconds": time.perf_counter() - start}


def score(posterior: Posterior, larger: Observations, seed: int) -> Forward:
    """How a posterior that has not seen these rows predicts them, as new runs.

    Its own draws of all rows at once say what coverages to expect: rows of a model share its effect, and all of them
    the law's parameters, so that they err together.
    """
    names = [larger.model_ids[model] for model in larger.model_R]
    loss_WR = posterior.losses(larger.features, level="new_run", seed=seed, model_ids=names).all()
    low_R, middle_R, high_R = np.quantile(loss_WR, (0.05, 0.5, 0.95), axis=0)
    coverage50, coverage90 = (
        scoring.coverage(larger.loss_R, *np.quantile(loss_WR, (0.5 - level / 2, 0.5 + level / 2), axis=0))
        for level in (0.5, 0.9)
    )
    share_W = ((low_R <= loss_WR) & (loss_WR <= high_R)).mean(axis=1)
    return Forward(
        n=len(larger),
        n_models=len(larger.model_ids),
        gate=list(posterior.failures),
        coverage50=coverage50,
        coverage90=coverage90,
        mse=scoring.mse(larger.loss_R, middle_R),
        p_low=float((share_W <= coverage90).mean()),
        p_high=float((share_W >= coverage90).mean()),
        detectable90=_detectable(np.log(loss_WR), np.log(low_R), np.log(high_R), share_W),
        rows=[
            {"run_id": run, "loss": float(loss), "lo90": float(low), "hi90": float(high)}
            for run, loss, low, high in zip(larger.run_ids, larger.loss_R, low_R, high_R, strict=True)
        ],
    )


def judge(forward: Forward) -> list[str]:
    """Why it fails: 90 % intervals cover a share outside 80 to 97 % that their own draws would seldom give."""
    low, high = scoring.COVERAGE_90
    too_few = forward["coverage90"] < low and forward["p_low"] < detectable.LEVEL
    too_many = forward["coverage90"] > high and forward["p_high"] < detectable.LEVEL
    if not (too_few or too_many):
        return []
    rows = f"{forward['n']} rows of {forward['n_models']} larger models"
    return [f"rolled forward: 90 % intervals cover {100 * forward['coverage90']:.0f} % of {rows}"]


def _detectable(log_loss_WR: np.ndarray, low_R: np.ndarray, high_R: np.ndarray, share_W: np.ndarray) -> float | None:
    """The true coverage that `judge` would notice."""
    shares = np.arange(len(low_R) + 1) / len(low_R)
    failing = [share for share in shares if share < scoring.COVERAGE_90[0] and _at_most(share_W, share)]
    return detectable.by_draws(log_loss_WR, low_R, high_R, failing[-1]) if failing else None


def _at_most(share_W: np.ndarray, share: float) -> bool:
    return (share_W <= share + 1e-9).mean() < detectable.LEVEL
