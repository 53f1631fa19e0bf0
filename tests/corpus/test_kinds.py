"""What a file is, by its first bytes and its name; what holds no text is refused by what it is."""

import gzip
import io
import json
import pickle
import zipfile

import numpy as np
import pyarrow as pa
import pytest

from ie_scaling.corpus import kinds
from ie_scaling.corpus.kinds import FileKind, Form, NotText
from ie_scaling.errors import InputError

LINES = b'{"text": "a"}\n{"text": "b"}\n'
ARRAY = json.dumps([{"text": "a"}]).encode()
ZSTD = pa.compress(LINES, codec="zstd", asbytes=True)


def arrow(new):
    sink = io.BytesIO()
    table = pa.table({"text": ["a"]})
    with new(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def archive():
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as opened:
        opened.writestr("a.txt", "text")
    return sink.getvalue()


KNOWN = {
    "a.jsonl": (LINES, FileKind(Form.JSON_LINES)),
    "a.json": (LINES, FileKind(Form.JSON_LINES)),
    "b.json": (b"\xef\xbb\xbf \n" + ARRAY, FileKind(Form.JSON_ARRAY)),
    "b.jsonl": (ARRAY, FileKind(Form.JSON_ARRAY)),
    "A.JSON.GZ": (gzip.compress(LINES, mtime=0), FileKind(Form.JSON_LINES, "gzip")),
    "b.json.gz": (gzip.compress(ARRAY, mtime=0), FileKind(Form.JSON_ARRAY, "gzip")),
    "c.jsonl.zst": (ZSTD, FileKind(Form.JSON_LINES, "zstd")),
    "named_plainly.jsonl": (gzip.compress(LINES, mtime=0), FileKind(Form.JSON_LINES, "gzip")),
    "a.txt.gz": (gzip.compress(b"words", mtime=0), FileKind(Form.TEXT, "gzip")),
    "a.py": (b"x = 1\n", FileKind(Form.TEXT)),
    "empty.txt": (b"", FileKind(Form.TEXT)),
    "no_ending": (b"PAR1 and so on", FileKind(Form.PARQUET)),
    "a.arrow": (arrow(pa.ipc.new_file), FileKind(Form.ARROW_FILE)),
    "b.arrow": (arrow(pa.ipc.new_stream), FileKind(Form.ARROW_STREAM)),
}

NO_TEXT = {
    "a.zip": (archive(), "a zip archive"),
    "weights.npz.txt": (archive(), "a zip archive"),
    "a.txt": (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    "a.pdf": (b"%PDF-1.7\n", "a PDF"),
    "pointer.txt": (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n", "a Git LFS pointer"),
    "a.xz": (b"\xfd7zXZ\x00\x00", "an xz archive"),
    "a.bz2": (b"BZh91AY&SY\x00", "a bzip2 archive"),
    "a.pkl": (pickle.dumps([1]), "a Python pickle"),
    "a.npy": (np.lib.format.magic(1, 0), "a NumPy array"),
    "a.safetensors": ((64).to_bytes(8, "little") + b'{"a": {"dtype"', "a safetensors file"),
    "a.bin": (b"text\x00text", "it holds NUL bytes"),
    "utf16.txt": ("words".encode("utf-16"), "UTF-16 text"),
    "a.gz": (gzip.compress(LINES, mtime=0), "gzip of what its name does not tell"),
    "a.tar.gz": (gzip.compress(bytes(600), mtime=0), "gzip of what its name does not tell"),
    "twice.jsonl.gz": (gzip.compress(gzip.compress(LINES, mtime=0), mtime=0), "holds another compressed"),
    "hidden.txt.gz": (gzip.compress(b"\x00" * 99, mtime=0), "it holds NUL bytes"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_file_is_read_as_what_it_is(tmp_path, name):
    data, kind = KNOWN[name]
    (tmp_path / name).write_bytes(data)
    assert kinds.recognize(tmp_path / name) == kind


@pytest.mark.parametrize("name", NO_TEXT)
def test_what_holds_no_text_is_refused_by_what_it_is(tmp_path, name):
    data, message = NO_TEXT[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(NotText, match=message) as caught:
        kinds.recognize(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")


@pytest.mark.parametrize(
    ("name", "message"), [("a.parquet", "broken Parquet"), ("a.arrow", "broken Arrow"), ("a.txt.gz", "broken gzip")]
)
def test_a_file_that_is_not_what_it_is_named_is_broken(tmp_path, name, message):
    (tmp_path / name).write_bytes(b"junk")
    with pytest.raises(InputError, match=message):
        kinds.recognize(tmp_path / name)
