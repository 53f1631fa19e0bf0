"""What is drawn: the heatmap of ranks in order, with all that lies beyond its columns."""

import errno
import tempfile

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ie_scaling.report import figures
from ie_scaling.search import ranking

NAMES = [f"shape {a}" for a in range(8)]
LOSS_WA = 3 + 0.05 * np.random.default_rng(0).standard_normal((400, 8)) + 0.02 * np.array([5, 1, 4, 0, 7, 2, 6, 3])


def drawn(figure):
    axes = figure.axes[0]
    labels = [text.get_text() for text in axes.get_yticklabels()]
    return np.asarray(axes.images[0].get_array()), labels, [text.get_text() for text in axes.get_xticklabels()]


def test_ranks_beyond_the_columns_are_a_last_column_and_rows_are_in_order_of_expected_rank():
    summary = ranking.RankSummary.of(LOSS_WA, 3)
    figure = figures.rank_heatmap(NAMES, summary.rank_probability_AK, "", summary.expected_rank_A)
    cells, labels, columns = drawn(figure)
    order_A = np.argsort(ranking.expected_rank(LOSS_WA))
    assert labels == [NAMES[a] for a in order_A]
    assert columns == ["1", "2", "3", "> 3"]
    np.testing.assert_allclose(cells, np.column_stack([cells[:, :3], 1 - cells[:, :3].sum(axis=1)]))
    np.testing.assert_allclose(cells[:, :3], ranking.rank_probabilities(LOSS_WA)[order_A, :3])
    assert labels[0] == NAMES[3]


def test_all_ranks_need_no_last_column_and_order_themselves():
    cells, labels, columns = drawn(figures.rank_heatmap(NAMES, ranking.rank_probabilities(LOSS_WA)))
    assert columns == [str(k) for k in range(1, 9)]
    assert labels == [NAMES[a] for a in np.argsort(ranking.expected_rank(LOSS_WA))]
    assert cells.sum(axis=1) == pytest.approx(1)


def test_finished_results_are_shown_where_nothing_may_be_written(tmp_path, monkeypatch, capsys):
    def refuse(number):
        def mkstemp(**_):
            raise OSError(number, "no")

        return mkstemp

    monkeypatch.setattr(tempfile, "mkstemp", refuse(errno.EROFS))
    figures.refresh(figures.rank_heatmap(["a", "b"], np.eye(2), ""), tmp_path / "ranks.png")
    assert "ranks.png: not drawn" in capsys.readouterr().err
    monkeypatch.setattr(tempfile, "mkstemp", refuse(errno.ENOSPC))
    with pytest.raises(OSError, match="no"):
        figures.refresh(figures.rank_heatmap(["a", "b"], np.eye(2), ""), tmp_path / "ranks.png")


def test_heatmap_puts_the_best_expected_rank_on_top():
    figure = figures.rank_heatmap(["worse", "better"], np.array([[0.2, 0.8], [0.8, 0.2]]))
    assert isinstance(figure, Figure)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["better", "worse"]


def test_loss_curves_draw_a_band_for_each_budget():
    runs = pd.DataFrame({"n_params": [1e6, 2e6, 1e6], "n_tokens": [1e8, 1e8, 2e8], "loss": [3.0, 2.9, 2.8]})
    x = np.array([1e6, 2e6])
    bands = [figures.Band(str(k), x, x * 0 + 3 - k, x * 0 + 2.9 - k, x * 0 + 3.1 - k) for k in range(2)]
    axes = figures.loss_curves(runs, bands, "n_params", "parameters").axes[0]
    assert len(axes.lines) == 2
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["100M tokens", "200M tokens"]
