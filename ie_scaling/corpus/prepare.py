"""From text to token shards: plan the units of work, make the tokenizer, encode in parallel, write the manifest."""

import functools
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ie_scaling import config as config_lib
from ie_scaling import files, workdir
from ie_scaling.corpus import documents, pool, shards
from ie_scaling.corpus import tokenizer as tokenizer_lib
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.corpus.documents import SPLITS, Unit
from ie_scaling.progress import Progress, say

MANIFEST = "manifest.json"
NOT_IDENTITY = ("directory", "n_workers")  # fields that change nothing in what is written


def prepare(config: CorpusConfig) -> dict[str, Any]:
    """Make the corpus in config.directory unless it is there already; returns its manifest.

    Writes tokenizer.json, shards/ (flat token ids, documents closed by the end token) and manifest.json (counts,
    hashes, unigram entropy). The same whatever config.n_workers. Interrupted, it goes on from the units that are done.

    Raises:
      ValueError: bad input, in one line; then nothing of it is left on disk.
    """
    directory = Path(config.directory)
    fields = {name: value for name, value in config_lib.to_plain(config).items() if name not in NOT_IDENTITY}
    resolved = {"experiment": "prepare_data"} | fields
    if not workdir.is_done(directory, resolved):
        units = documents.plan(config)
        made_here = not directory.exists()
        with workdir.opened(directory, resolved):
            try:
                _write(config, units, directory)
            except ValueError:
                _discard(directory, made_here)
                raise
    return files.read_json(directory / MANIFEST)


def describe(manifest: Mapping[str, Any]) -> str:
    """A line for people: how much text, and the entropy a model has to beat."""
    train, validation = (manifest["splits"][split] for split in SPLITS)
    entropy = validation["unigram_entropy"]
    skipped = f"; {manifest['n_skipped']:,} documents skipped (invalid UTF-8)" if manifest["n_skipped"] else ""
    return (
        f"corpus {manifest['text']}: {train['n_tokens']:,} train and {validation['n_tokens']:,} validation tokens, "
        f"{train['bytes_per_token']:.2f} bytes/token; unigram entropy {entropy:.3f} nats/token, "
        f"uniform {math.log(manifest['vocab_size']):.3f}{skipped}"
    )


def estimate_bytes(config: CorpusConfig) -> int:
    """About how much text there is to encode."""
    size = sum(unit.size for unit in documents.plan(config))
    return min(size, config.max_bytes or size)


def entropy(counts: np.ndarray) -> float:
    """Entropy in nats per token of the token frequencies: what a model that ignores context can reach at best."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _write(config: CorpusConfig, units: Sequence[Unit], directory: Path) -> None:
    _make_tokenizer(config, units, directory)
    encoded: dict[int, shards.Encoded] = {}
    counts: dict[str, np.ndarray] = {}
    for index, result in _encode(config, units, directory):
        for split in SPLITS:
            counts[split] = counts.get(split, 0) + result.counts[split]
        encoded[index] = shards.Encoded(result.record, {})
    records = [encoded[index].record for index in range(len(units))]
    manifest = _manifest(config, records, counts, directory)
    files.write_json(directory / MANIFEST, manifest)
    _tidy(directory, manifest)


def _make_tokenizer(config: CorpusConfig, units: Sequence[Unit], directory: Path) -> None:
    """tokenizer.json, unless an earlier start has made it."""
    if (directory / shards.TOKENIZER).exists():
        return
    if config.tokenizer == "bpe":
        size = f"{config.tokenizer_bytes / 1e6:.1f} MB of text"
        say(f"tokenizer: training {config.vocab_size} byte-pair tokens on at most {size}")
    tokenizer = tokenizer_lib.make(config, _sample(config, units))
    files.write_text(directory / shards.TOKENIZER, tokenizer.to_str())


def _sample(config: CorpusConfig, units: Sequence[Unit]) -> Iterator[str]:
    """The first documents of the training split that reach config.tokenizer_bytes together."""
    size = 0
    for name, text in documents.read_all(units, config):
        if text and documents.split_of(name, config.validation_fraction) == "train":
            yield text
            size += len(text.encode())
            if size >= config.tokenizer_bytes:
                return


def _encode(config: CorpusConfig, units: Sequence[Unit], directory: Path) -> Iterator[tuple[int, shards.Encoded]]:
    """Each unit's number and what became of it: here where one process is enough, else in several."""
    tokenizer_sha256 = files.sha256(directory / shards.TOKENIZER)
    encode = functools.partial(
        shards.encode_unit, config=config, directory=directory, tokenizer_sha256=tokenizer_sha256
    )
    n_workers = config.n_workers or pool.n_cores()
    size = sum(unit.size for unit in units)
    total = min(size, config.max_bytes or size)
    with Progress("encode", round(total / 1e6), "MB") as progress:
        tick = _in_megabytes(progress.advance)
        if min(n_workers, len(units)) == 1:
            with pool.tokenizer_threads(n_workers > 1):
                for index, unit in enumerate(units):
                    yield index, encode((index, unit), tick=tick)
            return
        for index, result in pool.unordered_map(encode, list(enumerate(units)), min(n_workers, len(units))):
            tick(sum(result.record["splits"][split]["n_bytes"] for split in SPLITS))
            yield index, result


def _in_megabytes(advance: Callable[[int], None]) -> Callable[[int], None]:
    """Counts bytes and passes them on as megabytes."""
    done = 0

    def tick(n_bytes: int) -> None:
        nonlocal done
        advance(round((done + n_bytes) / 1e6) - round(done / 1e6))
        done += n_bytes

    return tick


def _manifest(
    config: CorpusConfig, records: Sequence[Mapping[str, Any]], counts: Mapping[str, np.ndarray], directory: Path
) -> dict[str, Any]:
    tokenizer = tokenizer_lib.load(directory / shards.TOKENIZER, config.end_of_text)
    return {
        "text": config.text,
        "tokenizer": config.tokenizer,
        "vocab_size": tokenizer_lib.vocab_size(tokenizer),
        "end_of_text": config.end_of_text,
        "end_of_text_id": tokenizer.token_to_id(config.end_of_text),
        "tokenizer_sha256": files.sha256(directory / shards.TOKENIZER),
        "n_skipped": sum(record["n_skipped"] for record in records),
        "splits": {split: _split(split, records, counts[split]) for split in SPLITS},
    }


def _split(split: str, records: Sequence[Mapping[str, Any]], counts: np.ndarray) -> dict[str, Any]:
    parts = [record["splits"][split] for record in records]
    n_bytes, n_tokens = sum(part["n_bytes"] for part in parts), int(counts.sum())
    return {
        "n_documents": sum(part["n_documents"] for part in parts),
        "n_bytes": n_bytes,
        "n_tokens": n_tokens,
        "bytes_per_token": n_bytes / n_tokens,
        "unigram_entropy": entropy(counts),
        "shards": [shard for part in parts for shard in part["shards"]],
    }


def _tidy(directory: Path, manifest: Mapping[str, Any]) -> None:
    """Take away what served the work only, and what a broken-off start has left."""
    listed = {shard["file"] for split in SPLITS for shard in manifest["splits"][split]["shards"]}
    for path in (directory / shards.FOLDER).iterdir():
        if f"{shards.FOLDER}/{path.name}" not in listed:
            path.unlink()


def _discard(directory: Path, made_here: bool) -> None:
    """Take away all that preparing has written."""
    if made_here:
        shutil.rmtree(directory)
        return
    shutil.rmtree(directory / shards.FOLDER, ignore_errors=True)
    for name in (shards.TOKENIZER, MANIFEST, "config.json", "environment.json"):
        (directory / name).unlink(missing_ok=True)
