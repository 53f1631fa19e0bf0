"""The benchmark: ceilings beside what they bound."""

import dataclasses

import pytest

from ie_scaling.latency import benchmark, ceilings
from ie_scaling.latency.config import TimeDecodeConfig

SHAPES = ("d16-n1-h2-k1-c8-f24-v32", "d16-n2-h2-k2-c8-f24-v32-tied")
CONFIG = TimeDecodeConfig(
    architectures=SHAPES, prompt_tokens=4, new_tokens=5, batch=(2,), repeats=6, max_repeats=7, relative_error=1e9
)


@pytest.fixture(autouse=True)
def _quick_ceilings(monkeypatch):
    monkeypatch.setattr(ceilings, "REPEATS", 2)
    monkeypatch.setattr(ceilings, "MATRIX_WIDTH", {"cpu": 128})


def test_a_rows_ceilings_are_those_of_the_rounds_it_was_timed_in(monkeypatch):
    rates = iter([1e9, 3e9, 4e9, 5e9, 5e9, 5e9, 5e9])
    monkeypatch.setattr(
        ceilings.Probe, "measure", lambda self: ceilings.Ceilings({2**22: (rate := next(rates))}, 10 * rate)
    )
    monkeypatch.setattr(ceilings.Probe, "__init__", lambda *_: None)
    config = dataclasses.replace(CONFIG, architectures=SHAPES[:1], repeats=3, max_repeats=3)
    (row,) = benchmark.time_cases(config.resolve_cases("float32"), config).rows
    assert row["ceiling_bytes_per_s"] == 3e9
    assert row["ceiling_flops_per_s"] == 3e10
    assert row["floor_s"] == row["step_bytes"] / 3e9
