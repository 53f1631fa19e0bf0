"""Encoding the units of a corpus: each once, the same here and in other processes."""

import pytest

from ie_scaling.corpus import documents, encoding, shards, tokenizer
from ie_scaling.corpus.config import CorpusConfig


@pytest.mark.parametrize("n_workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_every_unit_is_encoded_once(text_folder, tmp_path, n_workers):
    config = CorpusConfig(
        text=str(text_folder), directory=str(tmp_path), tokenizer="byte", shard_bytes=40_000, n_workers=n_workers
    )
    (tmp_path / shards.TOKENIZER).write_text(tokenizer.byte_level(config.end_of_text).to_str())
    units = documents.plan(config)
    assert len(units) > 1
    encoded = dict(encoding.encode(config, units, tmp_path))
    assert sorted(encoded) == list(range(len(units)))
    n_tokens = sum(int(counts.sum()) for result in encoded.values() for counts in result.counts.values())
    texts = [text for _, text in documents.read_all(units, config)]
    assert n_tokens == sum(len(text.encode()) + 1 for text in texts)


def test_progress_in_megabytes_adds_up():
    advanced = []
    tick = encoding._in_megabytes(advanced.append)
    for _ in range(10):
        tick(350_000)
    assert sum(advanced) == round(3.5)
    assert max(advanced) == 1
