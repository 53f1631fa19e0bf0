"""Numbers with their intervals, and how they read in a sentence."""

import dataclasses

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.9


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number with its interval: 90 % of the resamples, or fewer misses where several are judged together."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, draws_W: np.ndarray, n_together: int = 1) -> "Estimate":
        """Bonferroni's share of the misses for each of `n_together`."""
        miss = (1 - LEVEL) / n_together / 2
        low, high = np.quantile(draws_W, (miss, 1 - miss))
        return cls(float(value), float(low), float(high))

    @property
    def side(self) -> int:
        """1 where the whole interval of a ratio is above one, −1 where below, else 0."""
        return int(self.low > 1) - int(self.high < 1)

    def show(self, scale: float = 1.0) -> str:
        """Such as 0.410 [0.400, 0.420]."""
        return f"{self.value * scale:.3g} [{self.low * scale:.3g}, {self.high * scale:.3g}]"


@dataclasses.dataclass(frozen=True)
class PredictionScore:
    """How some predictions fared: coverage with Wilson's interval, median |error| with a bootstrap one over cases."""

    n_cases: int
    n_inside: int
    coverage: Estimate
    error: Estimate

    @classmethod
    def of(cls, rows: pd.DataFrame, n_resamples: int, seed: int) -> "PredictionScore":
        """From the columns `inside` and `error` of predictions."""
        n, inside = len(rows), int(rows["inside"].sum())
        wilson = stats.binomtest(inside, n).proportion_ci(LEVEL, "wilson")
        error_A = rows["error"].abs().to_numpy(float)
        chosen = np.random.default_rng(seed).integers(n, size=(n_resamples, n))
        error = Estimate.of(float(np.median(error_A)), np.median(error_A[chosen], axis=1))
        return cls(n, inside, Estimate(inside / n, float(wilson.low), float(wilson.high)), error)

    def show(self) -> str:
        """Both, with their intervals."""
        cover, error = ([percent(v) for v in (e.value, e.low, e.high)] for e in (self.coverage, self.error))
        return (
            f"{self.n_inside} of {self.n_cases} inside ({cover[0]} % [{cover[1]}, {cover[2]}]), "
            f"median absolute error {error[0]} % [{error[1]}, {error[2]}]"
        )


def describe_change(ratio: Estimate) -> str:
    """A ratio and its interval in words: rises or falls by a percentage, grows or shrinks by a factor, or moves."""
    value, low, high = ratio.value, ratio.low, ratio.high
    if not ratio.side:
        middle, *ends = (f"{'+' if r > 1 else ''}{percent(r - 1)}" for r in (value, low, high))
        return f"moves by {middle} % [{', '.join(ends)}]"
    up = ratio.side > 0
    if not up:
        low, high = high, low
    if not 0.5 < value < 2:
        folds = [r if up else 1 / r for r in (value, low, high)]
        return f"{'grows' if up else 'shrinks'} {folds[0]:.3g}-fold [{folds[1]:.3g}, {folds[2]:.3g}]"
    middle, *ends = (percent(abs(r - 1)) for r in (value, low, high))
    return f"{'rises' if up else 'falls'} by {middle} % [{', '.join(ends)}]"


def percent(share: float) -> str:
    """A share in percent, with a decimal where it is small."""
    return f"{100 * share:.0f}" if abs(share) >= 0.1 else f"{100 * share:.1f}"


def coordinate(x: float) -> str:
    """A value on the axis of a sweep."""
    return f"{x:,.0f}" if abs(x) >= 100 else f"{x:.3g}"
