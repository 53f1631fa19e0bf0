"""Splits by model and by size, nothing leaking from rows left out, and the true law winning."""

import dataclasses

import numpy as np
import pytest

from ie_scaling.laws import forms
from ie_scaling.laws.config import CompareLawsConfig
from ie_scaling.laws.evidence import cross_validation
from ie_scaling.laws.observations import Observations
from ie_scaling.tables import cells
from tests.laws.simulated import read, simulate

QUICK = CompareLawsConfig(
    tables=("runs.csv",),
    laws=("chinchilla", "effective:free:effective"),
    counts=("total",),
    baseline="chinchilla:free:total",
    n_repeats=2,
    n_starts=8,
    n_fold_starts=2,
    n_bootstrap=200,
)
TRUE_LAW = forms.get_law("effective")
ROWS = Observations.from_frame(simulate(TRUE_LAW, seed=5, sigma=0.002))


def test_a_model_is_never_on_both_sides_and_is_left_out_once_a_repeat():
    rows = read("bian2025")
    kept_WR = cross_validation.split(rows, dataclasses.replace(QUICK, n_repeats=3)).kept_WR
    assert kept_WR.shape == (3 * 5 + 1, 76)
    for kept_R in kept_WR:
        assert not set(rows.model_R[kept_R]) & set(rows.model_R[~kept_R])
    np.testing.assert_array_equal((~kept_WR[:-1]).reshape(3, 5, 76).sum(axis=1), 1)


def test_the_largest_quarter_of_models_is_held_out_for_extrapolation():
    rows = read("bian2025")
    kept_R = cross_validation.split(rows, QUICK).kept_WR[-1]
    sizes = rows.features.n_non_embedding
    assert len(set(rows.model_R[~kept_R])) == 35 // 4
    assert sizes[~kept_R].min() >= sizes[kept_R].max()


def test_the_loss_of_a_row_left_out_does_not_move_its_prediction():
    splits = cross_validation.split(ROWS, QUICK)
    frame = ROWS.frame.copy()
    held = np.flatnonzero(~splits.kept_WR[-1])
    frame.loc[frame.index[held], "loss"] *= 1.3
    moved = Observations.from_frame(frame)
    squared = [
        cross_validation.contest(TRUE_LAW, rows, splits, QUICK).squared_error_R["extrapolation"][held]
        for rows in (ROWS, moved)
    ]
    # One prediction p explains both squared errors: (loss − p)² before and after.
    losses = ROWS.loss_R[held], moved.loss_R[held]
    ends = [[loss - root, loss + root] for loss, root in zip(losses, np.sqrt(squared), strict=True)]
    gaps = [np.abs(one - other) for one in ends[0] for other in ends[1]]
    assert np.min(gaps, axis=0).max() < 1e-6


def test_the_law_that_made_the_runs_wins_and_differences_are_paired(tmp_path):
    cells.write_table(tmp_path / "runs.csv", ROWS.frame)
    config = dataclasses.replace(QUICK, tables=(str(tmp_path / "runs.csv"),))
    table = cross_validation.run(config, cross_validation.load(config), tmp_path).set_index("law")
    for score in cross_validation.SCORES:
        assert table.loc["effective", f"mse_{score}"] < 0.2 * table.loc["chinchilla", f"mse_{score}"]
        assert table.loc["effective", f"difference_{score}_hi90"] < 0
        assert table.loc["chinchilla", f"difference_{score}"] == 0
        assert table.loc["effective", f"p_best_{score}"] > 0.95
    text = (tmp_path / "comparison.md").read_text()
    assert "**runs**, 30 rows of 10 models" in text
    again = cross_validation.run(config, cross_validation.load(config), tmp_path).set_index(
        "law"
    )  # read from the parts, not rerun
    assert again["objective"].tolist() == table["objective"].tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"laws": ("kaplan",)}, "law='kaplan'"),
        ({"laws": ("chinchilla:free:total:x",)}, "must be NAME, NAME:TIE or NAME:TIE:COUNT"),
        ({"baseline": "effective"}, "baseline='effective': must be one of chinchilla:free:total"),
    ],
)
def test_bad_laws_are_one_line(changes, message):
    with pytest.raises(ValueError, match=message):
        cross_validation.laws_of(dataclasses.replace(QUICK, **changes))


def test_a_law_that_counts_no_parameters_enters_once():
    config = dataclasses.replace(QUICK, laws=("chinchilla", "conditional_published"), counts=("total", "effective"))
    assert [law.name for law in cross_validation.laws_of(config)] == [
        "chinchilla",
        "chinchilla",
        "conditional_published",
    ]
