"""Text tables: bytes to cells of text, with commas, tabs or semicolons between them, and nothing moved or guessed."""

import collections
import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ie_scaling.errors import InputError
from ie_scaling.tables import decimal_commas, numbers

DELIMITERS = {",": "commas", "\t": "tabs", ";": "semicolons"}
MOST_BYTES = 100_000_000  # of text, so that a small compressed file cannot fill the memory
_STATED = re.compile(r"sep=([,;\t])(?=[\r\n])", re.IGNORECASE)
_OTHERS = (
    (b"\x1f\x8b", "is compressed by gzip; end its name in .gz"),
    (b"\xfd7zXZ", "is compressed by xz; decompress it"),
    (b"BZh", "is compressed by bzip2; decompress it"),
    (b"\x28\xb5\x2f\xfd", "is compressed by zstd; decompress it"),
    (b"PAR1", "is Parquet; end its name in .parquet"),
    (b"PK\x03\x04", "is a zip archive or a spreadsheet; save the table as CSV"),
    (b"\xd0\xcf\x11\xe0", "is a spreadsheet; save the table as CSV"),
    (b"\xff\xfe", "is UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "is UTF-16; save it as UTF-8"),
)


def read(path: Path) -> pd.DataFrame:
    """The cells of a .csv, .tsv, .csv.gz or .tsv.gz file as text; blank lines are skipped, decimal commas read.

    Raises:
      InputError: one line naming file, row (1 = first data row, with its line in the file) and what is wrong with it.
    """
    text = _text(path, _bytes(path))
    if stated := _STATED.match(text):  # by a spreadsheet, on a line of its own
        text = text[stated.end(1) :]
    delimiter = stated[1] if stated else _delimiter(path, text)
    header, rows = _header_and_rows(path, text, delimiter)
    frame = named(path, pd.DataFrame(rows, columns=range(len(header)), dtype=str), header)
    return frame if delimiter == "," else decimal_commas.to_points(path, frame)


def named(path: Path, frame: pd.DataFrame, header: list[str]) -> pd.DataFrame:
    """The frame with its names stripped; a blank name is the first column's (an index), or that of a blank column.

    Raises:
      InputError: two columns of one name, or values under no name.
    """
    names = [name.strip() for name in header]
    frame.columns = pd.RangeIndex(len(names))
    blank = [i for i, name in enumerate(names) if not name and numbers.is_blank(frame[i]).all()]
    for i in range(1, len(names)):
        if not names[i] and i not in blank:
            row = int((~numbers.is_blank(frame[i])).to_numpy().argmax())
            value = numbers.quoted(frame[i].iloc[row])
            raise InputError(f"{path}: row {row + 1}: value {i + 1}, {value}, is in a column without a name; name it")
    named = [i for i in range(len(names)) if i not in blank]
    names = [names[i] or "Unnamed: 0" for i in named]
    name, count = collections.Counter(names).most_common(1)[0] if names else ("", 0)
    if count > 1:
        raise InputError(f"{path}: {count} columns are named {numbers.quoted(name)}; rename all but one")
    frame = frame[named]
    frame.columns = pd.Index(names)
    return frame


def _bytes(path: Path) -> bytes:
    """The file's bytes, decompressed where its name ends in .gz.

    Raises:
      InputError: unreadable, broken or too large.
    """
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({_first_line(error)})") from None
    if len(data) > MOST_BYTES:
        raise InputError(
            f"{path}: has more than {MOST_BYTES / 1e6:.0f} MB of text; keep the rows needed, or use Parquet"
        )
    return data


def _text(path: Path, data: bytes) -> str:
    """UTF-8 text without a byte order mark.

    Raises:
      InputError: another kind of file, another encoding, NUL bytes.
    """
    for start, what in _OTHERS:
        if data.startswith(start):
            raise InputError(f"{path}: {what}")
    if (at := data.find(b"\0")) >= 0:
        raise InputError(f"{path}: line {_line(data, at)} has a NUL byte; the file is damaged, or not UTF-8 (UTF-16?)")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{data[error.start]:02x} in line {_line(data, error.start)}"
        raise InputError(f"{path}: is not UTF-8 ({byte}); save it as UTF-8") from None


def _line(data: bytes, at: int) -> int:
    return data.count(b"\n", 0, at) + 1


def _delimiter(path: Path, text: str) -> str:
    """What stands between the columns: the one delimiter of the header, or the one that gives all rows its width.

    Raises:
      InputError: several do.
    """
    usual = "\t" if ".tsv" in path.name.lower()[-7:] else ","
    widths = {delimiter: _header_width(text, delimiter) for delimiter in DELIMITERS}
    possible = [delimiter for delimiter, width in widths.items() if width > 1]
    if len(possible) < 2:
        return possible[0] if possible else usual
    regular = [delimiter for delimiter in possible if _is_regular(text, delimiter)]
    if len(regular) > 1:
        separators = " or ".join(DELIMITERS[delimiter] for delimiter in regular)
        raise InputError(f"{path}: its columns may be separated by {separators}; quote the values that hold the others")
    return regular[0] if regular else max(possible, key=lambda delimiter: (widths[delimiter], delimiter == usual))


def _header_width(text: str, delimiter: str) -> int:
    try:
        return len(next(_records(text, delimiter), (0, []))[1])
    except csv.Error:
        return 0


def _is_regular(text: str, delimiter: str) -> bool:
    """Whether all rows have the header's width."""
    try:
        return len({len(values) for _, values in _records(text, delimiter)}) == 1
    except csv.Error:
        return False


def _header_and_rows(path: Path, text: str, delimiter: str) -> tuple[list[str], list[list[str]]]:
    """The names, and the values of each row, as many as there are names.

    Raises:
      InputError: no header, a row of another width, broken quotes.
    """
    rows: list[list[str]] = []
    line = 0
    try:
        for line, values in _records(text, delimiter):
            rows.append(values)
            if len(values) != len(rows[0]):
                raise InputError(
                    f"{path}: row {len(rows) - 1} (line {line}): {_other_width(rows[0], values, delimiter)}"
                )
    except csv.Error as error:
        where = f"row {len(rows)} (after line {line})" if rows else "the header"
        raise InputError(f"{path}: {where}: broken quotes or a value too long ({_first_line(error)})") from None
    if not rows:
        raise InputError(f"{path}: cannot be read: the file has no header")
    return rows[0], rows[1:]


def _other_width(header: list[str], values: list[str], delimiter: str) -> str:
    """What is wrong with a row of another width than the header's."""
    counts = f"has {_count(len(values), 'value')}, the header has {_count(len(header), 'name')}"
    one = DELIMITERS[delimiter].removesuffix("s")
    if len(values) < len(header):
        return f"{counts}; write a value for each name, or nothing between two {DELIMITERS[delimiter]}"
    if not values[-1]:
        return f"{counts}; the last value is blank, so remove the {one} before it"
    return f"{counts}; put quotes around a value that contains a {one}, or add the missing name"


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The last line and the values of each row that is not blank."""
    lines = io.StringIO(text, newline="")
    spaced = delimiter != "\t" and _is_spaced(text, delimiter)
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=spaced)
    width = None
    for values in reader:
        if values and (width == 1 or len(values) > 1 or values[0].strip()):
            width = width or len(values)
            yield reader.line_num, values


def _is_spaced(text: str, delimiter: str) -> bool:
    """Whether a space follows every delimiter, so that it belongs to the delimiter."""
    return 0 < text.count(delimiter) == text.count(f"{delimiter} ")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
