"""Tests of whether predictions are as sure as they ought to be, and how large an error tests of so few could notice.

Rows of one trained model are dependent, so that everything here counts models, with one value each. The mean of a
model's rows spreads no wider than one of its rows does, so that the tests err towards passing, however close its rows
lie together. M models, R rows.
"""

import dataclasses
import enum

import numpy as np
from scipy import optimize, stats

LEVEL = 0.05  # how often each test fails predictions that are right, at most
POWER = 0.8  # with which an error is called noticeable
NOMINAL = 0.9  # of the central intervals whose coverage is spoken of


class Sides(enum.StrEnum):
    """In which way normal scores depart from those of right predictions."""

    LOCATION = enum.auto()
    SPREAD = enum.auto()


@dataclasses.dataclass(frozen=True, kw_only=True)
class NormalScores:
    """Whether probability integral transforms look uniform, by the normal scores of M models.

    `mean` is 0 and `spread` 1 of right predictions (the mean of squared scores: above 1 where intervals are too
    narrow); `p_value` is of both together, and `departs` says which of them is the less probable.
    """

    n_models: int
    mean: float
    spread: float
    p_value: float
    departs: Sides


def normal_scores(pit_R: np.ndarray, model_R: np.ndarray, n_draws: int) -> NormalScores:
    """The mean normal score and the mean square of the M models, each against its law were a model one row.

    `pit_R` is the probability given to a smaller loss than each row's, known to one in `n_draws`.
    """
    edge = 0.5 / n_draws
    score_R = stats.norm.ppf(np.clip(pit_R, edge, 1 - edge))
    score_M, square_M = (of_models(values_R, model_R) for values_R in (score_R, score_R**2))
    n_models, total = len(score_M), float(square_M.sum())
    by_location = 2 * float(stats.norm.sf(abs(score_M.sum()) / np.sqrt(n_models)))
    by_spread = 2 * float(min(stats.chi2.sf(total, n_models), stats.chi2.cdf(total, n_models)))
    return NormalScores(
        n_models=n_models,
        mean=float(score_M.mean()),
        spread=total / n_models,
        p_value=min(1.0, 2 * min(by_location, by_spread)),
        departs=Sides.LOCATION if by_location < by_spread else Sides.SPREAD,
    )


def of_models(values_R: np.ndarray, model_R: np.ndarray) -> np.ndarray:
    """The mean of each model's rows, [M]."""
    return np.bincount(model_R, values_R) / np.bincount(model_R)


def as_few_covered(share: float, n_models: int) -> float:
    """Probability that right intervals cover at most this share of independent models."""
    return float(stats.binom.cdf(round(share * n_models), n_models, NOMINAL))


def by_coverage(n_models: int) -> float | None:
    """The true coverage below which `as_few_covered` falls below LEVEL with probability POWER; None: none is so low."""
    most = np.flatnonzero(stats.binom.cdf(np.arange(n_models), n_models, NOMINAL) < LEVEL)
    if not len(most):
        return None
    return float(optimize.brentq(lambda share: stats.binom.cdf(most[-1], n_models, share) - POWER, 0.0, 1.0))


def by_spread(n_models: int) -> float:
    """The true coverage of intervals so much too narrow that `normal_scores` notices with probability POWER."""
    critical = stats.chi2.isf(LEVEL / 4, n_models)  # one tail of two, one test of two
    widening = np.sqrt(critical / stats.chi2.ppf(1 - POWER, n_models))
    return float(2 * stats.norm.cdf(stats.norm.ppf(0.5 + NOMINAL / 2) / widening) - 1)


def by_draws(log_loss_WR: np.ndarray, low_R: np.ndarray, high_R: np.ndarray, critical: float) -> float | None:
    """The true coverage of 90 % intervals below which so little is covered that it is noticed with probability POWER.

    Joint predictive draws of R rows are spread about their medians, ever wider, until the share of the rows that lies
    within low and high (of ln losses) is at most `critical` in enough of them. None: it never is.
    """
    middle_R = np.median(log_loss_WR, axis=0)
    for widening in np.geomspace(1, 64, 241):
        wider_WR = middle_R + widening * (log_loss_WR - middle_R)
        share_W = ((low_R <= wider_WR) & (wider_WR <= high_R)).mean(axis=1)
        if (share_W <= critical).mean() >= POWER:
            return float(share_W.mean())
    return None
