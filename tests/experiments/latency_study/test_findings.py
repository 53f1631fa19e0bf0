"""Findings say what was planted: lines and bends, spreads, help, harm, turns, and what noise hides."""

import json

import pytest

from experiments.latency_study import findings
from experiments.latency_study.estimates import Estimate
from ie_scaling.running import config as config_lib
from tests.experiments.latency_study.simulated import simulate

DEPTHS = (1, 2, 4, 8, 16)


def one(sweep, points, metric="tpot_s", **settings):
    return findings.direction(sweep, "here", simulate({"here": points}, **settings), metric)


def test_a_line_in_depth_is_found_with_its_slope_and_intercept():
    finding = findings.linearity("depth", "d=64", simulate({"d=64": {n: 3e-4 + 4.1e-4 * n for n in DEPTHS}}))
    assert finding.verdict == "linear"
    slope, intercept = finding.numbers.slope_s, finding.numbers.intercept_s
    assert slope.low <= 4.1e-4 <= slope.high
    assert intercept.low <= 3e-4 <= intercept.high
    assert slope.high - slope.low < 0.2 * slope.value
    assert finding.numbers.r2.low > 0.99
    assert finding.statement.startswith("TPOT is linear in depth at d=64: R² ")


def test_a_bend_in_depth_is_not_called_linear():
    finding = findings.linearity("depth", "d=64", simulate({"d=64": {n: 1e-4 * n**2.5 for n in DEPTHS}}))
    assert finding.verdict == "not linear"
    assert finding.statement.startswith("TPOT is not linear in depth at d=64")
    noisy = findings.linearity("depth", "d=64", simulate({"d=64": {n: 4e-4 * n for n in DEPTHS}}, noise=0.5))
    assert noisy.verdict == "not settled"
    assert noisy.statement.startswith("Whether TPOT is linear in depth at d=64 (R² ≥ 0.99) is not settled")


def test_the_spread_of_one_size_names_slowest_and_fastest():
    timings = simulate({"60M": {8: 2e-3, 32: 1.25e-3, 128: 1e-3, 512: 1.1e-3}})
    finding = findings.spread("aspect_ratio", "60M", timings, "tpot_s")
    assert finding.numbers.ratio.low <= 2 <= finding.numbers.ratio.high
    assert (finding.numbers.slowest, finding.numbers.fastest) == (8, 128)
    assert "slowest d/n = 8, fastest d/n = 128" in finding.statement


def test_what_helps_throughout_is_said_to_help():
    finding = one("aspect_ratio", {11: 2e-3, 40: 1.6e-3, 128: 1.3e-3})
    assert finding.verdict == "helps"
    assert finding.numbers.last_over_first.low <= 0.65 <= finding.numbers.last_over_first.high
    assert finding.numbers.spearman == Estimate(-1, -1, -1)
    assert finding.statement.startswith("Larger d/n helps TPOT (here): it falls by 3")
    assert finding.statement.endswith("from d/n = 11 to 128 (Spearman -1 [-1, -1]).")
    assert finding.numbers.worse == []


def test_a_turn_is_told_with_where_and_how_much():
    finding = one("query_group", {1: 2e-3, 2: 1.5e-3, 4: 1e-3, 8: 1.2e-3})
    assert finding.verdict == "helps in part"
    (worse,) = finding.numbers.worse
    assert (worse["from"], worse["to"]) == (4, 8)
    assert worse["ratio"].low <= 1.2 <= worse["ratio"].high
    assert "Larger g helps TPOT (here): it falls by 4" in finding.statement
    assert "; but it rises by 2" in finding.statement
    assert finding.statement.endswith("from 4 to 8; best at g = 4.")


def test_a_slow_turn_of_steps_too_small_to_see_is_told_as_one():
    creeping = {1: 2e-3, 2: 1e-3} | {2 + k: 1e-3 * 1.012**k for k in range(1, 9)}
    finding = one("query_group", creeping, noise=0.012)
    (worse,) = finding.numbers.worse
    assert worse["to"] == 10
    assert worse["from"] <= 4


def test_harm_and_what_noise_hides_are_told_apart_from_help():
    harm = one("mlp_ratio", {1: 1e-3, 2: 0.8e-3, 4: 1.5e-3})
    assert harm.verdict == "does not help"
    assert "Larger r does not help TPOT (here): it rises by" in harm.statement
    assert "; yet it falls by 2" in harm.statement
    assert harm.statement.endswith("from 1 to 2; best at r = 2.")
    flat = one("mlp_ratio", {1: 1e-3, 2: 1e-3, 4: 1e-3}, noise=0.05)
    assert flat.verdict == "no clear difference"
    assert "makes no clear difference to TPOT (here): it moves by" in flat.statement
    assert flat.numbers.better == flat.numbers.worse == []


def test_more_throughput_is_help_and_less_is_not():
    slower = {1: 1e-2, 2: 2e-2, 4: 4e-2}
    assert one("query_group", slower, "tokens_per_s").verdict == "does not help"
    assert one("query_group", dict(zip((1, 2, 4), (4e-2, 2e-2, 1e-2), strict=True)), "tokens_per_s").verdict == "helps"


def test_flat_series_are_seldom_said_to_have_turned():
    """All pairs are judged at 90 % together."""
    wrong = 0
    for seed in range(40):
        timings = simulate({"a": dict.fromkeys(range(6), 0.001)}, noise=0.05, seed=seed)
        y_WA = timings.medians_WA["tpot_s"]
        wrong += any(findings.swings(timings.values("tpot_s"), y_WA, sign) for sign in (1, -1))
    assert wrong <= 8


def test_one_shape_against_another_at_each_batch():
    wide = {1: 1e-2, 8: 2e-2, 32: 9e-2}
    deep = {1: 2e-2, 8: 2e-2, 32: 6e-2}
    parts = simulate({"64×2": wide, "16×32": deep}).by_series()
    finding = findings.advantage("batch", parts)
    assert finding.verdict == "mixed"
    assert finding.statement.startswith(
        "Tokens/s of 64×2 beside 16×32: more at batch 1; neither clearly more nor fewer at batch 8; fewer at batch 32."
    )
    assert finding.numbers.ratios[0].low <= 9 / 5 <= finding.numbers.ratios[0].high


def test_the_floor_is_compared_case_by_case():
    timings = simulate({"a": {1: 2e-3, 2: 6e-3}}, floor_s=1e-3)
    finding = findings.above_floor("depth", timings)
    assert finding.numbers.least.value == pytest.approx(2, rel=0.02)
    assert finding.numbers.most.value == pytest.approx(6, rel=0.02)
    assert finding.numbers.median.value == pytest.approx(4, rel=0.02)


def test_beating_a_floor_is_a_failed_diagnostic():
    points = {"a": {1: 2e-3, 2: 6e-3, 4: 8e-3}}
    assert findings.too_fast("depth", simulate(points, floor_s=1e-3)) == []
    (failure,) = findings.too_fast("depth", simulate(points, floor_s=7e-3))
    assert str(failure).startswith("depth: 2 of 3 cases beat their floor")
    (failure,) = findings.too_fast("depth", simulate(points, floor_s=1e-3, ttft_s=5e-4))
    assert str(failure).startswith("depth: 3 of 3")


def test_every_sweep_has_its_findings_and_they_are_plain_data():
    for sweep, kinds in (("depth", {"linear", "floor"}), ("query_group", {"helps", "floor"}), ("training", {"floor"})):
        points = {1: 4e-3, 2: 2e-3, 4: 1e-3} if sweep != "depth" else {1: 1e-3, 2: 2e-3, 4: 4e-3}
        result = findings.of_sweep(sweep, simulate({"a": points}))
        assert {finding.verdict for finding in result} == kinds
        plain = json.loads(json.dumps(config_lib.to_plain(result)))
        assert [finding["sweep"] for finding in plain] == [sweep] * len(result)
        assert all(finding["statement"].startswith(finding["short"]) for finding in plain)
        assert all(finding["statement"].endswith(".") for finding in plain)
