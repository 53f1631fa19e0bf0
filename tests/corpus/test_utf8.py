"""Bytes to text: marks, stretches of long files, and how much may be lost."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ie_scaling.corpus import utf8
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.corpus.utf8 import Notes
from ie_scaling.errors import InputError


def read(data, **options):
    return list(utf8.read(io.BytesIO(data), "f", CorpusConfig(**options), Notes()))


def test_a_byte_order_mark_is_no_part_of_the_text():
    assert read(b"\xef\xbb\xbfa\r\nb") == ["a\nb"]


@given(st.text("aé漢\n", max_size=60), st.integers(4, 20))
def test_a_long_file_comes_in_stretches_that_join_to_the_whole(text, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utf8, "STRETCH_BYTES", size)
        found = read(text.encode())
    assert "".join(found) == text
    assert all(len(stretch.encode()) <= size for stretch in found)


def test_a_nul_late_in_a_file_is_refused():
    with pytest.raises(InputError, match="holds NUL bytes"):
        read(b"a" * 10_000 + b"\0")


def test_replaced_characters_are_counted_and_another_encoding_is_refused():
    notes = Notes()
    text = "il était une fois" * 20
    assert utf8.decode(text.encode("latin-1"), "f", CorpusConfig(), notes) == text.replace("é", "\ufffd")
    assert notes == {"replaced characters": 20}
    with pytest.raises(InputError, match=r"f: invalid UTF-8 at byte 0, and 297 of 420 characters would be lost"):
        utf8.decode(("как жить в ночи, " * 30)[:420].encode("cp1251"), "f", CorpusConfig())
