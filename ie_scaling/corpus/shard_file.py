"""One shard of token ids on disk: memory-mapped, and checked against the manifest."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np

from ie_scaling.corpus import kinds
from ie_scaling.corpus.manifest import Manifest
from ie_scaling.errors import InputError
from ie_scaling.running.progress import Progress

BLOCK_TOKENS = 1 << 21
SAID_BYTES = 1 << 31  # above this, comparing takes long enough to be shown
_WAY_ON = "put the right file back, or prepare the corpus anew"
_verified: dict[tuple, str] = {}  # (path, size, time of change) of each shard compared by this process -> its hash


@dataclasses.dataclass(frozen=True)
class ShardFile:
    """A shard as the manifest has it; `vocab_size` is that of the tokenizer."""

    path: Path
    n_tokens: int
    max_id: int
    sha256: str
    vocab_size: int

    def mapped(self) -> np.ndarray:
        """Its token ids, mapped read-only.

        Raises:
          InputError: it is not there, or no array of this many token ids.
        """
        ids = self._array()
        what = f"{ids.dtype} of shape {ids.shape}"
        if ids.ndim != 1 or ids.dtype not in (np.dtype(np.uint16), np.dtype(np.uint32)):
            raise self._error(f"holds {what}, must be uint16 or uint32 in one row")
        if len(ids) != self.n_tokens:
            raise self._error(f"holds {len(ids)} tokens, must hold the manifest's {self.n_tokens}")
        size = ids.offset + ids.nbytes
        if size != self.path.stat().st_size:
            raise self._error(f"has {self.path.stat().st_size} bytes, must have {size}")
        return ids.view(np.ndarray)  # as a memmap, each slice would cost more than its reading

    def verify(self) -> None:
        """Compare content and largest id with the manifest, once in a process as long as the file does not change.

        Raises:
          InputError: they differ.
        """
        ids = self.mapped()
        stat = self.path.stat()
        key = (str(self.path), stat.st_size, stat.st_mtime_ns)
        if _verified.get(key) == self.sha256:
            return
        largest = self._largest_id(ids)
        if largest >= self.vocab_size:
            raise self._error(f"holds token id {largest}, beyond the vocabulary of {self.vocab_size}")
        with kinds.naming(self.path, "unreadable file"), self.path.open("rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
        if actual != self.sha256:
            raise self._error(f"is not what was written (sha256 {actual[:12]}, the manifest's is {self.sha256[:12]})")
        if largest != self.max_id:
            raise self._error(f"has the largest token id {largest}, must have the manifest's {self.max_id}")
        _verified[key] = self.sha256

    def _array(self) -> np.memmap:
        if not self.path.is_file():
            raise self._error("no such file, though the manifest lists it")
        try:
            return np.lib.format.open_memmap(self.path, mode="r")
        except Exception as error:  # what a broken header raises is of many classes
            raise self._error(f"no NumPy array ({' '.join(str(error).split())[:120]})") from None

    def _largest_id(self, ids: np.ndarray) -> int:
        return max(int(ids[start : start + BLOCK_TOKENS].max()) for start in range(0, len(ids), BLOCK_TOKENS))

    def _error(self, reason: str) -> InputError:
        return InputError(f"{self.path}: {reason}; {_WAY_ON}")


def of_split(directory: Path, manifest: Manifest, split: str) -> list[ShardFile]:
    """The shards of a split as a checked manifest lists them."""
    return [
        ShardFile(
            directory / shard["file"], shard["n_tokens"], shard["max_id"], shard["sha256"], manifest["vocab_size"]
        )
        for shard in manifest["splits"][split]["shards"]
    ]


def verify_all(shards: list[ShardFile]) -> None:
    """Verify every shard: one to three seconds for a gigabyte on one core, shown where it is long.

    Raises:
      InputError: of the first that is not what was written.
    """
    size = sum(shard.n_tokens * (2 if shard.vocab_size <= 2**16 else 4) for shard in shards)
    if size < SAID_BYTES:
        for shard in shards:
            shard.verify()
        return
    with Progress("verify shards", len(shards), "shards") as progress:
        for shard in shards:
            shard.verify()
            progress.advance()
