"""Shape, the sizes of decoders and the parts they make, and Architecture, the shape of one decoder, validated."""

import dataclasses
import re
import reprlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from ie_scaling.errors import InputError
from ie_scaling.parts import AttentionShape, Broadcasts, EmbeddingShape, MLPShape

DEFAULT_ROPE_BASE = 10_000.0
LARGEST = 2**31 - 1  # of any one field
MAX_DIGITS = 20
Size = TypeVar("Size", bound=Broadcasts)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Shape(Generic[Size]):
    """The sizes of one decoder as numbers, or of many as arrays that broadcast; not validated."""

    d_model: Size = dataclasses.field(metadata={"letter": "d"})
    n_layers: Size = dataclasses.field(metadata={"letter": "n"})
    n_heads: Size = dataclasses.field(metadata={"letter": "h"})
    n_kv_heads: Size = dataclasses.field(metadata={"letter": "k"})
    d_head: Size = dataclasses.field(metadata={"letter": "c"})
    d_ff: Size = dataclasses.field(metadata={"letter": "f"})
    vocab_size: Size = dataclasses.field(metadata={"letter": "v"})
    tied_embeddings: Any = False
    qk_norm: Any = False

    @classmethod
    def of(cls, architectures: "Sequence[Architecture]") -> "Shape[Any]":
        """The sizes of A architectures as float64 arrays, [A]."""
        import numpy as np  # here, as presets and names do without it

        names = [of.name for of in dataclasses.fields(Shape)]
        return Shape(**{name: np.array([getattr(a, name) for a in architectures], np.float64) for name in names})

    @classmethod
    def of_columns(cls, columns: Any) -> "Shape[Any]":
        """The sizes in the columns of a mapping or frame, which may have others; flags are false."""
        return Shape(**{name: columns[name] for name in SHAPE_FIELDS})

    @property
    def aspect_ratio(self) -> Any:
        """R = d_model / n_layers (arXiv 2501.18107)."""
        return self.d_model / self.n_layers

    @property
    def attention(self) -> AttentionShape:
        """Attention of one layer."""
        return AttentionShape(
            d_model=self.d_model,
            n_heads=self.n_heads,
            n_kv_heads=self.n_kv_heads,
            d_head=self.d_head,
            qk_norm=self.qk_norm,
        )

    @property
    def mlp(self) -> MLPShape:
        """MLP of one layer."""
        return MLPShape(d_model=self.d_model, d_ff=self.d_ff)

    @property
    def embedding(self) -> EmbeddingShape:
        """Embedding, and unembedding where untied."""
        return EmbeddingShape(d_model=self.d_model, vocab_size=self.vocab_size, matrices=2 - self.tied_embeddings)


LETTER_OF = {of.name: of.metadata["letter"] for of in dataclasses.fields(Shape) if "letter" in of.metadata}
SHAPE_FIELDS = tuple(LETTER_OF)
_NAME = re.compile(
    "-".join(f"{letter}(?P<{name}>[0-9]+)" for name, letter in LETTER_OF.items())
    + r"(?P<tied>-tied)?(?P<qk_norm>-qknorm)?(?:-rope(?P<rope_base>[0-9]+(?:\.[0-9]+)?(?:e\+?[0-9]+)?))?"
)


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class Architecture(Shape[int]):
    """One decoder: pre-norm RMSNorm, rotary positions, grouped-query attention, SwiGLU, no biases.

    `d_head` is free: n_heads·d_head need not equal d_model (Panda-1B has 72 × 64 against 2560).

    Raises:
      InputError: naming the field, its value and the rule it breaks.
    """

    d_model: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_head: int
    d_ff: int
    vocab_size: int
    tied_embeddings: bool = False
    qk_norm: bool = False
    rope_base: float = DEFAULT_ROPE_BASE

    def __post_init__(self) -> None:
        for field in SHAPE_FIELDS:
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int):
                raise InputError(f"{field}={reprlib.repr(value)}: must be an integer")
            if value < 1:
                raise InputError(f"{field}={_cut(value)}: must be at least 1")
            if value > LARGEST:
                raise InputError(f"{field}={_cut(value)}: must be at most {LARGEST}")
        if self.n_heads % self.n_kv_heads:
            raise InputError(
                f"n_heads={self.n_heads}, n_kv_heads={self.n_kv_heads}: n_heads must be divisible by n_kv_heads"
            )
        if self.d_head % 2:
            raise InputError(f"d_head={self.d_head}: must be even (rotary embeddings turn pairs)")
        for field in ("tied_embeddings", "qk_norm"):
            if not isinstance(getattr(self, field), bool):
                raise InputError(f"{field}={reprlib.repr(getattr(self, field))}: must be true or false")
        base = self.rope_base
        if isinstance(base, bool) or not isinstance(base, int | float) or not 1 < base <= sys.float_info.max:
            raise InputError(f"rope_base={_cut(base)}: must be a finite number above 1")

    @property
    def query_group(self) -> int:
        """G = n_heads / n_kv_heads, a whole number."""
        return self.n_heads // self.n_kv_heads

    @property
    def name(self) -> str:
        """The whole shape in one word; `Architecture.parse` reads it back."""
        tail = ("-tied" if self.tied_embeddings else "") + ("-qknorm" if self.qk_norm else "")
        if self.rope_base != DEFAULT_ROPE_BASE:
            short = f"{self.rope_base:g}"
            tail += f"-rope{short if float(short) == self.rope_base else repr(self.rope_base)}"
        return "-".join(f"{letter}{getattr(self, name)}" for name, letter in LETTER_OF.items()) + tail

    @staticmethod
    def is_name(text: str) -> bool:
        """Whether a text has the form of a `name`; its numbers may still break a rule."""
        return _NAME.fullmatch(text) is not None

    @classmethod
    def parse(cls, text: str) -> "Architecture":
        """The architecture with this `name`, such as d512-n8-h8-k2-c64-f1536-v50432-qknorm."""
        match = _NAME.fullmatch(text)
        if match is None:
            shown = reprlib.repr(text)
            raise InputError(f"architecture {shown}: expected a name such as d512-n8-h8-k2-c64-f1536-v50432[-tied]")
        for field in SHAPE_FIELDS:
            if len(match[field]) > MAX_DIGITS:
                raise InputError(
                    f"{field}={match[field][:8]}... of {len(match[field])} digits: must be at most {LARGEST}"
                )
        shape = {field: int(match[field]) for field in SHAPE_FIELDS}
        base = float(match["rope_base"]) if match["rope_base"] else DEFAULT_ROPE_BASE
        return cls(**shape, tied_embeddings=bool(match["tied"]), qk_norm=bool(match["qk_norm"]), rope_base=base)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> "Architecture":
        """An architecture from a mapping of its fields; an unknown or absent one is an error that lists them."""
        valid = [field.name for field in dataclasses.fields(cls)]
        if unknown := sorted(set(fields) - set(valid)):
            raise InputError(
                f"architecture field {reprlib.repr(unknown[0])}: unknown; valid fields are {', '.join(valid)}"
            )
        if missing := [field for field in SHAPE_FIELDS if field not in fields]:
            raise InputError(f"architecture field {missing[0]!r}: missing; a shape needs {', '.join(SHAPE_FIELDS)}")
        return cls(**fields)

    def to_fields(self) -> dict[str, Any]:
        """The fields as a plain dict, in declaration order."""
        return dataclasses.asdict(self)


def _cut(value: int | float) -> str:
    """A number for one line, however long it is."""
    if isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
        return f"an integer of {value.bit_length()} bits"
    return reprlib.repr(value)
