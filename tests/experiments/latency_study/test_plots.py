"""Figures of a latency study: every point has its interval, fitted lines and bounds are where they belong."""

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer

from experiments.latency_study import plots
from experiments.latency_study.plots import LatencyForecast, Measured, Panel
from ie_scaling.report import figures


def series(label, **extra):
    x = np.array([2.0, 4.0, 8.0])
    return Measured(label, x, 1 + x, 0.5 + x, 2 + x, **extra)


def bars(axes):
    return [container for container in axes.containers if isinstance(container, ErrorbarContainer)]


def test_a_line_is_drawn_from_no_layers_and_the_floor_is_named(tmp_path):
    measured = series("d=64", bound=np.array([1.0, 2.0, 4.0]), line=(1.0, 1.0))
    figure = plots.along([Panel("TPOT (ms)", [measured, series("d=128", line=(1.0, 1.0))])], "n_layers")
    (axes,) = figure.axes
    assert len(bars(axes)) == 2
    segments = bars(axes)[0].lines[2][0].get_segments()
    assert [segment[:, 1].tolist() for segment in segments] == [[2.5, 4.0], [4.5, 6.0], [8.5, 10.0]]
    lines = [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]
    assert lines.count(([0, 8], [1, 9])) == 2
    assert ([2, 4, 8], [1, 2, 4]) in lines
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["d=64", "d=128", "floor"]
    assert axes.get_ylim()[0] == 0
    figures.save(figure, tmp_path / "depth.png")
    assert (tmp_path / "depth.png").stat().st_size > 5000


def test_few_values_are_ticked_as_they_are_and_many_by_powers_of_two():
    few = plots.along([Panel("TPOT (ms)", [series("a")], log_y=True)] * 2, "batch", log_x=True)
    assert len(few.axes) == 2
    assert [label.get_text() for label in few.axes[0].get_xticklabels()] == ["2", "4", "8"]
    assert few.axes[1].get_yscale() == "log"
    x = np.geomspace(3, 300, 10)
    many = plots.along([Panel("y", [Measured("a", x, x, x, x)])], "d/n", log_x=True)
    assert [label.get_text() for label in many.axes[0].get_xticklabels()] == ["4", "8", "16", "32", "64", "128", "256"]


def test_predictions_that_miss_are_told_apart(tmp_path):
    measured = np.array([1e-3, 1e-2, 1e-1])
    forecast = LatencyForecast(
        "TPOT", measured, 0.9 * measured, 1.1 * measured, measured, measured * [0.8, 0.8, 1.2], 2 * measured
    )
    figure = plots.predicted_against_measured([forecast, forecast])
    assert len(figure.axes) == 2
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["inside (2)", "outside (1)"]
    inside, outside = bars(figure.axes[0])
    assert inside.lines[0].get_xdata() == pytest.approx([1, 10])
    assert outside.lines[0].get_xdata() == pytest.approx([100])
    figures.save(figure, tmp_path / "law.png")
    assert (tmp_path / "law.png").stat().st_size > 5000
