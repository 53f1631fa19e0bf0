"""The page: self-contained, escaped, its figures also on disk."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ie_scaling.report import figures, page


def test_page_is_self_contained_and_escaped(tmp_path):
    figure = figures.rank_heatmap(["a", "b"], np.array([[0.7, 0.3], [0.3, 0.7]]))
    section = page.Section("One", ["5 < 6"], [pd.DataFrame({"x": [1.23456, None]})], {"ranks": (figure, "Ranks")})
    page.write(tmp_path / "report.html", "Title <b>", "lead", ["careful"], [section])
    text = (tmp_path / "report.html").read_text()
    assert "Title &lt;b&gt;" in text
    assert "5 &lt; 6" in text
    assert "<td>1.235</td>" in text
    assert "http" not in text
    assert (tmp_path / "figures" / "ranks.png").read_bytes()[:4] == b"\x89PNG"


def test_the_contest_has_a_panel_for_each_table_and_score():
    rows = []
    for table in ("one", "two"):
        for law, value in (("a", 2e-4), ("b", 1e-4)):
            row = {"table": table, "law": law, "tie": "free", "count": "total"}
            for score in ("cross_validation", "extrapolation"):
                row |= {f"mse_{score}{tail}": value * scale for tail, scale in (("", 1), ("_lo90", 0.5), ("_hi90", 2))}
            rows.append(row)
    panels = figures.law_contest(pd.DataFrame(rows)).axes
    assert len(panels) == 4
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["b (free), N total", "a (free), N total"]


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
