"""The committed page of public shapes is the one that the table makes."""

from pathlib import Path

from ie_scaling.report import public_shapes

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "public_shapes.md"


def test_the_page_is_in_step_with_the_table():
    remedy = "run: python -m ie_scaling.report.public_shapes > docs/public_shapes.md"
    assert PAGE.read_text(encoding="utf-8") == public_shapes.page(), remedy


def test_a_row_says_what_a_reader_looks_up():
    row = next(line for line in public_shapes.page().splitlines() if line.startswith("| qwen2.5-0.5b "))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:9] == [
        "qwen2.5-0.5b",
        "Qwen/Qwen2.5-0.5B",
        "896",
        "24",
        "37.3",
        "14/2",
        "64",
        "4864",
        "151936 tied",
    ]
    assert cells[10:] == ["494,032,768", "biases on queries, keys and values", "litgpt, mlc"]
