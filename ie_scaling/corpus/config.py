"""What a corpus may set, with defaults and rules (no JAX here)."""

import dataclasses
import enum

from ie_scaling.running import identity
from ie_scaling.running.config import at_least, between, one_of, positive, require

NOT_IDENTITY = ("directory", "n_workers")  # fields that change nothing in what is written
LARGEST_DOCUMENT, SMALLEST_LIMIT = 1 << 28, 1 << 20


class InvalidText(enum.StrEnum):
    """What is done with a document, a row or a file that is no text."""

    REPLACE = enum.auto()
    SKIP = enum.auto()
    ERROR = enum.auto()


@dataclasses.dataclass(frozen=True, kw_only=True)
class CorpusConfig:
    """A text corpus, its tokenizer, and where its token shards lie.

    `text` is "stdlib" (the source of the running Python's standard library), a file, or a folder of files. The kind
    of a file follows from its first bytes and its name: JSON lines or a JSON array (.json, .jsonl, .ndjson, also .gz
    and .zst), Parquet, Arrow (IPC file or stream), else UTF-8 text. All files of a folder are read, of whatever kinds;
    left out and listed are hidden ones and, beside tables, a README, a license and the metadata of a data set. A binary
    file is refused ("error") or left out and listed ("skip") by `binary_files`. Documents of a table are in its field
    `text_field`; a row where that is null is refused or left out and counted by `null_text`. A document that is not
    valid UTF-8 is read with U+FFFD for the bad bytes ("replace"; not above 10 % of its characters), left out and
    counted ("skip"), or refused ("error"). Memory is bounded: no row may be longer than `max_bytes` (1 MiB at least,
    256 MiB at most and where `max_bytes` is 0); a longer text file is read as several documents.

    Documents go to validation by a hash of their name, so that adding some never moves others. Where that leaves a
    split empty, as it does for one long file, each document is cut at line ends into blocks of about a tenth of the
    smaller split, and of every 1/validation_fraction blocks one goes to validation.

    `tokenizer` is "bpe" (trained here, of `vocab_size` tokens), "byte" (one token a byte, and the end), or the path of
    a tokenizer.json, whose token `end_of_text` closes each document. `max_bytes` of 0 means all of the text,
    `n_workers` of 0 every core; a shard holds the tokens of about `shard_bytes` of text.
    """

    text: str = "stdlib"
    directory: str = "runs/corpus"
    text_field: str = "text"
    tokenizer: str = "bpe"
    vocab_size: int = 1024
    end_of_text: str = "<|endoftext|>"
    validation_fraction: float = 0.1
    tokenizer_bytes: int = 3_000_000
    max_bytes: int = 20_000_000
    shard_bytes: int = 64_000_000
    n_workers: int = 0
    invalid_utf8: str = InvalidText.REPLACE.value
    null_text: str = InvalidText.ERROR.value
    binary_files: str = InvalidText.ERROR.value

    def __post_init__(self) -> None:
        require(bool(self.text), "text", self.text, "must name a text")
        for field in ("text_field", "end_of_text"):
            require(bool(getattr(self, field)), field, getattr(self, field), "must not be empty")
        by_path = self.tokenizer.endswith(".json")
        require(
            self.tokenizer in ("bpe", "byte") or by_path,
            "tokenizer",
            self.tokenizer,
            "must be bpe, byte or a .json path",
        )
        require(257 <= self.vocab_size <= 2**31, "vocab_size", self.vocab_size, "must be at least 257 (bytes and end)")
        between(self, 0, 1, "validation_fraction")
        positive(self, "tokenizer_bytes", "shard_bytes")
        at_least(self, 0, "max_bytes", "n_workers")
        one_of(self, "invalid_utf8", InvalidText)
        for field in ("null_text", "binary_files"):
            one_of(self, field, (InvalidText.ERROR, InvalidText.SKIP))

    @property
    def inputs(self) -> identity.Inputs:
        """What is compared by content besides the text, which the manifest knows."""
        return {} if self.tokenizer in ("bpe", "byte") else identity.named("tokenizer", [self.tokenizer])

    @property
    def largest_document(self) -> int:
        """The most bytes that one document, or one line of JSON, may have."""
        return min(max(self.max_bytes, SMALLEST_LIMIT), LARGEST_DOCUMENT) if self.max_bytes else LARGEST_DOCUMENT
