"""Which text is for training and which for validation: by document, or by blocks where documents are too few."""

import hashlib
import itertools
from collections.abc import Iterator

SPLITS = ("train", "validation")
N_BLOCKS = 10  # of the smaller split
SMALLEST_BLOCK, LARGEST_BLOCK = 16, 1 << 20


def split_of(name: str, validation_fraction: float) -> str:
    """The split that the hash of a document's name chooses: adding other documents never moves it."""
    return "validation" if hash_of(f"split:{name}") < validation_fraction * 2**64 else "train"


def hash_of(name: str) -> int:
    """A number of 64 bits that a name has everywhere."""
    data = name.encode("utf-8", "surrogateescape")  # a file's name need not be UTF-8
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big")


def block_length(n_characters: int, validation_fraction: float) -> int:
    """Characters of a block, so that the smaller split has about N_BLOCKS of them."""
    smaller = min(validation_fraction, 1 - validation_fraction)
    return min(max(int(n_characters * smaller / N_BLOCKS), SMALLEST_BLOCK), LARGEST_BLOCK)


def parts(name: str, text: str, validation_fraction: float, block: int) -> Iterator[tuple[str, str]]:
    """(split, text) of a document as a whole where `block` is 0, else of each run of its blocks in one split."""
    if not block:
        yield split_of(name, validation_fraction), text
        return
    blocks = enumerate(_blocks(text, block))
    for split, run in itertools.groupby(blocks, key=lambda numbered: _split_of_block(numbered[0], validation_fraction)):
        yield split, "".join(part for _, part in run)


def _split_of_block(index: int, fraction: float) -> str:
    """Validation at even distances, first in the middle of the first stretch of 1 / fraction blocks."""
    return "validation" if int((index + 1) * fraction + 0.5) > int(index * fraction + 0.5) else "train"


def _blocks(text: str, length: int) -> Iterator[str]:
    """Stretches of at least `length` characters, cut after the next line end, or where it is far after `length`."""
    start = 0
    while start < len(text):
        stop = start + length
        stop = text.find("\n", stop - 1, stop + length) + 1 or stop
        yield text[start:stop]
        start = stop
