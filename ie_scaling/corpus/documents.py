"""The documents of a corpus as units of work, in an order that depends on nothing but the corpus, and their split."""

import dataclasses
import hashlib
import itertools
import os
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from ie_scaling.corpus import formats
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.corpus.formats import Document, Piece

SPLITS = ("train", "validation")
NOT_LIBRARY = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__", "lib2to3"})


@dataclasses.dataclass(frozen=True)
class Unit:
    """Neighbouring pieces of a corpus that one worker encodes; of their documents only the first `limit`, if given."""

    pieces: tuple[Piece, ...]
    limit: int | None = None

    @property
    def size(self) -> int:
        """About how many bytes of text it holds."""
        return sum(piece.size for piece in self.pieces)


def plan(config: CorpusConfig) -> list[Unit]:
    """The corpus, up to config.max_bytes of UTF-8, as units of about config.shard_bytes.

    Raises:
      ValueError: it cannot be read, or has no document for one of the splits.
    """
    units = list(_units(config)) if not config.max_bytes else _cut(_units(config), config)
    wanted = set(SPLITS)
    for name, text in read_all(units, config):
        if text:
            wanted.discard(split_of(name, config.validation_fraction))
        if not wanted:
            return units
    if len(wanted) == len(SPLITS):
        raise ValueError(f"text={config.text!r}: holds no documents")
    raise ValueError(f"text={config.text!r}: no document falls in the {wanted.pop()} split")


def read(unit: Unit, config: CorpusConfig) -> Iterator[Document]:
    """The documents of a unit as (name, text), one at a time."""
    documents = (document for piece in unit.pieces for document in formats.read(piece, config))
    return itertools.islice(documents, unit.limit)


def read_all(units: Iterable[Unit], config: CorpusConfig) -> Iterator[Document]:
    """The documents of all units, in order."""
    return (document for unit in units for document in read(unit, config))


def split_of(name: str, validation_fraction: float) -> str:
    """The split that the hash of a document's name chooses: adding other documents never moves it."""
    return "validation" if _hash(f"split:{name}") < validation_fraction * 2**64 else "train"


def _cut(units: Iterable[Unit], config: CorpusConfig) -> list[Unit]:
    """The units up to the first document that would take the text above config.max_bytes; but never none."""
    kept: list[Unit] = []
    size, some = 0, False
    for unit in units:
        for index, (_, text) in enumerate(read(unit, config)):
            size += len((text or "").encode())
            if some and size > config.max_bytes:
                return [*kept, dataclasses.replace(unit, limit=index)] if index else kept
            some = some or bool(text)
        kept.append(unit)
    return kept


def _units(config: CorpusConfig) -> Iterator[Unit]:
    group: list[Piece] = []
    size = 0
    for path, name in _find(config.text):
        for piece in formats.pieces(path, name, config):
            if group and size + piece.size > config.shard_bytes:
                yield Unit(tuple(group))
                group, size = [], 0
            group.append(piece)
            size += piece.size
    if group:
        yield Unit(tuple(group))


def _find(text: str) -> Iterator[tuple[Path, str]]:
    """The corpus's files and their names, in the order of a hash of the name, so that a cut by size takes from all."""
    if text == "stdlib":
        root = Path(sysconfig.get_paths()["stdlib"])
        paths = [path for path in _files_under(root, NOT_LIBRARY) if path.suffix == ".py"]
    elif (root := Path(text)).is_dir():
        paths = _files_under(root)
        tables = [path for path in paths if path.name.endswith(formats.TABLE_SUFFIXES)]
        paths = tables or paths
    elif root.is_file() and root.name.endswith(formats.TABLE_SUFFIXES):
        root, paths = root.parent, [Path(root.name)]
    else:
        kinds = f"a folder, or a file ending in {', '.join(formats.TABLE_SUFFIXES)}"
        raise ValueError(f'text={text!r}: must be "stdlib", {kinds}')
    for path in sorted(paths, key=lambda path: _hash(path.as_posix())):
        yield root / path, path.as_posix()


def _files_under(root: Path, unwanted: frozenset[str] = frozenset()) -> list[Path]:
    """Paths under `root`, relative to it, without those in folders of an unwanted name."""

    def refuse(error: OSError) -> None:
        raise ValueError(f"{error.filename}: unreadable folder ({error.strerror})")

    found = []
    for folder, subfolders, names in os.walk(root, onerror=refuse):
        subfolders[:] = [name for name in subfolders if name not in unwanted]
        paths = (Path(folder, name) for name in names)
        found += [path.relative_to(root) for path in paths if path.is_file()]
    return found


def _hash(name: str) -> int:
    data = name.encode("utf-8", "surrogateescape")  # a file's name need not be UTF-8
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big")
