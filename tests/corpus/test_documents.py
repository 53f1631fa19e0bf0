"""Units, their order, the cut by size, and the split."""

import os
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ie_scaling.corpus import documents, sources, splits
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.errors import InputError
from tests.corpus.conftest import write_documents

names = st.text(min_size=1, max_size=8)


def read(config):
    return list(documents.read_all(documents.plan(config), config))


@given(names, st.floats(0.01, 0.9), st.floats(0, 0.1))
def test_a_larger_share_only_adds_to_validation(name, fraction, more):
    """And a name alone decides, so that adding documents never moves one."""
    if splits.split_of(name, fraction) == "validation":
        assert splits.split_of(name, fraction + more) == "validation"


def test_the_split_has_the_wanted_share():
    chosen = [splits.split_of(f"{n}.py", 0.1) for n in range(20_000)]
    assert chosen.count("validation") / 20_000 == pytest.approx(0.1, abs=0.01)


def test_standard_library_is_read_in_a_fixed_order_without_its_tests():
    config = CorpusConfig(max_bytes=2_000_000)
    found = read(config)
    assert found == read(config)
    assert not any({"test", "site-packages"} & set(Path(name).parts) for name, _ in found)
    assert 1_000_000 < sum(len((text or "").encode()) for _, text in found) <= 2_000_000


@given(st.lists(st.text("aé", max_size=9), min_size=30, max_size=40), st.integers(1, 200), st.integers(1, 50))
def test_the_cut_by_size_is_where_a_running_total_puts_it(tmp_path_factory, texts, max_bytes, shard_bytes):
    path = write_documents(tmp_path_factory.mktemp("cut"), "a.jsonl", texts)
    expected, size = [], 0
    for number, text in enumerate(texts, start=1):
        size += len(text.encode())
        if expected and size > max_bytes:
            break
        if text:
            expected.append((f"a.jsonl:{number}", text))
    config = CorpusConfig(text=str(path), max_bytes=max_bytes, shard_bytes=shard_bytes, validation_fraction=0.5)
    hypothesis.assume(len({splits.split_of(name, 0.5) for name, _ in expected}) == 2)
    assert [document for document in read(config) if document[1]] == expected


def test_units_are_of_about_the_wanted_size_and_hold_every_file(text_folder):
    config = CorpusConfig(text=str(text_folder), shard_bytes=10_000)
    units = documents.plan(config)
    assert len(units) > 5
    assert all(unit.size <= 10_000 for unit in units)
    assert sorted(piece.name for unit in units for piece in unit.pieces) == [f"{n:02d}.txt" for n in range(60)]
    whole = CorpusConfig(text=str(text_folder))
    assert read(config) == read(whole)
    assert len(documents.plan(whole)) == 1


def test_a_file_may_have_a_name_that_is_not_utf8(tmp_path):
    (tmp_path / os.fsdecode(b"a\xff.txt")).write_text("first")
    (tmp_path / "b.txt").write_text("second")
    config = CorpusConfig(text=str(tmp_path), validation_fraction=0.5)
    assert {source.path.read_text() for source in sources.find(config).files} == {"first", "second"}


def test_corpora_without_documents_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"text='.*nowhere': must be \"stdlib\", a folder, or a file of text"):
        documents.plan(CorpusConfig(text=str(tmp_path / "nowhere")))
    with pytest.raises(InputError, match="holds no documents"):
        documents.plan(CorpusConfig(text=str(tmp_path)))
    (tmp_path / "a.txt").touch()
    with pytest.raises(InputError, match="holds no documents"):
        documents.plan(CorpusConfig(text=str(tmp_path)))
    (tmp_path / "b.txt").write_text("alone")
    with pytest.raises(InputError, match=r"has 5 characters, too few for a train and a validation split"):
        documents.plan(CorpusConfig(text=str(tmp_path)))
