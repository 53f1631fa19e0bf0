"""The table of the contest of laws: the true law wins, differences are paired, what a table lacks is blank."""

import numpy as np

from ie_scaling.laws import forms
from ie_scaling.laws.evidence import cross_validation, law_table, splits
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from tests.laws.simulated import read, simulate

FOLDS = {"n_folds": 5, "n_repeats": 2, "extrapolate": 0.25, "seed": 0}
QUICK = {"huber_delta": 1e-3, "n_starts": 8, "n_fold_starts": 2, "seed": 0}
COUNTS, BASELINE = ("total",), "chinchilla:free:total"
TRUE_LAW = forms.get_law("effective")
ROWS = Observations.from_frame(simulate(TRUE_LAW, seed=5, sigma=0.002, tokens=(1e8, 3e8, 7e8, 3e9)))


def test_the_law_that_made_the_runs_wins_and_differences_are_paired():
    laws = cross_validation.laws_of(("chinchilla", "effective:free:effective"), COUNTS, BASELINE)
    every = splits.split(ROWS, **FOLDS)
    results = [cross_validation.evaluate(pose(law, ROWS), every, **QUICK) for law in laws]
    table = law_table.tabulate("runs", ROWS, results, baseline=BASELINE, n_bootstrap=200, seed=0)
    assert "**runs**, 40 rows of 10 models" in law_table.to_markdown(table)
    table = table.set_index("law")
    for score in splits.Score:
        assert table.loc["effective", f"mse_{score}"] < 0.2 * table.loc["chinchilla", f"mse_{score}"]
        assert table.loc["effective", f"difference_{score}"] < 0
        assert table.loc["chinchilla", f"difference_{score}"] == 0
    assert table.loc["effective", "difference_cross_validation_hi90"] < 0
    assert table.loc["effective", "p_best_cross_validation"] > 0.95
    assert np.isnan(table.loc["effective", "p_best_extrapolation"])  # two models


def test_a_law_without_its_columns_is_skipped_and_blank():
    rows = read("sardana2024")
    law = forms.get_law("effective")
    reason = cross_validation.lacks(law, rows)
    assert "is blank, law 'effective' needs it" in reason
    chinchilla = forms.get_law("chinchilla")
    assert cross_validation.lacks(chinchilla, rows) == ""
    every = splits.split(rows, **FOLDS)
    results = [
        cross_validation.evaluate(pose(chinchilla, rows), every, **QUICK),
        cross_validation.skipped(law, rows, reason),
    ]
    table = law_table.tabulate("runs", rows, results, baseline=BASELINE, n_bootstrap=50, seed=0)
    assert table["status"].tolist()[1] == "skipped"
    assert np.isnan(table["mse_cross_validation"][1])
    assert table["p_best_cross_validation"][0] == 1
    assert "Not contested, for want of a column: effective (N effective)." in law_table.to_markdown(table)


def test_few_models_tell_nothing_and_no_tokens_are_said():
    rows = Observations.from_frame(simulate(TRUE_LAW, tokens=(1e9,)))
    law = forms.get_law("chinchilla")
    result = cross_validation.evaluate(pose(law, rows), splits.split(rows, **FOLDS), **QUICK)
    table = law_table.tabulate("runs", rows, [result], baseline=BASELINE, n_bootstrap=20, seed=0)
    assert np.isnan(table["mse_extrapolation_tokens"]).all()
    assert np.isfinite(table["mse_extrapolation"]).all()
    assert "by size 2 models are scored (too few models to tell); none by tokens" in law_table.to_markdown(table)
