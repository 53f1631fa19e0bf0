"""A short draw of every kind of damaged input; `python -m tests.fuzz --cases 5000` draws as many as one likes."""

import os

import pytest

from ie_scaling.errors import InputError
from tests.fuzz import harness

N_CASES = 25
SEED = 7


@pytest.mark.parametrize("kind", harness.kinds())
def test_damaged_input_is_read_or_refused_in_one_line(kind):
    tally = harness.run(kind, N_CASES, SEED)
    assert not tally.faults, tally.describe(kind)
    assert tally.n_cases == N_CASES


def _refuse(message):
    raise InputError(message)


def _leave_a_file(folder):
    (folder / "left").write_text("half")
    _refuse("no")


def _run_code():
    os.environ[harness.CANARY] = "1"


@pytest.mark.parametrize(
    ("call_in", "fault"),
    [
        (lambda folder: lambda: {}["absent"], "KeyError"),
        (lambda folder: lambda: _refuse("two\nlines"), "not one line"),
        (lambda folder: lambda: _leave_a_file(folder), "files changed"),
        (lambda folder: _run_code, "code was executed"),
    ],
    ids=["traceback", "two lines", "a file left", "code"],
)
def test_the_harness_sees_each_fault(call_in, fault, tmp_path):
    tally = harness.Tally()
    draw = lambda rng, folder: harness.Case("planted", call_in(folder))  # noqa: E731
    harness._run_one(tally, draw, None, tmp_path, "planted")
    assert len(tally.faults) == 1
    assert fault in tally.faults[0]
