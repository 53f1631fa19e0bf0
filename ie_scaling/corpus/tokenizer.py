"""Tokenizers: byte-pair trained here, bytes, or any tokenizer.json; all saved as a tokenizer.json."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.errors import InputError

LARGEST_VOCABULARY = 1 << 24


def make(config: CorpusConfig, texts: Iterable[str]) -> tokenizers.Tokenizer:
    """The tokenizer of `config`; `texts` is what a byte-pair one is trained on.

    Raises:
      InputError: too little text for the vocabulary, or a tokenizer.json that is broken or lacks the end token.
    """
    if config.tokenizer == "byte":
        return byte_level(config.end_of_text)
    if config.tokenizer != "bpe":
        return load(Path(config.tokenizer), config.end_of_text)
    tokenizer = train(texts, config.vocab_size, config.end_of_text)
    if tokenizer.get_vocab_size() != config.vocab_size:
        raise InputError(f"vocab_size={config.vocab_size}: the text yields only {tokenizer.get_vocab_size()} tokens")
    return tokenizer


def train(texts: Iterable[str], vocab_size: int, end_of_text: str) -> tokenizers.Tokenizer:
    """A byte-level BPE: every byte is in its alphabet, so no text is out of vocabulary."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[end_of_text],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def byte_level(end_of_text: str) -> tokenizers.Tokenizer:
    """One token a byte, of that byte's value, and the end as token 256: a byte-level BPE without a single merge."""
    vocabulary = {character: byte for byte, character in enumerate(_byte_characters())}
    tokenizer = tokenizers.Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([end_of_text])
    return tokenizer


def load(path: Path, end_of_text: str) -> tokenizers.Tokenizer:
    """A tokenizer.json, set to encode all of a text and nothing else: what spells a special token is text too."""
    if not path.is_file():
        raise InputError(f"tokenizer={str(path)!r}: no such file")
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except BaseException as error:  # the library raises bare Exception, and panics are no Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise InputError(f"{path}: not a tokenizer.json ({' '.join(str(error).split())[:200]})") from None
    if tokenizer.token_to_id(end_of_text) is None:
        raise InputError(f"end_of_text={end_of_text!r}: must be a token of {path}")
    if vocab_size(tokenizer) > LARGEST_VOCABULARY:
        largest = vocab_size(tokenizer) - 1
        raise InputError(f"{path}: its largest token id is {largest}, must be below {LARGEST_VOCABULARY}")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


def vocab_size(tokenizer: tokenizers.Tokenizer) -> int:
    """One more than the largest id: vocabularies may have holes."""
    return 1 + max(tokenizer.get_vocab(with_added_tokens=True).values())


def narrowest(size: int) -> np.dtype:
    """The unsigned type that holds token ids below `size`."""
    return np.dtype(np.uint16 if size <= 2**16 else np.uint32)


def encoder(tokenizer: tokenizers.Tokenizer, config: CorpusConfig) -> Callable[[Sequence[str]], list[np.ndarray]]:
    """A function from documents to their token ids, each closed by the end token."""
    dtype = narrowest(vocab_size(tokenizer))
    end = tokenizer.token_to_id(config.end_of_text)

    def encode(texts: Sequence[str]) -> list[np.ndarray]:
        encodings = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.append(np.asarray(encoding.ids, dtype), dtype.type(end)) for encoding in encodings]

    def encode_bytes(texts: Sequence[str]) -> list[np.ndarray]:
        return [np.append(np.frombuffer(text.encode(), np.uint8), dtype.type(end)) for text in texts]

    return encode_bytes if config.tokenizer == "byte" else encode


def _byte_characters() -> list[str]:
    """The printable character that byte-level tokenizers write for each byte: itself, or the next from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (byte for byte in range(256) if byte not in printable)
    stand_in = {byte: 0x100 + index for index, byte in enumerate(others)}
    return [chr(stand_in.get(byte, byte)) for byte in range(256)]
