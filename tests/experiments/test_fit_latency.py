"""Fit_latency without sampling: what it refuses, what it estimates, and how latency_fit.json reads as text."""

import numpy as np
import pytest

from experiments import fit_latency
from ie_scaling.errors import InputError
from ie_scaling.tables import cells
from tests.latency_law import simulated

ENTRY = {"mean": 1.0, "sd": 0.1, "lo90": 0.8, "median": 1.0, "hi90": 1.2}
SCORE = {"n": 3, "median_abs_relative_error": 0.034, "r2_log": 0.9876, "spearman": 1.0, "coverage90": 0.91}
BLANK = {"n": 0, "median_abs_relative_error": None, "r2_log": None, "spearman": None}


@pytest.fixture
def tables(tmp_path):
    rng = np.random.default_rng(0)
    table = simulated.table(simulated.cases(8, 1), simulated.device(0), simulated.coordinates(rng, 1, 0.1)[:, 0], rng)
    cells.write_table(tmp_path / "latency.csv", table)
    return str(tmp_path / "latency.csv")


def test_rows_are_fitted_or_held_out(tables):
    config = fit_latency.Config(tables=tables, holdout="shape_index % 4 == 0")
    loaded = fit_latency.load(config)
    assert (len(loaded.rows), len(loaded.held_out_rows)) == (6, 2)
    assert "6 rows of 1 devices in 1 sessions fitted, held out 2 rows" in fit_latency.estimate(config, loaded)
    assert list(fit_latency.inputs_of(config)) == [f"tables {tables}"]


def test_too_few_rows_are_refused_before_anything_starts(tables):
    with pytest.raises(InputError, match="2 rows to fit; a latency law needs 3"):
        fit_latency.load(fit_latency.Config(tables=tables, where="shape_index < 2"))
    with pytest.raises(InputError, match="no such file"):
        fit_latency.load(fit_latency.Config(tables="nowhere.csv"))


def test_the_report_has_parameters_scores_and_the_gate():
    scores = {"ttft_s": SCORE, "tpot_s": SCORE, "e2e_s": BLANK}
    linear = dict.fromkeys(scores, SCORE | {"median_abs_relative_error": None})
    fit = {"form": "serial", "n_rows": 3, "params": {"sim": {"overhead_s": ENTRY}}}
    fit |= {"metrics": {"fit": scores, "holdout": None}, "proxy": {"metrics": {"fit": linear, "holdout": None}}}
    lines = fit_latency.report(fit | {"gate": {"passed": False, "failures": ["R-hat"]}}).splitlines()
    assert lines[0] == "latency law, form serial, 3 rows"
    assert [line.split() for line in lines if "overhead_s" in line] == [["overhead_s", "1", "0.8", "1.2"]]
    assert [line.split()[:2] for line in lines if line.startswith("  fit")] == [["fit", "TTFT"], ["fit", "TPOT"]]
    assert next(line.split()[2:6] for line in lines if line.startswith("  fit")) == ["3", "3.4%", "91%", "0.9876"]
    assert lines[-2:] == ["  convergence gate: FAILED", "    R-hat"]
