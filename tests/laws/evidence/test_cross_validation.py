"""Laws fitted to splits: nothing leaks from rows left out, and results are saved whole."""

import json

import numpy as np
import pytest

from ie_scaling.errors import InputError
from ie_scaling.laws import forms
from ie_scaling.laws.evidence import cross_validation, splits
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from tests.laws.simulated import simulate

FOLDS = {"n_folds": 5, "n_repeats": 2, "extrapolate": 0.25, "seed": 0}
QUICK = {"huber_delta": 1e-3, "n_starts": 8, "n_fold_starts": 2, "seed": 0}
COUNTS, BASELINE = ("total",), "chinchilla:free:total"
TRUE_LAW = forms.get_law("effective")
ROWS = Observations.from_frame(simulate(TRUE_LAW, seed=5, sigma=0.002, tokens=(1e8, 3e8, 7e8, 3e9)))


def test_the_loss_of_a_row_left_out_does_not_move_its_prediction():
    every = splits.split(ROWS, **FOLDS)
    frame = ROWS.frame.copy()
    held_out = np.flatnonzero(every.scored_WR[FOLDS["n_folds"] * FOLDS["n_repeats"]])
    frame.loc[frame.index[held_out], "loss"] *= 1.3
    moved = Observations.from_frame(frame)
    squared = [
        cross_validation.evaluate(pose(TRUE_LAW, rows), every, **QUICK).squared_error_R["extrapolation"][held_out]
        for rows in (ROWS, moved)
    ]
    # One prediction p explains both squared errors: (loss − p)² before and after.
    losses = ROWS.loss_R[held_out], moved.loss_R[held_out]
    ends = [[loss - root, loss + root] for loss, root in zip(losses, np.sqrt(squared), strict=True)]
    gaps = [np.abs(one - other) for one in ends[0] for other in ends[1]]
    assert np.min(gaps, axis=0).max() < 1e-6


def test_a_result_is_the_same_from_its_file():
    law = forms.get_law("chinchilla")
    result = cross_validation.evaluate(pose(law, ROWS), splits.split(ROWS, **FOLDS), **QUICK)
    again = cross_validation.from_plain(law, json.loads(json.dumps(cross_validation.to_plain(result))))
    for score in splits.Score:
        np.testing.assert_array_equal(again.squared_error_R[score], result.squared_error_R[score])
    assert again.reasons == result.reasons


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
