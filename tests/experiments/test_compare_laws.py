"""The contest of laws as a verb: its files, resumed from its parts, and refusing bad input."""

import dataclasses

import pandas as pd
import pytest

from experiments import compare_laws
from ie_scaling.errors import InputError
from ie_scaling.laws import forms
from ie_scaling.running import runner
from ie_scaling.tables import cells
from tests.laws.simulated import simulate

TOKENS = (1e8, 3e8, 7e8, 3e9)
QUICK = compare_laws.Config(
    tables=("runs.csv",),
    laws=("chinchilla", "effective:free:effective"),
    counts=("total",),
    baseline="chinchilla:free:total",
    n_repeats=1,
    n_starts=4,
    n_fold_starts=2,
    n_bootstrap=50,
)


@pytest.fixture
def table(tmp_path):
    cells.write_table(tmp_path / "runs.csv", simulate(forms.get_law("effective"), seed=5, sigma=0.002, tokens=TOKENS))
    return str(tmp_path / "runs.csv")


def test_a_contest_leaves_its_tables_and_resumes_from_its_parts(table, tmp_path):
    config = dataclasses.replace(QUICK, tables=(table,))
    assert runner.run(compare_laws, config, tmp_path / "out") == []
    written = pd.read_csv(tmp_path / "out" / "comparison.csv")
    assert written["law"].tolist() == ["chinchilla", "effective"]
    assert "**runs**, 40 rows of 10 models" in (tmp_path / "out" / "comparison.md").read_text()
    assert (tmp_path / "out" / "figures" / "contest.png").is_file()
    parts = sorted((tmp_path / "out" / "parts" / "runs").iterdir())
    assert [path.stem for path in parts] == ["chinchilla-free-total", "effective-free-effective"]
    parts[0].write_text(parts[0].read_text().replace('"objective": ', '"objective": 1'))
    again = compare_laws.resume(config, compare_laws.load(config), tmp_path / "out").table
    assert again["objective"][0] != written["objective"][0]  # read from its part
    assert again["objective"][1] == written["objective"][1]


def test_a_best_fit_that_did_not_converge_is_a_diagnostic():
    rows = [
        {"table": "runs", "mse_extrapolation": mse, "status": status, "reasons": "E", "sees_budget_minimum": sees}
        for mse, status, sees in ((1.0, "at_bound", False), (2.0, "converged", False), (0.0, "max_steps", True))
    ]
    diagnostics = compare_laws.not_converged(pd.DataFrame(rows))
    assert [str(entry) for entry in diagnostics] == ["runs: the best extrapolating fit is at_bound (E)"]


def test_laws_whose_columns_are_blank_are_skipped_with_a_line(tmp_path, table):
    frame = pd.read_csv(table)
    frame[["d_model", "n_layers", "n_heads", "n_kv_heads", "d_head", "d_ff"]] = float("nan")
    cells.write_table(tmp_path / "sizes.csv", frame)
    config = dataclasses.replace(QUICK, tables=(str(tmp_path / "sizes.csv"),))
    diagnostics = runner.run(compare_laws, config, tmp_path / "out")
    lines = [str(entry) for entry in diagnostics]
    assert "sizes: column d_model and n_layers is blank: not contested are effective (N effective)" in lines
    written = pd.read_csv(tmp_path / "out" / "comparison.csv")
    assert written["status"].tolist()[1] == "skipped"
    assert written["mse_extrapolation"].notna().tolist() == [True, False]
    alone = dataclasses.replace(config, laws=("effective:free:effective",), baseline="effective:free:effective")
    with pytest.raises(InputError, match="d_model and n_layers is blank"):
        compare_laws.load(alone)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": ()}, "must name at least one"),
        ({"counts": ("all",)}, "counts.*must be one of total"),
        ({"baseline": "effective"}, "baseline='effective': must be one of chinchilla:free:total"),
        ({"n_folds": 11}, "has 10 models; 11 folds need as many, and 4"),
    ],
)
def test_bad_input_is_one_line(changes, message, table):
    with pytest.raises(InputError, match=message):
        compare_laws.load(dataclasses.replace(QUICK, **{"tables": (table,)} | changes))
