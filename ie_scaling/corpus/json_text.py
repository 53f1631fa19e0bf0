"""Documents in JSON lines or a JSON array, read as a stream."""

import codecs
import json
import reprlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from ie_scaling.corpus import kinds, utf8
from ie_scaling.corpus.config import CorpusConfig, InvalidText
from ie_scaling.corpus.utf8 import Notes
from ie_scaling.errors import InputError

BLOCK = 1 << 20
SPACE = " \t\r\n"


def lines(
    stream: BinaryIO, path: str, first: int, n_bytes: int | None, config: CorpusConfig, notes: Notes
) -> Iterator[tuple[int, str | None]]:
    """(number, text) of each line that is not blank, numbered from `first`, up to the one that ends `n_bytes` on."""
    number, position = first, 0
    while line := stream.readline(config.largest_document + 1):
        where = f"{path}: line {number}"
        utf8.require_size(len(line), where, config)
        position += len(line)
        line = line.removeprefix(kinds.BOM)
        if line.strip():
            yield number, _text_of_line(line, where, config, notes)
        if n_bytes is not None and position >= n_bytes:
            return
        number += 1


def array(stream: BinaryIO, path: str, config: CorpusConfig, notes: Notes) -> Iterator[tuple[int, str | None]]:
    """(number, text) of each item of a JSON array of objects or of strings."""
    for number, item in _Items(stream, path, config).read():
        where = f"{path}: item {number}"
        value = _field(item, where, config) if isinstance(item, dict) else item
        yield number, _clean(value, where, config, notes)


def null(where: str, config: CorpusConfig, notes: Notes) -> None:
    """What a text that is null becomes: left out and counted, or an error."""
    if config.null_text == InvalidText.ERROR:
        message = f'"{config.text_field}" is null, must be a string; null_text="skip" leaves such rows out'
        raise InputError(f"{where}: {message}")
    notes["null skipped"] += 1


def _text_of_line(line: bytes, where: str, config: CorpusConfig, notes: Notes) -> str | None:
    """The text of one JSON line; None where it is to be left out."""
    decoded = utf8.decode(line, where, config, notes)
    if decoded is None:
        return None
    try:
        row = json.loads(decoded)
    except (ValueError, RecursionError):
        row = None
    return _clean(_field(row, where, config), where, config, notes)


def _field(row: Any, where: str, config: CorpusConfig) -> Any:
    field = config.text_field
    if isinstance(row, dict) and field in row:
        return row[field]
    has = f"; its fields are {reprlib.repr(sorted(row))}" if isinstance(row, dict) and row else ""
    if row is None:
        has = ", on one line, or the file an array of such"
    raise InputError(f'{where}: must be a JSON object with a "{field}" field{has}')


def _clean(value: Any, where: str, config: CorpusConfig, notes: Notes) -> str | None:
    if value is None:
        return null(where, config, notes)
    if not isinstance(value, str):
        raise InputError(f'{where}: "{config.text_field}" is {json.dumps(value)[:40]}, must be a string')
    if value.isascii():
        return value
    # Escapes can spell half a surrogate pair, which UTF-8 cannot.
    return utf8.decode(value.encode("utf-8", "surrogatepass"), where, config, notes)


class _Items:
    """The items of a JSON array, parsed one by one from a window over the stream."""

    def __init__(self, stream: BinaryIO, path: str, config: CorpusConfig):
        self._stream, self._path, self._config = stream, path, config
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape").decode
        self._window, self._at, self._number = "", 0, 0

    def read(self) -> Iterator[tuple[int, Any]]:
        """(number, item), numbered from 1."""
        self._skip("[")
        if self._next() == "]":
            return
        while True:
            self._number += 1
            yield self._number, self._item()
            if self._next() == "]":
                break
            self._skip(",")
        self._at += 1
        if self._next():
            raise InputError(f"{self._path}: text after the end of its JSON array")

    def _item(self) -> Any:
        """One string, object or null; a longer window is taken until it holds all of it."""
        where = f"{self._path}: item {self._number}"
        if self._next() not in ('"', "{", "n"):
            raise InputError(f"{where}: must be a string or a JSON object with a {self._config.text_field!r} field")
        while True:
            try:
                item, self._at = json.JSONDecoder().raw_decode(self._window, self._at)
                return item
            except (ValueError, RecursionError) as error:
                cut = len(self._window) - getattr(error, "pos", 0) < 16 or "Unterminated" in str(error)
            utf8.require_size(len(self._window) - self._at, where, self._config)
            if not (cut and self._more()):
                raise InputError(f"{where}: broken JSON")

    def _next(self) -> str:
        """The next character that is not white space, left where it is; "" at the end."""
        while True:
            while self._at < len(self._window):
                if self._window[self._at] not in SPACE:
                    return self._window[self._at]
                self._at += 1
            if not self._more():
                return ""

    def _skip(self, character: str) -> None:
        if self._next() != character:
            where = f"after item {self._number}" if self._number else "at its start"
            raise InputError(f"{self._path}: broken JSON array ({character!r} is missing {where})")
        self._at += 1

    def _more(self) -> bool:
        """Lengthen the window by a block, or double what is still to be read; False at the end of the stream."""
        rest = self._window[self._at :]
        data = self._stream.read(max(BLOCK, len(rest)))
        self._window, self._at = rest + self._decode(data, not data), 0
        return bool(data)
