"""The token ids of one split: many memory-mapped shards read as one sequence."""

import bisect
import dataclasses
import functools
import itertools
from pathlib import Path

import numpy as np

from ie_scaling.corpus import manifest, shard_file
from ie_scaling.corpus.shard_file import ShardFile
from ie_scaling.errors import InputError

MAPPED_SHARDS = 128  # each holds a file open


@dataclasses.dataclass(frozen=True)
class TokenStore:
    """Read-only tokens of one split of a prepared corpus, shard after shard in their order.

    `ends[i]` is the number of tokens in shards 0 to i; `max_id` the largest id that occurs; `shards` holds each
    shard's path and the hash of its content.
    """

    directory: Path
    split: str
    shards: tuple[tuple[Path, str], ...] = dataclasses.field(repr=False)
    ends: tuple[int, ...] = dataclasses.field(repr=False)
    max_id: int
    vocab_size: int
    end_of_text_id: int
    tokenizer_sha256: str

    @classmethod
    def open(cls, directory: Path | str, split: str) -> "TokenStore":
        """The split "train" or "validation" of the corpus prepared in `directory`.

        Raises:
          InputError: there is no such corpus, or one of its shards is missing or not what was written.
        """
        directory, listed = Path(directory), manifest.load(directory, (split,))
        shards = shard_file.of_split(directory, listed, split)
        shard_file.verify_all(shards)
        return cls(
            directory=directory,
            split=split,
            shards=tuple((shard.path, shard.sha256) for shard in shards),
            ends=tuple(itertools.accumulate(shard.n_tokens for shard in shards)),
            max_id=max(shard.max_id for shard in shards),
            vocab_size=listed["vocab_size"],
            end_of_text_id=listed["end_of_text_id"],
            tokenizer_sha256=listed["tokenizer_sha256"],
        )

    def __len__(self) -> int:
        return self.ends[-1]

    def read(self, start: int, stop: int) -> np.ndarray:
        """Tokens start to stop (not included), in their stored type; across shards where necessary."""
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"tokens {start} to {stop}: outside the {len(self)} of {self.directory} {self.split}")
        shard = min(bisect.bisect_right(self.ends, start), len(self.shards) - 1)
        parts = []
        while True:
            begin = self.ends[shard - 1] if shard else 0
            parts.append(self._mapped(shard)[start - begin : stop - begin])
            if stop <= self.ends[shard]:
                return parts[0] if len(parts) == 1 else np.concatenate(parts)
            start, shard = self.ends[shard], shard + 1

    def require_vocabulary(self, vocab_size: int) -> None:
        """Raise an InputError if a model of this vocabulary has no embedding for some token."""
        if self.max_id >= vocab_size:
            raise InputError(
                f"architecture.vocab_size={vocab_size}: must be above the largest token id, {self.max_id}, "
                f"of {self.directory} ({self.split})"
            )

    def _mapped(self, shard: int) -> np.ndarray:
        path, sha256 = self.shards[shard]
        return _map(path, sha256, self.ends[shard] - (self.ends[shard - 1] if shard else 0), self.vocab_size)


@functools.lru_cache(maxsize=MAPPED_SHARDS)
def _map(path: Path, sha256: str, n_tokens: int, vocab_size: int) -> np.ndarray:
    """A shard, memory-mapped; the hash distinguishes corpora written to one path one after the other."""
    return ShardFile(path, n_tokens, vocab_size - 1, sha256, vocab_size).mapped()
