"""File formats: how a file of each format is split into units of work, and the documents of a unit."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from ie_scaling.corpus import columns, json_text, kinds, utf8
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.corpus.kinds import FileKind, Form, naming
from ie_scaling.corpus.utf8 import Notes

EXPANSION = 3  # about how much text a byte of a compressed file holds; for progress and grouping only
BLOCK_BYTES = 1 << 22

Document = tuple[str, str | None]  # its name and text; None where it is left out (invalid UTF-8, null)


@dataclasses.dataclass(frozen=True)
class Piece:
    """A stretch of one file: the lines between two bytes of JSON lines, row groups of Parquet, or all of the file.

    `first` numbers its first line or row; `size` is about how many bytes of text it holds; `stamp` is when the file
    was last changed.
    """

    path: str
    name: str
    kind: FileKind
    start: int
    stop: int
    first: int
    size: int
    stamp: int


def pieces(path: Path, name: str, kind: FileKind, config: CorpusConfig) -> Iterator[Piece]:
    """The pieces of a file in order, each of about config.shard_bytes of text where the format can be cut."""
    with naming(path, "unreadable file"):
        stat = path.stat()
    if kind.form == Form.PARQUET:
        ranges = columns.row_groups(path, config)
    elif kind == FileKind(Form.JSON_LINES) and stat.st_size > config.shard_bytes:
        ranges = _line_ranges(path, stat.st_size, config.shard_bytes)
    else:
        expansion = EXPANSION if kind.compression else 1
        ranges = iter([(0, stat.st_size, 1, stat.st_size * expansion)])
    for start, stop, first, size in ranges:
        yield Piece(str(path), name, kind, start, stop, first, size, stat.st_mtime_ns)


def read(piece: Piece, config: CorpusConfig, notes: Notes | None = None) -> Iterator[Document]:
    """The documents of a piece, one at a time; `notes` counts what was left out or replaced.

    Raises:
      InputError: one line that names the file, and the line or row where there is one.
    """
    notes = Notes() if notes is None else notes
    if piece.kind.form == Form.TEXT:
        return _read_text(piece, config, notes)
    numbered = _read_rows(piece, config, notes)
    return ((f"{piece.name}:{number}", document) for number, document in numbered)


def _read_text(piece: Piece, config: CorpusConfig, notes: Notes) -> Iterator[Document]:
    with naming(piece.path, _what(piece.kind)), kinds.opened(piece.path, piece.kind.compression) as stream:
        for number, stretch in enumerate(utf8.read(stream, piece.path, config, notes)):
            yield f"{piece.name}#{number}" if number else piece.name, stretch


def _read_rows(piece: Piece, config: CorpusConfig, notes: Notes) -> Iterator[tuple[int, str | None]]:
    path, kind = piece.path, piece.kind
    if kind.form == Form.PARQUET:
        yield from columns.read_parquet(path, range(piece.start, piece.stop), piece.first, config, notes)
        return
    if kind.form in (Form.ARROW_FILE, Form.ARROW_STREAM):
        yield from columns.read_arrow(path, kind.form, config, notes)
        return
    n_bytes = None if kind.compression else piece.stop - piece.start
    with naming(path, _what(kind)), kinds.opened(path, kind.compression, piece.start) as stream:
        if kind.form == Form.JSON_ARRAY:
            yield from json_text.array(stream, path, config, notes)
        else:
            yield from json_text.lines(stream, path, piece.first, n_bytes, config, notes)


def _what(kind: FileKind) -> str:
    return f"broken {kind.compression} stream" if kind.compression else "unreadable file"


def _line_ranges(path: Path, size: int, step: int) -> Iterator[tuple[int, int, int, int]]:
    """(start, stop, number of the first line, bytes) of stretches of whole lines, each a little over `step` bytes."""
    start, line = 0, 1
    with naming(path, "unreadable file"), path.open("rb") as stream:
        while start < size:
            left, lines = step, 0
            while left and (block := stream.read(min(left, BLOCK_BYTES))):
                left -= len(block)
                lines += block.count(b"\n")
            while (block := stream.readline(BLOCK_BYTES)) and not block.endswith(b"\n"):
                pass
            lines += block.endswith(b"\n")
            yield start, stream.tell(), line, stream.tell() - start
            start, line = stream.tell(), line + lines
