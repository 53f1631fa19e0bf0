"""How a fit predicts rows: least squares and draws side by side, metrics by split, and quantities with intervals."""

import numpy as np
import pandas as pd
import pytest

from ie_scaling.inference.draws import INTERVAL_QUANTILES
from ie_scaling.laws import bayes, forms, least_squares
from ie_scaling.laws.bayes import quantities
from ie_scaling.laws.evidence import goodness
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from tests.laws.simulated import simulate

LAW = forms.get_law("aspect_ratio", "free")
ROWS = Observations.from_frame(simulate(LAW, seed=2, tau=0.003, sigma=0.003))
LARGE_R = ROWS.features.n_total > np.median(ROWS.features.n_total)
SPLITS = {"fit": ROWS.take(~LARGE_R), "holdout": ROWS.take(LARGE_R)}


@pytest.fixture(scope="module")
def point():
    return least_squares.fit(pose(LAW, SPLITS["fit"]), n_starts=4)


@pytest.fixture(scope="module")
def question(point):
    return quantities.ask(point.problem, flop_budgets=(1e18,))


@pytest.fixture(scope="module")
def draws(point, question):
    return bayes.bootstrap(point, 40, seed=3, question=question)


def test_least_squares_alone_has_no_interval(point):
    table = goodness.predict_table(SPLITS, point, None)
    assert table["split"].tolist() == ["fit"] * len(SPLITS["fit"]) + ["holdout"] * len(SPLITS["holdout"])
    fitted = table[table["split"] == "fit"]
    np.testing.assert_allclose(fitted["prediction"], np.exp(point.predict(SPLITS["fit"].features)))
    assert table[["lo90", "hi90"]].isna().all().all()


def test_intervals_are_of_new_runs_of_the_same_models_under_the_seed_of_the_draws(point, draws):
    rows = SPLITS["fit"]
    table = goodness.predict_table({"fit": rows}, point, draws)
    names = [rows.model_ids[model] for model in rows.model_R]
    loss_WR = draws.losses(rows.features, level="new_run", seed=3, model_ids=names).all()
    low_R, _, high_R = np.quantile(loss_WR, INTERVAL_QUANTILES, axis=0)
    np.testing.assert_array_equal(table["lo90"], low_R)
    np.testing.assert_array_equal(table["hi90"], high_R)
    np.testing.assert_array_equal(table["prediction"], table["least_squares"])  # a bootstrap moves no point


def test_metrics_are_of_each_split_and_coverage_of_what_has_intervals():
    table = pd.DataFrame({"loss": [2.0, 3.0, 4.0], "prediction": [2.0, 3.5, 4.0], "split": ["fit"] * 2 + ["holdout"]})
    bare = table.assign(lo90=np.nan, hi90=np.nan)
    metrics = goodness.score(bare, "prediction")
    assert metrics["fit"]["mse"] == pytest.approx(0.125)
    assert "coverage90" not in metrics["all"]
    covered = goodness.score(table.assign(lo90=[1.9, 3.1, 3.9], hi90=[2.1, 3.6, 4.1]), "prediction")
    assert covered["all"]["coverage90"] == pytest.approx(2 / 3)
    assert goodness.score(bare[bare["split"] == "fit"], "prediction")["holdout"] is None


def test_quantities_are_of_least_squares_and_of_the_draws(question, point, draws):
    both = goodness.describe_quantities(question, point, draws)
    assert both["optimal_n_params@1e+18"]["lo90"] <= both["optimal_n_params@1e+18"]["hi90"]
    assert both["optimal_n_params@1e+18"]["estimate"] > 0
    assert "the loss is least at an end" in both["optimal_aspect_ratio"]["note"]  # a monotone law
    drawn = goodness.describe_quantities(question, None, draws)
    assert drawn["optimal_n_params@1e+18"]["estimate"] is None
