"""Run tables as people have them: what is read of each, the law it gives, or the error that says the way on."""

from pathlib import Path

import pytest

from ie_scaling.errors import InputError
from ie_scaling.laws import forms, reading
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.problem import pose

CASES = Path(__file__).resolve().parents[1] / "cases"
TRUTH = {"E": 1.730, "alpha": 0.356, "beta": 0.359}  # of good_table.csv, by least squares


def fit(name: str, where: str = "", columns: str = "", count: str = "total") -> dict[str, float]:
    """E, α and β of law `chinchilla` by least squares, to three decimals."""
    law = forms.get_law("chinchilla", count=count)
    rows = reading.read(CASES / name, where, columns)
    rows.require(law.needs, law.name)
    fitted = solver.fit(pose(law, rows), n_starts=8)
    return {parameter: round(fitted.params[parameter], 3) for parameter in TRUTH}


@pytest.mark.parametrize(
    ("name", "columns", "count"),
    [
        ("good_table.csv", "", "total"),
        ("semicolons_decimal_comma.csv", "", "total"),
        ("only_non_embedding.csv", "", "non_embedding"),
        ("C_N_D_loss.csv", "{'n_params_total': 'N', 'n_tokens': 'D'}", "total"),
        (
            "millions_and_billions.csv",
            "{'n_params_total': '1e6 * n_params_total', 'n_tokens': {'column': 'n_tokens', 'scale': 1e9}}",
            "total",
        ),
    ],
)
def test_the_same_runs_give_the_same_law_however_they_are_written(name, columns, count):
    assert fit(name, columns=columns, count=count) == TRUTH


def test_a_crashed_run_is_dropped_by_its_state_before_its_cells_are_judged():
    found = fit("one_crashed_run.csv", where="state=='finished'")
    assert found == {name: pytest.approx(value, abs=0.02) for name, value in TRUTH.items()}


@pytest.mark.parametrize(
    ("name", "columns", "words"),
    [
        ("one_crashed_run.csv", "", ["row 6, column loss: 'NaN'", "where=\"state == 'finished'\" drops"]),
        ("one_name_for_all_runs.csv", "", ["'pretrain'", "10 sizes", "30000000, 50000000", "model_id"]),
        ("only_non_embedding.csv", "", ["column n_params_total is blank", "count=non_embedding"]),
        ("C_N_D_loss.csv", "", ["n_params_total is missing (and n_tokens)", "C, N, D, loss", "'n_params_total': 'N'"]),
        (
            "C_N_D_loss.csv",
            "{'n_params_total': 'N', 'training_flops': 'C'}",
            ["row 8, column C", "-5846744073709551616", "overflowed"],
        ),
        ("panel_export.csv", "", ["a column for each run (L160M, L206M", "export the table of runs"]),
        ("panel_export.csv", "{'n_tokens': 'tokens', 'loss': 'L53M - train/loss'}", ["export the table of runs"]),
        ("duplicate_loss.csv", "", ["'loss'"]),
    ],
)
def test_a_table_that_cannot_be_fitted_says_the_way_on(name, columns, words):
    with pytest.raises(InputError) as caught:
        fit(name, columns=columns)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


def test_millions_and_billions_are_warned_of_before_any_fit(capsys):
    rows = reading.read(CASES / "millions_and_billions.csv")
    parameters, tokens = rows.warnings
    assert "column n_params_total, 30 in row 1 (24 of 24 rows)" in parameters
    assert "looks like millions" in parameters
    assert "{'n_params_total': '1e6 * n_params_total'}" in parameters
    assert "column n_tokens, 1 in row 1" in tokens
    assert "looks like billions" in tokens
    assert all(f"warning: {warning}" in capsys.readouterr().err for warning in rows.warnings[:1])


def test_an_extra_column_of_text_is_left_alone():
    rows = reading.read(CASES / "n_comment.csv")
    assert set(rows.frame["n_comment"]) == {"hello"}
    assert len(rows) == 9


def test_rows_without_a_model_of_their_own_are_remarked_on():
    (remark,) = reading.read(CASES / "good_table.csv").remarks
    assert "24 rows have no model_id" in remark
