"""A unit of documents to shards of token ids on disk: whole or not at all, and kept over an interruption."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers

from ie_scaling import files
from ie_scaling.corpus import documents
from ie_scaling.corpus import tokenizer as tokenizer_lib
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.corpus.documents import SPLITS, Unit

FOLDER = "shards"
TOKENIZER = "tokenizer.json"
BATCH_DOCUMENTS = 64
BATCH_BYTES = 1 << 20
COUNT_BLOCK = 1 << 22

Tick = Callable[[int], None]


@dataclasses.dataclass(frozen=True)
class Encoded:
    """What became of a unit: its record for the manifest, and how often each token occurs in each split."""

    record: dict[str, Any]
    counts: dict[str, np.ndarray]


def encode_unit(
    numbered: tuple[int, Unit], config: CorpusConfig, directory: Path, tokenizer_sha256: str, tick: Tick | None = None
) -> Encoded:
    """Write the token shards of unit number `numbered[0]`, unless an earlier start has; `tick` is told bytes read.

    Memory holds one shard of each split and one batch of documents.
    """
    index, unit = numbered
    tokenizer = _tokenizer(directory / TOKENIZER, config.end_of_text, tokenizer_sha256)
    vocab_size = tokenizer_lib.vocab_size(tokenizer)
    path = directory / FOLDER / f"{index:05d}.json"
    key = hashlib.sha256(f"{unit!r}{tokenizer_sha256}".encode()).hexdigest()  # a file changed since has another stamp
    if path.exists() and (record := files.read_json(path))["unit"] == key:
        return Encoded(record, {split: _counts_of(record, split, directory, vocab_size) for split in SPLITS})
    writers = {split: _Writer(directory, f"{split}-{index:05d}", vocab_size, config.shard_bytes) for split in SPLITS}
    encode = tokenizer_lib.encoder(tokenizer, config)
    n_skipped = 0
    for batch in _batches(documents.read(unit, config)):
        n_skipped += sum(text is None for _, text in batch)
        kept = [(name, text) for name, text in batch if text]
        for (name, text), ids in zip(kept, encode([text for _, text in kept]), strict=True):
            writers[documents.split_of(name, config.validation_fraction)].add(ids, len(text.encode()))
        if tick:
            tick(sum(len(text.encode()) for _, text in kept))
    record = {"unit": key, "n_skipped": n_skipped, "splits": {split: writers[split].finish() for split in SPLITS}}
    files.write_json(path, record)
    return Encoded(record, {split: writers[split].counts for split in SPLITS})


class _Writer:
    """Collects the documents of one split and writes a numbered shard for each `shard_bytes` of text."""

    def __init__(self, directory: Path, stem: str, vocab_size: int, shard_bytes: int):
        self._directory, self._stem, self._shard_bytes = directory, stem, shard_bytes
        self._pending: list[np.ndarray] = []
        self._pending_bytes = 0
        self._record: dict[str, Any] = {"n_documents": 0, "n_bytes": 0, "shards": []}
        self.counts = np.zeros(vocab_size, np.int64)

    def add(self, ids: np.ndarray, n_bytes: int) -> None:
        self._pending.append(ids)
        self._pending_bytes += n_bytes
        self._record["n_documents"] += 1
        self._record["n_bytes"] += n_bytes
        if self._pending_bytes >= self._shard_bytes:
            self._flush()

    def finish(self) -> dict[str, Any]:
        self._flush()
        return self._record

    def _flush(self) -> None:
        if not self._pending:
            return
        ids = np.concatenate(self._pending)
        self._pending, self._pending_bytes = [], 0
        _count_into(self.counts, ids)
        name = f"{FOLDER}/{self._stem}-{len(self._record['shards']):03d}.npy"
        with files.replacing(self._directory / name) as temporary, temporary.open("wb") as stream:
            np.save(stream, ids)
        shard = {"file": name, "n_tokens": len(ids), "max_id": int(ids.max())}
        self._record["shards"].append(shard | {"sha256": files.sha256(self._directory / name)})


def _batches(stream: Iterator[documents.Document]) -> Iterator[list[documents.Document]]:
    """Documents in lists small enough for memory and large enough for the tokenizer's threads."""
    batch, size = [], 0
    for document in stream:
        batch.append(document)
        size += len(document[1] or "")
        if len(batch) == BATCH_DOCUMENTS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _count_into(counts: np.ndarray, ids: np.ndarray) -> None:
    """Add how often each token occurs; by blocks, as bincount makes a copy of eight bytes a token."""
    for start in range(0, len(ids), COUNT_BLOCK):
        counts += np.bincount(ids[start : start + COUNT_BLOCK], minlength=len(counts))


def _counts_of(record: dict[str, Any], split: str, directory: Path, vocab_size: int) -> np.ndarray:
    """The token counts of shards that are there already."""
    counts = np.zeros(vocab_size, np.int64)
    for shard in record["splits"][split]["shards"]:
        _count_into(counts, np.load(directory / shard["file"], mmap_mode="r"))
    return counts


@functools.lru_cache(maxsize=1)
def _tokenizer(path: Path, end_of_text: str, _sha256: str) -> tokenizers.Tokenizer:
    return tokenizer_lib.load(path, end_of_text)
