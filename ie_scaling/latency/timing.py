"""Pure measuring: interleaved samples, each blocked on its outputs, a stop rule, and summaries."""

import contextlib
import dataclasses
import gc
import math
import random
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any

import jax
import jax.monitoring
import numpy as np
from scipy import stats

COMPILE_EVENTS = "/jax/core/compile/"


@dataclasses.dataclass(frozen=True)
class Candidate:
    """Something to time: stages run one after the other, each on what the one before returned.

    Attributes:
      state: what the first stage takes; the last stage returns such a state again, for the next sample.
    """

    name: str
    stages: tuple[Callable[[Any], Any], ...]
    state: Any


@dataclasses.dataclass(frozen=True)
class Sample:
    """One request: when it started, and the time from that start to the end of each stage, in seconds."""

    name: str
    round: int
    started_s: float
    ends_s: tuple[float, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StopRule:
    """At least `repeats` samples each; then each until its median is known to `relative_error`, or a cap is met."""

    repeats: int
    max_repeats: int
    relative_error: float
    max_seconds: float

    def is_met(self, values: Sequence[float], elapsed_s: float) -> bool:
        """Whether a candidate with these values has been timed enough, given the time spent on all."""
        if len(values) < self.repeats:
            return False
        if len(values) >= self.max_repeats or elapsed_s >= self.max_seconds:
            return True
        return median_relative_error(values) <= self.relative_error


@dataclasses.dataclass(frozen=True)
class Summary:
    """Median, 10th, 90th and 99th percentile (linear between order statistics), and how many values."""

    median: float
    p10: float
    p90: float
    p99: float
    count: int


def summarize(values: Sequence[float] | np.ndarray) -> Summary:
    """The Summary of these values."""
    median, p10, p90, p99 = (float(q) for q in np.quantile(values, (0.5, 0.1, 0.9, 0.99)))
    return Summary(median, p10, p90, p99, len(values))


def median_relative_error(values: Sequence[float] | np.ndarray) -> float:
    """Half the width of a 95 % interval of the median, over the median; infinite below six values.

    The interval is distribution-free: order statistics whose ranks lie 1.96·√n/2 to each side of the middle.
    """
    n = len(values)
    if n < 6:
        return math.inf
    ordered = np.sort(values)
    reach = 1.96 * math.sqrt(n) / 2
    low, high = max(math.floor(n / 2 - reach), 0), min(math.ceil(n / 2 + reach), n - 1)
    return float((ordered[high] - ordered[low]) / 2 / np.median(ordered))


def measure(
    candidates: Sequence[Candidate],
    rule: StopRule,
    *,
    seed: int,
    warmup: int = 1,
    clock: Callable[[], float] = time.perf_counter,
    on_sample: Callable[[], None] = lambda: None,
    on_round: Callable[[], None] = lambda: None,
) -> list[Sample]:
    """Samples of every candidate, in rounds; each round takes all that need more in a fresh random order.

    Drift so hits all alike. Warm-up runs are of the very same requests and are not recorded. `on_round` runs before
    each round, outside the timed regions and the rule's seconds, and may compile nothing either.

    Raises:
      RuntimeError: something was traced or compiled inside a timed region.
    """
    states = {candidate.name: candidate.state for candidate in candidates}
    if len(states) != len(candidates):
        raise ValueError("candidates: two have the same name")
    for candidate in candidates:
        for _ in range(warmup):
            _, states[candidate.name] = _run(candidate, states[candidate.name], clock)
    order, samples, begun, beside_s = random.Random(seed), [], clock(), 0.0
    totals: dict[str, list[float]] = {candidate.name: [] for candidate in candidates}
    with _gc_paused(), compile_events() as events:
        for number in range(rule.max_repeats):
            round_s = clock() - begun
            elapsed_s = round_s - beside_s
            active = [candidate for candidate in candidates if not rule.is_met(totals[candidate.name], elapsed_s)]
            if not active:
                break
            on_round()
            beside_s += clock() - begun - round_s
            for candidate in order.sample(active, len(active)):
                started_s = clock() - begun
                ends_s, states[candidate.name] = _run(candidate, states[candidate.name], clock)
                if events:
                    raise RuntimeError(f"{candidate.name}: compiled inside the timed region ({events[0]})")
                samples.append(Sample(candidate.name, number, started_s, ends_s))
                totals[candidate.name].append(ends_s[-1])
                on_sample()
    return samples


@dataclasses.dataclass(frozen=True)
class Drift:
    """Relative change of latency over a whole measurement, with its 95 % interval."""

    change: float
    low: float
    high: float

    @property
    def is_significant(self) -> bool:
        """Whether the interval leaves out no change."""
        return not self.low <= 0 <= self.high


def drift(samples: Sequence[Sample]) -> Drift:
    """How much longer requests took at the end than at the start, whatever the candidate.

    Theil–Sen slope of each sample's total over its candidate's median, against its start, times the whole span.
    """
    totals: dict[str, list[float]] = {}
    for sample in samples:
        totals.setdefault(sample.name, []).append(sample.ends_s[-1])
    medians = {name: np.median(values) for name, values in totals.items()}
    started_s = np.array([sample.started_s for sample in samples])
    relative = np.array([sample.ends_s[-1] / medians[sample.name] for sample in samples])
    span_s = np.ptp(started_s)
    if span_s == 0:
        return Drift(0.0, -math.inf, math.inf)
    slope, _, low, high = stats.theilslopes(relative, started_s, 0.95)
    return Drift(float(slope * span_s), float(low * span_s), float(high * span_s))


def _run(candidate: Candidate, state: Any, clock: Callable[[], float]) -> tuple[tuple[float, ...], Any]:
    """One request: the end of each stage since the start, each blocked on all that the stage returned."""
    ends_s = []
    start = clock()
    for stage in candidate.stages:
        state = jax.block_until_ready(stage(state))
        ends_s.append(clock() - start)
    return tuple(ends_s), state


@contextlib.contextmanager
def compile_events() -> Generator[list[str], None, None]:
    """The names of JAX's tracing and compiling events while the block runs, as they come."""
    events: list[str] = []

    def listen(event: str, duration_secs: float, **_: Any) -> None:
        if event.startswith(COMPILE_EVENTS):
            events.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield events
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


@contextlib.contextmanager
def _gc_paused() -> Generator[None, None, None]:
    """Python's garbage collector off, as it would strike some samples and not others."""
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
