"""The page: self-contained, escaped, its figures also on disk."""

import numpy as np
import pandas as pd

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
