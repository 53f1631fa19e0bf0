"""Parameters, FLOPs and bytes of a decoder: sums over its parts, of one Architecture or of arrays of sizes."""

from typing import Any, TypeVar

from ie_scaling.architecture import Shape
from ie_scaling.parts import Broadcasts

Size = TypeVar("Size", bound=Broadcasts)


def count_embedding_parameters(shape: Shape[Size]) -> Size:
    """N_emb: both vocabulary matrices where untied, the one where tied."""
    return shape.embedding.parameters


def count_matrix_parameters(shape: Shape[Size]) -> Size:
    """Weights of one layer's matrices: attention and MLP without norm gains."""
    return shape.attention.parameters + shape.mlp.parameters


def count_layer_parameters(shape: Shape[Size]) -> Size:
    """Weights of one layer, with its norm gains (and qk-norm gains)."""
    return count_matrix_parameters(shape) + shape.attention.gains + shape.mlp.gains


def count_non_embedding_parameters(shape: Shape[Size]) -> Size:
    """N_non: all layers, and the final norm."""
    return shape.n_layers * count_layer_parameters(shape) + shape.d_model


def count_parameters(shape: Shape[Size]) -> Size:
    """N_total = N_non + N_emb."""
    return count_non_embedding_parameters(shape) + count_embedding_parameters(shape)


def mlp_attention_ratio(shape: Shape[Any]) -> Any:
    """r: MLP parameters over attention parameters (arXiv 2510.18245)."""
    return shape.mlp.parameters / shape.attention.parameters


def forward_flops_per_token(shape: Shape[Size], context: int) -> Size:
    """Forward FLOPs of one token that attends to `context` positions: 2·N_non + 2·V·d + 4·n·c·n_heads·d_head.

    Norm gains are counted in N_non as the convention has it.
    """
    weights = 2 * count_non_embedding_parameters(shape) + shape.embedding.unembedding_flops
    return weights + shape.n_layers * shape.attention.attending_flops(context)


def training_flops(shape: Shape[Size], n_tokens: int, sequence_length: int) -> Size:
    """FLOPs to train on n_tokens: three forward passes, every position computed against the whole sequence.

    The masked half of causal attention is counted, as a dense implementation computes it.
    """
    return 3 * n_tokens * forward_flops_per_token(shape, sequence_length)


def weight_bytes(shape: Shape[Size], bytes_per_element: int) -> Size:
    """Bytes of all parameters."""
    return count_parameters(shape) * bytes_per_element


def kv_cache_bytes_per_token(shape: Shape[Size], bytes_per_element: int) -> Size:
    """Bytes of keys and values that one position keeps: 2·n·n_kv_heads·d_head·bytes."""
    return shape.n_layers * shape.attention.cache_elements * bytes_per_element
