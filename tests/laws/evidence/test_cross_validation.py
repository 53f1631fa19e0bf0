"""Splits by model and by size, nothing leaking from rows left out, and the true law winning."""

import json

import numpy as np
import pytest

from ie_scaling.errors import InputError
from ie_scaling.laws import forms
from ie_scaling.laws.evidence import cross_validation
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from tests.laws.simulated import read, simulate

FOLDS = {"n_folds": 5, "n_repeats": 2, "extrapolate": 0.25, "seed": 0}
QUICK = {"huber_delta": 1e-3, "n_starts": 8, "n_fold_starts": 2, "seed": 0}
COUNTS, BASELINE = ("total",), "chinchilla:free:total"
TRUE_LAW = forms.get_law("effective")
ROWS = Observations.from_frame(simulate(TRUE_LAW, seed=5, sigma=0.002))


def test_a_model_is_never_on_both_sides_and_is_left_out_once_a_repeat():
    rows = read("bian2025")
    fitted_WR = cross_validation.split(rows, **FOLDS | {"n_repeats": 3}).fitted_WR
    assert fitted_WR.shape == (3 * 5 + 1, 76)
    for fitted_R in fitted_WR:
        assert not set(rows.model_R[fitted_R]) & set(rows.model_R[~fitted_R])
    np.testing.assert_array_equal((~fitted_WR[:-1]).reshape(3, 5, 76).sum(axis=1), 1)


def test_the_largest_quarter_of_models_is_held_out_for_extrapolation():
    rows = read("bian2025")
    fitted_R = cross_validation.split(rows, **FOLDS).fitted_WR[-1]
    sizes = rows.features.n_non_embedding
    assert len(set(rows.model_R[~fitted_R])) == 35 // 4
    assert sizes[~fitted_R].min() >= sizes[fitted_R].max()


def test_the_loss_of_a_row_left_out_does_not_move_its_prediction():
    splits = cross_validation.split(ROWS, **FOLDS)
    frame = ROWS.frame.copy()
    held_out = np.flatnonzero(~splits.fitted_WR[-1])
    frame.loc[frame.index[held_out], "loss"] *= 1.3
    moved = Observations.from_frame(frame)
    squared = [
        cross_validation.evaluate(pose(TRUE_LAW, rows), splits, **QUICK).squared_error_R["extrapolation"][held_out]
        for rows in (ROWS, moved)
    ]
    # One prediction p explains both squared errors: (loss − p)² before and after.
    losses = ROWS.loss_R[held_out], moved.loss_R[held_out]
    ends = [[loss - root, loss + root] for loss, root in zip(losses, np.sqrt(squared), strict=True)]
    gaps = [np.abs(one - other) for one in ends[0] for other in ends[1]]
    assert np.min(gaps, axis=0).max() < 1e-6


def test_the_law_that_made_the_runs_wins_and_differences_are_paired():
    laws = cross_validation.laws_of(("chinchilla", "effective:free:effective"), COUNTS, BASELINE)
    splits = cross_validation.split(ROWS, **FOLDS)
    results = [cross_validation.evaluate(pose(law, ROWS), splits, **QUICK) for law in laws]
    table = cross_validation.tabulate("runs", ROWS, results, baseline=BASELINE, n_bootstrap=200, seed=0)
    assert "**runs**, 30 rows of 10 models" in cross_validation.to_markdown(table)
    table = table.set_index("law")
    for score in cross_validation.Score:
        assert table.loc["effective", f"mse_{score}"] < 0.2 * table.loc["chinchilla", f"mse_{score}"]
        assert table.loc["effective", f"difference_{score}_hi90"] < 0
        assert table.loc["chinchilla", f"difference_{score}"] == 0
        assert table.loc["effective", f"p_best_{score}"] > 0.95
    again = cross_validation.from_plain(laws[0], json.loads(json.dumps(cross_validation.to_plain(results[0]))))
    np.testing.assert_array_equal(again.squared_error_R["extrapolation"], results[0].squared_error_R["extrapolation"])
    assert again.reasons == results[0].reasons


@pytest.mark.parametrize(
    ("texts", "baseline", "message"),
    [
        (("kaplan",), BASELINE, "law='kaplan'"),
        (("chinchilla:free:total:x",), BASELINE, "must be NAME, NAME:TIE or NAME:TIE:COUNT"),
        (("chinchilla",), "effective", "baseline='effective': must be one of chinchilla:free:total"),
    ],
)
def test_bad_laws_are_one_line(texts, baseline, message):
    with pytest.raises(InputError, match=message):
        cross_validation.laws_of(texts, COUNTS, baseline)


def test_a_law_that_counts_no_parameters_enters_once():
    laws = cross_validation.laws_of(("chinchilla", "conditional_published"), ("total", "effective"), BASELINE)
    assert [law.name for law in laws] == ["chinchilla", "chinchilla", "conditional_published"]
