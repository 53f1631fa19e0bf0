"""How the Hugging Face configs of each model_type give a shape, and what such a model has that this decoder lacks."""

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

    `required` are fields that transformers, where absent, fills with the number of one particular model. A flag is
    (field, value where absent, value that differs, what to say). `window_in` is "all" or "some" layers; `window_if`
    is the field that turns the window on. Sources: the configuration classes of transformers 5.23, and for MiniCPM
    its own configuration_minicpm.py.
    """

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

DIALECTS = {
    "llama": Dialect(flags=_BIASES),
    "mistral": Dialect(required=_KV, window=4096),
    "qwen2": Dialect(
        required=_KV, window=4096, window_in="some", window_if="use_sliding_window", differs=(QKV_BIASES,)
    ),
    "qwen3": Dialect(
        required=_HEADS,
        qk_norm=True,
        window=4096,
        window_in="some",
        window_if="use_sliding_window",
        flags=(_ATTENTION,),
    ),
    "olmo": Dialect(differs=(NO_GAINS,), flags=(_ATTENTION,)),
    "olmo2": Dialect(qk_norm=True, differs=(NORMS_AFTER, WIDE_QK_NORM), flags=(_ATTENTION,)),
    "gemma": Dialect(
        required=_HEADS,
        activation=("hidden_act", "gelu_pytorch_tanh"),
        tied=True,
        differs=(SCALED_EMBEDDINGS,),
        flags=(_ATTENTION,),
    ),
    "gemma2": Dialect(
        required=(*_HEADS, "attn_logit_softcapping", "final_logit_softcapping"),
        activation=_TANH,
        tied=True,
        window=4096,
        window_in="some",
        differs=(SCALED_EMBEDDINGS, NORMS_AROUND),
        flags=(_ATTENTION,),
    ),
    "gemma3_text": Dialect(
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
    "phi3": Dialect(flags=_BIASES),
    "smollm3": Dialect(
        required=_KV,
        tied=True,
        rope_base=2e6,
        window_in="some",
        window_if="use_sliding_window",
        differs=(NO_ROTARY,),
        flags=_BIASES,
    ),
    "minicpm": Dialect(tied=True, differs=(SCALES,), flags=(_ATTENTION,)),
    "granite": Dialect(differs=(SCALES,), flags=_BIASES),
    "stablelm": Dialect(
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
        activation=("hidden_act", "gelu"),
        gated=False,
        rotary_share=0.25,
        differs=(LAYER_NORM, BIASES),
        flags=(("use_parallel_residual", True, True, PARALLEL),),
    ),
    "phi": Dialect(
        activation=("hidden_act", "gelu_new"),
        gated=False,
        rotary_share=0.5,
        differs=(LAYER_NORM, BIASES, PARALLEL),
        flags=(_QK_LAYER_NORM,),
    ),
    "opt": Dialect(
        d_ff="ffn_dim",
        activation=("activation_function", "relu"),
        gated=False,
        tied=True,
        rotary=False,
        differs=(LAYER_NORM, LEARNED_POSITIONS),
        flags=(("enable_bias", True, True, BIASES), ("do_layer_norm_before", True, False, NORMS_AFTER)),
    ),
    "gpt2": Dialect(
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
}
