"""Ranks of architectures from paired draws of their losses, never from marginal intervals: arrays in, arrays out.

Every function takes loss_WA, W posterior draws of the losses (nats per token) of A architectures in which one row is
one joint draw, as `Posterior.losses(architectures, n_tokens)` gives it, and does not change it:

  rank_probabilities(loss_WA, max_rank=None) -> (A, K)   column k is P(rank = k + 1), the lowest loss ranked 1; equal
                                                         losses share their ranks
  p_best(loss_WA), p_top_k(loss_WA, k)       -> (A,)
  pairwise(loss_WA)                          -> (A, A)   P(loss_i < loss_j), ties counted half, ½ on the diagonal
  expected_rank(loss_WA)                     -> (A,)     from 1
  expected_regret(loss_WA)                   -> (A,)     E[L_i − min_j L_j] in nats
  expected_regret_percent(loss_WA)           -> (A,)     the same, in per cent of the best
  RankSummary                                            all but `pairwise`, over batches of draws: memory of one batch
  stream(losses_of, n_draws, …) -> RankSummary           the same for more losses than memory holds

Tokens that would buy a regret back: `Posterior.token_equivalent`.
"""

import concurrent.futures
import dataclasses
import os
import threading
from collections.abc import Callable

import numpy as np

from ie_scaling.errors import InputError

SORTED = 4096  # candidates beyond which a draw is not sorted whole
BINS = 1 << 14
BLOCK_LOSSES = 1 << 21  # losses of one block of draws: 16 MB


def rank_probabilities(loss_WA: np.ndarray, max_rank: int | None = None) -> np.ndarray:
    """P(rank = k + 1) of each architecture, (A, K); K = A unless `max_rank` cuts it. Equal losses share their ranks."""
    return RankSummary.of(loss_WA, max_rank).rank_probability_AK


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
    return RankSummary.of(loss_WA, 1).expected_rank_A


def expected_regret(loss_WA: np.ndarray) -> np.ndarray:
    """E[L_i − min_j L_j] in nats per token, (A,)."""
    return (loss_WA - loss_WA.min(axis=1, keepdims=True)).mean(axis=0)


def expected_regret_percent(loss_WA: np.ndarray) -> np.ndarray:
    """E[L_i / min_j L_j − 1] in per cent, (A,)."""
    return 100 * (loss_WA / loss_WA.min(axis=1, keepdims=True) - 1).mean(axis=0)


@dataclasses.dataclass
class RankSummary:
    """Running sums over batches of draws; `add` each batch, then read the properties.

    Candidates of equal loss in a draw share its ranks equally. Beyond SORTED candidates a draw is not sorted whole: the
    first `max_rank` ranks are exact, the others come from a histogram of that draw's losses, in a bin of which
    candidates share their mean rank.
    """

    n_architectures: int
    max_rank: int
    n_draws: int = 0
    best_W: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0))  # lowest loss of each draw, by `stream`

    def __post_init__(self) -> None:
        self._count_AK = np.zeros((self.n_architectures, self.max_rank))
        self._rank_A, self._regret_A, self._ratio_A, self._loss_A = np.zeros((4, self.n_architectures))

    @classmethod
    def of(cls, loss_WA: np.ndarray, max_rank: int | None = None) -> "RankSummary":
        """The summary of one array of draws."""
        n_architectures = loss_WA.shape[1]
        summary = cls(n_architectures, min(max_rank or n_architectures, n_architectures))
        summary.add(loss_WA)
        return summary

    def add(self, loss_WA: np.ndarray) -> np.ndarray:
        """Count a batch of draws; returns the lowest loss of each, [W].

        Raises:
          InputError: there is no architecture or no draw, or a loss is not a number.
        """
        if not loss_WA.size:
            raise InputError(f"loss_WA of shape {loss_WA.shape}: needs at least one draw and one architecture")
        best_W = loss_WA.min(axis=1)
        if np.isnan(best_W).any():
            raise InputError("loss_WA: has a loss that is not a number")
        gap_WA = loss_WA - best_W[:, None]
        regret_A = gap_WA.sum(axis=0)  # by rows of memory: several times a matrix product's speed
        self._regret_A += regret_A
        self._loss_A += regret_A + best_W.sum(dtype=np.float64)
        self._ratio_A += (gap_WA / best_W[:, None]).sum(axis=0)
        for gap_A in gap_WA:
            self._count(gap_A)
        self.n_draws += len(loss_WA)
        return best_W

    def _count(self, gap_A: np.ndarray) -> None:
        """Count the ranks of one draw."""
        if self.n_architectures <= SORTED:
            order_A = np.argsort(gap_A, kind="stable")
            sorted_A = gap_A[order_A]
            self._count_first(order_A, sorted_A)
            self._rank_A[order_A] += _shared_ranks(sorted_A)
            return
        bin_A = (gap_A * ((BINS - 1) / max(float(gap_A.max()), 1e-300))).astype(np.int32)
        size = np.bincount(bin_A, minlength=BINS)
        upto = np.cumsum(size)
        near = np.flatnonzero(bin_A <= np.searchsorted(upto, self.max_rank))
        near = near[np.argsort(gap_A[near], kind="stable")]
        self._count_first(near, gap_A[near])
        middle = (upto - 0.5 * (size - 1)).astype(np.float32 if self.n_architectures < 1 << 22 else np.float64)
        self._rank_A += middle.take(bin_A)  # halves of whole numbers, exact in either

    def _count_first(self, order: np.ndarray, sorted_gap: np.ndarray) -> None:
        """Count the first `max_rank` ranks of one draw, of candidates in order of loss; equal losses share them."""
        shown = sorted_gap[: self.max_rank + 1]
        if (shown[1:] > shown[:-1]).all():
            self._count_AK[order[: self.max_rank], np.arange(self.max_rank)] += 1
            return
        for position in range(self.max_rank):
            first, last = (
                np.searchsorted(sorted_gap, sorted_gap[position], "left"),
                np.searchsorted(sorted_gap, sorted_gap[position], "right"),
            )
            self._count_AK[order[first:last], position] += 1 / (last - first)

    def merge(self, other: "RankSummary") -> None:
        """Count another summary's draws too."""
        self.n_draws += other.n_draws
        for name in ("_count_AK", "_rank_A", "_regret_A", "_ratio_A", "_loss_A"):
            getattr(self, name)[...] += getattr(other, name)

    @property
    def loss_mean_A(self) -> np.ndarray:
        """Mean loss in nats per token."""
        return self._loss_A / self.n_draws

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


def _shared_ranks(sorted_A: np.ndarray) -> np.ndarray:
    """Ranks from 1 of sorted losses, the mean of their positions for each of several equal ones."""
    rank_A = np.arange(1.0, len(sorted_A) + 1)
    is_new_A = sorted_A[1:] > sorted_A[:-1]
    if is_new_A.all():
        return rank_A
    group_A = np.concatenate([[0], np.cumsum(is_new_A)])
    return (np.bincount(group_A, rank_A) / np.bincount(group_A))[group_A]


def stream(
    losses_of: Callable[[np.ndarray], np.ndarray],
    n_draws: int,
    n_architectures: int,
    max_rank: int,
    on_progress: Callable[[int], None] = lambda done: None,
) -> RankSummary:
    """The summary of more losses than memory holds, a block of draws at a time on every core.

    Args:
      losses_of: losses [w, A] in nats per token of the draws of these numbers; called from several threads.
      on_progress: gets the number of draws done since the last call.

    Raises:
      InputError: no architecture or no draw, or a loss that is not a number.
    """
    if not n_architectures or not n_draws:
        raise InputError(f"{n_architectures} candidates, {n_draws} draws: ranking needs at least one of each")
    block = int(np.clip(BLOCK_LOSSES // n_architectures, 1, n_draws))
    blocks = [np.arange(first, min(first + block, n_draws)) for first in range(0, n_draws, block)]
    n_workers = min(os.cpu_count() or 1, len(blocks))
    lock, best_W = threading.Lock(), np.empty(n_draws)

    def work(mine: list[np.ndarray]) -> RankSummary:
        summary = RankSummary(n_architectures, min(max_rank, n_architectures))
        for draws in mine:
            best_W[draws] = summary.add(losses_of(draws))
            with lock:
                on_progress(len(draws))
        return summary

    with concurrent.futures.ThreadPoolExecutor(n_workers) as pool:
        first, *others = pool.map(work, [blocks[i::n_workers] for i in range(n_workers)])
    for other in others:
        first.merge(other)
    first.best_W = best_W
    return first
