"""What a finding is: a verdict on one series of a sweep, in a statement, with its numbers."""

import dataclasses
import enum
from typing import TypedDict

from experiments.latency_study.estimates import Estimate, PredictionScore


class FindingVerdict(enum.StrEnum):
    """What a finding comes to; of which kind it is depends on the function that makes it."""

    LINEAR = "linear"
    NOT_LINEAR = "not linear"
    NOT_SETTLED = "not settled"
    SPREAD = "spread"
    HELPS = "helps"
    HELPS_IN_PART = "helps in part"
    DOES_NOT_HELP = "does not help"
    NO_CLEAR_DIFFERENCE = "no clear difference"
    WIDE = "wide"
    DEEP = "deep"
    MIXED = "mixed"
    FLOOR = "floor"
    AS_WANTED = "as wanted"
    NOT_AS_WANTED = "not as wanted"


@dataclasses.dataclass(frozen=True)
class Linearity:
    """A line through TPOT against depth, and the depth that is farthest from it, as a share of the line."""

    r2: Estimate
    slope_s: Estimate
    intercept_s: Estimate
    floor_slope_s: float
    farthest_n: float
    farthest: float


@dataclasses.dataclass(frozen=True)
class Spread:
    """Slowest over fastest, and at which x they are."""

    ratio: Estimate
    slowest: float
    fastest: float


Swing = TypedDict("Swing", {"from": float, "to": float, "ratio": Estimate})


@dataclasses.dataclass(frozen=True)
class Direction:
    """The last value over the first, the rank correlation with x, and the clear swings either way."""

    x: list[float]
    last_over_first: Estimate
    spearman: Estimate
    best_x: float
    better: list[Swing]
    worse: list[Swing]


@dataclasses.dataclass(frozen=True)
class Advantage:
    """Throughput of one shape over that of another at each x."""

    x: list[float]
    ratios: list[Estimate]


@dataclasses.dataclass(frozen=True)
class AboveFloor:
    """TPOT over its floor: the least, the most and the median of all cases."""

    least: Estimate
    most: Estimate
    median: Estimate


@dataclasses.dataclass(frozen=True)
class Coverage:
    """Scores of the law's predictions: of `all` held-out cases, and of the `smaller` and `larger` half."""

    scores: dict[str, PredictionScore]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One statement about a series of a sweep, with the numbers in it; `short` is its first clause."""

    sweep: str
    series: str
    metric: str
    verdict: FindingVerdict
    short: str
    statement: str
    numbers: Linearity | Spread | Direction | Advantage | AboveFloor | Coverage
