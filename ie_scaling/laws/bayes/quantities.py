"""What a fitted law implies, draw by draw: the best aspect ratio, loss differences, compute-optimal N and D."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from ie_scaling.inference import numerics
from ie_scaling.laws.least_squares.solver import predict_draws
from ie_scaling.laws.observations import Features
from ie_scaling.laws.problem import Problem
from ie_scaling.laws.proportions import Proportions

ASPECT_RATIOS = np.geomspace(2, 2048, 512)
SIZES = np.geomspace(1e-4, 1e4, 1024)  # of √(C/6) parameters
MOSTLY = 0.5  # share of the draws without an optimum beyond which none is reported
MEANINGS = {
    "optimal_aspect_ratio": "best d/n at equal N_total; a law's own R_star is at equal N of its count",
    "log_loss_R": "difference of ln loss between two d/n at equal N_total",
    "optimal_n_params": "N_total of least loss at these training FLOPs",
    "optimal_n_tokens": "D of least loss at these training FLOPs",
    "optimal_loss": "the least loss at these training FLOPs",
}
BEYOND = 10.0  # without a FLOP budget, so many times the largest of the table


@dataclasses.dataclass(frozen=True, kw_only=True)
class Question:
    """Which quantities of a law on a table are of interest.

    Attributes:
      problem: the law, and the reference point of its coefficients.
      family: the proportions of the shapes (the table's medians).
      n_total, n_tokens: at which aspect ratios are compared (the table's geometric means).
      aspect_ratio: of the shapes among which N and D are chosen.
      aspect_pair: the two aspect ratios whose loss is compared.
      flop_budgets: training FLOPs C = 6·N_total·D.
    """

    problem: Problem
    family: Proportions
    n_total: float
    n_tokens: float
    aspect_ratio: float
    aspect_pair: tuple[float, float]
    flop_budgets: tuple[float, ...]


def ask(
    problem: Problem,
    aspect_ratio: float = 0.0,
    aspect_pair: Sequence[float] = (32, 256),
    flop_budgets: Sequence[float] = (),
) -> Question:
    """The question about a law on a table; an aspect ratio of 0 is the table's geometric mean, no budgets ten times its
    largest."""
    x = problem.features
    reference = problem.rows.reference(1.0)
    largest = float(np.max(6 * x.n_total * x.n_tokens))
    return Question(
        problem=problem,
        family=Proportions.of(problem.rows),
        n_total=reference.N0,
        n_tokens=reference.D0,
        aspect_ratio=aspect_ratio or reference.R0,
        aspect_pair=(float(aspect_pair[0]), float(aspect_pair[1])),
        flop_budgets=tuple(flop_budgets) or (BEYOND * largest,),
    )


def compute(question: Question, draws_W: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Each quantity by name, [W], of draws of the law's parameters.

    There are none where the law needs what only a trained model has, or the table is silent.

    `optimal_aspect_ratio` is the d/n of least loss at the question's N_total and D, within 2 to 2048; there is none
    where most draws have their least loss at an end of that range, as under a law that is monotone in d/n.
    `log_loss_RHIGH_minus_RLOW` = ln L(R high) − ln L(R low) there. `optimal_n_params@C`, `optimal_n_tokens@C` and
    `optimal_loss@C` minimize the loss over N_total with D = C/(6·N_total) at one aspect ratio.
    """
    q, law = question, question.problem.law
    ladder = q.family.members(q.n_total, ASPECT_RATIOS, q.n_tokens)
    if any(np.isnan(getattr(ladder, need)).any() for need in law.needs):
        return {}
    values = {}
    if law.shape_parts:
        best_W, _, at_end_W = _argmin(ASPECT_RATIOS, _predict(q.problem, draws_W, ladder))
        if at_end_W.mean() <= MOSTLY:
            values["optimal_aspect_ratio"] = best_W
        low, high = q.aspect_pair
        pair = _predict(q.problem, draws_W, q.family.members(q.n_total, np.array([low, high]), q.n_tokens))
        values[f"log_loss_R{high:g}_minus_R{low:g}"] = pair[:, 1] - pair[:, 0]
    for budget in q.flop_budgets:
        n_total = SIZES * np.sqrt(budget / 6)
        sizes = q.family.members(n_total, q.aspect_ratio, budget / 6 / n_total)
        best_W, log_loss_W, _ = _argmin(n_total, _predict(q.problem, draws_W, sizes))
        values[f"optimal_n_params@{budget:.3g}"] = best_W
        values[f"optimal_n_tokens@{budget:.3g}"] = budget / 6 / best_W
        values[f"optimal_loss@{budget:.3g}"] = np.exp(log_loss_W)
    return values


def meaning(name: str) -> str:
    """What a quantity of this name is, in a few words."""
    return next((words for start, words in MEANINGS.items() if name.startswith(start)), "")


def _predict(problem: Problem, draws_W: Mapping[str, np.ndarray], features: Features) -> np.ndarray:
    with numerics.double_precision():
        return np.asarray(predict_draws(problem.law, dict(draws_W), features, problem.reference))


def _argmin(grid_K: np.ndarray, values_WK: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where and how low each row is, by the parabola through the least of a geometric grid and its neighbors.

    The third array says where the least value stands at an end of the grid.
    """
    log_K = np.log(grid_K)
    best_W = values_WK.argmin(axis=1)
    inner_W = np.clip(best_W, 1, len(grid_K) - 2)
    rows = np.arange(len(values_WK))
    left, middle, right = (values_WK[rows, inner_W + shift] for shift in (-1, 0, 1))
    bend = left - 2 * middle + right
    at_end = (best_W != inner_W) | (bend <= 0)
    shift = np.where(at_end, 0.0, 0.5 * (left - right) / np.where(bend > 0, bend, 1.0))
    log_best = np.where(at_end, log_K[best_W], log_K[inner_W] + shift * (log_K[1] - log_K[0]))
    least = np.where(at_end, values_WK[rows, best_W], middle - 0.25 * (left - right) * shift)
    return np.exp(log_best), least, best_W != inner_W
