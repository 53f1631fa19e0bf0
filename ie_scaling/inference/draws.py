"""Draws: what a posterior is made of, whatever the law: named draws, sampler statistics, the gate, and a summary."""

import dataclasses
import enum
from typing import TypedDict

import numpy as np

from ie_scaling.inference.diagnostics import Gate

INTERVAL_QUANTILES = (0.05, 0.5, 0.95)  # quantiles: the median, and the ends of a 90 % interval


class Origin(enum.StrEnum):
    """What draws are of: a posterior sampled by NUTS, or least squares refitted to resampled rows."""

    BAYES = enum.auto()
    BOOTSTRAP = enum.auto()


class DrawSummary(TypedDict):
    """A quantity over all draws, in its own units; `lo90` and `hi90` are the ends of the central 90 %."""

    mean: float
    sd: float
    lo90: float
    median: float
    hi90: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draws:
    """Draws of a law's parameters: C chains of S draws each, W = C·S in all.

    Attributes:
      draws: parameters by name, each [C, S, …].
      method: what they are draws of.
      stats: the sampler's statistics by name, each [C, S]; empty of a bootstrap.
      failures: why the convergence gate failed, a line each; empty where it passed.
      gate, seconds, seed: the gate's diagnostics, the time that sampling took, and the seed that it had; not in the
        file, of which the seed is 0.
    """

    draws: dict[str, np.ndarray]
    method: Origin = Origin.BAYES
    stats: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    failures: tuple[str, ...] = ()
    gate: Gate | None = None
    seconds: float = 0.0
    seed: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """C and S."""
        n_chains, n_per_chain = next(iter(self.draws.values())).shape[:2]
        return n_chains, n_per_chain

    @property
    def n_draws(self) -> int:
        """W: draws of all chains together."""
        n_chains, n_per_chain = self.shape
        return n_chains * n_per_chain

    @property
    def flat(self) -> dict[str, np.ndarray]:
        """Parameters by name with chains joined, each [W, …]."""
        return {name: values.reshape(self.n_draws, *values.shape[2:]) for name, values in self.draws.items()}


def interval(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """The 5 % point, the median and the 95 % point along an axis, [3, …]."""
    return np.quantile(values, INTERVAL_QUANTILES, axis=axis)


def summarize(values: np.ndarray) -> DrawSummary:
    """Mean, sd and interval of all values."""
    low, middle, high = interval(values)
    return DrawSummary(
        mean=float(values.mean()), sd=float(values.std()), lo90=float(low), median=float(middle), hi90=float(high)
    )
