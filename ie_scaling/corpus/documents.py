"""The documents of a corpus as units of work, in an order that depends on the corpus alone."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator

from ie_scaling.corpus import formats, sources, splits
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.corpus.formats import Document, Piece
from ie_scaling.corpus.sources import Sources
from ie_scaling.corpus.splits import SPLITS
from ie_scaling.corpus.utf8 import Notes, TooLarge
from ie_scaling.errors import InputError


@dataclasses.dataclass(frozen=True)
class Unit:
    """Neighboring pieces of a corpus that one worker encodes; of their documents only the first `limit`, if given.

    `block` is the length in characters of the blocks that go to one split or the other; 0 where whole documents do.
    """

    pieces: tuple[Piece, ...]
    limit: int | None = None
    block: int = 0

    @property
    def size(self) -> int:
        """About how many bytes of text it holds."""
        return sum(piece.size for piece in self.pieces)


def plan(config: CorpusConfig, text_sources: Sources | None = None) -> list[Unit]:
    """The corpus, up to config.max_bytes of UTF-8, as units of about config.shard_bytes.

    Raises:
      InputError: it cannot be read, or has too little text for two splits.
    """
    stream = _units(text_sources or sources.find(config), config)
    units = list(stream) if not config.max_bytes else _cut(stream, config)
    seen, n_characters = set(), 0
    for split, text in parts_of_all(units, config):
        seen.add(split)
        n_characters += len(text)
        if len(seen) == len(SPLITS):
            return units
    if not seen:
        raise InputError(f"text={config.text!r}: holds no documents")
    return _by_blocks(units, n_characters, config)


def read(unit: Unit, config: CorpusConfig, notes: Notes | None = None) -> Iterator[Document]:
    """The documents of a unit as (name, text), one at a time; `notes` counts what was left out or replaced."""
    documents = (document for piece in unit.pieces for document in formats.read(piece, config, notes))
    return itertools.islice(documents, unit.limit)


def read_all(units: Iterable[Unit], config: CorpusConfig) -> Iterator[Document]:
    """The documents of all units, in order."""
    return (document for unit in units for document in read(unit, config))


def parts(documents: Iterable[Document], unit: Unit, config: CorpusConfig) -> Iterator[tuple[str, str]]:
    """(split, text) of what an end token closes: a unit's documents that are not empty, or runs of their blocks."""
    for name, text in documents:
        if text:
            yield from splits.parts(name, text, config.validation_fraction, unit.block)


def parts_of_all(units: Iterable[Unit], config: CorpusConfig) -> Iterator[tuple[str, str]]:
    """(split, text) of all units, in order."""
    return (part for unit in units for part in parts(read(unit, config), unit, config))


def _by_blocks(units: list[Unit], n_characters: int, config: CorpusConfig) -> list[Unit]:
    """The same units, split by blocks: by whole documents one split would be empty."""
    block = splits.block_length(n_characters, config.validation_fraction)
    units = [dataclasses.replace(unit, block=block) for unit in units]
    if len({split for split, _ in parts_of_all(units, config)}) < len(SPLITS):
        few = f"has {n_characters:,} characters, too few for a train and a validation split"
        raise InputError(f"text={config.text!r}: {few} (validation_fraction={config.validation_fraction})")
    return units


def _cut(units: Iterable[Unit], config: CorpusConfig) -> list[Unit]:
    """The units up to the first document that would take the text above config.max_bytes; but never none."""
    whole: list[Unit] = []
    size, some = 0, False
    for unit in units:
        n_read = 0
        try:
            for _, text in read(unit, config):
                size += len((text or "").encode())
                if some and size > config.max_bytes:
                    return _with_start(whole, unit, n_read)
                some = some or bool(text)
                n_read += 1
        except TooLarge:
            if not some or config.largest_document < config.max_bytes:
                raise
            return _with_start(whole, unit, n_read)
        whole.append(unit)
    return whole


def _with_start(units: list[Unit], last: Unit, limit: int) -> list[Unit]:
    """The units and the first `limit` documents of another."""
    return [*units, dataclasses.replace(last, limit=limit)] if limit else units


def _units(text_sources: Sources, config: CorpusConfig) -> Iterator[Unit]:
    group: list[Piece] = []
    size = 0
    for source in text_sources.files:
        for piece in formats.pieces(source.path, source.name, source.kind, config):
            if group and size + piece.size > config.shard_bytes:
                yield Unit(tuple(group))
                group, size = [], 0
            group.append(piece)
            size += piece.size
    if group:
        yield Unit(tuple(group))
