"""Shards of one unit: its tokens, their counts, and use of what an earlier start has written."""

import hashlib

import numpy as np
import pytest

from ie_scaling.corpus import documents, shards, tokenizer
from ie_scaling.corpus.config import CorpusConfig


@pytest.fixture
def unit(tmp_path):
    """Two documents as bytes: encode(), the configuration, and the directory."""
    (tmp_path / "text").mkdir()
    for name, text in (("a", "xyx"), ("b", "é")):
        (tmp_path / "text" / f"{name}.txt").write_text(text)
    config = CorpusConfig(text=str(tmp_path / "text"), directory=str(tmp_path / "out"), tokenizer="byte")
    directory = tmp_path / "out"
    directory.mkdir()
    (directory / shards.TOKENIZER).write_text(tokenizer.byte_level(config.end_of_text).to_str())
    units = documents.plan(config)

    def encode():
        return shards.encode_unit((0, units[0]), config, directory, "sha")

    return encode, directory


def test_each_document_is_its_bytes_and_the_end(unit):
    encode, directory = unit
    encoded = encode()
    parts = {
        split: np.concatenate([np.load(directory / shard["file"]) for shard in of["shards"]])
        for split, of in encoded.record["splits"].items()
        if of["shards"]
    }
    ids = np.concatenate(list(parts.values())).tolist()
    assert sorted(ids) == sorted([*b"xyx", 256, *"é".encode(), 256])
    for split, values in parts.items():
        np.testing.assert_array_equal(encoded.counts[split], np.bincount(values, minlength=257))
    assert sum(of["n_bytes"] for of in encoded.record["splits"].values()) == 5


def test_what_is_whole_is_not_written_again_and_counts_the_same(unit):
    encode, directory = unit
    first = encode()
    times = {path: path.stat().st_mtime_ns for path in directory.glob("shards/*.npy")}
    second = encode()
    assert {path: path.stat().st_mtime_ns for path in directory.glob("shards/*.npy")} == times
    assert second.record == first.record
    for split in first.counts:
        np.testing.assert_array_equal(second.counts[split], first.counts[split])


def test_the_hash_of_all_is_of_the_hashes_in_order():
    assert shards.combined(["a", "b"]) == hashlib.sha256(b"ab").hexdigest()
