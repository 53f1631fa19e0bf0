"""Splits by model, by size and by tokens: what is fitted, what is scored, and when there is none."""

import numpy as np
import pytest

from ie_scaling import accounting
from ie_scaling.laws import forms
from ie_scaling.laws.evidence import splits
from ie_scaling.laws.observations import Observations
from tests.laws.simulated import read, simulate

FOLDS = {"n_folds": 5, "n_repeats": 2, "extrapolate": 0.25, "seed": 0}


def with_tokens(tokens) -> Observations:
    return Observations.from_frame(simulate(forms.get_law("effective"), tokens=tokens))


def test_a_model_is_never_on_both_sides_and_is_left_out_once_a_repeat():
    rows = read("bian2025")
    fitted_WR = splits.split(rows, **FOLDS | {"n_repeats": 3}).fitted_WR
    assert fitted_WR.shape == (3 * 5 + 2, 76)
    for fitted_R in fitted_WR[:-1]:
        assert not set(rows.model_R[fitted_R]) & set(rows.model_R[~fitted_R])
    np.testing.assert_array_equal((~fitted_WR[:-2]).reshape(3, 5, 76).sum(axis=1), 1)


def test_the_largest_quarter_of_models_is_held_out_for_extrapolation():
    rows = read("bian2025")
    fitted_R = splits.split(rows, **FOLDS).fitted_WR[-2]
    sizes = rows.features.n_non_embedding
    assert len(set(rows.model_R[~fitted_R])) == 35 // 4
    assert sizes[~fitted_R].min() >= sizes[fitted_R].max()


def test_checkpoints_of_most_tokens_are_predicted_from_the_earlier_ones_of_the_same_models():
    rows = with_tokens((1e8, 2e8, 4e8, 8e8))
    by_tokens = splits.most_tokens(rows, 0.25)
    assert by_tokens.reason == ""
    np.testing.assert_array_equal(by_tokens.scored_R, rows.features.n_tokens == 8e8)
    np.testing.assert_array_equal(by_tokens.fitted_R, ~by_tokens.scored_R)
    every = splits.split(rows, **FOLDS)
    assert every.extrapolations == (splits.Score.EXTRAPOLATION, splits.Score.EXTRAPOLATION_TOKENS)
    coarse = splits.most_tokens(with_tokens((1e8, 2e8, 4e8, 8e8)), 0.2)  # no fifth: the last budget whole
    assert coarse.scored_R.mean() == pytest.approx(1 / 4)


def test_models_of_one_budget_each_are_scored_where_their_size_was_fitted():
    rows = read("sardana2024")
    by_tokens = splits.most_tokens(rows, 0.25)
    N, D = rows.features.n_known, rows.features.n_tokens
    assert D[by_tokens.scored_R].min() > D[by_tokens.fitted_R].max()
    assert N[by_tokens.scored_R].max() <= N[by_tokens.fitted_R].max() * 1.02
    assert 0.15 < (~by_tokens.fitted_R).mean() <= 0.25


@pytest.mark.parametrize(
    ("tokens", "reason"),
    [
        (lambda architecture: 20 * accounting.count_parameters(architecture), "tokens follow size"),
        ((1e9,), "1 token budget, and 4 are needed"),
        ((1e9, 2e9, 3e9), "3 token budgets, and 4 are needed"),
    ],
)
def test_without_tokens_to_extrapolate_there_is_a_reason(tokens, reason):
    every = splits.split(with_tokens(tokens), **FOLDS)
    assert every.without_tokens.startswith(reason)
    assert every.extrapolations == (splits.Score.EXTRAPOLATION,)
    assert len(every.fitted_WR) == len(every.scored_WR) == 2 * 5 + 1
