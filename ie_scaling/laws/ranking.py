"""Ranks of architectures from paired draws of their losses, never from marginal intervals: arrays in, arrays out.

Every function takes loss_WA, W posterior draws of the losses (nats per token) of A architectures in which one row is
one joint draw, as `exp(Posterior.predict(features, level, key))` gives it, and does not change it:

  rank_probabilities(loss_WA, max_rank=None) -> (A, K)   column k is P(rank = k + 1), the lowest loss ranked 1
  p_best(loss_WA), p_top_k(loss_WA, k)       -> (A,)
  pairwise(loss_WA)                          -> (A, A)   P(loss_i < loss_j), ties counted half, ½ on the diagonal
  expected_rank(loss_WA)                     -> (A,)     from 1
  expected_regret(loss_WA)                   -> (A,)     E[L_i − min_j L_j] in nats
  expected_regret_percent(loss_WA)           -> (A,)     the same, in per cent of the best
  Summary                                                all but `pairwise`, over batches of draws: memory of one batch

Tokens that would buy a regret back: `Posterior.token_equivalent`.
"""

import dataclasses

import numpy as np


def rank_probabilities(loss_WA: np.ndarray, max_rank: int | None = None) -> np.ndarray:
    """P(rank = k + 1) of each architecture, (A, K); K = A unless `max_rank` cuts it. Ties go to the earlier one."""
    return Summary.of(loss_WA, max_rank).rank_probability_AK


def p_best(loss_WA: np.ndarray) -> np.ndarray:
    """P(lowest loss of all), (A,)."""
    return rank_probabilities(loss_WA, 1)[:, 0]


def p_top_k(loss_WA: np.ndarray, k: int) -> np.ndarray:
    """P(among the k lowest losses), (A,)."""
    return rank_probabilities(loss_WA, k).sum(axis=1)


def pairwise(loss_WA: np.ndarray) -> np.ndarray:
    """P(loss_i < loss_j), (A, A); a tie counts half."""
    wins_AA = np.empty((loss_WA.shape[1],) * 2)
    for i, loss_W in enumerate(loss_WA.T):
        wins_AA[i] = (loss_W[:, None] < loss_WA).mean(axis=0) + 0.5 * (loss_W[:, None] == loss_WA).mean(axis=0)
    return wins_AA


def expected_rank(loss_WA: np.ndarray) -> np.ndarray:
    """Mean rank, from 1, (A,)."""
    return Summary.of(loss_WA, 1).expected_rank_A


def expected_regret(loss_WA: np.ndarray) -> np.ndarray:
    """E[L_i − min_j L_j] in nats per token, (A,)."""
    return (loss_WA - loss_WA.min(axis=1, keepdims=True)).mean(axis=0)


def expected_regret_percent(loss_WA: np.ndarray) -> np.ndarray:
    """E[L_i / min_j L_j − 1] in per cent, (A,)."""
    return 100 * (loss_WA / loss_WA.min(axis=1, keepdims=True) - 1).mean(axis=0)


@dataclasses.dataclass
class Summary:
    """Running sums over batches of draws; `add` each batch, then read the properties."""

    n_architectures: int
    max_rank: int
    n_draws: int = 0

    def __post_init__(self) -> None:
        self._count_AK = np.zeros((self.n_architectures, self.max_rank))
        self._rank_A, self._regret_A, self._ratio_A = np.zeros((3, self.n_architectures))

    @classmethod
    def of(cls, loss_WA: np.ndarray, max_rank: int | None = None) -> "Summary":
        """The summary of one array of draws."""
        n_architectures = loss_WA.shape[1]
        summary = cls(n_architectures, min(max_rank or n_architectures, n_architectures))
        summary.add(loss_WA)
        return summary

    def add(self, loss_WA: np.ndarray) -> None:
        """Count a batch of draws.

        Raises:
          ValueError: there is no architecture or no draw, or a loss is not a number.
        """
        if not loss_WA.size:
            raise ValueError(f"loss_WA of shape {loss_WA.shape}: needs at least one draw and one architecture")
        if np.isnan(loss_WA).any():
            raise ValueError("loss_WA: has a loss that is not a number")
        order_WA = np.argsort(loss_WA, axis=1, kind="stable")
        rank_A = np.arange(1, self.n_architectures + 1, dtype=float)
        self._rank_A += np.bincount(order_WA.ravel(), np.tile(rank_A, len(order_WA)), minlength=self.n_architectures)
        for k in range(self.max_rank):
            self._count_AK[:, k] += np.bincount(order_WA[:, k], minlength=self.n_architectures)
        best_W1 = np.take_along_axis(loss_WA, order_WA[:, :1], axis=1)
        self._regret_A += (loss_WA - best_W1).sum(axis=0)
        self._ratio_A += (loss_WA / best_W1 - 1).sum(axis=0)
        self.n_draws += len(loss_WA)

    @property
    def rank_probability_AK(self) -> np.ndarray:
        """P(rank = k + 1)."""
        return self._count_AK / self.n_draws

    @property
    def expected_rank_A(self) -> np.ndarray:
        """Mean rank, from 1."""
        return self._rank_A / self.n_draws

    @property
    def expected_regret_A(self) -> np.ndarray:
        """E[L_i − min_j L_j] in nats per token."""
        return self._regret_A / self.n_draws

    @property
    def expected_regret_percent_A(self) -> np.ndarray:
        """E[L_i / min_j L_j − 1] in per cent."""
        return 100 * self._ratio_A / self.n_draws
