"""From text to token shards: check, plan the units, make the tokenizer, encode in parallel, write the manifest."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ie_scaling.corpus import (
    documents,
    encoding,
    made_tokenizer,
    manifest,
    records,
    shard_file,
    shards,
    sources,
    tokenizer,
)
from ie_scaling.corpus.config import NOT_IDENTITY, CorpusConfig
from ie_scaling.corpus.documents import Unit
from ie_scaling.corpus.manifest import MANIFEST, CorpusSplit, Manifest
from ie_scaling.corpus.records import UnitResult
from ie_scaling.corpus.splits import SPLITS
from ie_scaling.errors import InputError
from ie_scaling.running import diagnostic, files, workdir
from ie_scaling.running.config import to_plain
from ie_scaling.running.diagnostic import Kind
from ie_scaling.running.progress import say

CHECKED_BYTES = 2_000_000_000  # how much of a text without max_bytes `check` reads
TRAINED_BYTES = 10_000_000  # up to this, `check` trains a byte-pair tokenizer
SHORT = 12  # hexadecimal digits of a hash that a message shows


def prepare(config: CorpusConfig) -> Manifest:
    """Make the corpus in config.directory unless it is there already; returns its manifest.

    Writes tokenizer.json, shards/ (flat token ids, documents closed by the end token) and manifest.json (counts,
    hashes, unigram entropy, warnings). The same whatever config.n_workers. Interrupted, it goes on from the units that
    are done. Only files that this wrote itself are ever replaced or removed.

    Raises:
      InputError: bad input, in one line; what a first start has written until then is taken away.
    """
    directory = Path(config.directory)
    if not _is_done(config):
        text_sources, units = _checked(config)
        is_new = not (directory / "config.json").exists()
        with workdir.opened(directory, _resolved(config), inputs=config.inputs):
            try:
                _write(config, text_sources, units, directory)
            except InputError:
                if is_new:
                    _discard(directory)
                raise
    return manifest.load_sealed(directory)


def check(config: CorpusConfig) -> list[str]:
    """What preparing would warn of; writes nothing and tokenizes no more than a sample.

    Without max_bytes, the first 2 GB of the text are read; a byte-pair tokenizer is trained where that is short.

    Raises:
      InputError: whatever preparing would refuse.
    """
    if _is_done(config):
        return manifest.load_sealed(config.directory)["warnings"]
    text_sources, units = _checked(config)
    n_bytes = 0
    for _, text in () if config.max_bytes else documents.read_all(units, config):
        n_bytes += len(text or "")
        if n_bytes > CHECKED_BYTES:
            say(f"text={config.text!r}: read without an error up to {CHECKED_BYTES / 1e9:.0f} GB, and no further")
            break
    warnings = text_sources.warnings(config.text)
    if config.tokenizer not in ("bpe", "byte"):
        return [*warnings, *made_tokenizer.round_trip_of(config, units).warnings()]
    if config.tokenizer == "bpe" and config.tokenizer_bytes <= TRAINED_BYTES:
        tokenizer.make(config, made_tokenizer.sample(config, units))
    return warnings


def describe(of: Manifest) -> str:
    """A line for people: how much text, what was left out of it, and the entropy a model has to beat."""
    train, validation = (of["splits"][split] for split in SPLITS)
    n_tokens = f"{train['n_tokens']:,} train and {validation['n_tokens']:,} validation tokens"
    entropy = f"unigram entropy {validation['unigram_entropy']:.3f} nats/token"
    uniform = f"uniform {math.log(of['vocab_size']):.3f}"
    line = f"corpus {of['text']}: {n_tokens}, {train['bytes_per_token']:.2f} bytes/token; {entropy}, {uniform}"
    remarks = [line]
    if of.get("n_skipped"):
        skipped = ", ".join(f"{count:,} {reason}" for reason, count in of.get("skipped", {}).items() if count)
        remarks.append(f"{of['n_skipped']:,} documents skipped ({skipped})")
    remarks += _left_out(of.get("files", {}))
    if of.get("block"):
        remarks.append("split by blocks of the text, as documents are few")
    return "; ".join(remarks)


def _left_out(described: Mapping[str, Any]) -> list[str]:
    """A line on the files that were not read, with counts, reasons and examples; none where all were."""
    parts = described.get("left_out", [])
    named = [f"{part['n_files']:,} {part['reason']}, as {part['examples'][0]}" for part in parts]
    return [f"files left out: {', '.join(named)}"] if named else []


def estimate_bytes(config: CorpusConfig) -> int:
    """About how much text there is to encode."""
    size = sum(unit.size for unit in documents.plan(config))
    return min(size, config.max_bytes or size)


def entropy(counts: np.ndarray) -> float:
    """Entropy in nats per token of the token frequencies: what a model that ignores context can reach at best."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _resolved(config: CorpusConfig) -> dict[str, Any]:
    fields = {name: value for name, value in to_plain(config).items() if name not in NOT_IDENTITY}
    return {"experiment": "prepare_data"} | fields


def _is_done(config: CorpusConfig) -> bool:
    """Whether the corpus is there, made by this configuration of this very text.

    Raises:
      InputError: it is another's, or its shards, its tokenizer or its text have changed since.
    """
    directory = Path(config.directory)
    if not workdir.is_done(directory, _resolved(config), inputs=config.inputs):
        return False
    earlier = manifest.load_sealed(directory)
    path = directory / shards.TOKENIZER
    if not made_tokenizer.is_same(path, earlier["tokenizer_sha256"]):
        raise InputError(f"{path}: is not the tokenizer that the corpus was made with; put it back, or prepare it anew")
    for split in SPLITS:
        shard_file.verify_all(shard_file.of_split(directory, earlier, split))
    _require_same_text(config, earlier)
    return True


def _require_same_text(config: CorpusConfig, earlier: Manifest) -> None:
    """The text is read only where names, sizes or times of its files are not what they were; it may be gone."""
    if not sources.is_there(config.text):
        return
    text_sources = sources.find(config)
    if sources.stamps(text_sources) == earlier.get("text_files"):
        return
    now, before = shards.text_sha256(documents.plan(config, text_sources), config), str(earlier.get("text_sha256"))
    if now != before:
        hashes = f"sha256 {before[:SHORT]}, now {now[:SHORT]}"
        rule = f"choose another directory, or remove {config.directory} to prepare it anew"
        raise InputError(f"text={config.text!r}: is not what {config.directory} was made from ({hashes}); {rule}")


def _checked(config: CorpusConfig) -> tuple[sources.Sources, list[Unit]]:
    """The files and units of a corpus to be made; writes nothing.

    Raises:
      InputError: the directory, the tokenizer or the text cannot serve.
    """
    directory = Path(config.directory)
    workdir.check(directory, _resolved(config), inputs=config.inputs)
    if config.tokenizer not in ("bpe", "byte"):
        tokenizer.load(Path(config.tokenizer), config.end_of_text)
    text_sources = sources.find(config)
    units = documents.plan(config, text_sources)
    if (directory / "config.json").exists():
        records.check(directory, len(units))
        made_tokenizer.require_own(directory)
    return text_sources, units


def _write(config: CorpusConfig, text_sources: sources.Sources, units: Sequence[Unit], directory: Path) -> None:
    stamps = sources.stamps(text_sources)
    warnings = text_sources.warnings(config.text)
    made_tokenizer.make(config, units, directory)
    if config.tokenizer not in ("bpe", "byte"):
        warnings += made_tokenizer.round_trip_of(config, units).warnings()
    for line in (*(f"warning: {warning}" for warning in warnings), *_left_out(text_sources.describe())):
        say(line)
    encoded: dict[int, shards.Encoded] = {}
    counts: dict[str, np.ndarray] = {}
    for index, result in encoding.encode(config, units, directory):
        for split in SPLITS:
            counts[split] = counts.get(split, 0) + result.counts[split]
        encoded[index] = shards.Encoded(result.record, {})
    of_units = [encoded[index].record for index in range(len(units))]
    fields = _describe_units(config, of_units, counts, directory)
    fields |= {"files": text_sources.describe(), "text_files": stamps, "block": units[0].block}
    value = manifest.seal(fields | {"warnings": [*warnings, *_replaced(fields)]})
    files.write_json(directory / MANIFEST, value)
    diagnostic.write(directory, diagnostic.each(Kind.CORPUS, value["warnings"]))
    _tidy(directory, value)


def _describe_units(
    config: CorpusConfig, of_units: Sequence[UnitResult], counts: Mapping[str, np.ndarray], directory: Path
) -> dict[str, Any]:
    """The fields of a Manifest that the encoded units and the tokenizer give."""
    loaded = tokenizer.load(directory / shards.TOKENIZER, config.end_of_text)
    notes = sum((Counter(record["notes"]) for record in of_units), Counter())
    skipped = {"invalid UTF-8": notes["invalid UTF-8 skipped"], "null": notes["null skipped"]}
    return {
        "text": config.text,
        "text_sha256": shards.combined(record["text_sha256"] for record in of_units),
        "tokenizer": config.tokenizer,
        "vocab_size": tokenizer.vocab_size(loaded),
        "end_of_text": config.end_of_text,
        "end_of_text_id": loaded.token_to_id(config.end_of_text),
        "tokenizer_sha256": files.sha256(directory / shards.TOKENIZER),
        "n_skipped": sum(skipped.values()),
        "skipped": skipped,
        "n_replaced_characters": notes["replaced characters"],
        "splits": {split: _split(split, of_units, counts[split]) for split in SPLITS},
    }


def _split(split: str, of_units: Sequence[UnitResult], counts: np.ndarray) -> CorpusSplit:
    parts = [record["splits"][split] for record in of_units]
    n_bytes, n_tokens = sum(part["n_bytes"] for part in parts), int(counts.sum())
    return {
        "n_documents": sum(part["n_documents"] for part in parts),
        "n_bytes": n_bytes,
        "n_tokens": n_tokens,
        "bytes_per_token": n_bytes / n_tokens,
        "unigram_entropy": entropy(counts),
        "shards": [shard for part in parts for shard in part["shards"]],
    }


def _replaced(of: Mapping[str, Any]) -> list[str]:
    """A warning where characters were lost to invalid UTF-8."""
    if not of["n_replaced_characters"]:
        return []
    n_bytes = sum(of["splits"][split]["n_bytes"] for split in SPLITS)
    share = f"{of['n_replaced_characters']:,} characters of {n_bytes:,} bytes"
    return [f"text={of['text']!r}: {share} were no UTF-8 and are U+FFFD now (invalid_utf8 says what is done)"]


def _tidy(directory: Path, of: Manifest) -> None:
    """Take away what served the work only, and what a broken-off start has left."""
    records.remove(directory, {shard["file"] for split in SPLITS for shard in of["splits"][split]["shards"]})
    made_tokenizer.forget(directory)


def _discard(directory: Path) -> None:
    """Take away all that preparing has written, and nothing else."""
    records.remove(directory)
    made_tokenizer.discard(directory)
