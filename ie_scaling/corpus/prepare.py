"""From text to token arrays: gather documents, split them by a hash, train a byte-pair tokenizer, encode, write."""

import gzip
import hashlib
import json
import math
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from ie_scaling import config as config_lib
from ie_scaling import files, workdir
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.progress import Progress, say

END_OF_TEXT = "<|endoftext|>"
SPLITS = ("train", "validation")
NOT_LIBRARY = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__", "lib2to3"})

Document = tuple[str, str]


def prepare(config: CorpusConfig) -> dict[str, Any]:
    """Make the corpus in config.directory unless it is there already; returns its manifest.

    Writes tokenizer.json, train.npy, validation.npy (flat token ids, documents ended by END_OF_TEXT) and
    manifest.json (counts, hashes, unigram entropy).
    """
    directory = Path(config.directory)
    resolved = {"experiment": "prepare_data"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, resolved):
        splits = split_documents(gather(config), config.validation_fraction)
        for split in SPLITS:
            if not splits[split]:
                raise ValueError(f"text={config.text!r}: no document falls in the {split} split")
        with workdir.opened(directory, resolved):
            _write(config, splits, directory)
    return files.read_json(directory / "manifest.json")


def load_tokens(directory: Path, split: str) -> np.ndarray:
    """The token ids of one split, memory-mapped."""
    return np.load(directory / f"{split}.npy", mmap_mode="r")


def gather(config: CorpusConfig) -> list[Document]:
    """Documents as (path, text) in a fixed order, up to config.max_bytes of UTF-8.

    Bytes that are not UTF-8 are read as U+FFFD.
    """
    documents, size = [], 0
    for name, text in _read(config.text):
        size += len(text.encode())
        if documents and size > config.max_bytes:
            break
        if text:
            documents.append((name, text))
    if not documents:
        raise ValueError(f"text={config.text!r}: holds no documents")
    return documents


def _read(text: str) -> Iterator[Document]:
    if text == "stdlib":
        root = Path(sysconfig.get_paths()["stdlib"])
        yield from _read_folder(root, "*.py", lambda path: not NOT_LIBRARY.intersection(path.parts))
        return
    path = Path(text)
    if path.is_dir():
        yield from _read_folder(path, "*", lambda _: True)
    elif path.is_file() and path.name.endswith((".jsonl", ".jsonl.gz")):
        yield from _read_jsonl(path)
    else:
        raise ValueError(f'text={text!r}: must be "stdlib", a folder of text files, or a .jsonl or .jsonl.gz file')


def _read_folder(root: Path, pattern: str, keep) -> Iterator[Document]:
    """Files under `root` in the order of a hash of their path, so that a cut by size takes from everywhere."""
    paths = [path.relative_to(root) for path in root.rglob(pattern) if (root / path).is_file()]
    for path in sorted((path for path in paths if keep(path)), key=lambda path: _hash(path.as_posix())):
        yield path.as_posix(), (root / path).read_text(encoding="utf-8", errors="replace")


def _read_jsonl(path: Path) -> Iterator[Document]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", errors="replace") as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    text = json.loads(line)["text"]
                except (ValueError, TypeError, KeyError):
                    raise ValueError(f'{path}: line {number}: must be a JSON object with a "text" field') from None
                if not isinstance(text, str):
                    raise ValueError(f'{path}: line {number}: "text" must be a string')
                yield f"{path.name}:{number}", text
    except (EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: broken gzip ({error})") from None


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def split_documents(documents: list[Document], validation_fraction: float) -> dict[str, list[Document]]:
    """Each document in the split that the hash of its path chooses: adding others never moves it."""
    splits: dict[str, list[Document]] = {split: [] for split in SPLITS}
    for name, text in documents:
        chosen = _hash(f"split:{name}") < validation_fraction * 2**64
        splits["validation" if chosen else "train"].append((name, text))
    return splits


def train_tokenizer(texts: list[str], vocab_size: int) -> tokenizers.Tokenizer:
    """A byte-level BPE: every byte is in its alphabet, so no text is out of vocabulary."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def unigram_entropy(token_ids: np.ndarray, vocab_size: int) -> float:
    """Entropy in nats per token of the token frequencies: what a model that ignores context can reach at best."""
    counts = np.bincount(token_ids, minlength=vocab_size)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _write(config: CorpusConfig, splits: dict[str, list[Document]], directory: Path) -> None:
    texts = [text for _, text in splits["train"]]
    sizes = np.cumsum([len(text.encode()) for text in texts])
    sample = texts[: 1 + int(np.searchsorted(sizes, config.tokenizer_bytes))]
    say(f"tokenizer: training {config.vocab_size} byte-pair tokens on {len(sample)} documents")
    tokenizer = train_tokenizer(sample, config.vocab_size)
    if tokenizer.get_vocab_size() != config.vocab_size:
        raise ValueError(f"vocab_size={config.vocab_size}: the text yields only {tokenizer.get_vocab_size()} tokens")
    files.write_text(directory / "tokenizer.json", tokenizer.to_str())
    manifest: dict[str, Any] = {"text": config.text, "vocab_size": config.vocab_size, "splits": {}}
    for split in SPLITS:
        token_ids = _encode(tokenizer, [text for _, text in splits[split]], split)
        with files.replacing(directory / f"{split}.npy") as temporary, temporary.open("wb") as stream:
            np.save(stream, token_ids)
        n_bytes = sum(len(text.encode()) for _, text in splits[split])
        manifest["splits"][split] = {
            "n_documents": len(splits[split]),
            "n_bytes": n_bytes,
            "n_tokens": len(token_ids),
            "bytes_per_token": n_bytes / len(token_ids),
            "unigram_entropy": unigram_entropy(token_ids, config.vocab_size),
            "sha256": files.sha256(directory / f"{split}.npy"),
        }
    manifest["tokenizer_sha256"] = files.sha256(directory / "tokenizer.json")
    files.write_json(directory / "manifest.json", manifest)


def _encode(tokenizer: tokenizers.Tokenizer, texts: list[str], label: str) -> np.ndarray:
    """All documents end to end, each closed by END_OF_TEXT, in the narrowest unsigned type."""
    dtype = np.uint16 if tokenizer.get_vocab_size() <= 2**16 else np.uint32
    end = tokenizer.token_to_id(END_OF_TEXT)
    pieces = []
    with Progress(f"encode {label}", len(texts), "documents") as progress:
        for start in range(0, len(texts), 64):
            chunk = texts[start : start + 64]
            for encoding in tokenizer.encode_batch(chunk):
                pieces.append(np.asarray([*encoding.ids, end], dtype))
            progress.advance(len(chunk))
    return np.concatenate(pieces)


def describe(manifest: dict[str, Any]) -> str:
    """A line for people: how much text, and the entropy a model has to beat."""
    train, validation = (manifest["splits"][split] for split in SPLITS)
    entropy = validation["unigram_entropy"]
    return (
        f"corpus {manifest['text']}: {train['n_tokens']:,} train and {validation['n_tokens']:,} validation tokens, "
        f"{train['bytes_per_token']:.2f} bytes/token; unigram entropy {entropy:.3f} nats/token, "
        f"uniform {math.log(manifest['vocab_size']):.3f}"
    )
