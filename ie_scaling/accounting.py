"""Exact parameters, FLOPs and bytes of an Architecture, in closed form."""

from ie_scaling.architecture import Architecture


def count_embedding_parameters(architecture: Architecture) -> int:
    """N_emb: both vocabulary matrices where untied, the one where tied."""
    matrices = 1 if architecture.tied_embeddings else 2
    return matrices * architecture.vocab_size * architecture.d_model


def count_attention_parameters(architecture: Architecture) -> int:
    """Weights of one layer's query, key, value and output projections."""
    a = architecture
    return a.d_model * a.d_head * (a.n_heads + 2 * a.n_kv_heads) + a.n_heads * a.d_head * a.d_model


def count_mlp_parameters(architecture: Architecture) -> int:
    """Weights of one layer's SwiGLU: gate, up and down."""
    return 3 * architecture.d_model * architecture.d_ff


def count_non_embedding_parameters(architecture: Architecture) -> int:
    """N_non: layers with their norm gains (and qk-norm gains), and the final norm."""
    a = architecture
    norms = 2 * a.d_model + (2 * a.d_head if a.qk_norm else 0)
    layer = count_attention_parameters(a) + count_mlp_parameters(a) + norms
    return a.n_layers * layer + a.d_model


def count_parameters(architecture: Architecture) -> int:
    """N_total = N_non + N_emb."""
    return count_non_embedding_parameters(architecture) + count_embedding_parameters(architecture)


def mlp_attention_ratio(architecture: Architecture) -> float:
    """r: MLP parameters over attention parameters (arXiv 2510.18245)."""
    return count_mlp_parameters(architecture) / count_attention_parameters(architecture)


def forward_flops_per_token(architecture: Architecture, context: int) -> int:
    """Forward FLOPs of one token that attends to `context` positions: 2·N_non + 2·V·d + 4·n·c·n_heads·d_head.

    A multiply-add counts as two. Norm gains are counted in N_non as the convention has it; softmax, norms and
    rotary are left out.
    """
    a = architecture
    weights = 2 * count_non_embedding_parameters(a) + 2 * a.vocab_size * a.d_model
    return weights + 4 * a.n_layers * context * a.n_heads * a.d_head


def training_flops(architecture: Architecture, n_tokens: int, sequence_length: int) -> int:
    """FLOPs to train on n_tokens: three forward passes, every position computed against the whole sequence.

    The masked half of causal attention is counted, as a dense implementation computes it.
    """
    return 3 * n_tokens * forward_flops_per_token(architecture, sequence_length)


def weight_bytes(architecture: Architecture, bytes_per_element: int) -> int:
    """Bytes of all parameters."""
    return count_parameters(architecture) * bytes_per_element


def kv_cache_bytes_per_token(architecture: Architecture, bytes_per_element: int) -> int:
    """Bytes of keys and values that one position keeps: 2·n·n_kv_heads·d_head·bytes."""
    a = architecture
    return 2 * a.n_layers * a.n_kv_heads * a.d_head * bytes_per_element
