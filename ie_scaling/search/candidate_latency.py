"""The latency of candidates, measured or predicted: how fast each is, how sure that is, and whether it meets a bound.

A candidate architectures, W draws.
"""

import dataclasses
from typing import Protocol

import numpy as np
import pandas as pd
from scipy import special, stats

P10_TO_P90 = 2 * float(stats.norm.ppf(0.9))


class Latency(Protocol):
    """What a decision asks of the latencies of A candidates."""

    @property
    def median_A(self) -> np.ndarray:
        """Seconds."""
        ...

    def p_within(self, bound_s: float) -> np.ndarray:
        """(A,): probability of at most bound_s."""
        ...

    def quantile(self, share: float) -> np.ndarray:
        """(A,): seconds within which it lies with this probability."""
        ...

    def draw_medians(self, n_draws: int, rng: np.random.Generator) -> np.ndarray:
        """(W,A): joint draws of the median."""
        ...

    def over_fastest(self) -> "Latency":
        """The same in units of the median of the candidate whose median is least."""
        ...


@dataclasses.dataclass(frozen=True)
class Bound:
    """At most `seconds`, or at most `ratio` times as long as the fastest candidate takes; neither for no bound."""

    seconds: float | None = None
    ratio: float | None = None

    def p_met(self, latency: Latency) -> np.ndarray:
        """(A,): probability that each candidate meets it."""
        within, most = self._judged(latency)
        return within.p_within(most)

    def in_seconds(self, latency: Latency) -> float:
        """What it comes to; inf for no bound."""
        _, most = self._judged(latency)
        return most if self.ratio is None else most * float(latency.median_A.min())

    def missed(self, latency: Latency, share: float) -> str:
        """What is said where no candidate meets it with this probability."""
        within, most = self._judged(latency)
        needed, unit = float(within.quantile(share).min()), " s" if self.ratio is None else " × the fastest"
        return (
            f"latency bound {most:.4g}{unit}: no candidate meets it with probability {share:g}; "
            f"the fastest needs {needed:.4g}{unit}, {needed / most:.4g} times the bound"
        )

    def _judged(self, latency: Latency) -> tuple[Latency, float]:
        if self.ratio is not None:
            return latency.over_fastest(), self.ratio
        return latency, np.inf if self.seconds is None else self.seconds


@dataclasses.dataclass(frozen=True)
class MeasuredLatency:
    """Measured request latency of each candidate, log-normal about its median.

    Attributes:
      median_A: seconds.
      spread_A: standard deviation of the log of one request's latency.
      count_A: samples behind the median.
    """

    median_A: np.ndarray
    spread_A: np.ndarray
    count_A: np.ndarray

    @classmethod
    def from_table(cls, table: pd.DataFrame, metric: str) -> "MeasuredLatency":
        """From the rows of a latency table, the spread from its 10th and 90th percentiles."""
        p10, p90 = table[f"{metric}_p10"].to_numpy(float), table[f"{metric}_p90"].to_numpy(float)
        spread_A = np.log(p90 / p10) / P10_TO_P90
        return cls(table[metric].to_numpy(float), np.nan_to_num(spread_A), table["count"].to_numpy(float))

    def p_within(self, bound_s: float) -> np.ndarray:
        """(A,): probability that one request takes at most bound_s."""
        margin_A = np.log(bound_s / self.median_A)
        certain_A = np.where(margin_A >= 0, 1.0, 0.0)
        spread_A = np.maximum(self.spread_A, 1e-12)
        return np.where(self.spread_A > 0, special.ndtr(margin_A / spread_A), certain_A)

    def quantile(self, share: float) -> np.ndarray:
        """(A,): seconds within which this share of the requests ends."""
        return self.median_A * np.exp(self.spread_A * special.ndtri(share))

    def draw_medians(self, n_draws: int, rng: np.random.Generator) -> np.ndarray:
        """(W,A): draws of the median itself, whose standard error is √(π/2)·spread/√count."""
        error_A = np.sqrt(np.pi / 2) * self.spread_A / np.sqrt(self.count_A)
        return self.median_A * np.exp(error_A * rng.standard_normal((n_draws, len(self.median_A))))

    def over_fastest(self) -> "MeasuredLatency":
        """The same in units of the least median, which is taken as known."""
        return dataclasses.replace(self, median_A=self.median_A / self.median_A.min())


@dataclasses.dataclass(frozen=True)
class PredictedLatency:
    """Latency of candidates that were not timed, by the draws [W, A] of what a benchmark of them would find.

    It is about medians: how much one request differs from the next the latency law does not say.
    """

    draws_WA: np.ndarray

    @property
    def median_A(self) -> np.ndarray:
        """Seconds."""
        return np.median(self.draws_WA, axis=0)

    def p_within(self, bound_s: float) -> np.ndarray:
        """(A,): share of the draws of at most bound_s."""
        return (self.draws_WA <= bound_s).mean(axis=0)

    def quantile(self, share: float) -> np.ndarray:
        """(A,): seconds within which this share of the draws lies."""
        return np.quantile(self.draws_WA, share, axis=0, method="inverted_cdf")

    def draw_medians(self, n_draws: int, rng: np.random.Generator) -> np.ndarray:
        """(W,A): n_draws of the draws, whole rows, drawn again only where there are too few."""
        n_own = len(self.draws_WA)
        return self.draws_WA[rng.choice(n_own, n_draws, replace=n_draws > n_own)]

    def over_fastest(self) -> "PredictedLatency":
        """The same over the fastest candidate draw by draw: what all have in common, as a session's speed, cancels."""
        return PredictedLatency(self.draws_WA / self.draws_WA[:, [self.median_A.argmin()]])
