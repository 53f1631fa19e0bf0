"""The latency law beside measurements: a panel a metric, points where predictions are, in milliseconds."""

import pandas as pd

from ie_scaling.report import latency_figures


def test_a_panel_for_each_metric_with_fitted_and_held_out_rows():
    table = pd.DataFrame({"split": ["fit", "holdout", "fit"], "e2e_s": [0.1, 0.2, None]})
    table = table.assign(e2e_s_predicted=[0.11, 0.19, 1.0], e2e_s_lo90=[0.1, 0.18, 0.9], e2e_s_hi90=[0.12, 0.2, 1.1])
    figure = latency_figures.predicted_against_measured(table, {"e2e_s": "E2E"})
    (axes,) = figure.axes
    assert axes.get_xlabel() == "measured E2E (ms)"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["fitted", "held out"]
    points = [container.lines[0].get_xydata().tolist() for container in axes.containers]
    assert points == [[[100.0, 110.0]], [[200.0, 190.0]]]
