"""Figures of laws: a panel for each fit, quantity, check or parameter, and nothing drawn where nothing is known."""

import numpy as np
import pandas as pd
import pytest

from ie_scaling.laws import forms, least_squares
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from ie_scaling.report import law_figures
from tests.laws.simulated import simulate

LAW = forms.get_law("effective")
INTERVAL = {"mean": 1.0, "sd": 0.1, "lo90": 0.8, "median": 1.0, "hi90": 1.3}


@pytest.fixture(scope="module")
def rows():
    return Observations.from_frame(simulate(LAW, seed=2, sigma=0.002))


@pytest.fixture(scope="module")
def fit(rows):
    return least_squares.fit(pose(LAW, rows), n_starts=4)


def test_predictions_have_a_panel_for_each_fit_and_a_mark_for_each_row(rows, fit):
    fitted_R = np.arange(len(rows)) % 3 > 0
    figure = law_figures.predicted_against_actual(rows, [fit, fit], fitted_R)
    assert [axes.get_title() for axes in figure.axes] == ["effective (free), N effective, 30 rows"] * 2
    fitted, held_out = figure.axes[0].collections
    assert (len(fitted.get_offsets()), len(held_out.get_offsets())) == (20, 10)
    np.testing.assert_allclose(fitted.get_offsets()[:, 1], np.exp(fit.predict(rows.features))[fitted_R])


def test_losses_are_drawn_against_shape_and_against_size(rows, fit):
    (axes,) = law_figures.loss_against_aspect_ratio(rows, [fit]).axes
    assert axes.get_xscale() == "log"
    assert axes.lines
    points = law_figures.loss_against(rows, lambda rows: rows.features.n_total, "N_total").axes[0].collections[0]
    np.testing.assert_allclose(points.get_offsets(), np.column_stack([rows.features.n_total, rows.loss_R]))


def test_contours_of_loss_mark_the_best_shape_at_each_size(rows, fit):
    (axes,) = law_figures.isoloss(rows, fit).axes
    (best,) = axes.lines
    assert np.median(best.get_ydata()) == pytest.approx(fit.params["R_star"], rel=0.5)


def test_a_quantity_inside_its_band_and_one_outside_have_their_colors():
    ecdf = {"ecdf": [0.25, 0.5, 0.75], "band_low": [0.1, 0.3, 0.6], "band_high": [0.4, 0.7, 0.9], "p_value": 0.5}
    figure = law_figures.calibration({"alpha": ecdf | {"passed": True}, "beta": ecdf | {"passed": False}})
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in shown] == ["alpha  (p 0.50)", "beta  (p 0.50)"]
    inside, outside = (axes.lines[0].get_color() for axes in shown)
    assert inside != outside
    np.testing.assert_allclose(shown[0].lines[0].get_ydata(), 0, atol=1e-12)


def test_checks_of_priors_have_a_panel_each_and_numbers_none():
    checks = {"share_outside": 0.0, "loss": {"prior": INTERVAL, "posterior": INTERVAL}}
    (axes,) = law_figures.prior_checks(checks).axes
    assert axes.get_title() == "loss of the fitted rows (nats)"
    assert len(axes.containers) == 2


def test_families_stand_above_what_they_have_in_common():
    family = {"intervals": {"kappa": INTERVAL, "slope_D": INTERVAL}}
    pooled = {"law": "effective_moving_D", "tie": "free", "count": "effective", "common": family["intervals"]}
    figure = law_figures.families(pooled | {"families": {"a": family, "b": family}})
    assert [axes.get_title() for axes in figure.axes] == ["kappa", "slope_D"]
    assert [axes.get_xscale() for axes in figure.axes] == ["log", "linear"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a", "b", "in common"]


def test_the_contest_has_a_panel_for_each_table_and_score():
    rows = []
    for table in ("one", "two"):
        for law, value in (("a", 2e-4), ("b", 1e-4)):
            row = {"table": table, "law": law, "tie": "free", "count": "total"}
            for score in ("cross_validation", "extrapolation", "extrapolation_tokens"):
                row |= {f"mse_{score}{tail}": value * scale for tail, scale in (("", 1), ("_lo90", 0.5), ("_hi90", 2))}
            rows.append(row)
    panels = law_figures.law_contest(pd.DataFrame(rows)).axes
    assert len(panels) == 6
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["b (free), N total", "a (free), N total"]
