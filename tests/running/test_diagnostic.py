"""Diagnostics come back as they were written, each once; any other file is refused in one line."""

import pytest

from ie_scaling.errors import InputError
from ie_scaling.running import diagnostic, files
from ie_scaling.running.diagnostic import Diagnostic, Kind

FOUND = [
    Diagnostic(Kind.CONVERGENCE, "bayes effective", "R-hat 1.2 of E is above 1.01"),
    Diagnostic(Kind.TABLE, "", "runs.csv: row 1, column loss, is 9"),
    Diagnostic(Kind.ASSUMPTION, "runs.csv", "seed taken as 0"),
]


def test_written_and_read_they_are_the_same(tmp_path):
    diagnostic.write(tmp_path, [*FOUND, FOUND[0]], {"gate": {"passed": False}})
    assert diagnostic.read(tmp_path) == FOUND
    assert files.read_json(tmp_path / "diagnostics.json")["gate"] == {"passed": False}


def test_an_assumption_is_no_warning():
    lines = ["bayes effective: R-hat 1.2 of E is above 1.01", "runs.csv: row 1, column loss, is 9"]
    assert diagnostic.lines(FOUND) == lines


GOOD = {"kind": "table", "subject": "", "message": "m"}


@pytest.mark.parametrize(
    "content",
    [
        *([], {}, {"failures": ["x"]}, {"diagnostics": 3}, {"diagnostics": [1]}, {"diagnostics": [{}]}),
        {"diagnostics": [GOOD | {"kind": "mood"}]},
        {"diagnostics": [GOOD | {"message": 1}]},
        {"diagnostics": [GOOD | {"more": "x"}]},
    ],
)
def test_another_file_is_refused(tmp_path, content):
    files.write_json(tmp_path / "diagnostics.json", content)
    with pytest.raises(InputError, match=r"diagnostics\.json: .*choose another --workdir") as caught:
        diagnostic.read(tmp_path)
    assert "\n" not in str(caught.value)
