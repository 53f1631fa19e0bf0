"""The parts of a decoder: the parameters, FLOPs and bytes of attention, MLP and embedding, in closed form.

Sizes are numbers or arrays that broadcast: Python integers stay exact, tables of shapes are float64 arrays (exact below
2**53, NaN where unknown). A multiply-add counts as two FLOPs; softmax, norms and rotary are left out.
"""

import dataclasses
from typing import Any, Protocol

Size = Any  # an int, a float, or an array of either


def larger(a: Size, b: Size) -> Size:
    """The larger of two sizes, element by element of arrays, exact of Python's integers."""
    if isinstance(a, int | float) and isinstance(b, int | float):
        return max(a, b)
    import numpy as np  # here, as presets and names do without it

    return np.maximum(a, b)


class Broadcasts(Protocol):
    """What a size must be able to do."""

    def __add__(self, other: Any, /) -> Any: ...
    def __mul__(self, other: Any, /) -> Any: ...
    def __rmul__(self, other: Any, /) -> Any: ...
    def __truediv__(self, other: Any, /) -> Any: ...


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class AttentionShape:
    """Grouped-query attention of one layer, with the norm before it."""

    d_model: Size
    n_heads: Size
    n_kv_heads: Size
    d_head: Size
    qk_norm: Any = False

    @property
    def query_width(self) -> Size:
        """Of all queries of one position, and of what they attend to."""
        return self.n_heads * self.d_head

    @property
    def kv_width(self) -> Size:
        """Of all keys of one position, and of all values."""
        return self.n_kv_heads * self.d_head

    @property
    def query_group(self) -> Size:
        """G = n_heads / n_kv_heads: query heads that share one key-value head."""
        return self.n_heads / self.n_kv_heads

    @property
    def parameters(self) -> Size:
        """Weights of the query, key, value and output projections."""
        return self.d_model * self.d_head * (2 * self.n_heads + 2 * self.n_kv_heads)

    @property
    def gains(self) -> Size:
        """Of the norm before it, and of queries and keys where they have one."""
        return self.d_model + 2 * self.d_head * self.qk_norm

    @property
    def cache_elements(self) -> Size:
        """Keys and values that one position leaves in the KV cache."""
        return 2 * self.kv_width

    @property
    def live_elements(self) -> Size:
        """Queries, keys, values and their mixture, of one position."""
        return self.d_head * (2 * self.n_heads + 2 * self.n_kv_heads)

    def attending_flops(self, context: Size) -> Size:
        """FLOPs of one token that attends to `context` positions, projections apart."""
        return 4 * context * self.n_heads * self.d_head

    def causal_attending_flops(self, n_positions: Size) -> Size:
        """The same in the mean over a prompt, the masked half not computed."""
        return 2 * (n_positions + 1) * self.n_heads * self.d_head

    def weight_elements(self, context: Size) -> Size:
        """Softmax weights of one position over `context` positions."""
        return self.n_heads * context

    def saved_bytes(self, element: int, context: float) -> float:
        """Bytes that a position's backward pass needs: the norm, projections, and weights over `context` positions.

        `element` is the compute type's bytes; norms and the softmax are in float32.
        """
        projections = 2 * element * (self.query_width + self.kv_width)
        return (12 + element) * self.d_model + projections + (9 + element) * self.n_heads * context

    @property
    def product_elements(self) -> Size:
        """Results of one position's products with weights: queries, keys, values and output."""
        return self.d_model + self.query_width + 2 * self.kv_width


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MLPShape:
    """SwiGLU of one layer, with the norm before it."""

    d_model: Size
    d_ff: Size

    @property
    def parameters(self) -> Size:
        """Weights of gate, up and down."""
        return self.parameters_per_d_ff * self.d_ff

    @property
    def parameters_per_d_ff(self) -> Size:
        """Weights that d_ff is multiplied by."""
        return 3 * self.d_model

    @property
    def gains(self) -> Size:
        """Of the norm before it."""
        return self.d_model

    @property
    def live_elements(self) -> Size:
        """Gate, up and their product, of one position."""
        return 3 * self.d_ff

    def saved_bytes(self, element: int) -> float:
        """Bytes that a position's backward pass needs, norm included, as those of attention."""
        return (12 + element) * self.d_model + 6 * element * self.d_ff

    @property
    def product_elements(self) -> Size:
        """Results of one position's products with weights: gate, up and down."""
        return self.d_model + 2 * self.d_ff


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingShape:
    """The vocabulary's matrices: one where embeddings are tied, else two."""

    d_model: Size
    vocab_size: Size
    matrices: Size = 1

    @property
    def matrix_parameters(self) -> Size:
        """Weights of one matrix."""
        return self.vocab_size * self.d_model

    @property
    def parameters(self) -> Size:
        """Weights of all matrices."""
        return self.matrices * self.vocab_size * self.d_model

    @property
    def unembedding_flops(self) -> Size:
        """FLOPs of the logits of one position."""
        return 2 * self.vocab_size * self.d_model

    @property
    def rows_only_parameters(self) -> Size:
        """Weights of which a step reads only the rows of its tokens: those of an untied input embedding."""
        return (self.matrices - 1) * self.matrix_parameters
