"""The text decoder that a config describes: the config itself, or a part of one for text and images."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ie_scaling.errors import InputError
from ie_scaling.shapes import dialects
from ie_scaling.shapes.fields import shown


@dataclasses.dataclass(frozen=True)
class TextDecoder:
    """A decoder's fields and the key of their dialect; `outer` are the other fields of a nested config.

    `classes` are the names that its `architectures` may have, `filled` what transformers adds to absent fields.
    """

    fields: dict[str, Any]
    model_type: str
    classes: tuple[str, ...]
    outer: dict[str, Any] = dataclasses.field(default_factory=dict)
    filled: tuple[str, ...] = ()
    with_inputs: bool = False


@dataclasses.dataclass(frozen=True)
class _Composite:
    """A model_type for text and images: its class, the model_types of its text_config, the dialect of a flat one."""

    name: str
    texts: tuple[str, ...]
    flat: str | None = None


# Configuration classes of transformers 5.23 that hold a text_config (those of Qwen-VL were flat until 4.52).
COMPOSITES = {
    "gemma3": _Composite("Gemma3ForConditionalGeneration", ("gemma3_text",)),
    "mistral3": _Composite("Mistral3ForConditionalGeneration", ("mistral", "ministral3")),
    "qwen2_vl": _Composite("Qwen2VLForConditionalGeneration", ("qwen2_vl_text",), "qwen2"),
    "qwen2_5_vl": _Composite("Qwen2_5_VLForConditionalGeneration", ("qwen2_5_vl_text",), "qwen2"),
    "qwen3_vl": _Composite("Qwen3VLForConditionalGeneration", ("qwen3_vl_text",)),
    "llama4": _Composite("Llama4ForConditionalGeneration", ("llama4_text",)),
    "llava": _Composite("LlavaForConditionalGeneration", ("llama", "mistral")),
    "llava_next": _Composite("LlavaNextForConditionalGeneration", ("llama", "mistral")),
    "llava_onevision": _Composite("LlavaOnevisionForConditionalGeneration", ("qwen2",)),
}
_ALIASES = {"qwen2_vl_text": "qwen2", "qwen2_5_vl_text": "qwen2", "qwen3_vl_text": "qwen3"}
MODEL_TYPES = (*dialects.DIALECTS, *COMPOSITES)

# A nested config leaves out what equals the defaults of its class in transformers.
_LLAMA_7B = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "vocab_size": 32000}
_DEFAULTS = {
    "gemma3_text": {"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 262_208},
    "llama": _LLAMA_7B | {"intermediate_size": 11008},
    "mistral": _LLAMA_7B | {"intermediate_size": 14336, "num_key_value_heads": 8},
}


def find(fields: Mapping[str, Any]) -> TextDecoder:
    """The decoder that these fields describe.

    Raises:
      InputError: a model_type that is not read here, no text_config where there must be one, or one of another kind.
    """
    model_type = fields.get("model_type")
    if isinstance(model_type, str) and model_type in dialects.DIALECTS:
        return _dense_llama4(TextDecoder(dict(fields), model_type, dialects.DIALECTS[model_type].classes))
    if not isinstance(model_type, str) or model_type not in COMPOSITES:
        given = "model_type is missing" if model_type is None else f"model_type={shown(model_type)}"
        raise InputError(f"{given}: must be one of {', '.join(MODEL_TYPES)}")
    composite = COMPOSITES[model_type]
    if composite.flat and "text_config" not in fields:
        inner = {name: value for name, value in fields.items() if name != "vision_config"}
        return TextDecoder(inner, composite.flat, (composite.name,), with_inputs=True)
    return _dense_llama4(_nested(fields, model_type, composite))


def _nested(fields: Mapping[str, Any], model_type: str, composite: _Composite) -> TextDecoder:
    text = fields.get("text_config")
    if not isinstance(text, Mapping):
        raise InputError(
            f"text_config={shown(text)}: must be an object that describes the text decoder of {model_type}"
        )
    inner_type = text.get("model_type", composite.texts[0])
    if not isinstance(inner_type, str) or inner_type not in composite.texts:
        raise InputError(
            f"text_config.model_type={shown(inner_type)}: must be one of {', '.join(composite.texts)} in {model_type}"
        )
    outer = {name: value for name, value in fields.items() if name not in ("text_config", "vision_config")}
    dialect = _ALIASES.get(inner_type, inner_type)
    defaults = {name: value for name, value in _DEFAULTS.get(dialect, {}).items() if text.get(name) is None}
    inner = {**text, **defaults, **_tying(text, outer)}
    inner = {name: value for name, value in inner.items() if name != "is_decoder" or value is not False}
    classes = (composite.name, composite.name.replace("ForConditionalGeneration", "TextModel"))
    filled = tuple(f"{name}={value}" for name, value in defaults.items())
    return TextDecoder(inner, dialect, (*dialects.DIALECTS[dialect].classes, *classes), outer, filled, with_inputs=True)


def _tying(text: Mapping[str, Any], outer: dict[str, Any]) -> dict[str, Any]:
    """tie_word_embeddings, which stands within, without, or in both places alike."""
    inside, outside = text.get("tie_word_embeddings"), outer.pop("tie_word_embeddings", None)
    if inside is not None and outside is not None and inside is not outside:
        raise InputError(
            f"tie_word_embeddings={shown(outside)}: contradicts text_config.tie_word_embeddings={shown(inside)}"
        )
    return {} if outside is None else {"tie_word_embeddings": outside}


def _dense_llama4(decoder: TextDecoder) -> TextDecoder:
    """A Llama 4 without its fields on experts, where none of its layers has any."""
    fields = decoder.fields
    if decoder.model_type != "llama4_text":
        return decoder
    layers, step = fields.get("moe_layers"), fields.get("interleave_moe_layer_step", 1)
    n_layers = fields.get("num_hidden_layers")
    beyond = isinstance(step, int) and isinstance(n_layers, int) and (step == 0 or step > n_layers)
    if layers != [] and not (layers is None and beyond):
        raise InputError(
            f"moe_layers={shown(layers)}, interleave_moe_layer_step={shown(step)}: layers with a mixture of experts, "
            "which is not read; a dense Llama 4 says moe_layers=[]"
        )
    unused = ("moe_layers", "interleave_moe_layer_step", "num_local_experts", "num_experts_per_tok")
    # intermediate_size is the width of an expert; the dense layers have intermediate_size_mlp.
    dense = {name: value for name, value in fields.items() if name not in (*unused, "intermediate_size")}
    return dataclasses.replace(decoder, fields=dense)
