"""The benchmark: a row's ceilings, and cases in groups that fit memory."""

import pytest

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.latency import benchmark, ceilings
from ie_scaling.latency.config import TimingConfig
from ie_scaling.workload import Case, Workload

CASE = Case(
    architecture=Architecture.parse("d16-n1-h2-k1-c8-f24-v32"),
    workload=Workload(batch=2, prompt_tokens=4, new_tokens=5),
)


def test_a_rows_ceilings_are_those_of_the_rounds_it_was_timed_in(monkeypatch):
    rates = iter([1e9, 3e9, 4e9, 5e9, 5e9, 5e9, 5e9])
    monkeypatch.setattr(
        ceilings.Probe, "measure", lambda self: ceilings.Ceilings({2**22: (rate := next(rates))}, 10 * rate)
    )
    monkeypatch.setattr(ceilings.Probe, "__init__", lambda *_: None)
    config = TimingConfig(repeats=3, max_repeats=3, relative_error=1e9)
    (row,) = benchmark.time_cases([CASE], config).rows
    assert row["ceiling_bytes_per_s"] == 3e9
    assert row["ceiling_flops_per_s"] == 3e10
    assert row["floor_s"] == row["step_bytes"] / 3e9


def test_cases_are_timed_together_while_they_fit_and_refused_where_one_does_not(monkeypatch):
    cases = [CASE, CASE, CASE]
    for n_together, groups in ((3, [3]), (2, [2, 1]), (1, [1, 1, 1])):
        needed = benchmark.group_bytes(cases[:n_together]) / benchmark.USABLE_MEMORY
        monkeypatch.setattr(benchmark, "available_bytes", lambda needed=needed: needed * (1 + 1e-9))
        assert [len(group) for group in benchmark.groups_by_memory(cases)] == groups
    monkeypatch.setattr(benchmark, "available_bytes", lambda: 10**6)
    with pytest.raises(InputError, match=r"batch=2: d16-n1-\S+ needs weights .*more than 80%"):
        benchmark.groups_by_memory(cases)
