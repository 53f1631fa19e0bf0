"""Timings: medians whose intervals cover, series apart, and samples for every case."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from experiments.latency_study.timings import Timings
from ie_scaling.errors import InputError
from tests.experiments.latency_study.simulated import simulate

RESULTS = Path(__file__).resolve().parents[3] / "results" / "latency_study"


def test_intervals_of_medians_cover_as_often_as_they_say():
    truth = dict.fromkeys(range(400), 0.001)
    timings = simulate({"a": truth}, noise=0.05, n_samples=12)
    low_A, high_A = timings.interval("tpot_s")
    assert 0.84 <= np.mean((low_A <= 1e-3) & (high_A >= 1e-3)) <= 0.97
    assert np.all(low_A <= timings.values("tpot_s"))
    assert np.all(timings.values("tpot_s") <= high_A)


def test_series_come_apart_in_order_of_x():
    timings = simulate({"a": {4: 4e-3, 1: 1e-3}, "b": {2: 2e-3}})
    parts = timings.by_series()
    assert list(parts) == ["a", "b"]
    assert parts["a"].values("x").tolist() == [1, 4]
    assert parts["a"].values("tpot_s") == pytest.approx([1e-3, 4e-3], rel=0.02)
    assert np.median(parts["a"].medians_WA["tpot_s"], axis=0) == pytest.approx([1e-3, 4e-3], rel=0.02)
    assert np.median(parts["b"].medians_WA["tokens_per_s"]) == pytest.approx(10 / (0.01 + 8e-3), rel=0.02)


@pytest.mark.parametrize("line", ['{"architecture": ', "[1]", '{"architecture": "d8"}'])
def test_a_line_that_is_no_sample_is_refused_by_its_number(line, tmp_path):
    shutil.copy(RESULTS / "draw_09.csv", tmp_path / "latency.csv")
    (tmp_path / "samples.jsonl").write_text(f"{line}\n")
    with pytest.raises(InputError, match=r"samples\.jsonl, line 1: is no sample"):
        Timings.read(tmp_path, n_resamples=10, seed=0)


def test_a_case_without_samples_is_refused():
    table = simulate({"a": {1: 1e-3}}).table
    with pytest.raises(InputError, match=r"samples.jsonl: has no samples of d16-n1-h1-k1-c16-f16-v32, 2, 8, 5"):
        Timings.of(table, {}, n_resamples=10, seed=0)
