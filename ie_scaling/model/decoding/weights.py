"""Weights laid out for decoding, whole on one device or split over the tensor axis of a mesh.

M model width, H query heads, K kv heads, J = H + K, C head width, P = (H + 2K)·C rows of the fused projection, Q = H·C,
F MLP width, U = 2F, V vocabulary, X devices along the tensor axis.
"""

import dataclasses
import functools
import math
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from ie_scaling.architecture import Architecture
from ie_scaling.model import transformer
from ie_scaling.model.decoding import layout
from ie_scaling.running.config import require


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Matrix:
    """A matrix laid out for products with so many vectors at once.

    For a single one its longer axis is contiguous: on two CPU cores a vector times (256, 16384) read 23 GB/s, and
    times (16384, 256) 13. For more it lies as products of several vectors were measured to be faster.

    Attributes:
      array: (O, I), or (I, O + padding) where `in_first`.
    """

    array: Any
    in_first: bool = dataclasses.field(metadata={"static": True})
    padding: int = dataclasses.field(default=0, metadata={"static": True})

    @classmethod
    def of(cls, matrix_OI: jax.Array, batch: int, n_shards: int = 1) -> "Matrix":
        """This matrix, laid out by its shape and the batch that decodes with it; split, its rows are not padded."""
        n_outputs, n_inputs = matrix_OI.shape
        in_first = n_outputs > n_inputs if batch == 1 else layout.many_in_first()
        if not in_first:
            return cls(matrix_OI, in_first)
        several = batch > 1 and n_shards == 1
        padding = layout.padding(n_outputs) if several else 0
        return cls(jnp.pad(matrix_OI.T, ((0, 0), (0, padding))), in_first, padding)

    def apply(self, x_BTI: jax.Array, dtype: Any = None) -> jax.Array:
        """The product (B,T,O), accumulated in `dtype`."""
        letters = "BTI,IO->BTO" if self.in_first else "BTI,OI->BTO"
        y_BTO = jnp.einsum(letters, x_BTI, self.array, preferred_element_type=dtype)
        return y_BTO[..., : y_BTO.shape[-1] - self.padding]

    def rows(self, row_BT: jax.Array) -> jax.Array:
        """These rows (B,T,I)."""
        if self.in_first:
            return jnp.moveaxis(jnp.take(self.array, row_BT, axis=1), 0, -1)
        return jnp.take(self.array, row_BT, axis=0)

    def sharding(self, mesh: Mesh, split: str) -> "Matrix":
        """Its NamedSharding with O ("out") or I ("in") over the tensor axis."""
        spec = P("tensor", None) if (split == "in") == self.in_first else P(None, "tensor")
        return Matrix(NamedSharding(mesh, spec), self.in_first, self.padding)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LayerWeights:
    """One layer's weights, with the gains of the norms before them multiplied into `projection` and `gate_up`.

    Queries, keys and values are one matrix, gate and up another, so that a step dispatches fewer kernels; their outputs
    are in X equal parts, a device's own queries, keys and values (gate and up) together.
    """

    projection: Matrix  # (P, M)
    qk_gain_JC: jax.Array | None  # a row for each query and key head, ordered as the projection's
    output: Matrix  # (M, Q)
    gate_up: Matrix  # (U, M)
    down: Matrix  # (M, F)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class DecodeWeights:
    """A decoder's weights, each layer in buffers of its own. `unembedding` (V, M) is None where tied."""

    embedding: Matrix  # (V, M)
    layers: tuple[LayerWeights, ...]
    final_gain_M: jax.Array
    unembedding: Matrix | None


def make_weights(
    a: Architecture, parameters: transformer.Parameters, dtype: str, batch: int = 1, n_shards: int = 1
) -> DecodeWeights:
    """The weights that decoding reads, from the parameters that training makes; gains stay float32.

    `batch` is how many requests will be decoded at once, which decides the layout.
    """

    laid_out = functools.partial(Matrix.of, batch=batch, n_shards=n_shards)

    def rows(kernel: jax.Array, inputs: int = 1, gain_M: jax.Array | None = None) -> jax.Array:
        """(in..., out...) as (out, in); `inputs` counts the leading axes that are input, `gain_M` scales these."""
        width = math.prod(kernel.shape[:inputs])
        matrix_OI = kernel.reshape(width, -1).T
        return (matrix_OI if gain_M is None else matrix_OI * gain_M[None]).astype(dtype)

    def interleaved(*matrices: jax.Array) -> jax.Array:
        """Each in n_shards parts of its rows; all first parts, then all second ones, and so on."""
        parts = [matrix.reshape(n_shards, -1, matrix.shape[-1]) for matrix in matrices]
        return jnp.concatenate(parts, axis=1).reshape(-1, matrices[0].shape[-1])

    def layer(p: transformer.Parameters) -> LayerWeights:
        attention, mlp = p["attention"], p["mlp"]
        before_attention, before_mlp = p["attention_norm"]["gain"], p["mlp_norm"]["gain"]
        gate_and_up = [rows(mlp[name]["kernel"], gain_M=before_mlp) for name in ("gate", "up")]
        projections = [rows(attention[name]["kernel"], gain_M=before_attention) for name in ("query", "key", "value")]
        gains = [(attention["query_norm"], a.n_heads), (attention["key_norm"], a.n_kv_heads)] if a.qk_norm else []
        return LayerWeights(
            projection=laid_out(interleaved(*projections)),
            qk_gain_JC=interleaved(*(jnp.tile(g["gain"][None], (n, 1)) for g, n in gains)) if gains else None,
            output=laid_out(rows(attention["output"]["kernel"], 2)),
            gate_up=laid_out(interleaved(*gate_and_up)),
            down=laid_out(rows(mlp["down"]["kernel"])),
        )

    return DecodeWeights(
        embedding=laid_out(parameters["embedding"].astype(dtype)),
        layers=tuple(layer(p) for p in transformer.unstack_layers(a, parameters)),
        final_gain_M=parameters["final_norm"]["gain"],
        unembedding=None if a.tied_embeddings else laid_out(rows(parameters["unembedding"])),
    )


def abstract_weights(a: Architecture, dtype: str, batch: int, n_shards: int) -> DecodeWeights:
    """Shapes and types of `make_weights`."""
    return jax.eval_shape(lambda: make_weights(a, transformer.init(a, jax.random.key(0)), dtype, batch, n_shards))


def random_weights(a: Architecture, seed: int, dtype: str, batch: int, mesh: Mesh) -> DecodeWeights:
    """Weights of the right shapes and scales, made on the host without compiling anything; for timing only."""
    generator = np.random.default_rng(seed)

    def fill(leaf: jax.ShapeDtypeStruct | Matrix, sharding: NamedSharding | Matrix) -> Any:
        if not isinstance(leaf, Matrix):  # gains
            return jax.device_put(np.ones(leaf.shape, leaf.dtype), sharding)
        values = generator.random(leaf.array.shape, np.float32)
        values -= 0.5
        values *= math.sqrt(12 / values.shape[0 if leaf.in_first else 1])
        array = jax.device_put(values.astype(leaf.array.dtype, copy=False), cast(Matrix, sharding).array)
        return dataclasses.replace(leaf, array=array)

    return jax.tree.map(
        fill,
        abstract_weights(a, dtype, batch, mesh.shape["tensor"]),
        weight_shardings(a, batch, mesh),
        is_leaf=lambda leaf: isinstance(leaf, Matrix),
    )


def weight_shardings(a: Architecture, batch: int, mesh: Mesh) -> DecodeWeights:
    """DecodeWeights with a NamedSharding instead of each array: heads, MLP and vocabulary over the tensor axis.

    Raises:
      InputError: the tensor axis does not divide kv heads, MLP width and vocabulary.
    """
    n_shards = mesh.shape["tensor"]
    for field in ("n_kv_heads", "d_ff", "vocab_size"):
        require(getattr(a, field) % n_shards == 0, field, getattr(a, field), f"must be divisible by tensor={n_shards}")
    weights = abstract_weights(a, "float32", batch, n_shards)

    def layer(w: LayerWeights) -> LayerWeights:
        return LayerWeights(
            projection=w.projection.sharding(mesh, "out"),
            qk_gain_JC=cast(Any, NamedSharding(mesh, P("tensor", None))) if a.qk_norm else None,
            output=w.output.sharding(mesh, "in"),
            gate_up=w.gate_up.sharding(mesh, "out"),
            down=w.down.sharding(mesh, "in"),
        )

    return DecodeWeights(
        embedding=weights.embedding.sharding(mesh, "out"),
        layers=tuple(layer(w) for w in weights.layers),
        final_gain_M=cast(Any, NamedSharding(mesh, P())),
        unembedding=None if weights.unembedding is None else weights.unembedding.sharding(mesh, "out"),
    )
