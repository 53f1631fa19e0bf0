"""Round trip of a tokenizer: a sample of the text is encoded, decoded and compared, to see how much is lost."""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable

import tokenizers
from tokenizers import decoders, pre_tokenizers

SAMPLE_BYTES = 1_000_000


@dataclasses.dataclass(frozen=True)
class RoundTrip:
    """Characters and documents of a sample, and how many of them do not come back from the tokens."""

    n_characters: int
    n_lost: int
    n_documents: int
    n_changed: int

    def warnings(self) -> list[str]:
        """A warning about a tokenizer that loses text."""
        if not self.n_characters or not self.n_changed:
            return []
        if not self.n_lost:
            what = f"changes {self.n_changed:,} of {self.n_documents:,} documents"
        else:
            share = self.n_lost / self.n_characters
            what = f"loses {max(share, 0.0001):.2%} of the characters"
        size = f"in a sample of {self.n_characters:,}"
        return [
            f"tokenizer: {what} {size} (unknown tokens, white space or case): its losses look better than they are, "
            "and are not to be compared with those of another tokenizer"
        ]


def measure(tokenizer: tokenizers.Tokenizer, texts: Iterable[str]) -> RoundTrip:
    """Encode and decode up to SAMPLE_BYTES of these texts."""
    unknown, decoder = _unknown_id(tokenizer), _decoder(tokenizer)
    n_characters = n_lost = n_documents = n_changed = n_bytes = 0
    for text in texts:
        text = text[: SAMPLE_BYTES - n_bytes]
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        known = [token for token in ids if token != unknown]
        back = decoder.decode([tokenizer.id_to_token(token) or "" for token in known])
        lost = (Counter(text) - Counter(back)).total()
        n_characters, n_lost, n_documents = n_characters + len(text), n_lost + lost, n_documents + 1
        n_changed += lost > 0 or (tokenizer.decoder is not None and back.removeprefix(" ") != text.removeprefix(" "))
        n_bytes += len(text.encode())
        if n_bytes >= SAMPLE_BYTES:
            break
    return RoundTrip(n_characters, n_lost, n_documents, n_changed)


def _unknown_id(tokenizer: tokenizers.Tokenizer) -> int | None:
    model = json.loads(tokenizer.to_str())["model"]
    if isinstance(model.get("unk_id"), int):
        return model["unk_id"]
    unknown = model.get("unk_token")
    return tokenizer.token_to_id(unknown) if isinstance(unknown, str) else None


class _Spaced:
    """Tokens with spaces between them, which is how a tokenizer without a decoder is read."""

    def decode(self, tokens: list[str]) -> str:
        return " ".join(tokens)


def _decoder(tokenizer: tokenizers.Tokenizer) -> "decoders.Decoder | _Spaced":
    if tokenizer.decoder is not None:
        return tokenizer.decoder
    return decoders.ByteLevel() if isinstance(tokenizer.pre_tokenizer, pre_tokenizers.ByteLevel) else _Spaced()
