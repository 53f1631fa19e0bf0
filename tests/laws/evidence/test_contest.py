"""Entries and splits of the contest, the scores of one forecast by hand, and a small contest whole."""

import numpy as np
import pytest

from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import forms
from ie_scaling.laws.evidence import contest
from ie_scaling.laws.evidence.contest import Approach, Contest, Entry, Way
from ie_scaling.laws.evidence.decisions import Decisions
from ie_scaling.laws.evidence.forecast import Forecast
from ie_scaling.laws.observations import Observations
from ie_scaling.tables import cells
from tests.laws.simulated import simulate

NUTS = NutsConfig(n_warmup=100, n_samples=100, max_samples=100)
SMALL = Contest(laws=("chinchilla", "effective"), published=("chinchilla",), n_bootstrap=50, nuts=NUTS, seed=0)
FRAME = simulate(forms.get_law("chinchilla"), seed=1, tau=0.003, sigma=0.004)


def test_entries_are_in_the_order_of_the_tables_and_one_law_is_not_stacked():
    names = ["bayes chinchilla", "bayes effective", "bayes stacked", "bootstrap chinchilla", "bootstrap effective"]
    assert [str(entry) for entry in SMALL.entries] == [*names, "curve_fit chinchilla", "one small scale"]
    alone = Contest(laws=("effective",), published=(), n_bootstrap=50, nuts=NUTS, seed=0)
    assert Entry(Approach.STACKED) not in alone.entries


def test_every_model_is_held_out_once_by_fold_and_the_largest_by_size(tmp_path):
    cells.write_table(tmp_path / "runs.csv", FRAME)
    laws = [forms.get_law("effective")]
    paths = [str(tmp_path / "runs.csv")]
    (table,) = contest.read_tables(paths, [""], "", laws, n_folds=3, extrapolate=0.25, seed=0)
    assert [(split.name, split.way) for split in table.splits] == [
        ("size", Way.SIZE),
        *((f"model{fold}", Way.MODEL) for fold in range(3)),
    ]
    by_size, *folds = (~split.fitted_R for split in table.splits)
    np.testing.assert_array_equal(np.sum(folds, axis=0), 1)
    sizes = table.rows.features.n_non_embedding
    assert sizes[by_size].min() >= sizes[~by_size].max()


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
    assert contest.score_order(None, rows, Decisions.among(rows.loss_R, rows.model_R, rows.scale_R)) == {}


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
