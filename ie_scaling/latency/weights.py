"""Weights laid out for decoding, whole on one device or split over the tensor axis of a mesh.

M model width, H query heads, K kv heads, J = H + K, C head width, P = (H + 2K)·C rows of the fused projection, Q = H·C,
F MLP width, U = 2F, V vocabulary, X devices along the tensor axis.
"""

import dataclasses
import math
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from ie_scaling.architecture import Architecture
from ie_scaling.config import require
from ie_scaling.model import transformer


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LayerWeights:
    """One layer's weights, matrices as (out, in): a matrix-vector product then reads each row in one go.

    Queries, keys and values are one matrix, gate and up another, so that a step dispatches fewer kernels; their rows
    are in X equal parts, a device's own queries, keys and values (gate and up) together.
    """

    attention_gain_M: jax.Array
    projection_PM: jax.Array
    qk_gain_JC: jax.Array | None  # a row for each query and key head, ordered as the projection's
    output_MQ: jax.Array
    mlp_gain_M: jax.Array
    gate_up_UM: jax.Array
    down_MF: jax.Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class DecodeWeights:
    """A decoder's weights, each layer in buffers of its own. `unembedding_VM` is None where tied."""

    embedding_VM: jax.Array
    layers: tuple[LayerWeights, ...]
    final_gain_M: jax.Array
    unembedding_VM: jax.Array | None


def make_weights(a: Architecture, parameters: transformer.Parameters, dtype: str, n_shards: int = 1) -> DecodeWeights:
    """The weights that decoding reads, from the parameters that training makes; gains stay float32."""

    def rows(kernel: jax.Array, inputs: int) -> jax.Array:
        """(in..., out...) as (out, in); `inputs` counts the leading axes that are input."""
        width = math.prod(kernel.shape[:inputs])
        return kernel.reshape(width, -1).T.astype(dtype)

    def interleaved(*matrices: jax.Array) -> jax.Array:
        """Each in n_shards parts of its rows; all first parts, then all second ones, and so on."""
        parts = [matrix.reshape(n_shards, -1, matrix.shape[-1]) for matrix in matrices]
        return jnp.concatenate(parts, axis=1).reshape(-1, matrices[0].shape[-1])

    def layer(p: transformer.Parameters) -> LayerWeights:
        attention, mlp = p["attention"], p["mlp"]
        gains = [(attention["query_norm"], a.n_heads), (attention["key_norm"], a.n_kv_heads)] if a.qk_norm else []
        return LayerWeights(
            attention_gain_M=p["attention_norm"]["gain"],
            projection_PM=interleaved(*(rows(attention[name]["kernel"], 1) for name in ("query", "key", "value"))),
            qk_gain_JC=interleaved(*(jnp.tile(g["gain"][None], (n, 1)) for g, n in gains)) if gains else None,
            output_MQ=rows(attention["output"]["kernel"], 2),
            mlp_gain_M=p["mlp_norm"]["gain"],
            gate_up_UM=interleaved(*(rows(mlp[name]["kernel"], 1) for name in ("gate", "up"))),
            down_MF=rows(mlp["down"]["kernel"], 1),
        )

    return DecodeWeights(
        embedding_VM=parameters["embedding"].astype(dtype),
        layers=tuple(layer(p) for p in transformer.unstack_layers(a, parameters)),
        final_gain_M=parameters["final_norm"]["gain"],
        unembedding_VM=None if a.tied_embeddings else rows(parameters["unembedding"], 1),
    )


def abstract_weights(a: Architecture, dtype: str) -> DecodeWeights:
    """Shapes and types of `make_weights`."""
    return jax.eval_shape(lambda: make_weights(a, transformer.init(a, jax.random.key(0)), dtype))


def random_weights(a: Architecture, seed: int, dtype: str, mesh: Mesh) -> DecodeWeights:
    """Weights of the right shapes and scales, made on the host without compiling anything; for timing only."""
    generator = np.random.default_rng(seed)

    def fill(leaf: jax.ShapeDtypeStruct, place: NamedSharding) -> jax.Array:
        if leaf.shape[-1] == a.d_head or len(leaf.shape) == 1:  # gains
            return jax.device_put(np.ones(leaf.shape, leaf.dtype), place)
        values = generator.random(leaf.shape, np.float32)
        values -= 0.5
        values *= math.sqrt(12 / leaf.shape[-1])
        return jax.device_put(values.astype(leaf.dtype, copy=False), place)

    return jax.tree.map(fill, abstract_weights(a, dtype), weight_shardings(a, mesh))


def weight_shardings(a: Architecture, mesh: Mesh) -> Any:
    """A NamedSharding for each of the DecodeWeights: rows or columns of heads, MLP and vocabulary over the tensor axis.

    Raises:
      ValueError: the tensor axis does not divide kv heads, MLP width and vocabulary.
    """
    n_shards = mesh.shape["tensor"]
    for field in ("n_kv_heads", "d_ff", "vocab_size"):
        require(getattr(a, field) % n_shards == 0, field, getattr(a, field), f"must be divisible by tensor={n_shards}")
    specs = ((), ("tensor", None), (None, "tensor"))
    whole, rows, columns = (cast(Any, NamedSharding(mesh, P(*axes))) for axes in specs)
    layer = LayerWeights(
        attention_gain_M=whole,
        projection_PM=rows,
        qk_gain_JC=rows if a.qk_norm else None,
        output_MQ=columns,
        mlp_gain_M=whole,
        gate_up_UM=rows,
        down_MF=columns,
    )
    unembedding = None if a.tied_embeddings else rows
    return DecodeWeights(rows, (layer,) * a.n_layers, whole, unembedding)
