"""Decoding bytes as UTF-8 under a policy, text files in stretches of whole lines, with a count of replacements."""

import collections
from collections.abc import Iterator
from typing import BinaryIO

from ie_scaling.corpus import kinds
from ie_scaling.corpus.config import LARGEST_DOCUMENT, CorpusConfig, InvalidText
from ie_scaling.errors import InputError

STRETCH_BYTES = 1 << 25
MAX_REPLACED, MAX_REPLACED_SHARE = 16, 0.1  # a text with more U+FFFD than both is no UTF-8 at all
REPLACEMENT = "\ufffd"

Notes = collections.Counter  # what was read: "replaced characters", "invalid UTF-8 skipped", "null skipped"


class TooLarge(InputError):
    """A document above the largest that is read."""


def decode(data: bytes, where: str, config: CorpusConfig, notes: Notes | None = None) -> str | None:
    """UTF-8 to text under config.invalid_utf8 for bytes that are not: "replace", "skip" (None), or "error"."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        reason = f"invalid UTF-8 at byte {error.start}"
    notes = Notes() if notes is None else notes
    if config.invalid_utf8 == InvalidText.SKIP:
        notes["invalid UTF-8 skipped"] += 1
        return None
    if config.invalid_utf8 == InvalidText.ERROR:
        raise InputError(f'{where}: {reason}; invalid_utf8 may be "replace" or "skip" to go on')
    text = data.decode(errors="replace")
    n_replaced = text.count(REPLACEMENT) - data.count(REPLACEMENT.encode())
    if n_replaced > max(MAX_REPLACED, MAX_REPLACED_SHARE * len(text)):
        share = f"{n_replaced:,} of {len(text):,} characters would be lost"
        raise InputError(f'{where}: {reason}, and {share}; convert it to UTF-8, or set invalid_utf8="skip"')
    notes["replaced characters"] += n_replaced
    return text


def require_size(n_bytes: int, where: str, config: CorpusConfig) -> None:
    """Raise a TooLarge where a document has more bytes than config.largest_document."""
    limit = config.largest_document
    if n_bytes > limit:
        way_on = f"raise max_bytes={config.max_bytes} (0 allows 256 MiB) or " if limit < LARGEST_DOCUMENT else ""
        raise TooLarge(f"{where}: longer than {limit:,} bytes, the largest document that is read; {way_on}cut it")


def read(stream: BinaryIO, path: str, config: CorpusConfig, notes: Notes) -> Iterator[str | None]:
    """A text file in stretches of about STRETCH_BYTES at most, cut at line ends; nearly always one."""
    size, rest, first = min(STRETCH_BYTES, config.largest_document), b"", True
    while data := rest + stream.read(size + 1 - len(rest)):
        if first:
            data = data.removeprefix(kinds.BOM)
        kinds.refuse_binary(path, data, first)
        stop = _end(data, size) if len(data) > size else len(data)
        data, rest = data[:stop], data[stop:]
        text = decode(data, path, config, notes)
        yield text and text.replace("\r\n", "\n").replace("\r", "\n")
        first = False


def _end(data: bytes, size: int) -> int:
    """Where to cut: after the last line end of the first `size` bytes, else between two characters."""
    stop = data.rfind(b"\n", 0, size) + 1
    if stop:
        return stop
    stop = size
    while stop > size - 4 and data[stop] & 0xC0 == 0x80:
        stop -= 1
    return stop
