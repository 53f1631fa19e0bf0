"""Splits of the contest, the scores of one forecast and of one order by hand, and a small contest whole."""

import numpy as np
import pytest

from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import forms
from ie_scaling.laws.evidence import contest
from ie_scaling.laws.evidence.decisions import Decisions, Order
from ie_scaling.laws.evidence.entries import Contest
from ie_scaling.laws.evidence.forecast import Forecast
from ie_scaling.laws.evidence.splits import Way
from ie_scaling.laws.observations import Observations
from ie_scaling.tables import cells
from tests.laws.simulated import simulate

NUTS = NutsConfig(n_warmup=100, n_samples=100, max_samples=100)
SMALL = Contest(laws=("chinchilla", "effective"), published=("chinchilla",), n_bootstrap=50, nuts=NUTS, seed=0)
FRAME = simulate(forms.get_law("chinchilla"), seed=1, tau=0.003, sigma=0.004, tokens=(1e8, 3e8, 7e8, 3e9))


def test_every_model_is_held_out_once_by_fold_and_the_largest_by_size(tmp_path):
    cells.write_table(tmp_path / "runs.csv", FRAME)
    paths = [str(tmp_path / "runs.csv")]
    (table,) = contest.read_tables(paths, [""], "", ["effective"], n_folds=3, extrapolate=0.25, seed=0)
    assert [(split.name, split.way) for split in table.splits] == [
        ("size", Way.SIZE),
        ("tokens", Way.TOKENS),
        *((f"model{fold}", Way.MODEL) for fold in range(3)),
    ]
    by_size, by_tokens, *folds = (split.held_out_R for split in table.splits)
    np.testing.assert_array_equal(np.sum(folds, axis=0), 1)
    sizes = table.rows.features.n_non_embedding
    assert sizes[by_size].min() >= sizes[~by_size].max()
    assert set(table.rows.features.n_tokens[by_tokens]) == {3e9}


def test_a_forecast_is_scored_row_by_row():
    rows = Observations.from_frame(FRAME)
    loss_WR = rows.loss_R + np.array([[-0.1], [0.0], [0.1], [0.2]])
    predicted = Forecast(loss_WR=loss_WR, log_density_R=np.zeros(len(rows)))
    scores = contest.score(predicted, rows, Decisions.among(rows.loss_R, rows.model_R, rows.scale_R))
    np.testing.assert_allclose(scores["squared_error"], 0.05**2)
    assert set(scores["coverage90"]) == {1.0}
    assert set(scores["decision"]) == {1.0}  # all draws in the order of the losses
    assert set(scores["brier"]) == {0.0}
    assert set(scores["regret"]) == {0.0}
    np.testing.assert_allclose(scores["interval_score"], np.ptp(np.quantile([-0.1, 0, 0.1, 0.2], (0.05, 0.95))))


def test_an_order_is_scored_by_how_often_it_was_right_before():
    rows = Observations.from_frame(FRAME)
    choices = Decisions.among(rows.loss_R, np.arange(len(rows)), np.zeros(len(rows), int))
    scores = contest.score_order(Order(stand_in_R=rows.loss_R, p_right=0.8), rows, choices)
    assert set(scores["decision"]) == {1.0}
    np.testing.assert_allclose(scores["brier"], 0.04)
    assert scores["regret"] == [0.0]
    wrong = contest.score_order(Order(stand_in_R=-rows.loss_R, p_right=0.5), rows, choices)
    assert set(wrong["decision"]) == {0.0}
    np.testing.assert_allclose(wrong["brier"], 0.25)
    assert contest.score_order(None, rows, choices) == {}


@pytest.mark.slow
def test_every_entry_is_fitted_and_scored():
    rows = Observations.from_frame(FRAME)
    fitted_R = rows.features.n_total < np.quantile(rows.features.n_total, 0.7)
    held_out = rows.take(~fitted_R)
    part = contest.run(SMALL, rows.take(fitted_R), held_out)
    assert list(part["entries"]) == [str(entry) for entry in SMALL.entries]
    assert part["loss"] == held_out.loss_R.tolist()
    stacked = part["entries"]["bayes stacked"]
    assert np.mean(stacked["crps"]) < 0.03
