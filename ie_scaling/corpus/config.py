"""What a corpus may set, with defaults and rules (no JAX here)."""

import dataclasses

from ie_scaling.config import require

INVALID_UTF8 = ("replace", "skip", "error")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CorpusConfig:
    """A text corpus, its tokenizer, and where its token shards lie.

    `text` is "stdlib" (the source of the running Python's standard library), a folder (of text files, or of .jsonl,
    .jsonl.gz, .jsonl.zst and .parquet files), or one such file; documents of a table are in its field `text_field`.
    Documents go to validation by a hash of their name, so that adding some never moves others. `tokenizer` is "bpe"
    (trained here, of `vocab_size` tokens), "byte" (one token a byte, and the end), or the path of a tokenizer.json,
    whose token `end_of_text` closes each document. `max_bytes` of 0 means all of the text, `n_workers` of 0 every core;
    a shard holds the tokens of about `shard_bytes` of text. A document that is not valid UTF-8 is read with U+FFFD for
    the bad bytes ("replace"), left out and counted ("skip"), or refused ("error").
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
    invalid_utf8: str = "replace"

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
        fraction = self.validation_fraction
        require(0 < fraction < 1, "validation_fraction", fraction, "must lie between 0 and 1")
        for field in ("tokenizer_bytes", "shard_bytes"):
            require(getattr(self, field) > 0, field, getattr(self, field), "must be above zero")
        for field in ("max_bytes", "n_workers"):
            require(getattr(self, field) >= 0, field, getattr(self, field), "must not be negative")
        require(self.invalid_utf8 in INVALID_UTF8, "invalid_utf8", self.invalid_utf8, f"must be one of {INVALID_UTF8}")
