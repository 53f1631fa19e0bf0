"""A certificate as a verb: its file agrees with its diagnostics, and bad input is refused before anything runs."""

import dataclasses

import pytest

from experiments import certify
from ie_scaling.errors import InputError
from ie_scaling.laws import forms
from ie_scaling.running import diagnostic, files, runner
from ie_scaling.tables import cells
from tests.laws.simulated import DATA, simulate

LAW = forms.get_law("chinchilla")


@pytest.mark.slow
def test_a_certificate_says_what_failed(tmp_path):
    cells.write_table(tmp_path / "runs.csv", simulate(LAW, seed=1, tau=0.004, sigma=0.004))
    config = certify.Config(runs=str(tmp_path / "runs.csv"), law="chinchilla", n_tables=20, n_warmup=50, n_samples=50)
    failures = diagnostic.lines(runner.run(certify, config, tmp_path / "out"))
    answer = files.read_json(tmp_path / "out" / "certificate.json")
    assert answer["failures"] == failures
    assert answer["passed"] == (not failures)
    assert len(answer["rolled_forward"]["rows"]) == answer["rolled_forward"]["n"] == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"law": "conditional_published"}, "reads the smallest loss"),
        ({"where": "n_tokens < 0"}, "keeps no row"),
        ({"where": "model_id == '1B_v1'"}, "a certificate needs at least 8"),
        ({"n_warmup": 75}, "must be a multiple of 50"),
        ({"thin": 3}, "must divide 50"),
        ({"count": "all"}, "must be one of total"),
    ],
)
def test_bad_input_is_one_line(changes, message, monkeypatch):
    monkeypatch.chdir(DATA.parent)
    with pytest.raises(InputError, match=message):
        certify.load(dataclasses.replace(certify.Config(), **changes))
