"""What the sweeps show: sentences made from the numbers, each with its figures and 90 % bootstrap intervals.

A sentence follows from its verdict and the verdict from intervals, so none can say what the numbers do not.
"""

import dataclasses
import itertools
from typing import Any

import numpy as np
from scipy import stats

from ie_scaling.inference import scoring
from ie_scaling.study.latency_timings import Timings

LABELS = {"tpot_s": "TPOT", "ttft_s": "TTFT", "e2e_s": "E2E", "tokens_per_s": "throughput"}
QUANTITIES = {"aspect_ratio": "d/n", "batch": "batch", "query_group": "g", "mlp_ratio": "r"}
METRICS = {
    "aspect_ratio": ("tpot_s", "e2e_s", "ttft_s"),
    "batch": ("tokens_per_s",),
    "query_group": ("tpot_s", "tokens_per_s"),
    "mlp_ratio": ("tpot_s", "tokens_per_s"),
}
LINEAR_R2 = 0.99
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

    def show(self, scale: float = 1.0) -> str:
        """Such as 0.410 [0.400, 0.420]."""
        return f"{self.value * scale:.3g} [{self.low * scale:.3g}, {self.high * scale:.3g}]"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One statement about a series of a sweep, with the numbers in it."""

    sweep: str
    series: str
    metric: str
    verdict: str
    statement: str
    numbers: dict[str, Any]


def find(sweep: str, timings: Timings) -> list[Finding]:
    """Every finding of one sweep."""
    found = []
    parts = timings.by_series()
    for series, part in parts.items():
        if sweep == "depth":
            found.append(linearity(sweep, series, part))
        if sweep == "aspect_ratio":
            found += [spread(sweep, series, part, metric) for metric in ("tpot_s", "e2e_s")]
        if sweep in QUANTITIES:
            found += [direction(sweep, series, part, metric) for metric in METRICS[sweep]]
    if sweep == "batch":
        found.append(advantage(sweep, parts))
    return [*found, above_floor(sweep, timings)]


def linearity(sweep: str, series: str, timings: Timings) -> Finding:
    """Whether TPOT is a straight line in depth: R², what a layer costs, what the rest of a step costs."""
    x_A, y_A = timings.values("x"), timings.values("tpot_s")
    lines_W = [line_through(x_A, y_A) for y_A in timings.medians_WA["tpot_s"]]
    slope, intercept, r2 = (
        Estimate.of(value, np.array(draws_W))
        for value, draws_W in zip(line_through(x_A, y_A), zip(*lines_W, strict=True), strict=True)
    )
    off_A = y_A / (intercept.value + slope.value * x_A) - 1
    worst = int(np.argmax(abs(off_A)))
    floor_slope = line_through(x_A, timings.values("floor_s"))[0]
    verdict = "linear" if r2.low >= LINEAR_R2 else "not linear" if r2.high < LINEAR_R2 else "not settled"
    opening = f"TPOT is {verdict} in depth at {series}"
    if verdict == "not settled":
        opening = f"Whether TPOT is linear in depth at {series} (R² ≥ {LINEAR_R2}) is not settled"
    statement = (
        f"{opening}: R² {r2.value:.4f} [{r2.low:.4f}, {r2.high:.4f}]; "
        f"{slope.show(1e3)} ms a layer (floor {floor_slope * 1e3:.3g}) and {intercept.show(1e3)} ms a step besides; "
        f"farthest from the line at n = {x_A[worst]:g}, by {percent(off_A[worst])} %."
    )
    numbers = {"r2": r2, "slope_s": slope, "intercept_s": intercept, "floor_slope_s": floor_slope}
    numbers |= {"farthest_n": float(x_A[worst]), "farthest": float(off_A[worst])}
    return Finding(sweep, series, "tpot_s", verdict, statement, numbers)


def line_through(x_A: np.ndarray, y_A: np.ndarray) -> tuple[float, float, float]:
    """Slope, intercept and R² of the least-squares line."""
    slope, intercept = np.polyfit(x_A, y_A, 1)
    return float(slope), float(intercept), scoring.r2(y_A, intercept + slope * x_A)


def spread(sweep: str, series: str, timings: Timings, metric: str) -> Finding:
    """How much the slowest shape of one size takes over the fastest."""
    x_A, y_A, y_WA = timings.values("x"), timings.values(metric), timings.medians_WA[metric]
    slow, fast = int(np.argmax(y_A)), int(np.argmin(y_A))
    ratio = Estimate.of(y_A[slow] / y_A[fast], y_WA[:, slow] / y_WA[:, fast])
    statement = (
        f"Shapes of {series} differ by {ratio.value:.2f}× [{ratio.low:.2f}, {ratio.high:.2f}] in {LABELS[metric]}: "
        f"slowest d/n = {place(x_A[slow])}, fastest d/n = {place(x_A[fast])}."
    )
    numbers = {"ratio": ratio, "slowest": float(x_A[slow]), "fastest": float(x_A[fast])}
    return Finding(sweep, series, metric, "spread", statement, numbers)


def direction(sweep: str, series: str, timings: Timings, metric: str) -> Finding:
    """Whether a larger x helps, throughout or in part, and by how much it does or does not.

    Verdicts: "helps" and "does not help" where the whole interval of last over first is on that side, "helps in part"
    where some larger x is clearly worse than a smaller one, "no clear difference" otherwise.
    """
    x_A, y_A, y_WA = timings.values("x"), timings.values(metric), timings.medians_WA[metric]
    quantity, sign = QUANTITIES[sweep], 1 if metric == "tokens_per_s" else -1
    whole = Estimate.of(y_A[-1] / y_A[0], y_WA[:, -1] / y_WA[:, 0])
    good, bad = swings(y_A, y_WA, sign), swings(y_A, y_WA, -sign)
    verdict = {sign: "helps in part" if bad else "helps", 0: "no clear difference", -sign: "does not help"}[side(whole)]
    rho = Estimate.of(scoring.spearman(x_A, y_A), _rank_correlations(x_A, y_WA))
    best = float(x_A[np.argmax(sign * y_A)])

    told = {"helps in part": bad, "does not help": good, "no clear difference": sorted({**good, **bad})}
    both = good | bad
    asides = [f"{moved(both[i, j])} from {place(x_A[i])} to {place(x_A[j])}" for i, j in told.get(verdict, ())]
    span = f"from {quantity} = {place(x_A[0])} to {place(x_A[-1])} (Spearman {rho.show()})"
    statement = _tell(verdict, quantity, f"{LABELS[metric]} ({series})", f"{moved(whole)} {span}", asides)
    statement += "." if verdict == "helps" else f"; best at {quantity} = {place(best)}."
    numbers = {"x": x_A.tolist(), "last_over_first": whole, "spearman": rho, "best_x": best}
    for name, found in (("better", good), ("worse", bad)):
        numbers[name] = [
            {"from": float(x_A[i]), "to": float(x_A[j]), "ratio": ratio} for (i, j), ratio in found.items()
        ]
    return Finding(sweep, series, metric, verdict, statement, numbers)


def swings(y_A: np.ndarray, y_WA: np.ndarray, sign: int) -> dict[tuple[int, int], Estimate]:
    """Clear rises (sign 1) or falls (−1) from a place to a later one, largest first and none overlapping, in order.

    All pairs of places are judged together, so that picking the largest is no unfair choice.
    """
    pairs = list(itertools.combinations(range(len(y_A)), 2))
    ratios = {(i, j): Estimate.of(y_A[j] / y_A[i], y_WA[:, j] / y_WA[:, i], len(pairs)) for i, j in pairs}
    chosen: list[tuple[int, int]] = []
    for i, j in sorted(pairs, key=lambda pair: -sign * ratios[pair].value):
        if side(ratios[i, j]) == sign and all(j <= first or last <= i for first, last in chosen):
            chosen.append((i, j))
    return {pair: ratios[pair] for pair in sorted(chosen)}


def _tell(verdict: str, quantity: str, metric: str, whole: str, asides: list[str]) -> str:
    """The sentence of a verdict, but for its end."""
    opening = f"Larger {quantity} {'does not help' if verdict == 'does not help' else 'helps'} {metric}: it {whole}"
    if verdict == "no clear difference":
        opening = f"Larger {quantity} makes no clear difference to {metric}: it {whole}"
    word = {"helps in part": "but", "does not help": "yet"}.get(verdict, "while")
    return opening + f"; {word} it {', '.join(asides)}" * bool(asides)


def _rank_correlations(x_A: np.ndarray, y_WA: np.ndarray) -> np.ndarray:
    """Spearman's coefficient of each row with x, [W]; NaN-free where no row is constant."""
    ranks_WA, ranks_A = stats.rankdata(y_WA, axis=1), stats.rankdata(x_A)
    ranks_WA, ranks_A = ranks_WA - ranks_WA.mean(axis=1, keepdims=True), ranks_A - ranks_A.mean()
    return ranks_WA @ ranks_A / np.sqrt((ranks_WA**2).sum(axis=1) * (ranks_A**2).sum())


def advantage(sweep: str, parts: dict[str, Timings]) -> Finding:
    """The throughput of the wide shape over that of the deep one at each batch; the batches are judged together."""
    (wide, first), (deep, second) = parts.items()
    x_A = first.values("x")
    ratio_A = first.values("tokens_per_s") / second.values("tokens_per_s")
    ratio_WA = first.medians_WA["tokens_per_s"] / second.medians_WA["tokens_per_s"]
    ratios = [Estimate.of(r, ratio_WA[:, i], len(x_A)) for i, r in enumerate(ratio_A)]
    outcomes = {1: "more", 0: "neither clearly more nor fewer", -1: "fewer"}
    told = []
    for outcome, words in outcomes.items():
        batches = [place(x) for x, ratio in zip(x_A, ratios, strict=True) if side(ratio) == outcome]
        told += [f"{words} at batch {', '.join(batches)}"] * bool(batches)
    sides = {side(ratio) for ratio in ratios}
    verdict = "wide" if sides == {1} else "deep" if sides == {-1} else "mixed"
    statement = (
        f"Tokens/s of {wide} beside {deep}: {'; '.join(told)}. They are {ratios[0].show()} times as many at batch "
        f"{place(x_A[0])}, {ratios[-1].show()} times at batch {place(x_A[-1])}."
    )
    numbers = {"x": x_A.tolist(), "ratios": ratios}
    return Finding(sweep, f"{wide} and {deep}", "tokens_per_s", verdict, statement, numbers)


def above_floor(sweep: str, timings: Timings) -> Finding:
    """How far TPOT lies above max(bytes / bandwidth, FLOPs / rate), both measured in the same run."""
    floor_A = timings.values("floor_s")
    ratio_A, ratio_WA = timings.values("tpot_s") / floor_A, timings.medians_WA["tpot_s"] / floor_A
    low, high = (Estimate.of(ratio_A[i], ratio_WA[:, i]) for i in (int(ratio_A.argmin()), int(ratio_A.argmax())))
    middle = Estimate.of(float(np.median(ratio_A)), np.median(ratio_WA, axis=1))
    statement = f"TPOT is {low.show()} to {high.show()} times its floor, {middle.show()} times in the median."
    numbers = {"least": low, "most": high, "median": middle}
    return Finding(sweep, "", "tpot_s", "floor", statement, numbers)


def too_fast(sweep: str, timings: Timings) -> list[str]:
    """A failed diagnostic where cases beat their floors: no such thing, so the ceilings were measured too low."""
    fast_A = timings.values("tpot_s") < timings.values("floor_s")
    fast_A |= timings.values("ttft_s") < timings.values("ttft_floor_s")
    if not fast_A.any():
        return []
    return [f"{sweep}: {fast_A.sum()} of {len(fast_A)} cases beat their floor, so its ceilings were measured too low"]


def side(ratio: Estimate) -> int:
    """1 where the whole interval of a ratio is above one, −1 where below, else 0."""
    return int(ratio.low > 1) - int(ratio.high < 1)


def moved(ratio: Estimate) -> str:
    """A ratio and its interval in words."""
    value, low, high = ratio.value, ratio.low, ratio.high
    if not side(ratio):
        middle, *ends = (f"{'+' if r > 1 else ''}{percent(r - 1)}" for r in (value, low, high))
        return f"moves by {middle} % [{', '.join(ends)}]"
    up = side(ratio) > 0
    if not up:
        low, high = high, low
    if not 0.5 < value < 2:
        folds = [r if up else 1 / r for r in (value, low, high)]
        return f"{'grows' if up else 'shrinks'} {folds[0]:.3g}-fold [{folds[1]:.3g}, {folds[2]:.3g}]"
    middle, *ends = (percent(abs(r - 1)) for r in (value, low, high))
    return f"{'rises' if up else 'falls'} by {middle} % [{', '.join(ends)}]"


def percent(share: float) -> str:
    """A share in per cent, with a decimal where it is small."""
    return f"{100 * share:.0f}" if abs(share) >= 0.1 else f"{100 * share:.1f}"


def place(x: float) -> str:
    """A place on an axis."""
    return f"{x:,.0f}" if abs(x) >= 100 else f"{x:.3g}"
