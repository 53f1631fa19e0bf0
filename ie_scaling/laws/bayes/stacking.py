"""Laws in the mixture that would have predicted held-out models best: stacking by leave-one-model-out log score.

[YVSG] on the log scores of `leave_out`. K laws, M models, W draws.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from ie_scaling.errors import InputError
from ie_scaling.laws.bayes.leave_out import leave_models_out
from ie_scaling.laws.bayes.posterior import Posterior

MAX_STEPS = 20_000
N_BOOTSTRAP = 400


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stack:
    """Weights of K laws, with 90 % intervals over resampled models, and what they rest on.

    `difference_K` is each law's summed log score minus the best law's, with its standard error over models.
    """

    weight_K: np.ndarray
    weight_lo90_K: np.ndarray
    weight_hi90_K: np.ndarray
    log_score_K: np.ndarray
    difference_K: np.ndarray
    difference_se_K: np.ndarray
    n_unreliable_K: np.ndarray


def stack(posteriors: Sequence[Posterior], seed: int = 0) -> Stack:
    """Weights that maximize Σ_m ln Σ_k w_k·p_k(model m | the others).

    Raises:
      InputError: posteriors that were not fitted to the same rows.
    """
    first = posteriors[0]
    for posterior in posteriors[1:]:
        same_losses = np.array_equal(first.rows.log_loss_R, posterior.rows.log_loss_R)
        if posterior.model_ids != first.model_ids or not same_losses:
            names = posterior.law.name, first.law.name
            raise InputError(f"law {names[0]!r}: was not fitted to the same rows as {names[1]!r}")
    left_out = [leave_models_out(posterior) for posterior in posteriors]
    score_MK = np.stack([scores.log_score_M for scores in left_out], axis=1)
    n_models = len(score_MK)
    draws_BM = np.random.default_rng(seed).multinomial(n_models, np.full(n_models, 1 / n_models), size=N_BOOTSTRAP)
    weight_BK = np.array([weigh(score_MK, draws_M) for draws_M in draws_BM])
    best = int(score_MK.sum(axis=0).argmax())
    gap_MK = score_MK - score_MK[:, best : best + 1]
    return Stack(
        weight_K=weigh(score_MK, np.ones(n_models)),
        weight_lo90_K=np.quantile(weight_BK, 0.05, axis=0),
        weight_hi90_K=np.quantile(weight_BK, 0.95, axis=0),
        log_score_K=score_MK.sum(axis=0),
        difference_K=gap_MK.sum(axis=0),
        difference_se_K=np.sqrt(n_models) * gap_MK.std(axis=0, ddof=1),
        n_unreliable_K=np.array([scores.n_unreliable for scores in left_out]),
    )


def weigh(score_MK: np.ndarray, count_M: np.ndarray) -> np.ndarray:
    """Stacking weights by expectation maximization, which climbs a concave function on the simplex."""
    density_MK = np.exp(score_MK - score_MK.max(axis=1, keepdims=True))
    weight_K = np.full(score_MK.shape[1], 1 / score_MK.shape[1])
    for _ in range(MAX_STEPS):
        share_MK = weight_K * density_MK
        share_MK /= share_MK.sum(axis=1, keepdims=True)
        new_K = count_M @ share_MK / count_M.sum()
        if np.abs(new_K - weight_K).max() < 1e-9:
            return new_K
        weight_K = new_K
    return weight_K


def apportion(weight_K: np.ndarray, n_draws: int) -> np.ndarray:
    """How many of `n_draws` each law gives, by largest remainder."""
    share_K = weight_K * n_draws
    count_K = np.floor(share_K).astype(int)
    count_K[np.argsort(count_K - share_K)[: n_draws - count_K.sum()]] += 1
    return count_K
