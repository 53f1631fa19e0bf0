"""Cells in and out: what is a number, what is written, and that both are the same after a journey."""

import datetime
import decimal
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ie_scaling.errors import InputError
from ie_scaling.tables import cells

PATH = Path("runs.csv")


def refusal(values, column: str = "loss") -> str:
    frame = pd.DataFrame({column: values})
    with pytest.raises(InputError, match=f"runs.csv: row 2, column {column}") as caught:
        cells.positive(PATH, frame, column, required=True)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    return str(caught.value)


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("many", "must be a number"),
        ("nan", "must be a number"),
        ("0x1F", "must be a number"),
        ("1_000", "must be a number"),
        ("３", "must be a number"),
        ("٣", "must be a number"),
        ("1e", "must be a number"),
        ("1,234", "thousands"),
        ("1'234", "thousands"),
        ("True", "must be a number"),
        ("--1", "must be a number"),
        ("1" * 5_000 + "x", "must be a number"),
        ("", "blank"),
        (" ", "blank"),
        ("inf", "finite"),
        ("-Infinity", "finite"),
        ("1e999", "finite"),
        ("9" * 310, "finite"),
        ("9" * 5_000, "finite"),
        ("-1", "above zero"),
        ("0", "above zero"),
        ("1e-999", "above zero"),
    ],
)
def test_a_cell_that_is_no_positive_number_is_named_with_its_rule(cell, rule):
    assert rule in refusal(["1.5", cell])


@pytest.mark.parametrize("cell", ["3.5", " 3.5 ", "+3.5", "35e-1", "3.50000", "35E-1", "0003.5"])
def test_a_number_may_be_written_in_these_ways(cell):
    assert cells.positive(PATH, pd.DataFrame({"x": [cell]}), "x", required=True).tolist() == [3.5]


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ([None, True], "true or false"),
        ([2.5, 10**400], "finite"),
        ([2.5, 10**5000], "finite"),
        ([2.5, datetime.date(2024, 1, 1)], "number"),
        ([2.5, b"3"], "number"),
        ([2.5, [3]], "number"),
        ([2.5, {"a": 3}], "number"),
        ([2.5, 1j], "number"),
        ([2.5, np.datetime64("2024")], "number"),
        ([2.5, decimal.Decimal("Infinity")], "finite"),
    ],
)
def test_values_of_other_types_are_no_numbers(values, rule):
    values = [1.0 if value is None else value for value in values]
    assert rule in refusal(pd.Series(values, dtype=object))


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ([True, False], "true or false"),
        ([True, None], "true or false"),
        ([datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)], "must be a number"),
        ([datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 2)], "a date"),
        ([datetime.timedelta(seconds=3), None], "a duration"),
        ([b"1", b"2"], "must be a number"),
        ([[1.0], [2.0]], "must be a number"),
        ([{"x": 1.0}, {"x": 2.0}], "must be a number"),
    ],
)
def test_parquet_columns_of_other_types_are_no_numbers(tmp_path, values, what):
    path = tmp_path / "runs.parquet"
    pq.write_table(pa.table({"loss": values}), path)
    with pytest.raises(InputError, match=f"row 1, column loss.*{what}"):
        cells.positive(path, cells.read_frame(path), "loss", required=False)


def test_parquet_numbers_of_every_width_are_read(tmp_path):
    path = tmp_path / "runs.parquet"
    columns = {
        "float32": pa.array([1.5, None], pa.float32()),
        "uint64": pa.array([2**40, None], pa.uint64()),
        "decimal": pa.array([decimal.Decimal("3.50"), None]),
        "text": pa.array(["3.5", ""]),
        "dictionary": pa.array(["3.5", None]).dictionary_encode(),
    }
    pq.write_table(pa.table(columns), path)
    frame = cells.read_frame(path)
    expected = {"float32": 1.5, "uint64": 2.0**40, "decimal": 3.5, "text": 3.5, "dictionary": 3.5}
    for column, value in expected.items():
        numbers = cells.positive(path, frame, column, required=False).tolist()
        assert numbers[0] == value, column
        assert math.isnan(numbers[1]), column


def test_a_parquet_table_that_cannot_be_read_is_one_line(tmp_path, monkeypatch):
    path = tmp_path / "runs.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], ["loss", " loss"]), path)
    with pytest.raises(InputError, match="2 columns are named 'loss'"):
        cells.read_frame(path)
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(InputError, match=r"cannot be read as Parquet \([^\n]+\)$"):
        cells.read_frame(path)
    pq.write_table(pa.table({"loss": [1.0] * 101}), path)
    monkeypatch.setattr(cells, "MOST_CELLS", 100)
    with pytest.raises(InputError, match="101 cells, more than 100"):
        cells.read_frame(path)


def test_a_path_that_is_no_table_is_named(tmp_path):
    (tmp_path / "runs.xlsx").write_text("x")
    with pytest.raises(InputError, match=r"must end in \.csv, \.tsv"):
        cells.read_frame(tmp_path / "runs.xlsx")
    with pytest.raises(InputError, match="is a directory, not a table"):
        cells.read_frame(tmp_path)


def test_a_row_is_named_by_its_index_after_others_were_dropped():
    frame = pd.DataFrame({"loss": ["1", "crashed", "2", "-3"]})[lambda rows: rows["loss"] != "crashed"]
    with pytest.raises(InputError, match="row 4, column loss: '-3'"):
        cells.positive(PATH, frame, "loss", required=True)


def test_a_column_that_is_missing_beside_one_that_no_separator_split():
    with pytest.raises(
        InputError, match=re.escape("column loss is missing; needed are loss; it has one column, a|loss")
    ):
        cells.require_columns(PATH, pd.DataFrame({"a|loss": ["1"]}), ["loss"])


def written(tmp_path: Path, table) -> str:
    cells.write_table(tmp_path / "runs.csv", table)
    return (tmp_path / "runs.csv").read_text()


def test_whole_numbers_are_written_without_a_decimal_point(tmp_path):
    frame = pd.DataFrame({"n": [32.0, math.nan], "loss": [2.5, 3.0], "big": [2.0**53, 1.0], "vast": [1e300, 1.0]})
    assert written(tmp_path, frame) == "n,loss,big,vast\n32,2.5,9007199254740992,1e+300\n,3.0,1,1.0\n"


@pytest.mark.parametrize("text", ["a\rb", "\r", "a\r\nb", "\n", '"', "a;b", "\t", "'", "", " "])
def test_any_text_is_read_back_as_it_was(tmp_path, text):
    path = tmp_path / "runs.csv"
    cells.write_table(path, [{"run_id": text, "n": 1, "loss": 2.5}, {"run_id": "b", "n": "", "loss": None}])
    assert cells.read_frame(path).to_dict("list") == {"run_id": [text, "b"], "n": ["1", ""], "loss": ["2.5", ""]}


def test_whole_numbers_beyond_float64_are_written_whole_where_a_row_lacks_them(tmp_path):
    rows = [{"run_id": "a", "seed": 2**53 + 1}, {"run_id": "b"}, {"run_id": "c", "seed": ""}]
    assert written(tmp_path, rows) == "run_id,seed\na,9007199254740993\nb,\nc,\n"


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_is_written_and_read_back_is_equal(tmp_path, ending):
    path = tmp_path / f"runs.{ending}"
    draws = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "run_id": ["a", "b, c", 'd "e"', "f\ng", " h", "007", "ü;\t", "1,5"],
            "loss": draws.normal(size=8) * 10.0 ** draws.integers(-300, 300, 8),
            "n": [32.0, math.nan, -0.0, 2.0**53, 5e-324, 1.7976931348623157e308, 0.1, 1 / 3],
            "whole": [1.0, math.nan, 3.0, 2.0**53, 0.0, -7.0, 8.0, 9.0],
            "single": draws.normal(size=8).astype(np.float32),
            "seed": pd.Series([2**53 + 1, None, 3, 4, 5, 6, 7, 2**62 + 1], dtype=object),
        }
    )
    cells.write_table(path, frame)
    back = cells.read_frame(path)
    assert back["run_id"].tolist() == frame["run_id"].tolist()
    for column in ("loss", "n", "whole", "single"):
        numbers = cells.finite(path, back, column, required=False)
        np.testing.assert_array_equal(numbers, frame[column])
        np.testing.assert_array_equal(np.signbit(numbers), np.signbit(frame[column]))
    seeds = [int(seed) if not pd.isna(seed) and seed != "" else None for seed in back["seed"]]
    assert seeds == frame["seed"].tolist()
