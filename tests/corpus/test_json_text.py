"""JSON lines and arrays as streams: nulls by policy, damage by line or item, and no more memory than is allowed."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ie_scaling.corpus import json_text, utf8
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.corpus.utf8 import Notes
from ie_scaling.errors import InputError

NULLS = Path(__file__).parent.parent / "cases" / "null_text.jsonl"


class Endless(io.RawIOBase):
    """A stream that never ends, and counts what is taken from it."""

    def __init__(self, start):
        self._start, self.n_bytes = start, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        self.n_bytes += len(buffer)
        buffer[:] = (self._start + b"a" * len(buffer))[: len(buffer)]
        self._start = b""
        return len(buffer)


def items(data, **options):
    return list(json_text.array(io.BytesIO(data), "f", CorpusConfig(**options), Notes()))


def lines(data, notes=None, **options):
    return list(
        json_text.lines(io.BytesIO(data), "f", 1, None, CorpusConfig(**options), Notes() if notes is None else notes)
    )


def test_a_null_text_is_refused_by_line_or_skipped_and_counted():
    data = NULLS.read_bytes()
    with pytest.raises(InputError, match=r'f: line 38: "text" is null, must be a string; null_text="skip"'):
        lines(data)
    notes = Notes()
    found = lines(data, notes, null_text="skip")
    assert found[37] == (38, None)
    assert sum(text is not None for _, text in found) == 49
    assert notes == {"null skipped": 1}


@given(st.lists(st.text(max_size=20), max_size=9), st.booleans(), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_an_array_gives_its_items_however_it_is_written(texts, as_objects, indent, ascii_only):
    rows = [{"id": [1, {}], "text": text} for text in texts] if as_objects else texts
    data = json.dumps(rows, indent=indent, ensure_ascii=ascii_only).encode("utf-8-sig", "surrogatepass")
    assert items(data) == list(enumerate(texts, start=1))


@given(st.integers(1, 40), st.integers(0, 10**6))
def test_an_array_is_read_across_the_ends_of_its_blocks(length, seed):
    texts = [f"é\\n{'x' * (length * number % 37)}" for number in range(30)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "BLOCK", length)
        assert items(json.dumps(texts).encode()) == list(enumerate(texts, start=1))


BAD_ARRAYS = {
    b'["a" "b"]': r"broken JSON array \(',' is missing after item 1\)",
    b'["a", ]': r"item 2: must be a string or a JSON object",
    b'["a"': r"',' is missing after item 1",
    b'["a': r"item 1: broken JSON",
    b'["a"] x': r"text after the end of its JSON array",
    b"[[1]]": r"item 1: must be a string or a JSON object",
    b"[1, 2]": r"item 1: must be a string or a JSON object",
    b'[{"txt": "a"}]': r"item 1: must be a JSON object with a \"text\" field; its fields are \['txt'\]",
    b'[{"text": 1}]': r'item 1: "text" is 1, must be a string',
    b'["a", null]': r'item 2: "text" is null, must be a string',
    b'[{"a": ' + b"[" * 99_999: r"item 1: broken JSON",
    b'[{"a": ' + b"9" * 9_999 + b"}]": r"item 1: broken JSON",
}


@pytest.mark.parametrize("data", BAD_ARRAYS, ids=lambda data: data[:16].decode())
def test_a_bad_array_is_one_line_that_names_the_item(data):
    with pytest.raises(InputError, match=BAD_ARRAYS[data]) as caught:
        items(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("start", [b'{"text": "', b'["a", {"text": "'])
@pytest.mark.parametrize("max_bytes", [1, 3_000_000])
def test_a_line_or_item_without_an_end_is_refused_before_it_fills_the_memory(start, max_bytes):
    config, stream = CorpusConfig(max_bytes=max_bytes), Endless(start)
    read = json_text.array if start.startswith(b"[") else lambda *of: json_text.lines(*of[:2], 1, None, *of[2:])
    with pytest.raises(utf8.TooLarge, match=f"longer than {config.largest_document:,} bytes"):
        list(read(io.BufferedReader(stream), "f", config, Notes()))
    assert stream.n_bytes < 3 * config.largest_document


def test_the_largest_document_is_the_cap_within_a_mebibyte_and_256():
    sizes = {max_bytes: CorpusConfig(max_bytes=max_bytes).largest_document for max_bytes in (1, 20_000_000, 10**12, 0)}
    assert sizes == {1: 2**20, 20_000_000: 20_000_000, 10**12: 2**28, 0: 2**28}
