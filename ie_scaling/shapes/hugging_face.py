"""The shape in a Hugging Face config.json, and how its model differs from this decoder."""

from collections.abc import Mapping
from typing import Any

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.shapes import dialects, model_class, text_decoder
from ie_scaling.shapes.fields import ALIASES, check_gate, check_layer_types, judge, shown
from ie_scaling.shapes.text_decoder import TextDecoder
from ie_scaling.shapes.values import LARGEST, count, flag, number

_ROPE_FIELDS = (
    "rope_theta",
    "rotary_emb_base",
    "rope_scaling",
    "rope_parameters",
    "partial_rotary_factor",
    "rotary_pct",
)
_ATTENTION_FIELDS = ("sliding_window", "layer_types", "attention_chunk_size", "attn_logit_softcapping", "clip_qkv")
_ATTENTION_FIELDS += ("query_pre_attn_scalar", "final_logit_softcapping")

# Heads that draft tokens for a large model may be called llama, in `architectures` too, and say no more than this.
ONE_LAYER, DRAFT_WIDTH = "one layer alone, as a draft head has, which shares or adds parts that are not counted", 1024


def read(fields: Any, source: str = "config.json") -> tuple[Architecture, tuple[str, ...]]:
    """The shape in a config and what differs, in a few words each; nothing where this decoder is the model.

    A model whose MLP has two matrices gets the SwiGLU width of as many parameters. Biases, other norms and positions,
    windows and fixed scales leave the shape as it is and are named, as are fields that are not understood and cannot
    bear on the shape. Of a model for text and images, the text decoder is read.

    Raises:
      InputError: one line with source, field, value and rule: a model_type that is not read here, a field missing or
        of the wrong kind, one that marks another kind of model or may change the shape and is not understood, a shape
        that this decoder cannot have.
    """
    try:
        if not isinstance(fields, Mapping):
            raise InputError("must hold a JSON object")
        decoder = text_decoder.find(fields)
        dialect = dialects.DIALECTS[decoder.model_type]
        model_class.check(decoder, fields.get("architectures"))
        if missing := [name for name in dialect.required if name not in decoder.fields]:
            raise InputError(f"{missing[0]} is missing; {decoder.model_type} configs must say it")
        architecture, width = _architecture(decoder.fields, dialect)
        differs = _differences(decoder.fields, dialect, architecture)
        differs += _weights({**decoder.fields, **fields})
        differs += (dialects.VISION,) if decoder.with_inputs else ()
        is_one_wide_layer = architecture.n_layers == 1 and architecture.d_model >= DRAFT_WIDTH
        differs += (ONE_LAYER,) if is_one_wide_layer else ()
        return architecture, differs + _unknown(decoder, dialect, architecture, width)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def _architecture(fields: dict[str, Any], dialect: dialects.Dialect) -> tuple[Architecture, int]:
    """The shape, and the width of the MLP as the config says it."""
    d_model, n_heads = count(fields, dialect.d_model), count(fields, dialect.n_heads)
    n_kv_heads = _n_kv_heads(fields, dialect, n_heads)
    if n_heads % n_kv_heads:
        raise InputError(f"num_key_value_heads={n_kv_heads}: must divide {dialect.n_heads}={n_heads}")
    if (not dialect.own_heads or fields.get("head_dim") is None) and d_model % n_heads:
        raise InputError(
            f"{dialect.d_model}={d_model}: must be divisible by {n_heads} heads where there is no head_dim"
        )
    if count(fields, "word_embed_proj_dim", d_model) != d_model:
        raise InputError(f"word_embed_proj_dim={fields['word_embed_proj_dim']}: must be {dialect.d_model}, {d_model}")
    width = count(fields, dialect.d_ff, 4 * d_model if dialect.d_ff in ("n_inner", "ffn_hidden_size") else None)
    return Architecture(
        d_model=d_model,
        n_layers=count(fields, dialect.n_layers),
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        d_head=count(fields, "head_dim", d_model // n_heads) if dialect.own_heads else d_model // n_heads,
        d_ff=width if dialect.gated else dialects.swiglu_width(width),
        vocab_size=count(fields, "vocab_size"),
        tied_embeddings=flag(fields, "tie_word_embeddings", dialect.tied),
        qk_norm=dialect.qk_norm,
        rope_base=_rope_base(fields, dialect),
    ), width


def _n_kv_heads(fields: dict[str, Any], dialect: dialects.Dialect, n_heads: int) -> int:
    if dialect.own_heads:
        return count(fields, "num_key_value_heads", n_heads)
    if "multi_query" not in dialect.known:
        return n_heads
    if flag(fields, "new_decoder_architecture", False):  # FalconConfig
        return count(fields, "num_kv_heads", count(fields, "n_head_kv", n_heads))
    return 1 if flag(fields, "multi_query", True) else n_heads


def _unknown(decoder: TextDecoder, dialect: dialects.Dialect, a: Architecture, width: int) -> tuple[str, ...]:
    """What transformers fills in, and the fields that nobody here understands."""
    shape = {field: getattr(a, field) for field in ALIASES if field != "width"} | {"width": width}
    read = {dialect.d_model, dialect.n_layers, dialect.n_heads, dialect.d_ff, dialect.activation[0], *dialect.known}
    read |= {*_ATTENTION_FIELDS, *model_class.READ, "tie_word_embeddings", "vocab_size", "word_embed_proj_dim"}
    read |= {name for name, *_ in dialect.flags} | {dialect.window_if or ""}
    if dialect.own_heads:
        read |= {"num_key_value_heads", "head_dim"}
    if dialect.rotary:
        read |= set(_ROPE_FIELDS)
    check_gate(decoder.fields, dialect.gated)
    unknown = judge(decoder.fields, read, shape, decoder.with_inputs)
    unknown += judge(decoder.outer, model_class.READ, shape, decoder.with_inputs)
    words = f"fields that are not understood ({', '.join(unknown[:5])}{', …' if len(unknown) > 5 else ''})"
    filled = f"fields absent here that transformers takes as {', '.join(decoder.filled)}"
    return ((filled,) if decoder.filled else ()) + ((words,) if unknown else ())


def _weights(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """How the weights are stored, where that is not as they are computed with."""
    names = ("quantization_config", "compression_config", "quantization")  # the last is MLX's
    quantization = next((fields[name] for name in names if fields.get(name)), None)
    if quantization is not None and not isinstance(quantization, Mapping):
        raise InputError(f"quantization_config={shown(quantization)}: must be an object or null")
    method = (quantization or {}).get("quant_method", "unnamed")
    if method == "bitnet" or fields.get("weight_bits") == 1 or fields.get("architectures") == ["BitnetForCausalLM"]:
        return (dialects.TERNARY,)
    return (f"quantized weights ({shown(method, bare=True)})",) if quantization else ()


def _differences(fields: dict[str, Any], dialect: dialects.Dialect, a: Architecture) -> tuple[str, ...]:
    differences = list(dialect.differs)
    differences += [words for name, default, odd, words in dialect.flags if flag(fields, name, default) == odd]
    name, default = dialect.activation
    activation = default if fields.get(name) is None else fields[name]
    if not isinstance(activation, str) or not activation.isidentifier():
        raise InputError(f"{name}={shown(activation)}: must be the name of an activation")
    if not dialect.gated or activation not in ("silu", "swish"):
        differences.append(dialects.other_mlp(dialect.gated, activation))
    differences += _rotary_differences(fields, dialect) + _window_differences(fields, dialect, a.n_layers)
    if any(number(fields, (f"{part}_logit_softcapping",), 0, 0, LARGEST) for part in ("attn", "final")):
        differences.append(dialects.SOFTCAPS)
    scale = number(fields, ("query_pre_attn_scalar",), a.d_head, 0, LARGEST)
    if scale != a.d_head:
        differences.append(f"attention scaled by 1/√{scale:g}")
    if number(fields, ("clip_qkv",), 0, 0, LARGEST):
        differences.append("clipped queries, keys and values")
    return tuple(differences)


def _rotary_differences(fields: dict[str, Any], dialect: dialects.Dialect) -> list[str]:
    if not dialect.rotary:
        return []
    differences, rope = [], _rope(fields)
    share = number(fields | rope, ("partial_rotary_factor", "rotary_pct"), dialect.rotary_share, 0, 1)
    if share != 1:
        differences.append(dialects.partial_rotary(share))
    kind = rope.get("rope_type", rope.get("type"))
    if kind is not None and not isinstance(kind, str):
        raise InputError(f"rope_type={shown(kind)}: must be a name")
    if kind not in (None, "default", "mrope"):
        differences.append(dialects.RESCALED_ROTARY)
    if "mrope_section" in rope:
        differences.append(dialects.THREE_PART_ROTARY)
    if rope.get("llama_4_scaling_beta"):
        differences.append(dialects.POSITION_SCALE)
    return differences


def _window_differences(fields: dict[str, Any], dialect: dialects.Dialect, n_layers: int) -> list[str]:
    """Attention to a part of the past, by sliding_window, layer_types and attention_chunk_size."""
    some, differences = dialect.window_in == "some", []
    types = fields.get("layer_types")
    if dialect.known and "no_rope_layers" in dialect.known and isinstance(types, list):
        types = ["sliding_attention" if kind == "chunked_attention" else kind for kind in types]  # Llama 4 names chunks
    slides = None if types is None else check_layer_types(types, n_layers)
    if slides is not False and (window := _window(fields, dialect)):
        differences.append(dialects.sliding_window(window, some or slides is True))
    elif slides:
        differences.append("sliding or chunked attention in some layers")
    if fields.get("attention_chunk_size") is not None:
        differences.append(f"attention in chunks of {count(fields, 'attention_chunk_size'):,} tokens in some layers")
    return differences


def _rope(fields: dict[str, Any]) -> dict[str, Any]:
    """rope_scaling or rope_parameters; of a nested one, the part for layers of full attention."""
    for name in ("rope_scaling", "rope_parameters"):
        rope = fields.get(name)
        if isinstance(rope, Mapping) and "full_attention" in rope:
            rope = rope["full_attention"]
        if rope is not None and not isinstance(rope, Mapping):
            raise InputError(f"{name}={shown(rope)}: must be an object or null")
        if rope:
            return dict(rope)
    return {}


def _rope_base(fields: dict[str, Any], dialect: dialects.Dialect) -> float:
    if not dialect.rotary:
        return dialect.rope_base
    given = fields | _rope(fields)  # as in transformers, rope_parameters come first
    return number(given, ("rope_theta", "rotary_emb_base"), dialect.rope_base, 1, 1e12)


def _window(fields: dict[str, Any], dialect: dialects.Dialect) -> int | None:
    """The sliding window, where the model has one and it is shorter than the longest context."""
    if dialect.window_if and not flag(fields, dialect.window_if, False):
        return None
    if fields.get("sliding_window", dialect.window) is None:
        return None
    window = count(fields, "sliding_window", dialect.window)
    return window if window < count(fields, "max_position_embeddings", LARGEST) else None
