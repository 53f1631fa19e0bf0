"""Scores of predicted times by hand, and a table of predictions in the order of the rows."""

import numpy as np
import pandas as pd
import pytest

from ie_scaling.latency_law import goodness, timed_rows
from ie_scaling.latency_law.config import RooflineForm
from ie_scaling.latency_law.table import add_columns
from ie_scaling.tables.latency_metric import TIMES
from tests.latency_law import simulated, small_posterior


def scored(measured, predicted, low, high):
    """A table of one metric's predictions; the others are blank."""
    blank = np.full(len(measured), np.nan)
    columns = {f"{metric}{tail}": blank for metric in TIMES for tail in ("", "_predicted", "_lo90", "_hi90", "_proxy")}
    columns |= {"tpot_s": measured, "tpot_s_predicted": predicted, "tpot_s_lo90": low, "tpot_s_hi90": high}
    return pd.DataFrame(columns).assign(split="fit")


def test_scores_by_hand():
    table = scored([1.0, 2.0, 4.0], [1.1, 2.0, 3.0], [1.05, 1.9, 2.9], [1.2, 2.1, 3.5])
    scores = goodness.score(table, "fit")
    total = 2 * np.log(2) ** 2
    missed = np.log(1.1) ** 2 + np.log(0.75) ** 2
    assert scores["tpot_s"] == pytest.approx(
        {
            "n": 3,
            "median_abs_relative_error": 0.1,
            "r2_log": 1 - missed / total,
            "spearman": 1.0,
            "coverage90": 1 / 3,
        }
    )
    assert scores["ttft_s"] == {"n": 0, "median_abs_relative_error": None, "r2_log": None, "spearman": None}
    assert goodness.score(table, "holdout") is None
    assert "coverage90" not in goodness.score(table.assign(tpot_s_proxy=1.0), "fit", "_proxy")["tpot_s"]


def test_what_does_not_vary_has_no_order_and_no_share_of_variance():
    scores = goodness.score(scored([2.0, 2.0, 2.0], [2.0, 2.0, 2.0], [1.0] * 3, [3.0] * 3), "fit")["tpot_s"]
    assert (scores["r2_log"], scores["spearman"], scores["coverage90"]) == (None, None, 1.0)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    table = simulated.table(simulated.cases(6, 1), simulated.device(0), simulated.coordinates(rng, 1, 0.1)[:, 0], rng)
    frame = add_columns(table.assign(device_kind="sim", session="a"))
    return frame.assign(shape_index=range(6))


def test_a_row_a_case_with_each_split(rows):
    posterior = small_posterior.make()
    fitted, held_out = (
        timed_rows.rows_of(part, posterior.devices, posterior.sessions) for part in (rows[:4], rows[4:])
    )
    proxies = {"ttft_s": None, "tpot_s": None}
    splits = {"fit": (rows[:4], fitted), "holdout": (rows[4:], held_out)}
    table = goodness.predict_table(splits, posterior, proxies, 3)
    assert table["split"].tolist() == ["fit"] * 4 + ["holdout"] * 2
    np.testing.assert_array_equal(table["tpot_s"], rows["tpot_s"])
    assert table["tpot_s_proxy"].isna().all()
    drawn = posterior.predict(fitted.cases, "sim", 3, sessions=["a"] * 4, speeds=fitted.speed_2R)
    np.testing.assert_allclose(table["e2e_s_predicted"][:4], np.median(drawn.e2e_s_WA, axis=0))
    alone = goodness.predict_table({"fit": splits["fit"], "holdout": None}, posterior, proxies, 3)
    pd.testing.assert_frame_equal(alone, table[:4])


def test_priors_allow_for_times_like_those_simulated(rows):
    checks = goodness.check_prior(timed_rows.rows_of(rows), RooflineForm.SERIAL, 0)
    assert set(checks) == {"ttft_s", "tpot_s"}
    assert all(check["share_inside_90"] > 0.8 and check["median_width_factor"] > 3 for check in checks.values())
