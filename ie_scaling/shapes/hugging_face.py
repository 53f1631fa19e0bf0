"""The shape in a Hugging Face config.json, and what its model has that this decoder does otherwise."""

import reprlib
from collections.abc import Mapping
from typing import Any

from ie_scaling.architecture import Architecture
from ie_scaling.shapes import dialects as hf

LARGEST = 2**31 - 1


def read(fields: Any, source: str = "config.json") -> tuple[Architecture, tuple[str, ...]]:
    """The shape in a config and what differs, in a few words each; nothing where this decoder is the model.

    A model whose MLP has two matrices gets the SwiGLU width of as many parameters. Biases, other norms and positions,
    windows and fixed scales leave the shape as it is and are named.

    Raises:
      ValueError: one line with source, field, value and rule: a model_type that is not read here, a field missing or
        of the wrong kind, a shape that this decoder cannot have.
    """
    try:
        if not isinstance(fields, Mapping):
            raise ValueError("must hold a JSON object")
        fields = dict(fields)
        model_type = fields.get("model_type")
        if not isinstance(model_type, str) or model_type not in hf.DIALECTS:
            given = "model_type is missing" if model_type is None else f"model_type={_shown(model_type)}"
            raise ValueError(f"{given}: must be one of {', '.join(hf.DIALECTS)}")
        dialect = hf.DIALECTS[model_type]
        if missing := [name for name in dialect.required if name not in fields]:
            raise ValueError(f"{missing[0]} is missing; {model_type} configs must say it")
        architecture = _architecture(fields, dialect)
        return architecture, _differences(fields, dialect, architecture.d_head)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None


def _architecture(fields: dict[str, Any], dialect: hf.Dialect) -> Architecture:
    d_model, n_heads = _count(fields, dialect.d_model), _count(fields, dialect.n_heads)
    n_kv_heads = _count(fields, "num_key_value_heads", n_heads)
    if n_heads % n_kv_heads:
        raise ValueError(f"num_key_value_heads={n_kv_heads}: must divide {dialect.n_heads}={n_heads}")
    if fields.get("head_dim") is None and d_model % n_heads:
        raise ValueError(
            f"{dialect.d_model}={d_model}: must be divisible by {n_heads} heads where there is no head_dim"
        )
    if _count(fields, "word_embed_proj_dim", d_model) != d_model:
        raise ValueError(f"word_embed_proj_dim={fields['word_embed_proj_dim']}: must be {dialect.d_model}, {d_model}")
    width = _count(fields, dialect.d_ff, 4 * d_model if dialect.d_ff == "n_inner" else None)
    return Architecture(
        d_model=d_model,
        n_layers=_count(fields, dialect.n_layers),
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        d_head=_count(fields, "head_dim", d_model // n_heads),
        d_ff=width if dialect.gated else hf.swiglu_width(width),
        vocab_size=_count(fields, "vocab_size"),
        tied_embeddings=_flag(fields, "tie_word_embeddings", dialect.tied),
        qk_norm=dialect.qk_norm,
        rope_base=_rope_base(fields, dialect),
    )


def _differences(fields: dict[str, Any], dialect: hf.Dialect, d_head: int) -> tuple[str, ...]:
    found = list(dialect.differs)
    found += [words for name, default, odd, words in dialect.flags if _flag(fields, name, default) == odd]
    name, default = dialect.activation
    activation = default if fields.get(name) is None else fields[name]
    if not isinstance(activation, str) or not activation.isidentifier():
        raise ValueError(f"{name}={_shown(activation)}: must be the name of an activation")
    if not dialect.gated or activation not in ("silu", "swish"):
        found.append(hf.other_mlp(dialect.gated, activation))
    if dialect.rotary:
        rope = _rope(fields)
        share = _number(fields | rope, ("partial_rotary_factor", "rotary_pct"), dialect.rotary_share, 0, 1)
        if share != 1:
            found.append(hf.partial_rotary(share))
        kind = rope.get("rope_type", rope.get("type"))
        if kind is not None and not isinstance(kind, str):
            raise ValueError(f"rope_type={_shown(kind)}: must be a name")
        if kind not in (None, "default"):
            found.append(hf.RESCALED_ROTARY)
    if window := _window(fields, dialect):
        found.append(hf.sliding_window(window, dialect.window_in == "some"))
    if any(_number(fields, (f"{place}_logit_softcapping",), 0, 0, LARGEST) for place in ("attn", "final")):
        found.append(hf.SOFTCAPS)
    scale = _number(fields, ("query_pre_attn_scalar",), d_head, 0, LARGEST)
    if scale != d_head:
        found.append(f"attention scaled by 1/√{scale:g}")
    if _number(fields, ("clip_qkv",), 0, 0, LARGEST):
        found.append("clipped queries, keys and values")
    return tuple(found)


def _rope(fields: dict[str, Any]) -> dict[str, Any]:
    """rope_scaling or rope_parameters; of a nested one, the part for layers of full attention."""
    for name in ("rope_scaling", "rope_parameters"):
        rope = fields.get(name)
        if isinstance(rope, Mapping) and "full_attention" in rope:
            rope = rope["full_attention"]
        if rope is not None and not isinstance(rope, Mapping):
            raise ValueError(f"{name}={_shown(rope)}: must be an object or null")
        if rope:
            return dict(rope)
    return {}


def _rope_base(fields: dict[str, Any], dialect: hf.Dialect) -> float:
    if not dialect.rotary:
        return dialect.rope_base
    given = fields | _rope(fields)  # as in transformers, rope_parameters come first
    return _number(given, ("rope_theta", "rotary_emb_base"), dialect.rope_base, 1, 1e12)


def _window(fields: dict[str, Any], dialect: hf.Dialect) -> int | None:
    """The sliding window, where the model has one and it is shorter than the longest context."""
    if dialect.window_if and not _flag(fields, dialect.window_if, False):
        return None
    if fields.get("sliding_window", dialect.window) is None:
        return None
    window = _count(fields, "sliding_window", dialect.window)
    return window if window < _count(fields, "max_position_embeddings", LARGEST) else None


def _count(fields: dict[str, Any], name: str, default: int | None = None) -> int:
    value = fields.get(name)
    if value is None and default is not None:
        return default
    if name not in fields:
        raise ValueError(f"{name} is missing")
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST:
        raise ValueError(f"{name}={_shown(value)}: must be an integer from 1 to {LARGEST}")
    return value


def _flag(fields: dict[str, Any], name: str, default: bool) -> bool:
    value = fields.get(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"{name}={_shown(value)}: must be true or false")
    return value


def _number(fields: dict[str, Any], names: tuple[str, ...], default: float, low: float, high: float) -> float:
    """The first of `names` that is given, above `low` and at most `high`."""
    for name in names:
        if (value := fields.get(name)) is not None:
            if isinstance(value, bool) or not isinstance(value, int | float) or not low < value <= high:
                raise ValueError(f"{name}={_shown(value)}: must be a number above {low:g} and at most {high:g}")
            return float(value)
    return default


def _shown(value: Any) -> str:
    """A value for one line: a long or nested one cut short."""
    text = reprlib.repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
