"""Tables damaged in many ways: what is read equals what was written, or is one line.

A table of known numbers is written as CSV, TSV, either in gzip, with semicolons and decimal commas, or as Parquet, and
damaged. Damage that leaves another table (a digit changed, a row cut off) is labelled; all other accepted tables must
hold the written numbers and texts under their names.
"""

import csv
import datetime
import decimal
import gzip
import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ie_scaling.errors import InputError
from ie_scaling.tables import cells
from tests.fuzz.harness import Case

NUMBERS = ("n_params_total", "n_tokens", "loss")
TEXTS = (
    "plain",
    "one, two",
    'say "no"',
    "two\nlines",
    "semi;colon",
    "tab\there",
    "ü",
    "1,5",
    "007",
    "",
    " spaced ",
    "=1+1",
)
NO_NUMBERS = (
    *(
        "inf",
        "-inf",
        "1e999",
        "9" * 400,
        "9" * 5000,
        "0x1F",
        "1_000",
        "３",
        "٣.5",
        "True",
        "2024-01-01",
        "1,234",
        "1.234,5",
    ),
    *(
        "1 000",
        "1'000",
        "",
        " ",
        "nan",
        "None",
        "NA",
        "-1",
        "0",
        "1e-999",
        "--1",
        "1e",
        "e5",
        "1.2.3",
        "$5",
        "5%",
        "½",
        "∞",
    ),
)
OTHER_TABLE = "its bytes make another table"


def draw(rng: random.Random, folder: Path) -> Case:
    """A table in one of the formats, damaged in one way."""
    truth = _truth(rng)
    if rng.random() < 0.25:
        return _parquet(rng, folder, truth)
    ending = rng.choice(cells.TEXT_ENDINGS)
    path = folder / f"runs{ending}"
    delimiter = rng.choice(",,\t;") if ending.startswith(".csv") else "\t"
    damage = rng.choice(DAMAGE)
    data, label = damage(rng, truth, delimiter)
    path.write_bytes(gzip.compress(data, mtime=0) if ending.endswith(".gz") else data)
    if ending.endswith(".gz") and rng.random() < 0.1:
        path.write_bytes(_flip(rng, path.read_bytes(), rng.choice((_cut, _flip_one))))
        label = OTHER_TABLE
    check = _check_read if damage in HARMLESS and not label else _check
    return Case(f"{ending} {delimiter!r} {damage.__name__}", lambda: check(path, truth, label), label)


def _truth(rng: random.Random) -> list[dict[str, Any]]:
    return [
        {
            "run_id": f"r{i}",
            "n_params_total": rng.choice([10**6, 12345678, 10**9]) + i,
            "notes": rng.choice(TEXTS),
            "n_tokens": rng.randint(10**6, 10**12),
            "loss": rng.choice([round(rng.uniform(1, 9), rng.randint(0, 6)), rng.uniform(1, 9)]),
        }
        for i in range(rng.randint(1, 12))
    ]


def _check(path: Path, truth: list[dict[str, Any]], label: str) -> None:
    """Read all; without a label the values must be the written ones."""
    frame = cells.read_frame(path)
    cells.require_columns(path, frame, tuple(truth[0]))
    found = {column: cells.positive(path, frame, column, required=True).tolist() for column in NUMBERS}
    if label:
        return
    for column in NUMBERS:
        assert found[column] == [float(row[column]) for row in truth], f"silently wrong {column}"
    for column in ("run_id", "notes"):
        given = ["" if pd.isna(cell) else cell.replace("1,5", "1.5") for cell in frame[column]]  # a number where alone
        assert given == [row[column].replace("1,5", "1.5") for row in truth], f"silently wrong {column}"


def _check_read(path: Path, truth: list[dict[str, Any]], label: str) -> None:
    try:
        _check(path, truth, label)
    except InputError as error:
        raise AssertionError(f"a good table was refused: {error}") from None


def _rows(truth: list[dict[str, Any]], delimiter: str, comma: bool = False) -> list[list[str]]:
    """Header and values as text; decimal commas if asked for."""
    rows = [list(truth[0])] + [[str(value) for value in row.values()] for row in truth]
    if comma:
        rows = [rows[0]] + [[*row[:-1], row[-1].replace(".", ",")] for row in rows[1:]]
    return rows


def _joined(rows: list[list[str]], delimiter: str, line: str = "\n") -> bytes:
    stream = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if line == "\r" else csv.QUOTE_MINIMAL
    csv.writer(stream, delimiter=delimiter, lineterminator=line, quoting=quoting).writerows(rows)
    return stream.getvalue().encode()


Damaged = tuple[bytes, str]


def none(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    return _joined(_rows(truth, delimiter), delimiter, rng.choice(("\n", "\r\n", "\r"))), ""


def decimal_commas(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    return _joined(_rows(truth, delimiter, comma=True), delimiter), ""


def one_decimal_comma(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    rows = _rows(truth, delimiter)
    row = rng.choice(rows[1:])
    row[-1] = row[-1].replace(".", ",")
    return _joined(rows, delimiter), ""


def thousands(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    rows = _rows(truth, delimiter, comma=rng.random() < 0.5)
    mark = rng.choice(",. '")
    for row in rows[1:] if rng.random() < 0.5 else [rng.choice(rows[1:])]:
        row[3] = f"{int(row[3]):,}".replace(",", mark)
    return _joined(rows, delimiter), ""


def a_value_more(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    rows = _rows(truth, delimiter)
    for row in rows[1:] if rng.random() < 0.3 else [rng.choice(rows)]:
        row.insert(rng.randint(0, len(row)), rng.choice(("", "1", "x")))
    return _joined(rows, delimiter), ""


def a_value_less(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    rows = _rows(truth, delimiter)
    for row in rows[1:] if rng.random() < 0.3 else [rng.choice(rows)]:
        row.pop(rng.randrange(len(row)))
    return _joined(rows, delimiter), ""


def a_trailing_separator(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    rows = _rows(truth, delimiter)
    for row in rng.choice((rows, rows[1:], rows[:1], rows[1:2])):
        row.append("")
    return _joined(rows, delimiter), ""


def a_stray_separator(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    return _insert(rng, _joined(_rows(truth, delimiter), delimiter), rng.choice([b",", b";", b"\t"])), OTHER_TABLE


def twice_a_name(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    rows = _rows(truth, delimiter)
    name = rng.choice(rows[0])
    rows = [[*row, rng.choice(("", "1"))] for row in rows]
    rows[0][-1] = rng.choice((name, f" {name}", f"{name}\t"))
    return _joined(rows, delimiter), ""


def spaces_in_the_header(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    rows = _rows(truth, delimiter)
    rows[0] = [rng.choice(("", " ", "  ")) + name + rng.choice(("", " ", "\xa0")) for name in rows[0]]
    return _joined(rows, delimiter), ""


def another_name(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    rows = _rows(truth, delimiter)
    rows[0][rng.randrange(len(rows[0]))] = rng.choice(("", "x", "LOSS", "loss \u200b", "\ufeffloss", "a\nb", "é" * 300))
    return _joined(rows, delimiter), ""


def another_column(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    rows = _rows(truth, delimiter)
    name, at = rng.choice(("", "n_comment", "x,y", "x;y", 'x"y')), rng.randint(0, len(rows[0]))
    return _joined([[*row[:at], name if i == 0 else "x;", *row[at:]] for i, row in enumerate(rows)], delimiter), ""


def another_separator_in_a_row(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    rows = _rows(truth, delimiter)
    place = rng.randrange(len(rows))
    return b"".join(
        _joined([row], rng.choice(",;\t|".replace(delimiter, "")) if i == place else delimiter)
        for i, row in enumerate(rows)
    ), ""


def blank_lines(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    rows = [[row] for row in _rows(truth, delimiter)]
    lines = [_joined(row, delimiter) + rng.choice((b"", b"\n", b"  \n", b"\r\n\n")) for row in rows]
    return rng.choice((b"", b"\n", b" \n")) + b"".join(lines), ""


def no_number(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    rows = _rows(truth, delimiter)
    rng.choice(rows[1:])[rng.choice((1, 3, 4))] = rng.choice(NO_NUMBERS)
    return _joined(rows, delimiter), ""


def a_quote(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    data = _joined(_rows(truth, delimiter), delimiter)
    if b'"' in data and rng.random() < 0.5:
        at = rng.choice([i for i, byte in enumerate(data) if byte == ord('"')])
        return data[:at] + data[at + 1 :], OTHER_TABLE
    return _insert(rng, data, rng.choice([b'"', b"'", b'""'])), OTHER_TABLE


def another_encoding(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    text = _joined(_rows(truth, delimiter), delimiter).decode()
    encoding = rng.choice(("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp500"))
    return text.encode(encoding), ""


def no_table(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    header = _joined(_rows(truth, delimiter)[:1], delimiter)
    junk = rng.randbytes(200)
    page, text = b"<html><body>404</body></html>", b'{"a": 1}\n'
    sheet, archive = b"PK\x03\x04" + junk, gzip.compress(header, mtime=0)
    return rng.choice(
        (b"", header, b"\n\n", junk, page, text, sheet, archive, b"\0" * 50, header * 2)
    ), "no row is left"


def _cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def _flip_one(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _insert(rng: random.Random, data: bytes, piece: bytes) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + piece + data[at:]


def _flip(rng: random.Random, data: bytes, change: Callable[[random.Random, bytes], bytes]) -> bytes:
    return change(rng, data)


def cut(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    return _cut(rng, _joined(_rows(truth, delimiter), delimiter)), OTHER_TABLE


def a_byte(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    data = _joined(_rows(truth, delimiter), delimiter)
    return rng.choice((_flip_one(rng, data), _insert(rng, data, rng.randbytes(rng.randint(1, 3))))), OTHER_TABLE


def a_control_character(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    data = _joined(_rows(truth, delimiter), delimiter)
    return _insert(rng, data, rng.choice([b"\0", b"\r", b"\x1a", b"\x0c", b"\xef\xbb\xbf", b"\xc2\x85"])), OTHER_TABLE


def long_value(rng: random.Random, truth: list[dict[str, Any]], delimiter: str) -> Damaged:
    rows = _rows(truth, delimiter)
    rows[-1][rng.randrange(5)] = rng.choice(("x", "1", "1.")) * rng.choice((1000, 70_000, 200_000))
    return _joined(rows, delimiter), OTHER_TABLE


DAMAGE = (
    *(none, decimal_commas, one_decimal_comma, thousands, a_value_more, a_value_less, a_trailing_separator),
    *(a_stray_separator, twice_a_name, spaces_in_the_header, another_name, another_column, another_separator_in_a_row),
    *(blank_lines, no_number, a_quote, another_encoding, no_table, cut, a_byte, a_control_character, long_value),
)

HARMLESS = (none, spaces_in_the_header, blank_lines)


def _parquet(rng: random.Random, folder: Path, truth: list[dict[str, Any]]) -> Case:
    """Parquet with a column of another type, a name twice, or damaged bytes."""
    path = folder / "runs.parquet"
    columns = {name: pa.array([row[name] for row in truth]) for name in truth[0]}
    column, what, label = rng.choice(NUMBERS), rng.choice((*PARQUET_TYPES, "none", "twice", "cut", "byte", "lost")), ""
    if what in PARQUET_TYPES:
        columns[column] = PARQUET_TYPES[what](columns[column])
    names = [column if what == "twice" and name == "notes" else name for name in columns]
    if what == "lost":
        names[rng.randrange(5)] = "x"
    pq.write_table(pa.Table.from_arrays(list(columns.values()), names=names), path)
    if what == "huge":
        label = "1e60 is a number"
    if what in ("cut", "byte"):
        path.write_bytes((_cut if what == "cut" else _flip_one)(rng, path.read_bytes()))
        label = OTHER_TABLE
    return Case(f"parquet {what} {column}", lambda: _check(path, truth, label), label)


PARQUET_TYPES: dict[str, Callable[[pa.Array], pa.Array]] = {
    "true": lambda cells: pa.array([True] * len(cells)),
    "date": lambda cells: pa.array([datetime.date(2024, 1, 1)] * len(cells)),
    "time": lambda cells: pa.array([datetime.datetime(2024, 1, 1)] * len(cells)),
    "zoned": lambda cells: pa.array([datetime.datetime(2024, 1, 1)] * len(cells), pa.timestamp("us", "UTC")),
    "ancient": lambda cells: pa.array([-(2**62)] * len(cells), pa.timestamp("us")),
    "duration": lambda cells: pa.array([datetime.timedelta(1)] * len(cells)),
    "bytes": lambda cells: pa.array([b"3"] * len(cells)),
    "list": lambda cells: pa.array([[3.0]] * len(cells)),
    "struct": lambda cells: pa.array([{"x": 3.0}] * len(cells)),
    "null": lambda cells: pa.nulls(len(cells)),
    "text": lambda cells: pa.array([str(cell) for cell in cells.to_pylist()]),
    "dictionary": lambda cells: cells.dictionary_encode(),
    "decimal": lambda cells: pa.array(
        [decimal.Decimal(repr(cell)) for cell in cells.to_pylist()], pa.decimal256(60, 20)
    ),
    "missing": lambda cells: pa.array([None, *cells.to_pylist()[1:]], cells.type),
    "infinite": lambda cells: pa.array([float("inf")] * len(cells)),
    "huge": lambda cells: pa.array([decimal.Decimal(10**60)] * len(cells), pa.decimal256(76, 0)),
}
