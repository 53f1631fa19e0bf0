"""Records of what was written to a corpus directory, one for each unit of work; only files they list are ours.

shards/00003.json is written before any shard of unit 3, names each shard before that is written, and in the end says
what they hold. So whatever breaks off, the next start knows its own files, and touches no other.
"""

import glob
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, TypedDict

from ie_scaling.corpus import manifest
from ie_scaling.corpus.manifest import MANIFEST, Manifest, UnitSplit
from ie_scaling.corpus.splits import SPLITS
from ie_scaling.errors import InputError
from ie_scaling.running import files

FOLDER = "shards"
FORMAT = "ie_scaling corpus unit"
_SHARD = re.compile(r"shards/(train|validation)-\d{5}-\d{3,}\.npy")
_RECORD = re.compile(r"\d{5,}\.json")


class UnitResult(TypedDict):
    """What became of a unit: counts of what was left out or replaced, its text's hash, and its part of each split."""

    notes: dict[str, int]
    text_sha256: str
    splits: dict[str, UnitSplit]


class UnitRecord:
    """The record of one unit: the files that it may write, and what became of it."""

    def __init__(self, directory: Path, index: int, key: str):
        """Take up the record of an earlier start, if there is one.

        Raises:
          InputError: a file of the record's name is not one of ours.
        """
        self._directory, self._path, self._key = directory, _path(directory, index), key
        self._files: list[str] = []
        self.result: UnitResult | None = None
        if self._path.exists() or self._path.is_symlink():
            record = _read(self._path)
            if record is None:
                raise foreign(self._path)
            self._files = record["files"]
            self.result = record["result"] if record["unit"] == key else None

    def begin(self) -> None:
        """Record that the unit is worked on."""
        self._write()

    def claim(self, name: str) -> Path:
        """The path of a file to be written, recorded as ours.

        Raises:
          InputError: there is such a file, and it is not ours.
        """
        path = self._directory / name
        if path.is_dir():
            raise foreign(path)
        if name not in self._files:
            if (path.exists() or path.is_symlink()) and name not in _listed_by_manifest(self._directory):
                raise foreign(path)
            self._files.append(name)
            self._write()
        return path

    def finish(self, result: UnitResult) -> None:
        """Record what became of the unit."""
        self.result = result
        self._write()

    def _write(self) -> None:
        value = {"format": FORMAT, "unit": self._key, "files": self._files, "result": self.result}
        files.write_json(self._path, value)


def foreign(path: Path) -> InputError:
    """The error of a file in the way."""
    return InputError(f"{path}: not written by this command and in its way; move it, or choose another directory")


def check(directory: Path, n_units: int) -> None:
    """Raise an InputError where a file in the way of these units is not ours; writes nothing."""
    for index in range(n_units):
        UnitRecord(directory, index, "")
    if (directory / MANIFEST).exists() and own_manifest(directory) is None:
        raise foreign(directory / MANIFEST)
    ours = {*written(directory), *(directory / name for name in _listed_by_manifest(directory))}
    for path in (directory / FOLDER).glob("*.npy"):
        if _SHARD.fullmatch(f"{FOLDER}/{path.name}") and (path not in ours or path.is_dir()):
            raise foreign(path)


def own_manifest(directory: Path) -> Manifest | None:
    """The manifest that a start wrote which was broken off before DONE; None where there is none, or another file."""
    try:
        own = manifest.load(directory)
    except InputError:
        return None
    shards = [shard["file"] for split in SPLITS for shard in own["splits"][split]["shards"]]
    return own if manifest.SEAL in own and all(_SHARD.fullmatch(name) for name in shards) else None


def _listed_by_manifest(directory: Path) -> set[str]:
    own = own_manifest(directory)
    return {shard["file"] for split in SPLITS for shard in own["splits"][split]["shards"]} if own else set()


def remove(directory: Path, but: Collection[str] = ()) -> None:
    """Remove the files under shards/ that are ours, but for those of these names."""
    for path in list(written(directory)):
        if path.relative_to(directory).as_posix() not in but and not path.is_dir():
            path.unlink(missing_ok=True)


def written(directory: Path) -> Iterator[Path]:
    """Every file under shards/ that the records there list, the records themselves, and their temporary files."""
    folder = directory / FOLDER
    for path in sorted(folder.glob("*.json")):
        record = _read(path) if _RECORD.fullmatch(path.name) else None
        if record is None:
            continue
        for name in (*record["files"], f"{FOLDER}/{path.name}"):
            ours = directory / name
            yield from folder.glob(f".{glob.escape(ours.name)}.*.tmp")
            yield ours


def _path(directory: Path, index: int) -> Path:
    return directory / FOLDER / f"{index:05d}.json"


def _read(path: Path) -> dict[str, Any] | None:
    """A record, or None where the file is something else."""
    try:
        record = files.read_json(path)
    except (InputError, OSError):
        return None
    if not isinstance(record, dict) or record.get("format") != FORMAT or {"unit", "files", "result"} - set(record):
        return None
    names = record["files"]
    ours = isinstance(names, list) and all(isinstance(name, str) and _SHARD.fullmatch(name) for name in names)
    return record if ours and isinstance(record["result"], dict | None) else None
