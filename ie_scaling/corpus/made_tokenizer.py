"""The tokenizer.json of an unfinished corpus, with a record of what it was trained on, so that no other is used."""

import glob
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tokenizers

from ie_scaling.corpus import documents, records, round_trip, shards, tokenizer
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.corpus.documents import Unit
from ie_scaling.errors import InputError
from ie_scaling.running import files
from ie_scaling.running.progress import say

RECORD = "tokenizer_made.json"
FORMAT = "ie_scaling tokenizer record"


def make(config: CorpusConfig, units: Sequence[Unit], directory: Path) -> None:
    """tokenizer.json, unless an earlier start has made it for the same tokens of the same text."""
    made_by = maker(config, units)
    if reusable(directory, made_by):
        return
    if config.tokenizer == "bpe":
        size = f"{config.tokenizer_bytes / 1e6:.1f} MB of text"
        say(f"tokenizer: training {config.vocab_size} byte-pair tokens on at most {size}")
    write(directory, made_by, tokenizer.make(config, sample(config, units)))


def sample(config: CorpusConfig, units: Sequence[Unit]) -> Iterator[str]:
    """The first documents of the training split that reach config.tokenizer_bytes together."""
    size = 0
    for split, text in documents.parts_of_all(units, config):
        if split == "train":
            yield text
            size += len(text.encode())
            if size >= config.tokenizer_bytes:
                return


def round_trip_of(config: CorpusConfig, units: Sequence[Unit]) -> round_trip.RoundTrip:
    """What a tokenizer that was not made here loses of the text."""
    own = tokenizer.load(Path(config.tokenizer), config.end_of_text)
    return round_trip.measure(own, sample(config, units))


def maker(config: CorpusConfig, units: Sequence[Unit]) -> str:
    """A hash of all that decides a tokenizer: how it is made, and for byte pairs the text, as it was last changed."""
    made_by: list[Any] = [config.tokenizer, config.end_of_text]
    if config.tokenizer == "bpe":
        made_by += [config.vocab_size, config.tokenizer_bytes, config.validation_fraction, repr(units)]
    elif config.tokenizer != "byte":
        made_by.append(files.sha256(Path(config.tokenizer)))
    return hashlib.sha256(json.dumps(made_by).encode()).hexdigest()


def require_own(directory: Path) -> None:
    """Raise an InputError where there is a tokenizer.json that no earlier start has made, or a record that is none."""
    path, record = directory / shards.TOKENIZER, _record(directory)
    if record is None and (directory / RECORD).exists():
        raise records.foreign(directory / RECORD)
    if not path.exists():
        return
    written = records.own_manifest(directory) or {}
    ours = {record and record["sha256"], written.get("tokenizer_sha256")}
    if not path.is_file() or files.sha256(path) not in ours:
        raise records.foreign(path)


def reusable(directory: Path, made_by: str) -> bool:
    """Whether there is a tokenizer.json that an earlier start has made in the same way.

    Raises:
      InputError: there is one that no earlier start has made.
    """
    require_own(directory)
    record = _record(directory)
    path = directory / shards.TOKENIZER
    return record is not None and record["made_by"] == made_by and is_same(path, record["sha256"])


def write(directory: Path, made_by: str, made: tokenizers.Tokenizer) -> None:
    """Write tokenizer.json and before it the record of what made it."""
    text = made.to_str()
    path = directory / shards.TOKENIZER
    path.unlink(missing_ok=True)  # `reusable` has seen that it is ours
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    files.write_json(directory / RECORD, {"format": FORMAT, "made_by": made_by, "sha256": sha256})
    files.write_text(path, text)


def forget(directory: Path) -> None:
    """Remove the record of a finished corpus, whose manifest has the hash."""
    if _record(directory) is not None:
        (directory / RECORD).unlink()


def discard(directory: Path) -> None:
    """Remove tokenizer.json and its record, where they are ours."""
    record, path = _record(directory), directory / shards.TOKENIZER
    if record is None:
        return
    if is_same(path, record["sha256"]):
        path.unlink()
    for temporary in directory.glob(f".{glob.escape(path.name)}.*.tmp"):
        temporary.unlink()
    (directory / RECORD).unlink()


def is_same(path: Path, sha256: str) -> bool:
    """Whether there is a file with this content."""
    return path.is_file() and files.sha256(path) == sha256


def _record(directory: Path) -> dict[str, Any] | None:
    """The record, or None where there is none or the file is something else."""
    try:
        record = files.read_json(directory / RECORD)
    except InputError:
        return None
    ours = isinstance(record, dict) and record.get("format") == FORMAT
    return record if ours and isinstance(record.get("sha256"), str) and "made_by" in record else None
