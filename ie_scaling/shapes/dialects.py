"""How the config of each Hugging Face model_type maps to a shape, and how such a model differs from this decoder."""

import dataclasses

from ie_scaling.architecture import DEFAULT_ROPE_BASE

LAYER_NORM = "LayerNorm"
NO_GAINS = "LayerNorm without gains"
BIASES = "biases"
QKV_BIASES = "biases on queries, keys and values"
PARALLEL = "attention and MLP in parallel"
LEARNED_POSITIONS = "learned positions"
NORMS_AFTER = "norms after attention and MLP, none before"
WIDE_QK_NORM = "query and key norms over all heads at once"
NORMS_AROUND = "norms before and after attention and MLP"
NO_ROTARY = "no rotary positions in every fourth layer"
LOCAL_ROTARY = "a rotary base of its own under the window"
SCALED_EMBEDDINGS = "embeddings scaled by √d"
SCALES = "scaled embeddings, residuals, logits and attention"
SOFTCAPS = "softcapped logits"
RESCALED_ROTARY = "rescaled rotary frequencies"
THREE_PART_ROTARY = "rotary positions of time, height and width"
PLAIN_QK_NORM = "query and key norms without gains"
ALIBI = "ALiBi instead of rotary positions"
POSITION_SCALE = "attention scaled by position"
RESIDUAL_AFTER_NORM = "residuals taken after the norm"
TERNARY = "ternary weights"
VISION = "a vision encoder, left out"


def partial_rotary(share: float) -> str:
    """Rotary positions on a part of each head."""
    return f"rotary positions on {100 * share:g} % of each head"


def sliding_window(width: int, some: bool) -> str:
    """Attention to the last `width` tokens alone, in all layers or in some."""
    return f"a sliding window of {width:,} tokens in {'some' if some else 'all'} layers"


def other_mlp(gated: bool, activation: str) -> str:
    """An MLP that is no SwiGLU; `swiglu_width` gives one of two matrices its width here."""
    name = "GELU" if activation.startswith("gelu") else "ReLU" if activation == "relu" else activation
    return f"a gate of {name}" if gated else f"an MLP of two matrices and {name} (here SwiGLU of that size)"


def swiglu_width(width: int) -> int:
    """The width whose three matrices hold as many parameters as two of `width`: 2/3 of it, to the nearest integer."""
    return (2 * width + 1) // 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dialect:
    """One model_type: the names of its fields, the values of absent ones, and what always `differs`.

    `classes` are the names that `architectures` may have. `known` are further fields that leave the shape as it is and
    whose part in the arithmetic `differs` tells. `own_heads` says whether it has num_key_value_heads and head_dim;
    where it has not, they may only repeat what follows. `required` are fields that transformers, where absent, fills
    with the number of one particular model. A flag is (field, value where absent, value that differs, what to say).
    `window_in` is "all" or "some" layers; `window_if` is the field that turns the window on. Sources: the configuration
    classes of transformers 5.23 (LlamaConfig and so on), and for MiniCPM its own configuration_minicpm.py.
    """

    classes: tuple[str, ...]
    known: tuple[str, ...] = ()
    own_heads: bool = True
    d_model: str = "hidden_size"
    n_layers: str = "num_hidden_layers"
    n_heads: str = "num_attention_heads"
    d_ff: str = "intermediate_size"
    required: tuple[str, ...] = ()
    activation: tuple[str, str] = ("hidden_act", "silu")
    gated: bool = True
    tied: bool = False
    qk_norm: bool = False
    rotary: bool = True
    rotary_share: float = 1.0
    rope_base: float = DEFAULT_ROPE_BASE
    window: int | None = None
    window_in: str = "all"
    window_if: str | None = None
    differs: tuple[str, ...] = ()
    flags: tuple[tuple[str, bool, bool, str], ...] = ()


_KV = ("num_key_value_heads",)
_HEADS = (*_KV, "head_dim")
_ATTENTION = ("attention_bias", False, True, "biases in attention")
_BIASES = (_ATTENTION, ("mlp_bias", False, True, "biases in the MLP"))
_QK_LAYER_NORM = ("qk_layernorm", False, True, "LayerNorm on queries and keys")
_TANH = ("hidden_activation", "gelu_pytorch_tanh")
_WINDOWS = ("max_window_layers", "sliding_window_pattern", "_sliding_window_pattern")

DIALECTS = {
    "llama": Dialect(
        classes=("LlamaForCausalLM", "LLaMAForCausalLM", "BitnetForCausalLM"),
        known=("weight_bits", "input_bits"),
        flags=_BIASES,
    ),
    "mistral": Dialect(classes=("MistralForCausalLM",), required=_KV, window=4096),
    "qwen2": Dialect(
        classes=("Qwen2ForCausalLM",),
        known=_WINDOWS,
        required=_KV,
        window=4096,
        window_in="some",
        window_if="use_sliding_window",
        differs=(QKV_BIASES,),
    ),
    "qwen3": Dialect(
        classes=("Qwen3ForCausalLM",),
        known=_WINDOWS,
        required=_HEADS,
        qk_norm=True,
        window=4096,
        window_in="some",
        window_if="use_sliding_window",
        flags=(_ATTENTION,),
    ),
    "olmo": Dialect(classes=("OlmoForCausalLM",), differs=(NO_GAINS,), flags=(_ATTENTION,)),
    "olmo2": Dialect(
        classes=("Olmo2ForCausalLM",), qk_norm=True, differs=(NORMS_AFTER, WIDE_QK_NORM), flags=(_ATTENTION,)
    ),
    "gemma": Dialect(
        classes=("GemmaForCausalLM",),
        known=("hidden_activation",),
        required=_HEADS,
        activation=("hidden_act", "gelu_pytorch_tanh"),
        tied=True,
        differs=(SCALED_EMBEDDINGS,),
        flags=(_ATTENTION,),
    ),
    "gemma2": Dialect(
        classes=("Gemma2ForCausalLM",),
        known=(*_WINDOWS, "hidden_act"),
        required=(*_HEADS, "attn_logit_softcapping", "final_logit_softcapping"),
        activation=_TANH,
        tied=True,
        window=4096,
        window_in="some",
        differs=(SCALED_EMBEDDINGS, NORMS_AROUND),
        flags=(_ATTENTION,),
    ),
    "gemma3_text": Dialect(
        classes=("Gemma3ForCausalLM",),
        known=(*_WINDOWS, "rope_local_base_freq", "hidden_act"),
        required=_HEADS,
        activation=_TANH,
        tied=True,
        qk_norm=True,
        rope_base=1e6,
        window=4096,
        window_in="some",
        differs=(SCALED_EMBEDDINGS, NORMS_AROUND, LOCAL_ROTARY),
        flags=(_ATTENTION,),
    ),
    "phi3": Dialect(classes=("Phi3ForCausalLM",), flags=_BIASES),
    "smollm3": Dialect(
        classes=("SmolLM3ForCausalLM",),
        known=(*_WINDOWS, "no_rope_layers", "no_rope_layer_interval"),
        required=_KV,
        tied=True,
        rope_base=2e6,
        window_in="some",
        window_if="use_sliding_window",
        differs=(NO_ROTARY,),
        flags=_BIASES,
    ),
    "minicpm": Dialect(
        classes=("MiniCPMForCausalLM",),
        known=("scale_emb", "scale_depth", "dim_model_base"),
        tied=True,
        differs=(SCALES,),
        flags=(_ATTENTION,),
    ),
    "granite": Dialect(
        classes=("GraniteForCausalLM",),
        known=("embedding_multiplier", "attention_multiplier", "residual_multiplier", "logits_scaling"),
        differs=(SCALES,),
        flags=_BIASES,
    ),
    "stablelm": Dialect(
        classes=("StableLmForCausalLM", "StableLMEpochForCausalLM"),
        known=("rope_pct",),
        required=_KV,
        rotary_share=0.25,
        differs=(LAYER_NORM,),
        flags=(
            ("use_qkv_bias", False, True, QKV_BIASES),
            ("use_parallel_residual", False, True, PARALLEL),
            _QK_LAYER_NORM,
        ),
    ),
    "gpt_neox": Dialect(
        classes=("GPTNeoXForCausalLM",),
        own_heads=False,
        known=("attention_bias",),
        activation=("hidden_act", "gelu"),
        gated=False,
        rotary_share=0.25,
        differs=(LAYER_NORM, BIASES),
        flags=(("use_parallel_residual", True, True, PARALLEL),),
    ),
    "phi": Dialect(
        classes=("PhiForCausalLM",),
        activation=("hidden_act", "gelu_new"),
        gated=False,
        rotary_share=0.5,
        differs=(LAYER_NORM, BIASES, PARALLEL),
        flags=(_QK_LAYER_NORM,),
    ),
    "opt": Dialect(
        classes=("OPTForCausalLM",),
        own_heads=False,
        known=("_remove_final_layer_norm", "layer_norm_elementwise_affine"),
        d_ff="ffn_dim",
        activation=("activation_function", "relu"),
        gated=False,
        tied=True,
        rotary=False,
        differs=(LAYER_NORM, LEARNED_POSITIONS),
        flags=(("enable_bias", True, True, BIASES), ("do_layer_norm_before", True, False, NORMS_AFTER)),
    ),
    "gpt2": Dialect(
        classes=("GPT2LMHeadModel",),
        own_heads=False,
        known=("scale_attn_weights",),
        d_model="n_embd",
        n_layers="n_layer",
        n_heads="n_head",
        d_ff="n_inner",
        activation=("activation_function", "gelu_new"),
        gated=False,
        tied=True,
        rotary=False,
        differs=(LAYER_NORM, LEARNED_POSITIONS, BIASES),
    ),
    "falcon": Dialect(
        classes=("FalconForCausalLM",),
        own_heads=False,
        known=(
            "new_decoder_architecture",
            "multi_query",
            "num_kv_heads",
            "n_head_kv",
            "num_ln_in_parallel_attn",
            "ff_factor",
        ),
        d_ff="ffn_hidden_size",
        activation=("activation", "gelu"),
        gated=False,
        tied=True,
        differs=(LAYER_NORM,),
        flags=(
            ("parallel_attn", True, True, PARALLEL),
            ("bias", False, True, BIASES),
            ("alibi", False, True, ALIBI),
            ("apply_residual_connection_post_layernorm", False, True, RESIDUAL_AFTER_NORM),
        ),
    ),
    "ministral3": Dialect(classes=("Ministral3ForCausalLM",), required=_HEADS, rope_base=1e6),
    "llama4_text": Dialect(
        classes=("Llama4ForCausalLM",),
        known=("no_rope_layers", "no_rope_layer_interval", "floor_scale", "attn_scale"),
        d_ff="intermediate_size_mlp",
        required=_HEADS,
        rope_base=5e5,
        differs=(NO_ROTARY,),
        flags=(
            _ATTENTION,
            ("use_qk_norm", True, True, PLAIN_QK_NORM),
            ("attn_temperature_tuning", True, True, POSITION_SCALE),
        ),
    ),
}
