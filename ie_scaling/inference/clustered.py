"""Means of values that share clusters, with 90 % intervals that hold for few clusters: Student's t, never a bootstrap.

Values are of rows (a cluster each) or of pairs (two clusters each); C clusters. The variance is that of the linearized
mean over clusters, for pairs the jackknife over members, since pairs that share one share its error. Means of positive
values get their interval on the log scale, shares that of an exact binomial of the effective number of values [KG].
"""

import dataclasses
import enum

import numpy as np
from scipy import stats

MIN_CLUSTERS = 10  # of fewer no verdict is given
TAIL = 0.05  # of a 90 % interval on either side


class Values(enum.Enum):
    """What values may be, which decides the scale of their interval."""

    ANY = enum.auto()
    POSITIVE = enum.auto()
    COST = enum.auto()  # 0 as often as not, so that logs will not do
    SHARE = enum.auto()


@dataclasses.dataclass(frozen=True)
class Mean:
    """A mean over C clusters and its 90 % interval; the interval is NaN where clusters are too few to have one."""

    value: float
    low: float
    high: float
    n_clusters: int

    @property
    def is_enough(self) -> bool:
        """Whether there are enough clusters for a verdict."""
        return self.n_clusters >= MIN_CLUSTERS


NONE = Mean(np.nan, np.nan, np.nan, 0)


def mean(value_X: np.ndarray, cluster_X: np.ndarray, values: Values = Values.ANY) -> Mean:
    """The mean of values whose clusters are given: numbers [X], or two for each value [X, 2]."""
    value_X = np.asarray(value_X, np.float64)
    if not len(value_X):
        return NONE
    clusters, index_X = np.unique(cluster_X, return_inverse=True)
    index_X, n_clusters = index_X.reshape(np.shape(cluster_X)), len(clusters)
    middle = float(value_X.mean())
    if n_clusters < 2:
        return Mean(middle, np.nan, np.nan, n_clusters)
    error = float(np.sqrt(_variance(value_X, index_X, n_clusters)))
    if not np.isfinite(error):
        return Mean(middle, np.nan, np.nan, n_clusters)
    if values is Values.SHARE:
        low, high = _share(middle, error, n_clusters, len(value_X))
    else:
        low, high = (_positive if values is Values.POSITIVE else _any)(middle, error, n_clusters)
    if values is Values.COST:
        low, high = (max(low, 0.0), high) if middle > 0 else (np.nan, np.nan)
    return Mean(middle, low, high, n_clusters)


def components(members: list[list[str]]) -> np.ndarray:
    """Numbers groups of names so that those which share a name, directly or by others between them, are alike."""
    label_of: dict[str, int] = {}
    for number, names in enumerate(members):
        merged = {label_of[name] for name in names if name in label_of} | {number}
        known = [name for name, label in label_of.items() if label in merged]
        label_of |= dict.fromkeys([*known, *names], min(merged))
    return np.array([label_of[names[0]] for names in members], int)


def _variance(value_X: np.ndarray, index_X: np.ndarray, n_clusters: int) -> float:
    """The variance of the mean; of pairs, [X, 2], by leaving out each member in turn, NaN where that leaves none."""
    residual_X = value_X - value_X.mean()
    if index_X.ndim == 1:
        total = (np.bincount(index_X, residual_X) ** 2).sum()
        return total / len(residual_X) ** 2 * n_clusters / (n_clusters - 1)
    sum_C = np.bincount(index_X.ravel(), np.repeat(residual_X, 2), n_clusters)
    n_C = np.bincount(index_X.ravel(), minlength=n_clusters)
    n_left_C = len(residual_X) - n_C
    if not n_left_C.all():
        return np.nan
    without_C = -sum_C / n_left_C
    return (n_clusters - 1) / n_clusters * ((without_C - without_C.mean()) ** 2).sum()


def _any(middle: float, error: float, n_clusters: int) -> tuple[float, float]:
    reach = stats.t.ppf(1 - TAIL, n_clusters - 1) * error
    return middle - reach, middle + reach


def _positive(middle: float, error: float, n_clusters: int) -> tuple[float, float]:
    if middle <= 0:
        return np.nan, np.nan
    reach = stats.t.ppf(1 - TAIL, n_clusters - 1) * error / middle
    return middle * np.exp(-reach), middle * np.exp(min(reach, 700.0))


def _share(middle: float, error: float, n_clusters: int, n_values: int) -> tuple[float, float]:
    """Clopper and Pearson's interval of the effective number of values; of the clusters where all agree."""
    spread = middle * (1 - middle)
    n_effective = n_clusters if min(spread, error) < 1e-12 else min(spread / error**2, n_values)
    tails = stats.t.ppf(1 - TAIL, np.array([max(n_effective, 2) - 1, n_clusters - 1]))
    n_effective *= min((tails[0] / tails[1]) ** 2, 1.0)
    n_right = middle * n_effective
    low = stats.beta.ppf(TAIL, n_right, n_effective - n_right + 1) if n_right > 0 else 0.0
    high = stats.beta.ppf(1 - TAIL, n_right + 1, n_effective - n_right) if n_right < n_effective else 1.0
    return float(low), float(high)
