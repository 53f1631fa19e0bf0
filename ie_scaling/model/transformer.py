"""The decoder as pure functions of its parameters: one parameter tree, its layers scanned or written out.

B batch, T positions, M model width, V vocabulary. `Parameters` is the nnx state of a
`Transformer` as a plain nested dict, in which each leaf under `layers` has a leading axis of n_layers.
"""

import dataclasses
import functools
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from ie_scaling.architecture import Architecture
from ie_scaling.model import on_cpu
from ie_scaling.model.layers import Layer, RMSNorm, fan_in_init, rms_norm

Parameters = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where activations lie on a mesh: constraints for the residual stream (B,T,M) and the logits (B,T,V)."""

    activations: Callable[[jax.Array], jax.Array]
    logits: Callable[[jax.Array], jax.Array]


ANYWHERE = Placement(activations=lambda x: x, logits=lambda x: x)


class Transformer(nnx.Module):
    """The parameters of a decoder: embedding, stacked layers, final norm, and an output matrix where untied."""

    def __init__(self, a: Architecture, dtype: DTypeLike, rngs: nnx.Rngs):
        @nnx.split_rngs(splits=a.n_layers)
        @nnx.vmap(in_axes=0, out_axes=0)
        def stack(rngs: nnx.Rngs) -> Layer:
            return Layer(a, dtype, rngs)

        # Untied, the residual stream starts at unit variance, so that layers add to the token instead of drowning it
        # (a scale of 0.02 cost 0.37 nats at 128×1 and 0.60 at 64×4, 120k tokens, one rate). Tied, it is an output too.
        embed, unembed = fan_in_init(a.d_model if a.tied_embeddings else 1), fan_in_init(a.d_model)
        self.embedding = nnx.Param(embed(rngs.params(), (a.vocab_size, a.d_model)))
        self.layers = stack(rngs)
        self.final_norm = RMSNorm(a.d_model)
        self.unembedding = None if a.tied_embeddings else nnx.Param(unembed(rngs.params(), (a.d_model, a.vocab_size)))


@functools.lru_cache(maxsize=256)
def _layer_graph(a: Architecture, dtype: Any) -> nnx.GraphDef:
    """The static structure of one layer; with parameters from the tree, `nnx.merge` makes it callable."""
    return nnx.graphdef(nnx.eval_shape(lambda: Layer(a, dtype, nnx.Rngs(0))))


def init(a: Architecture, key: jax.Array) -> Parameters:
    """Fresh float32 parameters; a pure function of the key, to be jitted (with out_shardings on a mesh)."""
    return nnx.to_pure_dict(nnx.state(Transformer(a, jnp.float32, nnx.Rngs(params=key)), nnx.Param))


def abstract_parameters(a: Architecture) -> Parameters:
    """Shapes and dtypes of the parameters, nothing allocated."""
    return jax.eval_shape(functools.partial(init, a), jax.random.key(0))


def unstack_layers(a: Architecture, parameters: Parameters) -> tuple[Parameters, ...]:
    """One parameter tree a layer, as decoding reads them; each its own buffer once outside a jit."""
    stacked = parameters["layers"]
    return tuple(jax.tree.map(operator.itemgetter(layer), stacked) for layer in range(a.n_layers))


def split_layers(a: Architecture, parameters: Parameters) -> Parameters:
    """The parameters with `layers` a tuple of one tree a layer: what `forward` differentiates fastest without scan.

    The gradient of a slice of a stack would be a whole stack of zeros but for it, n_layers times added up.
    """
    return parameters | {"layers": unstack_layers(a, parameters)}


def join_layers(parameters: Parameters) -> Parameters:
    """The inverse of `split_layers`."""
    return parameters | {"layers": jax.tree.map(lambda *layers: jnp.stack(layers), *parameters["layers"])}


def _embed(parameters: Parameters, token_BT: jax.Array, dtype: DTypeLike) -> jax.Array:
    return jnp.take(parameters["embedding"], token_BT, axis=0).astype(dtype)


def _logits(a: Architecture, parameters: Parameters, x_BTM: jax.Array, dtype: DTypeLike) -> jax.Array:
    """Final norm and output projection, accumulated and returned in float32."""
    B, T, M = x_BTM.shape
    x_NM = rms_norm(x_BTM, parameters["final_norm"]["gain"]).reshape(B * T, M)  # rows, as of layers.Linear
    weight, subscripts = ("embedding", "NM,VM->NV") if a.tied_embeddings else ("unembedding", "NM,MV->NV")
    logits_NV = on_cpu.einsum(subscripts, x_NM, parameters[weight].astype(dtype), preferred_element_type=jnp.float32)
    return logits_NV.reshape(B, T, a.vocab_size)


def forward(
    a: Architecture,
    parameters: Parameters,
    token_BT: jax.Array,
    dtype: DTypeLike = jnp.float32,
    *,
    remat: str = "none",
    scan: bool = True,
    document_BT: jax.Array | None = None,
    placement: Placement = ANYWHERE,
) -> jax.Array:
    """Logits (B,T,V) in float32 of every position given those before it.

    Args:
      parameters: as `init` makes them; without scan also as `split_layers` does.
      remat: what the forward pass saves for the backward: "none" recomputes nothing, "dots" saves the outputs of
        matrix products with weights, "full" each layer's input alone.
      scan: layers by lax.scan over the stacked weights, compiled once; or written out one after another, which
        compiles longer, and runs faster on a CPU, as nothing is stacked.
      document_BT: numbers that tell the documents of a row apart; attention then stays inside each. Rotary positions
        run on over the row, which changes nothing, as only their differences count.
      placement: where activations lie on a mesh.
    """
    graph = _layer_graph(a, jnp.dtype(dtype))
    position_T = jnp.arange(token_BT.shape[1])
    same_BTT = None if document_BT is None else document_BT[:, :, None] == document_BT[:, None, :]

    def body(x_BTM: jax.Array, layer_parameters: Parameters) -> tuple[jax.Array, None]:
        return placement.activations(nnx.merge(graph, layer_parameters)(x_BTM, position_T, same_BTT)), None

    x_BTM = placement.activations(_embed(parameters, token_BT, dtype))
    layer = _rematerialised(body, remat, scan)
    if scan:
        x_BTM, _ = jax.lax.scan(layer, x_BTM, parameters["layers"])
    else:
        layers = parameters["layers"]
        for layer_parameters in layers if isinstance(layers, tuple) else unstack_layers(a, parameters):
            x_BTM, _ = layer(x_BTM, layer_parameters)
    return placement.logits(_logits(a, parameters, x_BTM, dtype))


def _rematerialised(body: Callable, remat: str, in_scan: bool) -> Callable:
    if remat == "none":
        return body
    policies = jax.checkpoint_policies
    policy = {"dots": policies.dots_with_no_batch_dims_saveable, "full": policies.nothing_saveable}[remat]
    return jax.checkpoint(body, policy=policy, prevent_cse=not in_scan)  # inside a scan nothing can be merged
