"""Arrow files and streams give their rows; damage, nulls and what is no text are one line."""

import contextlib
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ie_scaling.corpus import columns
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.corpus.kinds import Form
from ie_scaling.corpus.utf8 import Notes
from ie_scaling.errors import InputError

WRITERS = {Form.ARROW_FILE: pa.ipc.new_file, Form.ARROW_STREAM: pa.ipc.new_stream}


def arrow(path, form, **data):
    sink = io.BytesIO()
    table = pa.table(data)
    with WRITERS[form](sink, table.schema) as writer:
        writer.write_table(table, 3)
    path.write_bytes(sink.getvalue())
    return str(path)


def read(path, form, notes=None, **options):
    return list(columns.read_arrow(path, form, CorpusConfig(**options), Notes() if notes is None else notes))


@pytest.mark.parametrize("form", WRITERS)
def test_rows_are_numbered_across_batches_and_nulls_follow_the_policy(tmp_path, form):
    path = arrow(tmp_path / "a", form, id=range(8), text=["a", "b", "c", "d", None, "é", "", "h"])
    with pytest.raises(InputError, match=r'a: row 5: "text" is null, must be a string; null_text="skip"'):
        read(path, form)
    notes = Notes()
    found = read(path, form, notes, null_text="skip")
    assert found == [(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, None), (6, "é"), (7, ""), (8, "h")]
    assert notes == {"null skipped": 1}


@pytest.mark.parametrize("form", WRITERS)
def test_what_is_no_column_of_text_is_named(tmp_path, form):
    with pytest.raises(InputError, match="has no column 'text'; its columns are body"):
        read(arrow(tmp_path / "a", form, body=["a"]), form)
    with pytest.raises(InputError, match="column 'text' is int64, must be a string"):
        read(arrow(tmp_path / "a", form, text=[1]), form)
    with pytest.raises(InputError, match='row 1: "text" holds NUL bytes'):
        read(arrow(tmp_path / "a", form, text=[b"\x00\x01"]), form)


@pytest.mark.parametrize("form", WRITERS)
def test_an_arrow_file_cut_anywhere_is_broken_or_shorter_by_whole_batches(tmp_path, form):
    texts = [f"text {number}" for number in range(9)]
    path = arrow(tmp_path / "a", form, text=texts)
    data = (tmp_path / "a").read_bytes()
    for stop in range(0, len(data), 7):
        (tmp_path / "a").write_bytes(data[:stop])
        with contextlib.suppress(InputError):
            found = [text for _, text in read(path, form)]
            assert form == Form.ARROW_STREAM
            assert found in (texts[:0], texts[:3], texts[:6], texts)


def test_offsets_beyond_the_buffer_are_refused(tmp_path):
    path = arrow(tmp_path / "a", Form.ARROW_STREAM, text=["aaaa", "bbbb"])
    data = (tmp_path / "a").read_bytes()
    offsets = b"".join(number.to_bytes(4, "little") for number in (0, 4, 8))
    assert data.count(offsets) == 1
    (tmp_path / "a").write_bytes(data.replace(offsets, offsets[:4] + b"\xff\xff\xff\x7f" + offsets[8:]))
    with pytest.raises(InputError, match="broken Arrow file"):
        read(path, Form.ARROW_STREAM)


def test_two_columns_of_one_name_and_a_row_above_the_cap_are_refused(tmp_path):
    twins = pa.table([["a"], ["b"]], names=["text", "text"])
    pq.write_table(twins, tmp_path / "t.parquet")
    with pytest.raises(InputError, match="has 2 columns 'text'"):
        list(columns.row_groups(tmp_path / "t.parquet", CorpusConfig()))
    pq.write_table(pa.table({"text": ["x" * 2_000_000]}), tmp_path / "l.parquet", use_dictionary=False)
    with pytest.raises(InputError, match=r"l.parquet: rows from 1 on: longer than 1,048,576 bytes"):
        list(columns.row_groups(tmp_path / "l.parquet", CorpusConfig(max_bytes=100)))
