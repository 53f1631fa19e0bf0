"""Architecture: the shape of one decoder-only transformer, frozen and validated."""

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

_NAME = re.compile(
    r"d(?P<d_model>\d+)-n(?P<n_layers>\d+)-h(?P<n_heads>\d+)-k(?P<n_kv_heads>\d+)-c(?P<d_head>\d+)"
    r"-f(?P<d_ff>\d+)-v(?P<vocab_size>\d+)(?P<tied>-tied)?(?P<qk_norm>-qknorm)?(?:-rope(?P<rope_base>[0-9.e+]+))?"
)
DEFAULT_ROPE_BASE = 10_000.0


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class Architecture:
    """One decoder: pre-norm RMSNorm, rotary positions, grouped-query attention, SwiGLU, no biases.

    `d_head` is free: n_heads·d_head need not equal d_model (Panda-1B has 72 × 64 against 2560).

    Raises:
      ValueError: naming the field, its value and the rule it breaks.
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
                raise ValueError(f"{field}={value!r}: must be an integer")
            if value < 1:
                raise ValueError(f"{field}={value}: must be at least 1")
        if self.n_heads % self.n_kv_heads:
            raise ValueError(
                f"n_heads={self.n_heads}, n_kv_heads={self.n_kv_heads}: n_heads must be divisible by n_kv_heads"
            )
        if self.d_head % 2:
            raise ValueError(f"d_head={self.d_head}: must be even (rotary embeddings turn pairs)")
        for field in ("tied_embeddings", "qk_norm"):
            if not isinstance(getattr(self, field), bool):
                raise ValueError(f"{field}={getattr(self, field)!r}: must be true or false")
        base = self.rope_base
        if isinstance(base, bool) or not isinstance(base, int | float) or not math.isfinite(base) or base <= 1:
            raise ValueError(f"rope_base={base!r}: must be a finite number above 1")

    @property
    def aspect_ratio(self) -> float:
        """R = d_model / n_layers [B25]."""
        return self.d_model / self.n_layers

    @property
    def query_group(self) -> int:
        """G = n_heads / n_kv_heads: query heads that share one key-value head."""
        return self.n_heads // self.n_kv_heads

    @property
    def name(self) -> str:
        """The whole shape in one word; `Architecture.parse` reads it back."""
        tail = "-tied" * self.tied_embeddings + "-qknorm" * self.qk_norm
        if self.rope_base != DEFAULT_ROPE_BASE:
            short = f"{self.rope_base:g}"
            tail += f"-rope{short if float(short) == self.rope_base else repr(self.rope_base)}"
        return (
            f"d{self.d_model}-n{self.n_layers}-h{self.n_heads}-k{self.n_kv_heads}"
            f"-c{self.d_head}-f{self.d_ff}-v{self.vocab_size}{tail}"
        )

    @classmethod
    def parse(cls, text: str) -> "Architecture":
        """The architecture with this `name`, such as d512-n8-h8-k2-c64-f1536-v50432-qknorm."""
        match = _NAME.fullmatch(text)
        if match is None:
            raise ValueError(f"architecture {text!r}: expected a name such as d512-n8-h8-k2-c64-f1536-v50432[-tied]")
        shape = {field: int(match[field]) for field in SHAPE_FIELDS}
        base = float(match["rope_base"]) if match["rope_base"] else DEFAULT_ROPE_BASE
        return cls(**shape, tied_embeddings=bool(match["tied"]), qk_norm=bool(match["qk_norm"]), rope_base=base)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> "Architecture":
        """An architecture from a mapping of its fields; an unknown or absent one is an error that lists them."""
        valid = [field.name for field in dataclasses.fields(cls)]
        if unknown := sorted(set(fields) - set(valid)):
            raise ValueError(f"architecture field {unknown[0]!r}: unknown; valid fields are {', '.join(valid)}")
        if missing := [field for field in SHAPE_FIELDS if field not in fields]:
            raise ValueError(f"architecture field {missing[0]!r}: missing; a shape needs {', '.join(SHAPE_FIELDS)}")
        return cls(**fields)

    def to_fields(self) -> dict[str, Any]:
        """The fields as a plain dict, in declaration order."""
        return dataclasses.asdict(self)


SHAPE_FIELDS = ("d_model", "n_layers", "n_heads", "n_kv_heads", "d_head", "d_ff", "vocab_size")
