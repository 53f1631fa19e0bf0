"""Encoding all units of a corpus into shards, in one process or several, with progress in bytes of text."""

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ie_scaling.corpus import pool, shards
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.corpus.documents import Unit
from ie_scaling.corpus.splits import SPLITS
from ie_scaling.running import files
from ie_scaling.running.progress import Progress


def encode(config: CorpusConfig, units: Sequence[Unit], directory: Path) -> Iterator[tuple[int, shards.Encoded]]:
    """Each unit's number and what became of it: here where one process is enough, else in several."""
    tokenizer_sha256 = files.sha256(directory / shards.TOKENIZER)
    encode_unit = functools.partial(
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
                    yield index, encode_unit((index, unit), tick=tick)
            return
        for index, result in pool.unordered_map(encode_unit, list(enumerate(units)), min(n_workers, len(units))):
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
