"""What a corpus may be set to: what is derived, and what is refused."""

from pathlib import Path

import pytest

from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.errors import InputError


def test_a_document_is_bounded_by_the_text_within_limits():
    largest = [CorpusConfig(max_bytes=n_bytes).largest_document for n_bytes in (0, 1, 20_000_000, 10**12)]
    assert largest == [2**28, 2**20, 20_000_000, 2**28]


def test_a_given_tokenizer_is_an_input():
    assert CorpusConfig().inputs == {}
    assert CorpusConfig(tokenizer="a/b.json").inputs == {"tokenizer a/b.json": Path("a/b.json")}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"text": ""}, "must name a text"),
        ({"end_of_text": ""}, "end_of_text='': must not be empty"),
        ({"tokenizer": "wordpiece"}, "must be bpe, byte or a .json path"),
        ({"vocab_size": 256}, "at least 257"),
        ({"validation_fraction": 1.0}, "validation_fraction=1.0: must lie between 0 and 1"),
        ({"shard_bytes": 0}, "shard_bytes=0: must be finite and above zero"),
        ({"n_workers": -1}, "n_workers=-1: must be at least 0"),
        ({"invalid_utf8": "drop"}, "must be one of replace, skip, error"),
        ({"null_text": "replace"}, "null_text='replace': must be one of error, skip"),
    ],
)
def test_what_cannot_be_is_named(fields, words):
    with pytest.raises(InputError, match=words):
        CorpusConfig(**fields)
