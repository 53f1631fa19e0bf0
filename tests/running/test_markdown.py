"""Markdown tables, whatever a cell holds."""

from ie_scaling.running import markdown


def test_bars_within_cells_are_escaped():
    assert markdown.table(("a", "b"), [("x|y", 1)]) == "| a | b |\n| --- | --- |\n| x\\|y | 1 |\n"
    assert markdown.table(("a",), []) == "| a |\n| --- |\n"
