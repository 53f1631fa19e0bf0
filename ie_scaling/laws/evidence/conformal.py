"""Split-conformal forecasts around least squares: a curve, and the errors that the same law made of rows left out.

The law is fitted to a part of the fitted rows and predicts the rest of them, as the contest asks of all of them: the
largest models, the most tokens, or random models. Its errors in ln L there are the distribution about the curve that is
fitted to all rows [VGS]. Exact where rows are exchangeable. C errors, R rows, W draws.
"""

import math
from collections.abc import Sequence

import numpy as np

from ie_scaling.laws.evidence import splits
from ie_scaling.laws.evidence.forecast import Forecast
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.least_squares.solver import LeastSquaresFit
from ie_scaling.laws.observations import Observations

N_FOLDS = 3


def errors(fitted: LeastSquaresFit, way: splits.Way, share: float, seed: int = 0) -> np.ndarray:
    """ln L − ln L̂ of the rows that a split of the fitted rows leaves out, [C].

    By tokens where tokens cannot be extrapolated: by size.
    """
    rows = fitted.problem.rows
    every = splits.split(rows, n_folds=N_FOLDS, n_repeats=1, extrapolate=share, seed=seed)
    chosen = [N_FOLDS]
    if way is splits.Way.MODEL:
        chosen = list(range(N_FOLDS))
    elif way is splits.Way.TOKENS and not every.without_tokens:
        chosen = [N_FOLDS + 1]
    z_WP = solver.fit_subsets(fitted, every.fitted_WR[chosen], seed=seed)
    error_WR = rows.log_loss_R - solver.predict_many(fitted.problem, z_WP)
    return error_WR[every.scored_WR[chosen]]


def forecast(
    fitted: LeastSquaresFit, error_C: np.ndarray, held_out: Observations, levels: Sequence[int], n_draws: int, seed: int
) -> Forecast:
    """The curve with these errors about it: draws of them, and intervals of the conformal quantiles of their sizes.

    Draws hold every error equally often, each row's in an order of its own. No density.
    """
    rng = np.random.default_rng(seed)
    tiled_W = np.tile(error_C, -(-n_draws // len(error_C)))
    log_loss_R = fitted.predict(held_out.features)
    error_WR = rng.permuted(np.repeat(tiled_W[:, None], len(held_out), axis=1), axis=0)
    ends = {level: np.exp(log_loss_R + np.array([[-1.0], [1.0]]) * reach(error_C, level)) for level in levels}
    return Forecast(loss_WR=np.exp(log_loss_R + error_WR), log_density_R=None, ends_2R=ends)


def reach(error_C: np.ndarray, level: int) -> float:
    """The conformal quantile of |error|: the ⌈(C + 1)·level⌉-th smallest; the largest where C is too few for it."""
    rank = math.ceil((len(error_C) + 1) * level / 100)
    return float(np.sort(np.abs(error_C))[min(rank, len(error_C)) - 1])


def is_enough(error_C: np.ndarray, level: int) -> bool:
    """Whether there are errors enough for an interval of this level."""
    return math.ceil((len(error_C) + 1) * level / 100) <= len(error_C)
