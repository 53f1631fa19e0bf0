"""The latency of candidates, measured or predicted: how fast each is, how sure that is, and whether it meets a bound.

A candidate architectures, W draws.
"""

import dataclasses
from typing import Protocol

import numpy as np
import pandas as pd
from scipy import special

from ie_scaling.errors import InputError
from ie_scaling.tables import latency_spread

FAR = 300.0  # in ln seconds: a ratio that is as good as zero or infinite


class Latency(Protocol):
    """Latencies of A candidates, as a decision needs them."""

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

    def feasible(self, latency: Latency, share: float) -> np.ndarray:
        """(A,): whether each candidate meets it with at least this probability.

        Raises:
          InputError: none does; says by how much the bound is missed.
        """
        feasible_A = self.p_met(latency) >= share
        if not feasible_A.any():
            raise InputError(self._missed(latency, share))
        return feasible_A

    def in_seconds(self, latency: Latency) -> float:
        """What it comes to; inf for no bound."""
        _, most = self._judged(latency)
        return most if self.ratio is None else most * float(latency.median_A.min())

    def needed(self, latency: Latency, share: float) -> float:
        """The least bound, in seconds or as a ratio, that some candidate meets with this probability."""
        within, _ = self._judged(latency)
        return float(within.quantile(share).min())

    def _missed(self, latency: Latency, share: float) -> str:
        _, most = self._judged(latency)
        needed, unit = self.needed(latency, share), " s" if self.ratio is None else " × the fastest"
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
    """Measured request latency of each candidate: log-normal about its median, both known as their counts say.

    With s and ν of `latency_spread.moderate`, of one request and of the median, which is itself an estimate:

        ln(request/median) ~ s·√(1 + π/(2·count))·t_ν      ln(true median/median) ~ s·√(π/(2·count))·t_ν

    so that no latency is certain, whatever its row leaves out; for large counts these are Normal(0, s²) and nothing.

    Attributes:
      median_A: seconds.
      spread_A: standard deviation of the log of one request's latency; NaN where it is not known.
      count_A: samples behind the median.
    """

    median_A: np.ndarray
    spread_A: np.ndarray
    count_A: np.ndarray

    @classmethod
    def from_table(cls, table: pd.DataFrame, metric: str) -> "MeasuredLatency":
        """From the rows of a latency table, the spread from its 10th and 90th percentiles."""
        spread_A = latency_spread.of_table(table, metric)
        return cls(table[metric].to_numpy(float), spread_A, table["count"].to_numpy(float))

    def p_within(self, bound_s: float) -> np.ndarray:
        """(A,): probability that one request takes at most bound_s."""
        scale_A, dof_A = self._request
        return special.stdtr(dof_A, np.log(bound_s / self.median_A) / scale_A)

    def quantile(self, share: float) -> np.ndarray:
        """(A,): seconds within which one request ends with this probability."""
        scale_A, dof_A = self._request
        return self._seconds(scale_A * special.stdtrit(dof_A, share))

    def draw_medians(self, n_draws: int, rng: np.random.Generator) -> np.ndarray:
        """(W,A): draws of the median itself."""
        spread_A, dof_A = self._moderated
        error_A = latency_spread.MEDIAN_ERROR * spread_A / np.sqrt(self.count_A)
        return self._seconds(error_A * rng.standard_t(dof_A, (n_draws, len(self.median_A))))

    @property
    def _moderated(self) -> tuple[np.ndarray, np.ndarray]:
        return latency_spread.moderate(self.spread_A, self.count_A)

    @property
    def _request(self) -> tuple[np.ndarray, np.ndarray]:
        """Scale of one request about the measured median, and its degrees of freedom."""
        spread_A, dof_A = self._moderated
        return spread_A * np.sqrt(1 + latency_spread.MEDIAN_ERROR**2 / self.count_A), dof_A

    def _seconds(self, log_ratio: np.ndarray) -> np.ndarray:
        """The median times this ratio, within what float64 holds."""
        return self.median_A * np.exp(np.clip(log_ratio, -FAR, FAR))

    def over_fastest(self) -> "MeasuredLatency":
        """The same in units of the least median, which is taken as known."""
        return dataclasses.replace(self, median_A=self.median_A / self.median_A.min())


@dataclasses.dataclass(frozen=True)
class PredictedLatency:
    """Latency of candidates that were not timed, by the draws [W, A] of what a benchmark of them would find.

    These are of medians: the latency law has no term for how much one request differs from the next.
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
