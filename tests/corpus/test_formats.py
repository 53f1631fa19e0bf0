"""Every format gives the same documents, streamed and numbered; every damage is one line that says where."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ie_scaling.corpus import documents, formats, kinds
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.errors import InputError
from tests.corpus.conftest import FORMATS, write_documents

TEXTS = [f"document {number} é\n" * (number % 5 + 1) for number in range(40)]
line_ends = st.sampled_from(["\n", "\r\n", "\n\n", "\n  \n"])


def read(path, **options):
    """The documents of one file, and in how many pieces they came."""
    config = CorpusConfig(text=str(path), **options)
    found = list(formats.pieces(Path(path), Path(path).name, kinds.recognize(Path(path)), config))
    return [document for piece in found for document in formats.read(piece, config)], len(found)


@given(st.lists(st.tuples(st.text(max_size=30), line_ends, st.booleans())), st.booleans(), st.integers(1, 200))
def test_lines_of_json_are_the_same_in_whatever_pieces(tmp_path_factory, lines, cut_end, shard_bytes):
    written = "".join(json.dumps({"text": text}, ensure_ascii=ascii) + end for text, end, ascii in lines)
    path = tmp_path_factory.mktemp("lines") / "a.jsonl"
    path.write_bytes((written.rstrip() if cut_end else written).encode())
    expected, number = [], 1
    for text, end, _ in lines:
        expected.append((f"a.jsonl:{number}", text))
        number += end.count("\n")
    assert read(path, shard_bytes=shard_bytes)[0] == expected
    assert read(path)[0] == expected


@given(st.lists(st.text(max_size=20), max_size=30), st.integers(1, 5))
def test_parquet_gives_its_rows_by_groups(tmp_path_factory, texts, row_group_size):
    path = tmp_path_factory.mktemp("rows") / "a.parquet"
    pq.write_table(pa.table({"text": pa.array(texts, pa.string())}), path, row_group_size=row_group_size)
    found, n_pieces = read(path)
    assert found == [(f"a.parquet:{row}", text) for row, text in enumerate(texts, start=1)]
    assert n_pieces == max(-(-len(texts) // row_group_size), 1)  # pyarrow writes an empty group for no rows


@pytest.mark.parametrize("kind", FORMATS[1:])
def test_every_format_gives_the_same_documents(tmp_path, kind):
    found, _ = read(write_documents(tmp_path, kind, TEXTS), shard_bytes=300)
    assert [text for _, text in found] == TEXTS
    assert len({name for name, _ in found}) == len(TEXTS)


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int32(), pa.string())]
)
def test_parquet_may_keep_text_in_any_type_of_string(tmp_path, kind):
    values = pa.array(["á", "b", "á"], pa.string())
    column = values.dictionary_encode() if pa.types.is_dictionary(kind) else values.cast(kind)
    pq.write_table(pa.table({"body": column}), tmp_path / "a.parquet")
    assert [text for _, text in read(tmp_path / "a.parquet", text_field="body")[0]] == ["á", "b", "á"]


def test_several_compressed_streams_in_one_file_are_all_read(tmp_path):
    for kind in ("a.jsonl.gz", "a.jsonl.zst"):
        path = write_documents(tmp_path, kind, TEXTS)
        path.write_bytes(path.read_bytes() * 2)
        assert [text for _, text in read(path)[0]] == TEXTS * 2


def test_line_ends_of_text_files_become_newlines(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a\r\nb\rc\nd")
    assert read(tmp_path / "a.txt")[0] == [("a.txt", "a\nb\nc\nd")]


BAD_LINES = {
    "{": r'line 2: must be a JSON object with a "text" field',
    "[" * 100_000: r"line 2: must be a JSON object",
    '"a"': r"line 2: must be a JSON object",
    '{"txt": "b"}': r'line 2: must be a JSON object with a "text" field',
    '{"text": 5}': r'line 2: "text" is 5, must be a string',
    '{"text": null}': r'line 2: "text" is null, must be a string',
}


@pytest.mark.parametrize("line", BAD_LINES, ids=lambda line: line[:16])
@pytest.mark.parametrize("compress", [False, True])
def test_a_bad_line_is_named(tmp_path, line, compress):
    written = f'{{"text": "a"}}\n{line}\n'.encode()
    path = tmp_path / ("a.jsonl.gz" if compress else "a.jsonl")
    path.write_bytes(gzip.compress(written, mtime=0) if compress else written)
    with pytest.raises(InputError, match=BAD_LINES[line]) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")


def parquet_with(tmp_path, **columns):
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    return tmp_path / "a.parquet"


def test_a_bad_column_is_named(tmp_path):
    with pytest.raises(InputError, match="has no column 'text'; its columns are id, body"):
        read(parquet_with(tmp_path, id=[1], body=["a"]))
    with pytest.raises(InputError, match="column 'text' is int64, must be a string"):
        read(parquet_with(tmp_path, text=[1]))
    with pytest.raises(InputError, match='row 2: "text" is null, must be a string'):
        read(parquet_with(tmp_path, text=["a", None]))


@pytest.mark.parametrize(
    ("kind", "message"),
    [("a.jsonl.gz", "broken gzip"), ("a.jsonl.zst", "broken zstd"), ("a.parquet", "broken Parquet")],
)
def test_a_damaged_file_is_named_wherever_it_is_cut(tmp_path, kind, message):
    whole = write_documents(tmp_path, kind, TEXTS).read_bytes()
    for damaged in (b"", whole[:20], whole[: len(whole) // 2], whole[:-1], b"junk " * 50):
        (tmp_path / kind).write_bytes(damaged)
        with pytest.raises(InputError, match=rf"^{tmp_path / kind}: {message}") as caught:
            read(tmp_path / kind)
        assert "\n" not in str(caught.value)


def test_a_parquet_damaged_in_its_middle_is_named(tmp_path):
    path = write_documents(tmp_path, "a.parquet", TEXTS)
    data = bytearray(path.read_bytes())
    data[4:200] = bytes(196)
    path.write_bytes(data)
    with pytest.raises(InputError, match="broken Parquet file"):
        read(path)


def invalid(tmp_path):
    """One document that is not UTF-8 in each format, after one that is."""
    binary = pa.array([b"good", b"a\xffb"], pa.binary())
    text = pa.StringArray.from_buffers(2, *binary.buffers()[1:])
    (tmp_path / "a.txt").write_bytes(b"a\xffb")
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "good"}\n{"text": "a\xffb"}\n')
    (tmp_path / "b.jsonl").write_bytes(b'{"text": "good"}\n{"text": "a\\udcffb"}\n')
    pq.write_table(pa.table({"text": text}), tmp_path / "a.parquet")
    return {"a.txt": "", "a.jsonl": "line 2: ", "b.jsonl": "line 2: ", "a.parquet": "row 2: "}


def test_invalid_utf8_is_replaced_skipped_or_refused(tmp_path):
    for name, where in invalid(tmp_path).items():
        path = tmp_path / name
        replaced = read(path, invalid_utf8="replace")[0][-1][1]
        assert replaced is not None
        assert replaced.strip("�") != replaced or replaced[1] == "�"
        assert read(path, invalid_utf8="skip")[0][-1][1] is None
        with pytest.raises(InputError, match=rf"{name}: {where}invalid UTF-8 at byte \d+; invalid_utf8 may be"):
            read(path, invalid_utf8="error")


@given(st.lists(st.text(st.characters(codec=None), max_size=10), max_size=10))
def test_escaped_half_surrogates_never_reach_a_tokenizer(tmp_path_factory, texts):
    path = write_documents(tmp_path_factory.mktemp("half"), "a.jsonl", texts)
    for (_, found), text in zip(read(path)[0], texts, strict=True):
        assert found is not None
        assert found.encode().decode() == found
        if text.isprintable():
            assert found == text


def test_a_folder_with_tables_gives_only_these(tmp_path):
    (tmp_path / "deep").mkdir()
    write_documents(tmp_path / "deep", "a.jsonl.gz", TEXTS)
    write_documents(tmp_path, "a.parquet", TEXTS)
    (tmp_path / "README.md").write_text("not a document")
    config = CorpusConfig(text=str(tmp_path), max_bytes=0)
    found = list(documents.read_all(documents.plan(config), config))
    assert sorted(text for _, text in found if text) == sorted(TEXTS * 2)
    assert len({name for name, _ in found}) == len(found)
