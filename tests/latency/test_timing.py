"""Measuring: each way to fool a stopwatch is planted, and caught."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ie_scaling.latency import timing
from ie_scaling.latency.timing import Candidate, Sample, StopRule

FIVE = StopRule(repeats=5, max_repeats=5, relative_error=0.1, max_seconds=1e9)


class FakeClock:
    """A clock that moves only when told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def sleeper(self, seconds):
        """A stage that takes this long before it returns."""

        def stage(state):
            self.now += seconds
            return state

        return stage


class Unfinished:
    """An output whose work goes on after its function has returned, as JAX's asynchronous dispatch has it."""

    def __init__(self, clock, seconds):
        self.clock, self.seconds = clock, seconds

    def block_until_ready(self):
        self.clock.now += self.seconds
        self.seconds = 0
        return self


def test_work_that_goes_on_after_the_return_is_timed():
    clock = FakeClock()
    candidate = Candidate("a", (lambda _: Unfinished(clock, 3.0), lambda _: {"out": Unfinished(clock, 4.0)}), None)
    samples = timing.measure([candidate], FIVE, seed=0, clock=clock)
    assert [sample.ends_s for sample in samples] == [(3.0, 7.0)] * 5


def test_a_recompilation_inside_the_timed_region_is_caught():
    double = jax.jit(lambda x: x * 2)
    arrays = {length: jnp.ones(length) for length in range(1, 9)}

    def grow(state):
        double(arrays[state])
        return state + 1

    with pytest.raises(RuntimeError, match="grows: compiled inside the timed region"):
        timing.measure([Candidate("grows", (grow,), 1)], FIVE, seed=0)


def test_a_warm_up_of_the_wrong_shape_is_caught():
    double, seen = jax.jit(lambda x: x * 2), []
    small, large = jnp.ones(17), jnp.ones(19)

    def stage(state):
        seen.append(state)
        return double(small if len(seen) == 1 else large)

    with pytest.raises(RuntimeError, match="compiled inside the timed region"):
        timing.measure([Candidate("a", (stage,), None)], FIVE, seed=0, warmup=1)
    timing.measure([Candidate("a", (stage,), None)], FIVE, seed=0, warmup=1)  # now all is compiled


def test_candidates_are_interleaved_in_a_fresh_order_each_round():
    clock = FakeClock()
    candidates = [Candidate(name, (clock.sleeper(1.0),), None) for name in "abcd"]
    samples = timing.measure(candidates, FIVE, seed=0, warmup=2, clock=clock)
    rounds = [[s.name for s in samples if s.round == number] for number in range(5)]
    assert all(sorted(names) == list("abcd") for names in rounds)
    assert len({tuple(names) for names in rounds}) > 1
    assert [s.started_s for s in samples] == list(range(20))  # warm-up is over before the first, and none is lost
    begun = []
    again = timing.measure(candidates, FIVE, seed=0, warmup=2, clock=clock, on_round=lambda: begun.append(clock()))
    assert [s.name for s in again] == [s.name for s in samples]
    first = [next(s.started_s for s in samples if s.round == number) for number in range(5)]
    assert np.diff(begun).tolist() == np.diff(first).tolist()  # once before each round


def test_each_stage_gets_what_the_one_before_returned_and_the_next_sample_what_the_last_did():
    seen = []

    def stage(step):
        def run(state):
            seen.append(state)
            return state + step

        return run

    timing.measure([Candidate("a", (stage(1), stage(10)), 0)], FIVE, seed=0, warmup=1)
    assert seen == [0, 1, 11, 12, 22, 23, 33, 34, 44, 45, 55, 56]


def test_two_candidates_of_one_name_are_refused():
    twice = Candidate("a", (lambda state: state,), None)
    with pytest.raises(ValueError, match="same name"):
        timing.measure([twice, twice], FIVE, seed=0)


def test_the_stop_rule():
    rule = StopRule(repeats=6, max_repeats=20, relative_error=0.1, max_seconds=50.0)
    steady, noisy = [1.0] * 8, [1.0, 2.0] * 4
    assert not rule.is_met(steady[:5], 1e9)  # never below the least number
    assert rule.is_met(steady, 1.0)
    assert not rule.is_met(noisy, 1.0)
    assert rule.is_met(noisy, 50.0)
    assert rule.is_met(noisy * 3, 1.0)


def test_what_is_known_well_is_timed_no_more():
    clock = FakeClock()
    jumps = iter(1.0 + 3 * (number % 2) for number in range(100))

    def restless(state):
        clock.now += next(jumps)
        return state

    candidates = [Candidate("steady", (clock.sleeper(1.0),), None), Candidate("restless", (restless,), None)]
    rule = StopRule(repeats=6, max_repeats=20, relative_error=0.1, max_seconds=1e9)
    samples = timing.measure(candidates, rule, seed=0, clock=clock)
    names = [sample.name for sample in samples]
    assert (names.count("steady"), names.count("restless")) == (6, 20)


def test_drift_is_caught_and_noise_is_not():
    generator = np.random.default_rng(0)
    for change, significant in ((0.0, False), (0.2, True)):
        started_s = np.arange(120.0)
        totals = (1 + change * started_s / 119) * generator.lognormal(0, 0.03, 120)
        samples = [Sample("ab"[n % 2], n // 2, n, (total * (1 + n % 2),)) for n, total in enumerate(totals)]
        found = timing.drift(samples)
        assert found.is_significant == significant
        assert found.low < found.change < found.high
        assert found.change == pytest.approx(change / (1 + change / 2), abs=0.03)
    assert not timing.drift([Sample("a", 0, 0.0, (1.0,))]).is_significant


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=60))
def test_summaries_are_numpys(values):
    summary = timing.summarize(values)
    assert summary.count == len(values)
    assert summary.median == pytest.approx(np.median(values), rel=1e-12)
    assert (summary.p10, summary.p90, summary.p99) == tuple(np.percentile(values, (10, 90, 99)))


def test_the_interval_of_the_median_covers_it():
    """Distribution-free: of lognormal samples, at least 93 % of the intervals hold the true median."""
    generator = np.random.default_rng(0)
    for size in (6, 10, 25):
        hits = []
        for values in generator.lognormal(0.0, 0.4, (600, size)):
            reach = 1.96 * math.sqrt(size) / 2
            ordered = np.sort(values)
            low, high = max(math.floor(size / 2 - reach), 0), min(math.ceil(size / 2 + reach), size - 1)
            half = (ordered[high] - ordered[low]) / 2 / np.median(values)
            assert timing.median_relative_error(values) == pytest.approx(half)
            hits.append(ordered[low] <= 1.0 <= ordered[high])
        assert np.mean(hits) > 0.93
    assert timing.median_relative_error([1.0] * 5) == math.inf
