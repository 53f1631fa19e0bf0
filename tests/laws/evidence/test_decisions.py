"""Pairs, regrets and orders that fit no law, against tables small enough to count by hand."""

import numpy as np
import pandas as pd
import pytest

from ie_scaling.laws.evidence.decisions import (
    Curve,
    Decisions,
    order_at_one_small_scale,
    order_by_parameters,
    regret,
    right,
)
from ie_scaling.laws.observations import Observations
from ie_scaling.tables import columns, run_table
from tests.laws.simulated import DATA, read, shapes

LOSS_R = np.array([3.0, 2.9, 3.1, 2.5, 2.5])
MODEL_R = np.array([0, 1, 1, 2, 3])
SCALE_R = np.array([7, 7, 7, 9, 9])
ARCHITECTURE = shapes()[0]


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


def one_scale(ratios, losses, size=1e8) -> Observations:
    """Runs of one size and budget at these d/n, with these losses."""
    rows = [
        run_table.run_record(
            ARCHITECTURE,
            source="made_up",
            run_id=f"{ratio:g}@{size:g}",
            n_tokens=10**9,
            loss=1.0,
            loss_split="v",
        )
        | {"model_id": f"{ratio:g}@{size:g}", "d_model": 2**8 * ratio, "n_layers": 2**8, "loss": loss}
        | {"n_params_total": size, "n_params_non_embedding": size * (0.5 + 0.01 * index)}
        for index, (ratio, loss) in enumerate(zip(ratios, losses, strict=True))
    ]
    return frame_of(rows)


def frame_of(rows) -> Observations:
    frame = pd.DataFrame(rows)
    for column in columns.POSITIVE_RUN_COLUMNS:
        frame[column] = frame[column].astype(float)
    return Observations.from_frame(frame)


def valley(ratios):
    return np.exp(1.0 + 0.02 * np.log(np.asarray(ratios) / 16) ** 2)


SMALL = one_scale([2.0, 8.0, 64.0, 256.0], valley([2.0, 8.0, 64.0, 256.0]))
LARGE = one_scale([4.0, 16.0, 128.0, 512.0], valley([4.0, 16.0, 128.0, 512.0]), size=1e9)


def test_a_parabola_through_one_scale_is_exact_on_a_parabola():
    order = order_at_one_small_scale(SMALL, LARGE, Curve.PARABOLA)
    np.testing.assert_allclose(order.stand_in_R, np.log(valley(LARGE.features.aspect_ratio)))
    decisions = Decisions.among(LARGE.loss_R, LARGE.model_R, LARGE.scale_R)
    assert (right(decisions.probabilities(order.stand_in_R[None]), decisions) == 1).all()
    assert order.p_right == 0.5  # no other scale was fitted to try it on


def test_straight_lines_join_the_runs_of_one_scale_and_are_level_beyond():
    order = order_at_one_small_scale(SMALL, LARGE, Curve.INTERPOLATED)
    at = dict(zip(LARGE.features.aspect_ratio, order.stand_in_R, strict=True))
    known = np.log(SMALL.loss_R)[np.argsort(SMALL.features.aspect_ratio)]
    assert at[4.0] == pytest.approx((known[0] + known[1]) / 2)
    assert at[16.0] == pytest.approx(known[1] + (known[2] - known[1]) / 3)
    assert at[512.0] == pytest.approx(known[3])


def test_the_scale_spans_the_widest_range_of_ratios_whatever_its_losses():
    narrow = one_scale([6.0, 16.0, 32.0, 64.0, 96.0], [1.0, 2.0, 3.0, 4.0, 5.0], size=3e8)
    both = frame_of([*SMALL.frame.to_dict("records"), *narrow.frame.to_dict("records")])
    order = order_at_one_small_scale(both, LARGE, Curve.PARABOLA)
    np.testing.assert_allclose(order.stand_in_R, np.log(valley(LARGE.features.aspect_ratio)))
    assert order.p_right == (8 + 1) / (10 + 2)  # of the pairs of the other scale, 6 loses to two beyond the minimum


def test_of_checkpoints_of_one_scale_the_cheapest_is_asked():
    later = SMALL.frame.assign(n_tokens=4e9, loss=SMALL.frame["loss"] + np.array([0.0, -0.5, 0.3, 0.0]))
    both = frame_of([*later.to_dict("records"), *SMALL.frame.to_dict("records")])
    order = order_at_one_small_scale(both, LARGE, Curve.PARABOLA)
    np.testing.assert_allclose(order.stand_in_R, np.log(valley(LARGE.features.aspect_ratio)))


def test_more_non_embedding_parameters_win_by_hand():
    rows = one_scale([2.0, 4.0, 8.0], [3.0, 2.0, 2.5])  # N_non rises from the first to the last
    order = order_by_parameters(rows, rows)
    decisions = Decisions.among(rows.loss_R, rows.model_R, rows.scale_R)
    assert right(decisions.probabilities(order.stand_in_R[None]), decisions).sum() == 2  # of three pairs
    assert order.p_right == (2 + 1) / (3 + 2)
    np.testing.assert_allclose(regret(decisions.scales, order.stand_in_R, rows.loss_R), [0.5])


def test_without_two_ratios_at_a_scale_there_is_no_order():
    rows = Observations.from_frame(
        run_table.read_runs(DATA / "gadre2024_models.csv", "loss_split == 'c4_val'"), "gadre"
    )
    few = rows.take(np.arange(3))
    assert order_at_one_small_scale(few, few, Curve.PARABOLA) is None
    blank = read("sardana2024")
    assert order_at_one_small_scale(blank, blank, Curve.INTERPOLATED) is None
