"""Many shards read as one sequence."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ie_scaling.corpus.tokens import TokenStore
from ie_scaling.errors import InputError
from tests.corpus.conftest import write_store

TOKENS = np.arange(100, dtype=np.uint16)


@given(st.sets(st.integers(1, 99), max_size=12), st.lists(st.tuples(*[st.integers(0, 100)] * 2), max_size=20))
def test_a_read_is_a_slice_wherever_the_shards_are_cut(cuts, reads):
    with tempfile.TemporaryDirectory() as folder:
        store = write_store(Path(folder) / "s", TOKENS, sorted(cuts))
        assert len(store) == 100
        for start, stop in (sorted(read) for read in reads):
            found = store.read(start, stop)
            assert found.dtype == np.uint16
            np.testing.assert_array_equal(found, TOKENS[start:stop])


@pytest.mark.parametrize("span", [(-1, 3), (3, 2), (90, 101)])
def test_reads_beyond_the_ends_are_refused(store_of, span):
    with pytest.raises(IndexError, match="outside the 100 of"):
        store_of(TOKENS).read(*span)


def test_shards_are_read_only(store_of):
    with pytest.raises(ValueError, match="read-only"):
        store_of(TOKENS).read(0, 3)[0] = 1


def test_a_model_needs_an_embedding_for_every_token(store_of):
    store = store_of(TOKENS, cuts=(40,))
    store.require_vocabulary(100)
    with pytest.raises(InputError, match=r"^architecture.vocab_size=99: must be above the largest token id, 99,"):
        store.require_vocabulary(99)


def test_an_absent_or_damaged_corpus_is_one_clear_line(store_of, tmp_path):
    with pytest.raises(InputError, match=r"manifest.json: no such file"):
        TokenStore.open(tmp_path / "nowhere", "train")
    store = store_of(TOKENS, cuts=(40,))
    with pytest.raises(InputError, match="has no 'validation'; prepare"):
        TokenStore.open(store.directory, "validation")
    np.save(store.directory / "shards" / "1.npy", TOKENS[:3])
    with pytest.raises(InputError, match=r"1.npy: holds 3 tokens, must hold the manifest's 60"):
        store.read(50, 60)
    (store.directory / "shards" / "0.npy").unlink()
    with pytest.raises(InputError, match=r"0.npy: no such file, though"):
        TokenStore.open(store.directory, "train")


def test_more_shards_than_are_kept_open(store_of, monkeypatch):
    store = store_of(np.arange(400, dtype=np.uint16), cuts=tuple(range(2, 400, 2)))
    assert store.read(0, 400).tolist() == list(range(400))
