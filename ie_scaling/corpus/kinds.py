"""File type of a corpus file, by its first bytes and name: text, JSON, Parquet or Arrow; others are refused."""

import contextlib
import dataclasses
import enum
import io
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from ie_scaling.errors import InputError

HEAD_BYTES = 4096
BOM = b"\xef\xbb\xbf"
COMPRESSIONS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
COMPRESSION_ENDINGS = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}
JSON_ENDINGS = (".json", ".jsonl", ".ndjson")
TEXT_ENDINGS = (".txt", ".text", ".md")  # what a compressed file may be named to be read as text
COLUMN_ENDINGS = {".parquet": "Parquet", ".arrow": "Arrow"}
ARROW_FILE, ARROW_STREAM, PARQUET = b"ARROW1", b"\xff\xff\xff\xff", b"PAR1"
# First bytes of what is often beside text, and what it is.
SIGNATURES = (
    (b"PK\x03\x04", "a zip archive, as .npz, .pt and .docx are"),
    (b"PK\x05\x06", "a zip archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
    (b"\x04\x22\x4d\x18", "an lz4 archive"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"%PDF-", "a PDF"),
    (b"version https://git-lfs", "a Git LFS pointer instead of the file (git lfs pull fetches it)"),
    (b"\x7fELF", "a program"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"FEA1", "a Feather file of version 1"),
    (b"Obj\x01", "an Avro file"),
    (b"GGUF", "model weights (GGUF)"),
    (b"PARE", "an encrypted Parquet file"),
    (b"\xff\xfe\x00\x00", "UTF-32 text (to be converted to UTF-8)"),
    (b"\xff\xfe", "UTF-16 text (iconv -f UTF-16 -t UTF-8 converts it)"),
    (b"\xfe\xff", "UTF-16 text (iconv -f UTF-16 -t UTF-8 converts it)"),
)


class NotText(InputError):
    """A file that holds no text that can be read here."""


class Form(enum.StrEnum):
    """How documents lie in a file."""

    TEXT = "text"
    JSON_LINES = "JSON lines"
    JSON_ARRAY = "JSON array"
    PARQUET = "Parquet"
    ARROW_FILE = "Arrow file"
    ARROW_STREAM = "Arrow stream"


@dataclasses.dataclass(frozen=True)
class FileKind:
    """The form of a file and how it is compressed: "gzip", "zstd" or None."""

    form: Form
    compression: str | None = None


def recognize(path: Path) -> FileKind:
    """What the file is.

    Raises:
      NotText: binary, UTF-16, or compressed and of a kind that its name does not tell.
      InputError: unreadable, or damaged so that it is not what it is named.
    """
    head, name = _head(path, None), path.name.lower()
    compression = next((kind for magic, kind in COMPRESSIONS.items() if head.startswith(magic)), None)
    stem, _, ending = name.rpartition(".")
    named = COMPRESSION_ENDINGS.get(f".{ending}") if stem else None
    if named and compression != named:
        reason = "its first bytes are not those of one" if head else "the file is empty"
        raise InputError(f"{path}: broken {named} stream ({reason})")
    if compression is None:
        return FileKind(_form(path, head, name))
    inner = stem if named else name
    if not inner.endswith((*JSON_ENDINGS, *TEXT_ENDINGS)):
        rule = "named .json.gz, .jsonl.gz or .txt.gz (or .zst), or decompressed"
        raise NotText(f"{path}: {compression} of what its name does not tell; it must be {rule}")
    head = _head(path, compression)
    if head.startswith((*COMPRESSIONS, PARQUET, ARROW_FILE, ARROW_STREAM)):
        raise NotText(f"{path}: holds another compressed or binary file; decompress it")
    return FileKind(_form(path, head, inner), compression)


def ending_form(name: str) -> str | None:
    """The form that a file's name alone promises ("JSON", "Parquet" or "Arrow"), or None."""
    name = name.lower()
    for ending in COMPRESSION_ENDINGS:
        name = name.removesuffix(ending)
    return "JSON" if name.endswith(JSON_ENDINGS) else COLUMN_ENDINGS.get(Path(name).suffix)


@contextlib.contextmanager
def opened(path: Path | str, compression: str | None, start: int = 0) -> Generator[BinaryIO]:
    """The bytes of a file, decompressed, from byte `start` on where it is not compressed."""
    if compression:
        with pa.input_stream(str(path), compression=compression) as raw:
            yield io.BufferedReader(raw, 1 << 20)
        return
    with open(path, "rb") as stream:
        stream.seek(start)
        yield stream


@contextlib.contextmanager
def naming(path: Path | str, what: str) -> Generator[None]:
    """What the system or Arrow says of a file, as one line that names it."""
    try:
        yield
    except (OSError, EOFError, pa.ArrowException) as error:
        raise InputError(f"{path}: {what} ({' '.join(str(error).split())[:200]})") from None


def _form(path: Path, head: bytes, name: str) -> Form:
    """What these first bytes (decompressed) and this name (lower case, without the compression's ending) tell."""
    promised = COLUMN_ENDINGS.get(Path(name).suffix)
    if head.startswith(PARQUET):
        return Form.PARQUET
    if head.startswith(ARROW_FILE):
        return Form.ARROW_FILE
    if promised == "Arrow" and head.startswith(ARROW_STREAM):
        return Form.ARROW_STREAM
    if promised:
        raise InputError(f"{path}: broken {promised} file (its first bytes are not those of one)")
    refuse_binary(path, head)
    if not name.endswith(JSON_ENDINGS):
        return Form.TEXT
    return Form.JSON_ARRAY if head.removeprefix(BOM).lstrip().startswith(b"[") else Form.JSON_LINES


def refuse_binary(path: Path | str, data: bytes, first: bool = True) -> None:
    """Raise a NotText where these bytes (the `first` of the file, or later ones) are not those of text."""
    what = _binary(data) if first else None
    if what is None and b"\0" in data:
        what = "binary, or UTF-16 text (it holds NUL bytes)"
    if what is not None:
        raise NotText(
            f'{path}: is {what}, not UTF-8 text; remove it, or set binary_files="skip" to leave such files out'
        )


def _binary(head: bytes) -> str | None:
    """What a binary file is, by its first bytes, where that is known."""
    for signature, what in SIGNATURES:
        if head.startswith(signature):
            return what
    if head[:3] == b"BZh" and head[4:10] == b"1AY&SY":
        return "a bzip2 archive"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a Python pickle"
    if head[257:262] == b"ustar":
        return "a tar archive"
    if head[8:10] == b'{"' and b"\0" in head[:8]:
        return "a safetensors file"
    return None


def _head(path: Path, compression: str | None) -> bytes:
    what = f"broken {compression} stream" if compression else "unreadable file"
    with naming(path, what), opened(path, compression) as stream:
        return stream.read(HEAD_BYTES)
