"""Files of text, JSON lines and Parquet: how each is cut into pieces of work, and how a piece gives its documents."""

import contextlib
import dataclasses
import io
import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from ie_scaling.corpus.config import CorpusConfig

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
TABLE_SUFFIXES = (".jsonl", *(f".jsonl{suffix}" for suffix in COMPRESSIONS), ".parquet")
EXPANSION = 3  # about how much text a byte of a compressed file holds; for progress and grouping only
BLOCK_BYTES = 1 << 22
PARQUET_ROWS = 256

Document = tuple[str, str | None]  # its name and text; None where it is left out as invalid UTF-8


@dataclasses.dataclass(frozen=True)
class Piece:
    """A stretch of one file: the lines between two bytes of a .jsonl, row groups of a .parquet, or all of the file.

    `first` numbers its first line or row; `size` is about how many bytes of text it holds; `stamp` is when the file
    was last changed.
    """

    path: str
    name: str
    start: int
    stop: int
    first: int
    size: int
    stamp: int


def pieces(path: Path, name: str, config: CorpusConfig) -> Iterator[Piece]:
    """The pieces of a file in order, each of about config.shard_bytes of text where the format can be cut."""
    with _naming(path, "unreadable file"):
        stat = path.stat()
    if name.endswith(".parquet"):
        ranges = _row_groups(path, config)
    elif name.endswith(".jsonl") and stat.st_size > config.shard_bytes:
        ranges = _line_ranges(path, stat.st_size, config.shard_bytes)
    else:
        expansion = EXPANSION if _compression(name) else 1
        ranges = iter([(0, stat.st_size, 1, stat.st_size * expansion)])
    for start, stop, first, size in ranges:
        yield Piece(str(path), name, start, stop, first, size, stat.st_mtime_ns)


def read(piece: Piece, config: CorpusConfig) -> Iterator[Document]:
    """The documents of a piece, one at a time.

    Raises:
      ValueError: one line that names the file, and the line or row where there is one.
    """
    if piece.name.endswith(".parquet"):
        return _read_parquet(piece, config)
    if piece.name.endswith(TABLE_SUFFIXES):
        return _read_jsonl(piece, config)
    return _read_text(piece, config)


def _read_text(piece: Piece, config: CorpusConfig) -> Iterator[Document]:
    with _naming(piece.path, "unreadable file"):
        data = Path(piece.path).read_bytes()
    text = decode(data, piece.path, config.invalid_utf8)
    yield piece.name, text and text.replace("\r\n", "\n").replace("\r", "\n")


def _read_jsonl(piece: Piece, config: CorpusConfig) -> Iterator[Document]:
    compression = _compression(piece.name)
    with _naming(piece.path, f"broken {compression} stream" if compression else "unreadable file"):
        if compression and not piece.stop:
            raise EOFError("the file is empty")
        with _opened(piece, compression) as stream:
            position = piece.start
            for number, line in enumerate(stream, start=piece.first):
                position += len(line)
                if line.strip():
                    yield f"{piece.name}:{number}", _text_of(line, f"{piece.path}: line {number}", config)
                if position >= piece.stop and not compression:
                    return


@contextlib.contextmanager
def _opened(piece: Piece, compression: str | None) -> Generator[BinaryIO]:
    if compression:
        with pa.input_stream(piece.path, compression=compression) as raw:
            yield io.BufferedReader(raw, 1 << 20)
        return
    with open(piece.path, "rb") as stream:
        stream.seek(piece.start)
        yield stream


def _text_of(line: bytes, where: str, config: CorpusConfig) -> str | None:
    """The text of one JSON line; None where it is to be left out."""
    decoded, field = decode(line, where, config.invalid_utf8), config.text_field
    if decoded is None:
        return None
    try:
        row = json.loads(decoded)
    except (ValueError, RecursionError):
        raise ValueError(f'{where}: must be a JSON object with a "{field}" field') from None
    if not isinstance(row, dict) or field not in row:
        raise ValueError(f'{where}: must be a JSON object with a "{field}" field')
    text = row[field]
    if not isinstance(text, str):
        raise ValueError(f'{where}: "{field}" is {json.dumps(text)[:40]}, must be a string')
    if text.isascii():
        return text
    # Escapes can spell half a surrogate pair, which UTF-8 cannot.
    return decode(text.encode("utf-8", "surrogatepass"), where, config.invalid_utf8)


def _read_parquet(piece: Piece, config: CorpusConfig) -> Iterator[Document]:
    row, field = piece.first, config.text_field
    with _naming(piece.path, "broken Parquet file"), pq.ParquetFile(piece.path) as file:
        groups = range(piece.start, piece.stop)
        for batch in file.iter_batches(PARQUET_ROWS, row_groups=list(groups), columns=[field]):
            column = batch.column(0)
            if pa.types.is_dictionary(column.type):
                column = column.dictionary_decode()
            for data in column.cast(pa.large_binary()).to_pylist():
                where = f"{piece.path}: row {row}"
                if data is None:
                    raise ValueError(f'{where}: "{field}" is null, must be a string')
                yield f"{piece.name}:{row}", decode(data, where, config.invalid_utf8)
                row += 1


def decode(data: bytes, where: str, invalid_utf8: str) -> str | None:
    """UTF-8 to text under the policy for bytes that are not: "replace", "skip" (None), or "error"."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        if invalid_utf8 == "error":
            reason = f"invalid UTF-8 at byte {error.start}"
            raise ValueError(f'{where}: {reason}; invalid_utf8 may be "replace" or "skip" to go on') from None
    return data.decode(errors="replace") if invalid_utf8 == "replace" else None


def _line_ranges(path: Path, size: int, step: int) -> Iterator[tuple[int, int, int, int]]:
    """(start, stop, number of the first line, bytes) of stretches of whole lines, each a little over `step` bytes."""
    start, line = 0, 1
    with _naming(path, "unreadable file"), path.open("rb") as stream:
        while start < size:
            left, lines = step, 0
            while left and (block := stream.read(min(left, BLOCK_BYTES))):
                left -= len(block)
                lines += block.count(b"\n")
            lines += stream.readline().endswith(b"\n")
            yield start, stream.tell(), line, stream.tell() - start
            start, line = stream.tell(), line + lines


def _row_groups(path: Path, config: CorpusConfig) -> Iterator[tuple[int, int, int, int]]:
    """(row group, the next, number of the first row, bytes of text) of each row group."""
    with _naming(path, "broken Parquet file"), pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        if config.text_field not in names:
            raise ValueError(f"{path}: has no column {config.text_field!r}; its columns are {', '.join(names)}")
        kind = file.schema_arrow.field(config.text_field).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not _holds_text(kind):
            raise ValueError(f"{path}: column {config.text_field!r} is {kind}, must be a string")
        rows, metadata = 1, file.metadata
        for group in range(metadata.num_row_groups):
            row_group = metadata.row_group(group)
            columns = (row_group.column(index) for index in range(row_group.num_columns))
            size = sum(c.total_uncompressed_size for c in columns if c.path_in_schema == config.text_field)
            yield group, group + 1, rows, size
            rows += row_group.num_rows


def _holds_text(kind: pa.DataType) -> bool:
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(test(kind) for test in (*tests, pa.types.is_binary, pa.types.is_large_binary))


def _compression(name: str) -> str | None:
    """How a table of JSON lines is compressed; a folder's text files are read as they are."""
    return COMPRESSIONS.get(Path(name).suffix) if name.endswith(TABLE_SUFFIXES) else None


@contextlib.contextmanager
def _naming(path: Path | str, what: str) -> Generator[None]:
    """What the system or Arrow says of a file, as one line that names it."""
    try:
        yield
    except (OSError, EOFError, pa.ArrowException) as error:
        raise ValueError(f"{path}: {what} ({' '.join(str(error).split())})") from None
