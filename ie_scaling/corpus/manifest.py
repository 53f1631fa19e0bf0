"""The manifest of a prepared corpus: read with every field checked, and the identity of the tokens that it lists."""

import hashlib
import json
import re
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NotRequired, TypedDict, cast

from ie_scaling.corpus.splits import SPLITS
from ie_scaling.errors import InputError
from ie_scaling.running import files

MANIFEST = "manifest.json"
SEAL = "sha256_of_the_others"  # the field with the hash of all other fields
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WAY_ON = "put the right file back, or prepare the corpus anew"


class Shard(TypedDict):
    """A file of token ids: its path in the corpus, length, largest id and hash."""

    file: str
    n_tokens: int
    max_id: int
    sha256: str


class UnitSplit(TypedDict):
    """What one unit of work put into a split."""

    n_documents: int
    n_bytes: int
    shards: list[Shard]


class CorpusSplit(UnitSplit):
    """What a split holds; `unigram_entropy` in nats per token."""

    n_tokens: int
    bytes_per_token: float
    unigram_entropy: float


class Manifest(TypedDict):
    """manifest.json; what is not required is what training has no need of, and `load` does not check."""

    tokenizer_sha256: str
    vocab_size: int
    end_of_text_id: int
    splits: dict[str, CorpusSplit]
    warnings: list[str]
    text: NotRequired[str]
    text_sha256: NotRequired[str]
    tokenizer: NotRequired[str]
    end_of_text: NotRequired[str]
    n_skipped: NotRequired[int]
    skipped: NotRequired[dict[str, int]]
    n_replaced_characters: NotRequired[int]
    files: NotRequired[dict[str, Any]]
    text_files: NotRequired[dict[str, Any]]
    block: NotRequired[int]


def load(directory: Path | str, splits: Sequence[str] = SPLITS) -> Manifest:
    """The manifest of the corpus in `directory`, with what it says of these splits checked.

    Raises:
      InputError: there is none, or it does not list token shards as one that was written here does.
    """
    path = Path(directory) / MANIFEST
    manifest = files.read_json(path)
    _require(isinstance(manifest, dict), path, "is no JSON object", manifest)
    _text(path, manifest, "tokenizer_sha256")
    vocab_size = _integer(path, manifest, "vocab_size", 1, 2**32)
    _integer(path, manifest, "end_of_text_id", 0, vocab_size - 1)
    of_splits = _field(path, manifest, "splits")
    _require(isinstance(of_splits, dict), path, "splits: is no JSON object", of_splits)
    for split in splits:
        _check_split(path, split, _field(path, of_splits, split), vocab_size)
    warnings = manifest.get("warnings", [])
    listed = isinstance(warnings, list) and all(isinstance(warning, str) for warning in warnings)
    _require(listed, path, "warnings: is no list of sentences", warnings)
    if SEAL in manifest and manifest != seal(manifest):
        raise InputError(f"{path}: is not what was written (its own SHA-256 is another); {_WAY_ON}")
    return cast(Manifest, {"warnings": []} | manifest)


def load_sealed(directory: Path | str) -> Manifest:
    """The manifest with all that preparing writes: it must carry its own hash.

    Raises:
      InputError: as `load`, or it carries none.
    """
    manifest = load(directory)
    if SEAL not in manifest:
        raise InputError(f"{Path(directory) / MANIFEST}: was not written by this version; prepare the corpus anew")
    return manifest


def seal(manifest: Mapping[str, Any]) -> Manifest:
    """The manifest with the SHA-256 of all its other fields."""
    fields = {name: value for name, value in manifest.items() if name != SEAL}
    return cast(Manifest, fields | {SEAL: hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()})


def identity(directory: Path | str) -> str:
    """A SHA-256 of what training sees of a corpus: its tokens by the hashes of their shards, and its tokenizer."""
    manifest = load(directory)
    shards = {split: [shard["sha256"] for shard in manifest["splits"][split]["shards"]] for split in SPLITS}
    seen = [manifest["tokenizer_sha256"], manifest["vocab_size"], manifest["end_of_text_id"], shards]
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def _check_split(path: Path, split: str, value: Any, vocab_size: int) -> None:
    _require(isinstance(value, dict), path, f"splits.{split}: is no JSON object", value)
    shards = _field(path, value, "shards", f"splits.{split}.")
    _require(isinstance(shards, list) and len(shards) > 0, path, f"splits.{split}.shards: lists no shard", shards)
    seen = set()
    for index, shard in enumerate(shards):
        where = f"splits.{split}.shards[{index}]"
        _require(isinstance(shard, dict), path, f"{where}: is no JSON object", shard)
        name = _text(path, shard, "file", f"{where}.")
        _require(_is_inside(name), path, f"{where}.file: must be a file inside the corpus", name)
        _require(name not in seen, path, f"{where}.file: is listed twice", name)
        seen.add(name)
        sha256 = _text(path, shard, "sha256", f"{where}.")
        _require(bool(_SHA256.fullmatch(sha256)), path, f"{where}.sha256: must be a SHA-256", sha256)
        _integer(path, shard, "n_tokens", 1, 2**62, f"{where}.")
        _integer(path, shard, "max_id", 0, vocab_size - 1, f"{where}.")


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.name) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _field(path: Path, value: Mapping[str, Any], name: str, where: str = "") -> Any:
    if name not in value:
        raise InputError(f"{path}: has no {where + name!r}; prepare the corpus anew")
    return value[name]


def _text(path: Path, value: Mapping[str, Any], name: str, where: str = "") -> str:
    field = _field(path, value, name, where)
    _require(isinstance(field, str), path, f"{where}{name}: must be a string", field)
    return field


def _integer(path: Path, value: Mapping[str, Any], name: str, least: int, most: int, where: str = "") -> int:
    field = _field(path, value, name, where)
    good = isinstance(field, int) and not isinstance(field, bool) and least <= field <= most
    _require(good, path, f"{where}{name}: must be an integer from {least} to {most}", field)
    return field


def _require(condition: bool, path: Path, rule: str, value: object) -> None:
    if not condition:
        raise InputError(f"{path}: {rule} (it is {reprlib.repr(value)}); {_WAY_ON}")
