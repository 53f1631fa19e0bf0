"""Pairs, regrets and the order at one small scale, against tables small enough to count by hand."""

import numpy as np
import pytest

from ie_scaling.laws.evidence.decisions import Decisions, order_at_one_small_scale, regret
from ie_scaling.laws.observations import Observations
from ie_scaling.tables import run_table
from tests.laws.simulated import DATA

LOSS_R = np.array([3.0, 2.9, 3.1, 2.5, 2.5])
MODEL_R = np.array([0, 1, 1, 2, 3])
SCALE_R = np.array([7, 7, 7, 9, 9])


def test_pairs_are_of_one_scale_and_of_two_models():
    decisions = Decisions.among(LOSS_R, MODEL_R, SCALE_R)
    assert list(zip(decisions.first_P, decisions.second_P, strict=True)) == [(0, 1), (0, 2), (3, 4)]
    np.testing.assert_array_equal(decisions.first_won_P, [0.0, 1.0, 0.5])


def test_a_scale_of_one_model_decides_nothing():
    decisions = Decisions.among(LOSS_R[1:3], MODEL_R[1:3], SCALE_R[1:3])
    assert len(decisions.first_P) == 0
    assert decisions.scales == ()
    assert decisions.probabilities(np.ones((5, 2))).shape == (0,)


def test_probabilities_are_of_paired_draws():
    decisions = Decisions.among(LOSS_R, MODEL_R, SCALE_R)
    loss_WR = np.array([[1.0, 2.0, 0.5, 1, 1], [3.0, 2.0, 4.0, 1, 2]])
    np.testing.assert_array_equal(decisions.probabilities(loss_WR), [0.5, 0.5, 0.75])


def test_regret_is_what_the_choice_cost():
    scales = (np.array([0, 1, 2]), np.array([3, 4]))
    np.testing.assert_allclose(regret(scales, np.array([1.0, 2, 3, 1, 2]), LOSS_R), [0.1, 0.0])
    np.testing.assert_allclose(regret(scales, np.array([1.0, 2, 1, 1, 2]), LOSS_R), [0.15, 0.0])  # tied: their mean


def test_the_small_scale_answers_by_the_nearest_ratio():
    rows = Observations.from_frame(run_table.read_runs(DATA / "bian2025.csv"), "bian2025")
    large_R = rows.features.n_total > 1e9
    fitted, held_out = rows.take(~large_R), rows.take(large_R)
    stand_in_R = order_at_one_small_scale(fitted, held_out)
    source_R = [int(np.flatnonzero(fitted.loss_R == loss)[0]) for loss in stand_in_R]
    assert len(set(fitted.scale_R[source_R])) == 1
    scale = fitted.scale_R == fitted.scale_R[source_R[0]]
    for source, ratio in zip(source_R, held_out.features.aspect_ratio, strict=True):
        ratios = fitted.features.aspect_ratio[scale]
        nearest = ratios[np.abs(np.log(ratios / ratio)).argmin()]
        assert fitted.features.aspect_ratio[source] == pytest.approx(nearest)


def test_without_two_shapes_at_a_scale_there_is_no_order():
    rows = Observations.from_frame(
        run_table.read_runs(DATA / "gadre2024_models.csv", "loss_split == 'c4_val'"), "gadre"
    )
    few = rows.take(np.arange(3))
    assert order_at_one_small_scale(few, few) is None
