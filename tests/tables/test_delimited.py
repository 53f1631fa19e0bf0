"""Text tables: no value under another name, no file of another kind read as text."""

import gzip
import re
from pathlib import Path

import pandas as pd
import pytest

from ie_scaling.errors import InputError
from ie_scaling.tables import cells, delimited

CASES = Path(__file__).parent.parent / "cases"
GOOD = "run_id,n_tokens,loss\na,1000,3.5\nb,2000,3.25\n"
RECORDS = [
    {"run_id": "a", "n_tokens": "1000", "loss": "3.5"},
    {"run_id": "b", "n_tokens": "2000", "loss": "3.25"},
]


def read(folder: Path, content: str | bytes, name: str = "runs.csv") -> pd.DataFrame:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return cells.read_frame(path)


def refusal(folder: Path, content: str | bytes, name: str = "runs.csv") -> str:
    with pytest.raises(InputError, match=re.escape(name)) as caught:
        read(folder, content, name)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("runs.csv", GOOD),
        ("runs.CSV", GOOD),
        ("runs.csv", GOOD.removesuffix("\n")),
        ("runs.csv", GOOD.replace("\n", "\r\n")),
        ("runs.csv", GOOD.replace("\n", "\r")),
        ("runs.csv", "\n\n" + GOOD.replace("\n", "\n\n  \n")),
        ("runs.csv", "\ufeff" + GOOD),
        ("runs.csv", '\ufeff"run_id","n_tokens","loss"\n"a","1000","3.5"\nb,2000,3.25\n'),
        ("runs.csv", GOOD.replace("run_id,n_tokens,loss", " run_id,n_tokens\t, loss ")),
        ("runs.csv", GOOD.replace(",", ", ")),
        ("runs.csv", GOOD.replace(",", ";")),
        ("runs.csv", GOOD.replace(",", "\t")),
        ("runs.csv", GOOD.replace("\n", ",\n")),
        ("runs.csv", "sep=;\r\n" + GOOD.replace(",", ";")),
        ("runs.tsv", GOOD.replace(",", "\t")),
        ("runs.tsv", GOOD),
        ("runs.csv.gz", gzip.compress(GOOD.encode(), mtime=0)),
        ("runs.tsv.gz", gzip.compress(GOOD.replace(",", "\t").encode(), mtime=0)),
        ("runs.csv", GOOD.replace(",", ";").replace(".5", ",5").replace(".25", ",25")),
    ],
)
def test_one_table_written_in_many_ways_is_one_table(tmp_path, name, content):
    assert read(tmp_path, content, name).to_dict("records") == RECORDS


def test_quoted_values_may_hold_commas_quotes_and_lines(tmp_path):
    frame = read(tmp_path, 'run_id,notes\na,"one, two"\nb,"say ""no"""\nc,"two\nlines"\nd,;\n')
    assert frame["notes"].tolist() == ["one, two", 'say "no"', "two\nlines", ";"]


def test_cells_are_text_as_they_stand(tmp_path):
    frame = read(tmp_path, "run_id,seed\n007,NA\n1e3, x\n,null\n")
    assert frame.to_dict("list") == {"run_id": ["007", "1e3", ""], "seed": ["NA", " x", "null"]}


def test_an_index_column_without_a_name_is_kept_under_one(tmp_path):
    assert list(read(tmp_path, ",run_id\n0,a\n1,b\n").columns) == ["Unnamed: 0", "run_id"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (GOOD.replace("3.5", "3.5,0.1"), ["row 1 (line 2)", "4 values", "3 names"]),
        (GOOD.replace("3.5", "3.5,"), ["row 1 (line 2)", "4 values", "3 names", "remove the comma"]),
        (GOOD.replace("3.5\n", "3.5,\n").replace("3.25\n", "3.25,\n"), ["row 1", "4 values", "3 names"]),
        (GOOD.replace(",3.25", ""), ["row 2 (line 3)", "2 values", "3 names"]),
        (GOOD + "c\n", ["row 3 (line 4)", "1 value,", "3 names"]),
        ("\n" + GOOD.replace("b,", "\n\nb,,"), ["row 2 (line 6)", "4 values"]),
        (GOOD.replace("2000", "2,000"), ["row 2", "4 values", "contains a comma"]),
        (GOOD.replace("a,1000,3.5", '"a,1000,3.5'), ["row 1", "broken quotes"]),
        (GOOD.replace("b,", '"b"x,'), ["row 2", "broken quotes"]),
        (GOOD.replace("run_id", '"run_id'), ["the header", "broken quotes"]),
        (GOOD.replace("a,", "a" * 200_000 + ","), ["row 1", "too long"]),
        (GOOD.replace("n_tokens", " loss "), ["2 columns", "'loss'"]),
        (GOOD.replace("1000", "10\x0000"), ["line 2", "NUL"]),
        (GOOD.encode("utf-16"), ["UTF-16"]),
        (GOOD.encode("utf-16-le"), ["NUL", "UTF-16?"]),
        (GOOD.replace("a,", "é,").encode("latin-1"), ["not UTF-8", "0xe9", "line 2"]),
        (gzip.compress(GOOD.encode(), mtime=0), ["gzip", "end its name in .gz"]),
        (b"PK\x03\x04" + bytes(20), ["zip archive or a spreadsheet"]),
        (b"PAR1" + bytes(20), ["is Parquet"]),
        (b"\x28\xb5\x2f\xfd" + bytes(20), ["zstd"]),
        ("run_id,n_tokens,loss,\na,1000,3.5,\nb,2000,3,25\n", ["row 2: value 4, '25'", "without a name"]),
        ("", ["no header"]),
        ("\n \n\n", ["no header"]),
        ("a;b,c\n1;2,5\n3;4,5\n", ["separated by", "commas or semicolons"]),
    ],
)
def test_what_cannot_be_read_without_a_guess_is_one_line_that_says_what_it_is(tmp_path, content, words):
    message = refusal(tmp_path, content)
    assert all(word in message for word in words), message


def test_the_cases_from_the_field():
    for name, words in (
        ("one_value_more_than_header", "row 1 .* has 5 values, the header has 4 names"),
        ("comma_after_first_row", "row 1 .* has 6 values, the header has 5 names"),
        ("duplicate_loss", "2 columns are named 'loss'"),
    ):
        with pytest.raises(InputError, match=words):
            cells.read_frame(CASES / f"{name}.csv")
    german = cells.read_frame(CASES / "semicolons_decimal_comma.csv")
    pd.testing.assert_frame_equal(german, cells.read_frame(CASES / "good_table.csv"))


def test_a_broken_or_vast_gzip_is_one_line(tmp_path, monkeypatch):
    whole = gzip.compress(GOOD.encode() * 100, mtime=0)
    assert "cannot be read" in refusal(tmp_path, whole[:-20], "runs.csv.gz")
    assert "cannot be read" in refusal(tmp_path, whole[:20] + b"\x55\x55\x55" + whole[23:], "runs.csv.gz")
    assert "cannot be read" in refusal(tmp_path, GOOD, "runs.csv.gz")
    monkeypatch.setattr(delimited, "MOST_BYTES", 1000)
    assert "more than 0 MB" in refusal(tmp_path, whole, "runs.csv.gz")
