"""Fields of a config.json that no dialect reads: harmless, the mark of another kind of model, or not understood."""

import re
import reprlib
from collections.abc import Collection, Mapping
from typing import Any

from ie_scaling.errors import InputError

# Fields that bear neither on shapes nor on the arithmetic of a layer: those of transformers' PreTrainedConfig and its
# generation settings, training alone (dropout, initialization, losses), numerics, serving, metadata.
_HARMLESS = re.compile(
    r"(begin_)?suppress_tokens|bad_words_ids|(bos|eos|pad|unk|sep|cls|mask)_token|ignore_index"
    r"|.*_pdrop|layerdrop|drop_path(_rate)?|num_assistant_tokens(_schedule)?|.*batch_size"
    r"|(.*_)?initializer.*|(.*_)?init_(std|scale|method|device|fn|cutoff_factor)|init_std|rescale_prenorm_residual"
    r"|(.*_)?(eps|epsilon)|(.*_)?dtype|.*_in_fp32|fp32_.*|fp16|bf16|fp32|use_bfloat16|reorder_and_upcast_attn"
    r"|(original_)?max_position_embeddings|max_(seq|sequence)_len(gth)?|seq(uence)?_length|model_max_length|n_ctx"
    r"|n_positions|max_context_length|context_length|runner_max_sequence_length"
    r"|use_cache|use_flash.*|flash_.*|fused_.*|(_)?attn_implementation.*|gradient_checkpointing|use_return_dict"
    r"|(.*_)?version|_name_or_path|name_or_path|_commit_hash|_from_model_config|_auto_class|transformers\.js_config"
    r"|tokenizer_class|torchscript|tf_legacy_loss|pretraining_tp|.*_tp_plan|finetuning_task|task_specific_params"
    r"|license|language|author|model_name|description|license_.*|chat_template|prefix|keys_to_ignore_at_inference"
    r"|output_(attentions|hidden_states|past|scores)|return_dict(_in_generate)?"
    r"|(.*_)?loss_(coef|type|function|reduction|weight)|(.*_)?z_loss.*|label_smoothing"
    r"|do_sample|early_stopping|num_beams|num_beam_groups|diversity_penalty|temperature|top_k|top_p|typical_p|min_p"
    r"|repetition_penalty|length_penalty|num_return_sequences|(max|min)_length"
    r"|(max|min)_new_tokens|remove_invalid_values|exponential_decay_length_penalty|cache_implementation"
    r"|num_logits_to_keep|logits_to_keep|generation_config|chunk_size_feed_forward|summary_.*|predict_special_tokens"
    r"|n_special|context_window_size|prefill_chunk_size|attention_sink_size|tensor_parallel_shards|max_batch_size"
    r"|_?unsloth.*|quantization(_config)?|compression_config|model_type|architectures|auto_map"
)
# As harmless, though their names look like the mark of another kind of model.
_HARMLESS_IN_ANY = re.compile(
    r"(.*_)?tokens?_(ids?|index|indices)|.*drop_?out.*|.*aux_loss.*|.*jitter.*|output_router_logits"
    r"|(encoder_)?no_repeat_ngram_size"
)

# Marks of other models: words for the reader, names, and whether 1 is as good as none (of one expert, of one pass).
_KINDS = (
    (
        "a mixture of experts",
        re.compile(r"expert|mixture|mixtral|moe|router|routed|topk|sparse|dense_replace|mlp_only_layers|(^|_)gates?_"),
        True,
    ),
    (
        "a draft head or extra prediction heads",
        re.compile(
            r"draft|specul|eagle|medusa|hydra|(^|_)mtp|nextn|multi_?token|n_predict|predict_layers|future|lookahead"
        ),
        False,
    ),
    (
        "layers that are run more than once",
        re.compile(
            r"loop|cycle|recur|iteration|(^|_)ut_|universal|repeat|ponder|halt|(^|_)passes|unroll|num_reuse|early_exit"
        ),
        True,
    ),
    (
        "parts shared between layers",
        re.compile(r"shar(e|ed|ing)(_|$)|hidden_groups|inner_group|tie_layers|cross_layer|(^|_)cla(_|$)|yoco|reuse"),
        False,
    ),
    (
        "an encoder or cross-attention",
        re.compile(r"encoder|cross_?att|xatt|decoder_|(^|_)decoder|bidirectional|prefix_lm|use_mask_free|(^|_)bert"),
        False,
    ),
    (
        "a head that gives scores or classes",
        re.compile(
            r"problem_type|classif|reward|score|regress|pooler|pooling|(?<!key_)value_head|num_classes|projection_dim"
        ),
        False,
    ),
    (
        "layers that are not attention and MLP",
        re.compile(
            r"mamba|(^|_)ssm|state_(size|space|dim)|(^|_)d_state|(^|_)conv|conv(_|$)|convolution|linear_att|rwkv|retnet"
            r"|retention|hyena|(^|_)lru|hybrid|deltanet|delta_rule|block_types?|layers_block|attn_layer|attention_layers"
            r"|layer_pattern|time_mix|(^|_)kda|recurrent|full_att(entio)?n_(interval|idx|layer|ind)"
        ),
        False,
    ),
    (
        "attention through a latent or low rank",
        re.compile(r"lora|nope_head|rope_head_dim|v_head_dim|qk_head_dim|latent|(^|_)mla(_|$)|low_rank|(^|_)rank(_|$)"),
        False,
    ),
    (
        "layers of several shapes",
        re.compile(
            r"altup|laurel|per_layer|(^|_)ple(_|$)|matformer|blocks?_config|prun(ed|ing)|sparsity|hourglass|downsampl|upsampl|stride|pyramid|funnel|skip_layer|layer_skip"
        ),
        False,
    ),
    (
        "matrices in attention that this decoder does not have, or fewer",
        re.compile(
            r"(att(entio)?n|output|head|value|key|query|qkv?).*gate|gate.*(att(entio)?n|output|head)|k_eq_v|kv_eq"
        ),
        False,
    ),
    (
        "parts for other inputs than text",
        re.compile(
            r"vision|image|video|audio|speech|pixel|patch|visual|spatial|temporal|tokens_per_second|(^|_)mm_|projector|img_"
            r"|multi_?modal|text_config"
        ),
        False,
    ),
    (
        "parts that this decoder does not have",
        re.compile(
            r"adapter|prefix_tuning|prompt_tuning|memory(?!_efficient)|hyper_?connection|engram|hash_|byte_level|value_embed"
        ),
        False,
    ),
)
_REPR = reprlib.Repr()
_REPR.maxstring = 80
_OTHER_INPUTS = "parts for other inputs than text"
# Numbers under such names measure something: where no dialect reads them, the shape may be another.
_MEASURES = re.compile(
    r"(^|_)(num|n|d|nb|size|sizes|dim|dims|layers?|heads?|blocks?|depth|width|hidden|embd|embed|inner|groups?|vocab|units"
    r"|ffn|mlp|kv|channels?|kernel|stages?|copies|branch(es)?|streams?|rounds?|expansion|expand|ratio|mult(iplier)?s?)(_|$)"
)
_GATE = re.compile(r"(use_|is_)?((mlp|ffn)_)?(gated|gate|(swi|ge|re)?glu)(_(mlp|ffn|linear_unit))?")
_MEASURES_NO_SHAPE = re.compile(r"rope|rotary|window|position|length|context")
# What a dialect that does not know these assumes: that they are false.
_USUALLY_FALSE = re.compile(
    r"(?!no_)(.*_)?bias|(use_)?(alibi|swa|mup)|use_sliding_window|use_mrope|for_llm_compressor|multi_query|scale_attn_by_.*"
)
# What kind of attention, MLP or layer a config may name where no dialect reads such a field.
_PART_TYPE = re.compile(r"(attention|attn|block|layer|mixer|mlp|ffn)_?(type|kind|class|impl|implementation)")
_USUAL_PARTS = ("full", "full_attention", "softmax", "causal", "default", "standard", "mha", "gqa", "mqa", "mlp", "glu")
_USUAL_PARTS += ("swiglu", "gated", "sdpa", "eager", "flash_attention_2", "transformer", "decoder")
# Fields that say a part of the shape in one dialect or another; where one is there, it must agree with what was read.
ALIASES = {
    "d_model": ("hidden_size", "n_embd", "n_embed", "d_model", "dim", "model_dim", "embed_dim"),
    "n_layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "n_heads": ("num_attention_heads", "n_head", "n_heads", "num_heads"),
    "n_kv_heads": ("num_key_value_heads", "num_kv_heads", "n_head_kv", "n_kv_heads", "multi_query_group_num"),
    "d_head": ("head_dim", "kv_channels", "d_head", "attention_head_dim", "head_size"),
    "width": ("intermediate_size", "ffn_dim", "ffn_hidden_size", "n_inner", "d_ff", "hidden_dim", "d_inner"),
    "vocab_size": ("vocab_size", "padded_vocab_size", "text_vocab_size", "n_vocab"),
}
_LAYER_TYPES = ("full_attention", "sliding_attention")


def judge(fields: Mapping[str, Any], read: Collection[str], shape: Mapping[str, int], with_inputs: bool) -> list[str]:
    """The fields that are not understood, in a few words each, of those that no dialect read.

    Args:
      fields: a config's, or a part of one.
      read: names that the dialect reads or knows to be harmless.
      shape: what was read, under the keys of ALIASES.
      with_inputs: whether parts for images and the like may be there, as they are left out knowingly.

    Raises:
      InputError: a field that marks another kind of model, that contradicts what was read, or that measures
        something unknown.
    """
    unknown = []
    for name, value in ((str(name), value) for name, value in fields.items() if value is not None):
        if (
            name in read
            or _GATE.fullmatch(name.lower())
            or _HARMLESS_IN_ANY.fullmatch(name)
            or _agrees(name, value, shape)
        ):
            continue
        if (words := _kind(name)) is not None:
            if not (with_inputs and words == _OTHER_INPUTS):
                _refuse_another_kind(name, value, words)
        elif not (_HARMLESS.fullmatch(name) or _GATE.fullmatch(name.lower()) or _is_usual(name, value)):
            _refuse_measure(name, value)
            unknown.append(f"{shown(name, bare=True)}={shown(value)}")
    return unknown


def check_gate(fields: Mapping[str, Any], gated: bool) -> None:
    """Refuse a field that no dialect reads and that says the MLP has as many matrices as it has not."""
    for name, value in fields.items():
        if _GATE.fullmatch(str(name).lower()) and value is not None and value is not gated:
            raise InputError(
                f"{shown(name, bare=True)}={shown(value)}: contradicts an MLP of {3 if gated else 2} matrices"
            )


def check_layer_types(value: Any, n_layers: int) -> bool:
    """Whether some layers look at a window alone, by the field layer_types; each layer has one of two types."""
    if not isinstance(value, list) or any(kind not in _LAYER_TYPES for kind in value):
        odd = next((kind for kind in value if kind not in _LAYER_TYPES), value) if isinstance(value, list) else value
        raise InputError(f"layer_types: {shown(odd)} is none of {', '.join(_LAYER_TYPES)}; such layers are not read")
    if len(value) != n_layers:
        raise InputError(f"layer_types: must name each of the {n_layers} layers; it has {len(value)}")
    return "sliding_attention" in value


def _kind(name: str) -> str | None:
    lowered = name.lower().replace("-", "_")
    return next((words for words, pattern, _ in _KINDS if pattern.search(lowered)), None)


def _refuse_another_kind(name: str, value: Any, words: str) -> None:
    one_is_none = next(one for known, _, one in _KINDS if known == words) and "shared" not in name.lower()
    if not _is_off(value) and not (one_is_none and not isinstance(value, bool) and value == 1):
        raise InputError(f"{shown(name, bare=True)}={shown(value)}: means {words}; a model with that is not read")


def _is_off(value: Any) -> bool:
    return value is None or value is False or value in ("", [], {}) or (value == 0 and not isinstance(value, bool))


def _agrees(name: str, value: Any, shape: Mapping[str, int]) -> bool:
    """Whether another name of a part of the shape says what was read; one that contradicts it is an error."""
    part = next((part for part, names in ALIASES.items() if name in names and part in shape), None)
    if part is None:
        return False
    if isinstance(value, bool) or value != shape[part]:
        raise InputError(f"{name}={shown(value)}: contradicts what the other fields say, {shape[part]}")
    return True


def _is_usual(name: str, value: Any) -> bool:
    return value is False and bool(_USUALLY_FALSE.fullmatch(name))


def _refuse_measure(name: str, value: Any) -> None:
    """Refuse a number under a name that measures something, lists and objects, and words that mark another model."""
    if isinstance(value, str) and (words := _kind(value)) is not None:
        _refuse_another_kind(name, value, words)
    lowered = name.lower().replace("-", "_")
    measures = _MEASURES.search(lowered) and not _MEASURES_NO_SHAPE.search(lowered)
    number = isinstance(value, int | float) and not isinstance(value, bool) and value != 0
    number |= isinstance(value, str) and value.strip().isdigit()
    odd_part = _PART_TYPE.fullmatch(lowered) and str(value).lower() not in _USUAL_PARTS
    if odd_part or (number and measures) or (isinstance(value, dict | list) and value and not _is_words(value)):
        raise InputError(
            f"{shown(name, bare=True)}={shown(value)}: not understood, and it may change the shape; "
            "remove it from a copy of the file if it does not"
        )


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def shown(value: Any, bare: bool = False) -> str:
    """A value for one line: a long or nested one cut short; `bare`: a plain name without quotes."""
    if bare and isinstance(value, str) and re.fullmatch(r"[\w.\-]{1,60}", value, re.ASCII):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**40:
        return f"an integer of {value.bit_length():,} bits"
    try:
        text = _REPR.repr(value)
    except ValueError:  # an integer inside that Python does not print
        text = f"a {type(value).__name__}"
    return text if len(text) <= 90 else f"{text[:87]}..."
