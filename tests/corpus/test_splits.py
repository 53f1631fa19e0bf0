"""The split by blocks of the text, where whole documents would leave one side empty."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ie_scaling.corpus import documents, splits
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.errors import InputError


@given(st.text("ab\n", max_size=400), st.integers(1, 50), st.floats(0.05, 0.95))
def test_the_parts_of_a_document_are_all_of_it_in_order(text, block, fraction):
    parts = list(splits.parts("name", text, fraction, block))
    assert "".join(part for _, part in parts) == text
    assert all(first[0] != second[0] for first, second in itertools.pairwise(parts))


@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.5, 0.9])
def test_blocks_give_the_wanted_share_from_all_over_the_text(fraction):
    text = "a line of text\n" * 20_000
    block = splits.block_length(len(text), fraction)
    parts = list(splits.parts("name", text, fraction, block))
    share = sum(len(part) for split, part in parts if split == "validation") / len(text)
    assert share == pytest.approx(fraction, abs=0.02)
    assert 8 <= sum(split == "validation" for split, _ in parts) <= 12
    assert all(part.endswith("\n") for _, part in parts)


def test_one_text_file_is_a_corpus_alone_or_in_a_folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("words of a law\n" * 400)
    for text in (tmp_path / "in", tmp_path / "in" / "a.txt"):
        config = CorpusConfig(text=str(text))
        units = documents.plan(config)
        assert units[0].block == 60
        found = {split for split, _ in documents.parts_of_all(units, config)}
        assert found == {"train", "validation"}


def test_a_file_above_the_cap_is_cut_at_a_line_end_below_it(tmp_path):
    (tmp_path / "a.txt").write_text("words of a law\n" * 100_000)
    config = CorpusConfig(text=str(tmp_path / "a.txt"), max_bytes=1_200_000)
    [(name, text)] = documents.read_all(documents.plan(config), config)
    assert (name, len(text)) == ("a.txt", 1_200_000)


def test_too_little_text_for_two_splits_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("alone")
    with pytest.raises(InputError, match="has 5 characters, too few for a train and a validation split"):
        documents.plan(CorpusConfig(text=str(tmp_path)))


def test_documents_that_fill_both_splits_are_never_cut(text_folder):
    assert {unit.block for unit in documents.plan(CorpusConfig(text=str(text_folder)))} == {0}
