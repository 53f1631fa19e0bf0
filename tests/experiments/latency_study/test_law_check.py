"""The check of the latency law: coverage, errors and their intervals on predictions of which the truth is known."""

import math

import numpy as np
import pandas as pd
import pytest

from experiments.latency_study import law_check as check
from ie_scaling.architecture import Architecture
from ie_scaling.running import diagnostic
from tests.experiments.latency_study.simulated import simulate

Z = 1.6448536269514722


@pytest.fixture
def held_out():
    timings = simulate({"": {x: 1e-3 * x for x in range(1, 21)}}, noise=1e-6)
    shapes = [Architecture.parse(name).to_fields() for name in timings.table["architecture"]]
    timings.table[list(shapes[0])] = pd.DataFrame(shapes)
    return timings


def drawn(timings, metric, shift, spread, n_draws=4000):
    """Draws log-normal about the measured medians times `shift` [A]."""
    noise_WA = np.random.default_rng(0).standard_normal((n_draws, len(timings.table)))
    return timings.values(metric) * np.asarray(shift) * np.exp(spread * noise_WA)


def test_predictions_are_set_beside_what_was_measured(held_out):
    shift = np.where(np.arange(20) < 15, 1.0, 1.5)
    table = check.compare(held_out, {metric: drawn(held_out, metric, shift, 0.1) for metric in check.PREDICTED})
    assert list(table.groupby("metric").size()) == [20, 20, 20]
    tpot = table[table["metric"] == "tpot_s"]
    assert tpot["inside"].tolist() == [True] * 15 + [False] * 5
    assert tpot["error"].to_numpy() == pytest.approx(shift - 1, abs=0.01)
    assert (tpot["hi90"] / tpot["predicted"]).to_numpy() == pytest.approx(math.exp(0.1 * Z), rel=0.02)
    assert tpot["n_params_total"].is_monotonic_increasing


def test_the_judgement_counts_in_all_and_by_halves_of_size(held_out):
    shift = np.where(np.arange(20) < 18, 1.05, 1.5)
    table = check.compare(held_out, {metric: drawn(held_out, metric, shift, 0.1) for metric in check.PREDICTED})
    findings = check.judge(table, n_resamples=500, seed=0)
    assert [finding.metric for finding in findings] == list(check.PREDICTED)
    scores = findings[0].numbers.scores
    assert (scores["all"].n_inside, scores["smaller"].n_inside, scores["larger"].n_inside) == (18, 10, 8)
    assert scores["all"].error.value == pytest.approx(0.05, abs=0.01)
    assert scores["all"].error.low <= scores["all"].error.value <= scores["all"].error.high
    p, n, coverage = 0.9, 20, scores["all"].coverage
    middle, reach = p + Z**2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    scale = 1 + Z**2 / n
    assert (coverage.low, coverage.high) == pytest.approx(((middle - reach) / scale, (middle + reach) / scale))
    assert findings[0].verdict == "as wanted"
    assert findings[0].statement.startswith("TPOT of 20 held-out shapes and workloads: 18 of 20 inside (90 % [")
    assert "The larger half," in findings[0].statement


@pytest.mark.parametrize(
    ("shift", "spread", "message"),
    [
        (1.0, 10.0, "law: coverage of 90 % intervals of TPOT on 20 held-out cases is 100%, not 80% to 97%"),
        (1.2, 0.01, "law: coverage of 90 % intervals of TPOT on 20 held-out cases is 0%, not 80% to 97%"),
        (1.2, 0.01, "law: median absolute error of TPOT on 20 held-out cases is 20.0%, not at most 10%"),
    ],
)
def test_a_law_that_misses_is_a_failed_diagnostic(held_out, shift, spread, message):
    table = check.compare(held_out, {"tpot_s": drawn(held_out, "tpot_s", shift, spread)})
    assert message in diagnostic.lines(check.diagnose(table))


def test_an_error_of_ttft_alone_is_stated_but_not_failed(held_out):
    shift = np.where(np.arange(20) < 18, 1.14, 1.5)
    table = check.compare(held_out, {"ttft_s": drawn(held_out, "ttft_s", shift, 0.1)})
    assert check.diagnose(table) == []
