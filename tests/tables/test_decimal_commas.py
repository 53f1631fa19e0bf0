"""Decimal commas are read where they are certain; what may be two numbers is refused."""

import pytest

from ie_scaling.errors import InputError
from ie_scaling.tables import cells


def numbers_of(folder, text: str, column: str, name: str = "runs.csv") -> list[float]:
    path = folder / name
    path.write_text(text)
    return cells.positive(path, cells.read_frame(path), column, required=False).tolist()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["3,7", "3,25"], [3.7, 3.25]),
        (["3,712", "3,4276", "4"], [3.712, 3.4276, 4.0]),
        (["0,345", "1,234"], [0.345, 1.234]),
        (["1,5e9", "1e9"], [1.5e9, 1e9]),
        (["1234,567", "1,1"], [1234.567, 1.1]),
    ],
)
@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_column_with_one_certain_decimal_comma_is_read(tmp_path, separator, values, expected):
    text = f"run_id{separator}loss\n" + "".join(f"r{separator}{value}\n" for value in values)
    assert numbers_of(tmp_path, text, "loss") == expected


@pytest.mark.parametrize(
    ("text", "column", "cell"),
    [
        ("run_id;loss\na;3,712\nb;3,428\n", "loss", "'3,712'"),  # 3.712 or 3712
        ("run_id;N;loss\na;30,000,000;3,71\n", "N", "'30,000,000'"),
        ("run_id;N;loss\na;1.234,5;3,71\n", "N", "'1.234,5'"),
        ("run_id;N;loss\na;30.000.000;3,71\n", "N", "'30.000.000'"),
        ("run_id;N;loss\na;30.000;3,71\n", "N", "'30.000' is 30.000 or 30000"),
        ('run_id,N\na,"1,234"\n', "N", "'1,234'"),
        ('run_id,N\na,"3,71229"\n', "N", "'3,71229'"),
        ("run_id,N\na,1 234\n", "N", "'1 234'"),
    ],
)
def test_separators_that_may_mean_two_numbers_are_refused_by_cell(tmp_path, text, column, cell):
    with pytest.raises(InputError, match="thousands separators") as caught:
        numbers_of(tmp_path, text, column)
    assert all(word in str(caught.value) for word in ("row 1", f"column {column}", cell))


def test_text_beside_decimal_commas_stays_as_it_is(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("run_id;mesh;version;loss\na;2,4 x;1.000 b;3,71\nb;two;2.000 b;3,5\n")
    assert cells.read_frame(path).to_dict("list") == {
        "run_id": ["a", "b"],
        "mesh": ["2,4 x", "two"],
        "version": ["1.000 b", "2.000 b"],
        "loss": ["3.71", "3.5"],
    }
