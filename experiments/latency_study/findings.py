"""What the sweeps show: sentences made from the numbers, each with its figures and 90 % bootstrap intervals.

A sentence follows from its verdict and the verdict from intervals, so none can say what the numbers do not.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from experiments.latency_study.estimates import Estimate, coordinate, describe_change, percent
from experiments.latency_study.timings import Timings
from experiments.latency_study.verdicts import (
    AboveFloor,
    Advantage,
    Direction,
    Finding,
    FindingVerdict,
    Linearity,
    Spread,
    Swing,
)
from ie_scaling.inference import scoring
from ie_scaling.running.diagnostic import Diagnostic, Kind

LABELS = {"tpot_s": "TPOT", "ttft_s": "TTFT", "e2e_s": "E2E", "tokens_per_s": "throughput"}
QUANTITIES = {"aspect_ratio": "d/n", "batch": "batch", "query_group": "g", "mlp_ratio": "r"}
METRICS = {
    "aspect_ratio": ("tpot_s", "e2e_s", "ttft_s"),
    "batch": ("tokens_per_s",),
    "query_group": ("tpot_s", "tokens_per_s"),
    "mlp_ratio": ("tpot_s", "tokens_per_s"),
}
LINEAR_R2 = 0.99


def of_sweep(sweep: str, timings: Timings) -> list[Finding]:
    """Every finding of one sweep."""
    findings = []
    parts = timings.by_series()
    for series, part in parts.items():
        if sweep == "depth":
            findings.append(linearity(sweep, series, part))
        if sweep == "aspect_ratio":
            findings += [spread(sweep, series, part, metric) for metric in ("tpot_s", "e2e_s")]
        if sweep in QUANTITIES:
            findings += [direction(sweep, series, part, metric) for metric in METRICS[sweep]]
    if sweep == "batch":
        findings.append(advantage(sweep, parts))
    return [*findings, above_floor(sweep, timings)]


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
    if r2.low >= LINEAR_R2:
        verdict = FindingVerdict.LINEAR
    else:
        verdict = FindingVerdict.NOT_LINEAR if r2.high < LINEAR_R2 else FindingVerdict.NOT_SETTLED
    short = f"TPOT is {verdict} in depth at {series}"
    if verdict is FindingVerdict.NOT_SETTLED:
        short = f"Whether TPOT is linear in depth at {series} (R² ≥ {LINEAR_R2}) is not settled"
    statement = (
        f"{short}: R² {r2.value:.4f} [{r2.low:.4f}, {r2.high:.4f}]; "
        f"{slope.show(1e3)} ms a layer (floor {floor_slope * 1e3:.3g}) and {intercept.show(1e3)} ms a step besides; "
        f"farthest from the line at n = {x_A[worst]:g}, by {percent(off_A[worst])} %."
    )
    numbers = Linearity(r2, slope, intercept, floor_slope, float(x_A[worst]), float(off_A[worst]))
    return Finding(sweep, series, "tpot_s", verdict, short, statement, numbers)


def line_through(x_A: np.ndarray, y_A: np.ndarray) -> tuple[float, float, float]:
    """Slope, intercept and R² of the least-squares line."""
    slope, intercept = np.polyfit(x_A, y_A, 1)
    return float(slope), float(intercept), scoring.r2(y_A, intercept + slope * x_A)


def spread(sweep: str, series: str, timings: Timings, metric: str) -> Finding:
    """How much the slowest shape of one size takes over the fastest."""
    x_A, y_A, y_WA = timings.values("x"), timings.values(metric), timings.medians_WA[metric]
    slow, fast = int(np.argmax(y_A)), int(np.argmin(y_A))
    ratio = Estimate.of(y_A[slow] / y_A[fast], y_WA[:, slow] / y_WA[:, fast])
    short = f"Shapes of {series} differ by {ratio.value:.2f}× [{ratio.low:.2f}, {ratio.high:.2f}] in {LABELS[metric]}"
    statement = f"{short}: slowest d/n = {coordinate(x_A[slow])}, fastest d/n = {coordinate(x_A[fast])}."
    numbers = Spread(ratio, float(x_A[slow]), float(x_A[fast]))
    return Finding(sweep, series, metric, FindingVerdict.SPREAD, short, statement, numbers)


def direction(sweep: str, series: str, timings: Timings, metric: str) -> Finding:
    """Whether a larger x helps, throughout or in part, and by how much it does or does not.

    Verdicts: "helps" and "does not help" where the whole interval of last over first is on that side, "helps in part"
    where some larger x is clearly worse than a smaller one, "no clear difference" otherwise.
    """
    x_A, y_A, y_WA = timings.values("x"), timings.values(metric), timings.medians_WA[metric]
    quantity, sign = QUANTITIES[sweep], 1 if metric == "tokens_per_s" else -1
    whole = Estimate.of(y_A[-1] / y_A[0], y_WA[:, -1] / y_WA[:, 0])
    better, worse = swings(y_A, y_WA, sign), swings(y_A, y_WA, -sign)
    verdict = _verdict(whole.side * sign, bool(worse))
    spearman = Estimate.of(scoring.spearman(x_A, y_A), _rank_correlations(x_A, y_WA))
    best = float(x_A[np.argmax(sign * y_A)])

    short = f"Larger {quantity} {_VERBS[verdict]} {LABELS[metric]} ({series})"
    statement = f"{short}: it {describe_change(whole)} from {quantity} = {coordinate(x_A[0])} to {coordinate(x_A[-1])} "
    statement += f"(Spearman {spearman.show()})" + _asides(verdict, better, worse, x_A)
    statement += "." if verdict is FindingVerdict.HELPS else f"; best at {quantity} = {coordinate(best)}."
    numbers = Direction(x_A.tolist(), whole, spearman, best, _on_axis(better, x_A), _on_axis(worse, x_A))
    return Finding(sweep, series, metric, verdict, short, statement, numbers)


_VERBS = {
    FindingVerdict.HELPS: "helps",
    FindingVerdict.HELPS_IN_PART: "helps",
    FindingVerdict.DOES_NOT_HELP: "does not help",
    FindingVerdict.NO_CLEAR_DIFFERENCE: "makes no clear difference to",
}
Swings = Mapping[tuple[int, int], Estimate]  # by the indices of the two points


def _verdict(side: int, turns: bool) -> FindingVerdict:
    """`side`: 1 where the whole change is clearly for the better, −1 for the worse, 0 where it is not clear."""
    if side == 0:
        return FindingVerdict.NO_CLEAR_DIFFERENCE
    if side < 0:
        return FindingVerdict.DOES_NOT_HELP
    return FindingVerdict.HELPS_IN_PART if turns else FindingVerdict.HELPS


def swings(y_A: np.ndarray, y_WA: np.ndarray, sign: int) -> Swings:
    """Clear rises (sign 1) or falls (−1) from one point to a later one, largest first and none overlapping, in order.

    All pairs of points are judged together, so that picking the largest is no unfair choice.
    """
    pairs = list(itertools.combinations(range(len(y_A)), 2))
    ratios = {(i, j): Estimate.of(y_A[j] / y_A[i], y_WA[:, j] / y_WA[:, i], len(pairs)) for i, j in pairs}
    chosen: list[tuple[int, int]] = []
    for i, j in sorted(pairs, key=lambda pair: -sign * ratios[pair].value):
        if ratios[i, j].side == sign and all(j <= first or last <= i for first, last in chosen):
            chosen.append((i, j))
    return {pair: ratios[pair] for pair in sorted(chosen)}


def _on_axis(swings: Swings, x_A: np.ndarray) -> list[Swing]:
    return [{"from": float(x_A[i]), "to": float(x_A[j]), "ratio": ratio} for (i, j), ratio in swings.items()]


def _asides(verdict: FindingVerdict, better: Swings, worse: Swings, x_A: np.ndarray) -> str:
    """The clause on the swings against a verdict, or on all of them where nothing is clear; "" for none."""
    if verdict is FindingVerdict.NO_CLEAR_DIFFERENCE:
        word, shown = "while", dict(sorted({**better, **worse}.items(), key=lambda item: item[0]))
    elif verdict is FindingVerdict.DOES_NOT_HELP:
        word, shown = "yet", better
    else:
        word, shown = "but", worse
    parts = [
        f"{describe_change(ratio)} from {coordinate(x_A[i])} to {coordinate(x_A[j])}" for (i, j), ratio in shown.items()
    ]
    return f"; {word} it {', '.join(parts)}" if parts else ""


def _rank_correlations(x_A: np.ndarray, y_WA: np.ndarray) -> np.ndarray:
    """Spearman's coefficient of each row with x, [W]; NaN-free where no row is constant."""
    ranks_WA, ranks_A = stats.rankdata(y_WA, axis=1), stats.rankdata(x_A)
    ranks_WA, ranks_A = ranks_WA - ranks_WA.mean(axis=1, keepdims=True), ranks_A - ranks_A.mean()
    return ranks_WA @ ranks_A / np.sqrt((ranks_WA**2).sum(axis=1) * (ranks_A**2).sum())


def advantage(sweep: str, parts: Mapping[str, Timings]) -> Finding:
    """The throughput of the wide shape over that of the deep one at each batch; the batches are judged together."""
    (wide, first), (deep, second) = parts.items()
    x_A = first.values("x")
    ratio_A = first.values("tokens_per_s") / second.values("tokens_per_s")
    ratio_WA = first.medians_WA["tokens_per_s"] / second.medians_WA["tokens_per_s"]
    ratios = [Estimate.of(r, ratio_WA[:, i], len(x_A)) for i, r in enumerate(ratio_A)]
    sides = {ratio.side for ratio in ratios}
    verdict = FindingVerdict.WIDE if sides == {1} else FindingVerdict.DEEP if sides == {-1} else FindingVerdict.MIXED
    short = f"Tokens/s of {wide} beside {deep}: {_by_side(x_A, ratios)}"
    statement = (
        f"{short}. They are {ratios[0].show()} times as many at batch {coordinate(x_A[0])}, "
        f"{ratios[-1].show()} times at batch {coordinate(x_A[-1])}."
    )
    numbers = Advantage(x_A.tolist(), ratios)
    return Finding(sweep, f"{wide} and {deep}", "tokens_per_s", verdict, short, statement, numbers)


def _by_side(x_A: np.ndarray, ratios: Sequence[Estimate]) -> str:
    """At which batches there are more, neither, fewer."""
    parts = []
    for side, words in ((1, "more"), (0, "neither clearly more nor fewer"), (-1, "fewer")):
        batches = [coordinate(x) for x, ratio in zip(x_A, ratios, strict=True) if ratio.side == side]
        if batches:
            parts.append(f"{words} at batch {', '.join(batches)}")
    return "; ".join(parts)


def above_floor(sweep: str, timings: Timings) -> Finding:
    """How far TPOT lies above max(bytes / bandwidth, FLOPs / rate), both measured in the same run."""
    floor_A = timings.values("floor_s")
    ratio_A, ratio_WA = timings.values("tpot_s") / floor_A, timings.medians_WA["tpot_s"] / floor_A
    low, high = (Estimate.of(ratio_A[i], ratio_WA[:, i]) for i in (int(ratio_A.argmin()), int(ratio_A.argmax())))
    middle = Estimate.of(float(np.median(ratio_A)), np.median(ratio_WA, axis=1))
    short = f"TPOT is {low.show()} to {high.show()} times its floor"
    statement = f"{short}, {middle.show()} times in the median."
    return Finding(sweep, "", "tpot_s", FindingVerdict.FLOOR, short, statement, AboveFloor(low, high, middle))


def too_fast(sweep: str, timings: Timings) -> list[Diagnostic]:
    """A failed diagnostic where cases beat their floors: no such thing, so the ceilings were measured too low."""
    fast_A = timings.values("tpot_s") < timings.values("floor_s")
    fast_A |= timings.values("ttft_s") < timings.values("ttft_floor_s")
    if not fast_A.any():
        return []
    message = f"{fast_A.sum()} of {len(fast_A)} cases beat their floor, so its ceilings were measured too low"
    return [Diagnostic(Kind.TIMING, sweep, message)]
