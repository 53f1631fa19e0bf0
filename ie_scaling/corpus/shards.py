"""Writing a unit of documents as shards of token ids: atomic, and reused after an interruption."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import tokenizers

from ie_scaling.corpus import documents, tokenizer
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.corpus.documents import Unit
from ie_scaling.corpus.manifest import Shard, UnitSplit
from ie_scaling.corpus.records import FOLDER, UnitRecord, UnitResult
from ie_scaling.corpus.splits import SPLITS
from ie_scaling.corpus.utf8 import Notes
from ie_scaling.running import files

TOKENIZER = "tokenizer.json"
BATCH_DOCUMENTS = 64
BATCH_BYTES = 1 << 20
COUNT_BLOCK = 1 << 22

Tick = Callable[[int], None]


@dataclasses.dataclass(frozen=True)
class Encoded:
    """What became of a unit: its record for the manifest, and how often each token occurs in each split."""

    record: UnitResult
    counts: dict[str, np.ndarray]


def encode_unit(
    numbered: tuple[int, Unit], config: CorpusConfig, directory: Path, tokenizer_sha256: str, tick: Tick | None = None
) -> Encoded:
    """Write the token shards of unit number `numbered[0]`, unless an earlier start has; `tick` receives bytes read.

    Memory holds one shard of each split and one batch of documents.
    """
    index, unit = numbered
    loaded = _tokenizer(directory / TOKENIZER, config.end_of_text, tokenizer_sha256)
    vocab_size = tokenizer.vocab_size(loaded)
    key = hashlib.sha256(f"{unit!r}{tokenizer_sha256}".encode()).hexdigest()  # a file changed since has another stamp
    record = UnitRecord(directory, index, key)
    if record.result is not None and _are_whole(record.result, directory):
        return Encoded(
            record.result, {split: _counts_of(record.result, split, directory, vocab_size) for split in SPLITS}
        )
    record.begin()
    writers = {split: _Writer(record, f"{split}-{index:05d}", vocab_size, config.shard_bytes) for split in SPLITS}
    encode = tokenizer.encoder(loaded, config)
    notes, digest = Notes(), hashlib.sha256()
    stream = _hashed(documents.read(unit, config, notes), digest)
    for batch in _batches(documents.parts(stream, unit, config)):
        for (split, text), ids in zip(batch, encode([text for _, text in batch]), strict=True):
            writers[split].add(ids, len(text.encode()))
        if tick:
            tick(sum(len(text.encode()) for _, text in batch))
    splits_of = {split: writers[split].finish() for split in SPLITS}
    result: UnitResult = {"notes": dict(notes), "text_sha256": digest.hexdigest(), "splits": splits_of}
    record.finish(result)
    return Encoded(result, {split: writers[split].counts for split in SPLITS})


def text_sha256(units: Iterable[Unit], config: CorpusConfig) -> str:
    """The hash of a corpus's text that its manifest holds, from the text alone."""
    return combined(_digest_of(unit, config) for unit in units)


def combined(digests: Iterable[str]) -> str:
    """One hash of the hashes of all units, in order."""
    return hashlib.sha256("".join(digests).encode()).hexdigest()


class _Writer:
    """Collects the documents of one split and writes a numbered shard for each `shard_bytes` of text."""

    def __init__(self, unit_record: UnitRecord, stem: str, vocab_size: int, shard_bytes: int):
        self._unit_record, self._stem, self._shard_bytes = unit_record, stem, shard_bytes
        self._pending: list[np.ndarray] = []
        self._pending_bytes = 0
        self._record: UnitSplit = {"n_documents": 0, "n_bytes": 0, "shards": []}
        self.counts = np.zeros(vocab_size, np.int64)

    def add(self, ids: np.ndarray, n_bytes: int) -> None:
        self._pending.append(ids)
        self._pending_bytes += n_bytes
        self._record["n_documents"] += 1
        self._record["n_bytes"] += n_bytes
        if self._pending_bytes >= self._shard_bytes:
            self._flush()

    def finish(self) -> UnitSplit:
        self._flush()
        return self._record

    def _flush(self) -> None:
        if not self._pending:
            return
        ids = np.concatenate(self._pending)
        self._pending, self._pending_bytes = [], 0
        _count_into(self.counts, ids)
        name = f"{FOLDER}/{self._stem}-{len(self._record['shards']):03d}.npy"
        path = self._unit_record.claim(name)
        with files.replacing(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, ids)
        shard: Shard = {"file": name, "n_tokens": len(ids), "max_id": int(ids.max()), "sha256": files.sha256(path)}
        self._record["shards"].append(shard)


def _digest_of(unit: Unit, config: CorpusConfig) -> str:
    digest = hashlib.sha256()
    for _ in _hashed(documents.read(unit, config), digest):
        pass
    return digest.hexdigest()


def _hashed(stream: Iterable[documents.Document], digest: "hashlib._Hash") -> Iterator[documents.Document]:
    """The same documents, taken in by `digest` on their way."""
    for name, text in stream:
        data = b"" if text is None else text.encode()
        length = None if text is None else len(data)  # comes first, so that no two corpora are spelled alike
        digest.update(f"{name!a} {length}\n".encode())
        digest.update(data)
        yield name, text


def _batches(stream: Iterator[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Texts in lists small enough for memory and large enough for the tokenizer's threads."""
    batch, size = [], 0
    for part in stream:
        batch.append(part)
        size += len(part[1])
        if len(batch) == BATCH_DOCUMENTS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _are_whole(record: UnitResult, directory: Path) -> bool:
    """Whether the shards that an earlier start recorded are what it wrote."""
    shards = [shard for split in SPLITS for shard in record["splits"][split]["shards"]]
    paths = [(directory / shard["file"], shard["sha256"]) for shard in shards]
    return all(path.is_file() and files.sha256(path) == sha256 for path, sha256 in paths)


def _count_into(counts: np.ndarray, ids: np.ndarray) -> None:
    """Add how often each token occurs; by blocks, as bincount makes a copy of eight bytes a token."""
    for start in range(0, len(ids), COUNT_BLOCK):
        counts += np.bincount(ids[start : start + COUNT_BLOCK], minlength=len(counts))


def _counts_of(record: UnitResult, split: str, directory: Path, vocab_size: int) -> np.ndarray:
    """The token counts of shards that are there already."""
    counts = np.zeros(vocab_size, np.int64)
    for shard in record["splits"][split]["shards"]:
        _count_into(counts, np.load(directory / shard["file"], mmap_mode="r"))
    return counts


@functools.lru_cache(maxsize=1)
def _tokenizer(path: Path, end_of_text: str, _sha256: str) -> tokenizers.Tokenizer:
    return tokenizer.load(path, end_of_text)
