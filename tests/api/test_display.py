"""Summaries of results as text and as HTML."""

import pandas as pd

from ie_scaling.api.display import Shown, ShownSummary


class Result(Shown):
    """A result of hostile text."""

    def describe(self):
        table = pd.DataFrame({"mean": [1.23456789, 1e-9]}, index=["<E>", "omega"])
        return ShownSummary("Title <b>", ("a line & more",), table, ("<script>",))


def test_a_summary_is_short_text_with_the_warnings_last():
    lines = repr(Result()).splitlines()
    assert lines[0] == "Title <b>"
    assert lines[1] == "  a line & more"
    assert "1.235" in lines[3]
    assert "1e-09" in lines[4]
    assert lines[-1] == "  warning: <script>"


def test_html_is_escaped():
    page = Result()._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;E&gt;" in page
    assert "Title &lt;b&gt;" in page
    assert "1.235" in page
