"""The tokenizer of an unfinished corpus: used again where the same would be made, and no other's ever."""

import dataclasses

import pytest

from ie_scaling.corpus import documents, made_tokenizer, tokenizer
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.errors import InputError

BYTES = tokenizer.byte_level("<end>")


@pytest.fixture
def config(text_folder, tmp_path):
    return CorpusConfig(text=str(text_folder), directory=str(tmp_path), vocab_size=270, tokenizer_bytes=4000)


def test_what_decides_a_tokenizer_changes_its_maker(config):
    units = documents.plan(config)
    makers = [
        made_tokenizer.maker(dataclasses.replace(config, **fields), units)
        for fields in ({}, {"vocab_size": 271}, {"tokenizer": "byte"}, {"end_of_text": "<end>"}, {"n_workers": 3})
    ]
    assert len(set(makers[:4])) == 4
    assert makers[4] == makers[0]


def test_the_sample_is_of_the_training_split_up_to_its_size(config):
    units = documents.plan(config)
    texts = list(made_tokenizer.sample(config, units))
    sizes = [len(text.encode()) for text in texts]
    assert sum(sizes[:-1]) < config.tokenizer_bytes <= sum(sizes)
    of_training = [text for split, text in documents.parts_of_all(units, config) if split == "train"]
    assert texts == of_training[: len(texts)]


def test_it_is_reused_forgotten_and_discarded(tmp_path):
    made_tokenizer.write(tmp_path, "maker", BYTES)
    assert made_tokenizer.reusable(tmp_path, "maker")
    assert not made_tokenizer.reusable(tmp_path, "another")
    made_tokenizer.forget(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]
    made_tokenizer.write(tmp_path, "maker", BYTES)
    made_tokenizer.discard(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_tokenizer_of_the_users_is_refused_and_outlives_discarding(tmp_path):
    made_tokenizer.write(tmp_path, "maker", BYTES)
    (tmp_path / "tokenizer.json").write_text("mine")
    with pytest.raises(InputError, match="not written by this command"):
        made_tokenizer.require_own(tmp_path)
    made_tokenizer.discard(tmp_path)
    assert (tmp_path / "tokenizer.json").read_text() == "mine"
