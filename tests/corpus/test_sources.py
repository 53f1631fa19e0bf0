"""All files of a folder are read, refused, or listed as left out: none disappears in silence."""

from pathlib import Path

import pytest

from ie_scaling.corpus import documents, kinds, sources
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.errors import InputError
from tests.corpus.conftest import write_documents

CASES = Path(__file__).parent.parent / "cases"
TEXTS = [f"document {number}" for number in range(40)]


def found_in(folder, **options):
    return sources.find(CorpusConfig(text=str(folder), **options))


def names(found):
    return sorted(source.name for source in found.files)


def texts_of(folder, **options):
    config = CorpusConfig(text=str(folder), max_bytes=0, **options)
    return [text for _, text in documents.read_all(documents.plan(config), config)]


def test_twelve_shards_of_json_gz_are_read_as_json_lines():
    texts = texts_of(CASES / "json_gz")
    assert len(texts) == 12 * 30
    assert all(text.startswith("Document number") for text in texts)


def test_text_files_beside_a_stray_jsonl_are_all_read_and_remarked_on():
    found = found_in(CASES / "txt_and_stray_jsonl")
    assert found.describe() == {"read": {"JSON lines": 1, "text": 6}, "left_out": []}
    assert "several kinds are read together (1 of JSON lines and 6 of text" in found.warnings("t")[0]
    texts = texts_of(CASES / "txt_and_stray_jsonl")
    assert len(texts) == 6 + 40
    assert "stray 5" in texts


def test_every_kind_in_one_folder_is_read(tmp_path):
    for kind in ("a.jsonl", "b.json.gz", "c.jsonl.zst", "d.parquet", "e.arrow", "f.json"):
        write_documents(tmp_path, kind, TEXTS)
    (tmp_path / "g.txt").write_text("plain")
    assert sorted(texts_of(tmp_path)) == sorted([*TEXTS * 6, "plain"])


def test_what_is_about_a_data_set_is_left_out_beside_its_tables_only(tmp_path):
    about = ["README.md", "LICENSE", "dataset_info.json", "state.json"]
    for name in about:
        (tmp_path / name).write_text("{\n}")
    write_documents(tmp_path, "data-00000-of-00001.arrow", TEXTS)
    found = found_in(tmp_path)
    assert names(found) == ["data-00000-of-00001.arrow"]
    assert found.describe()["left_out"] == [
        {"reason": "about the data set", "n_files": 4, "examples": ["LICENSE", "README.md", "dataset_info.json"]}
    ]
    (tmp_path / "data-00000-of-00001.arrow").unlink()
    (tmp_path / "state.json").unlink()
    (tmp_path / "dataset_info.json").unlink()
    assert names(found_in(tmp_path)) == ["LICENSE", "README.md"]


def test_hidden_files_links_and_the_corpus_itself_are_listed_as_left_out(tmp_path):
    for name in (".git/index", "__pycache__/a.pyc", "out/shards/a.npy"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"\0")
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = found_in(tmp_path, directory=str(tmp_path / "out"))
    assert names(found) == ["a.txt"]
    assert {reason: sorted(names) for reason, names in found.left_out.items()} == {
        "hidden": [".DS_Store", ".git/", "__pycache__/"],
        "no regular file": ["gone.txt"],
        "a link to a folder": ["loop/"],
        "the corpus's own directory": ["out/"],
    }
    assert len(found.warnings("t")) == 2


def test_a_binary_file_is_refused_or_left_out_and_listed(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(kinds.NotText, match=r'b.png: is a PNG image, not UTF-8 text; .* binary_files="skip"'):
        found_in(tmp_path)
    found = found_in(tmp_path, binary_files="skip")
    assert names(found) == ["a.txt"]
    assert found.left_out == {"binary": ("b.png",)}


def test_tables_and_markup_as_plain_text_are_remarked_on(tmp_path):
    (tmp_path / "a.csv").write_text("text,id\na,1\n")
    assert "1 read as plain text with all that is in it ('a.csv')" in found_in(tmp_path / "a.csv").warnings("t")[0]


@pytest.mark.parametrize("text", ["nowhere", "\0", "x" * 5000, "/dev/null"])
def test_a_text_that_is_not_there_is_one_line(text):
    with pytest.raises(InputError, match=r"^text=.*: must be") as caught:
        found_in(text)
    assert len(str(caught.value)) < 200
