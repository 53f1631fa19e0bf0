"""The decode engine: weights laid out for decoding, and prefill and decode compiled ahead of time.

B batch, T query positions, S cache positions, M model width, H query heads, K kv heads, G = H/K, C head width,
P = (H + 2K)·C rows of the fused projection, Q = H·C, F MLP width, U = 2F, V vocabulary; I in and O out of a matrix.
"""

import dataclasses
import functools
import math
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ie_scaling.architecture import Architecture
from ie_scaling.latency.workload import Workload
from ie_scaling.model import kv_cache, transformer
from ie_scaling.model.kv_cache import KVCache
from ie_scaling.model.layers import rms_norm, rotary_table, turn


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LayerWeights:
    """One layer's weights, matrices as (out, in): a matrix-vector product then reads each row in one go.

    Queries, keys and values are one matrix, gate and up another, so that a step dispatches fewer kernels.
    """

    attention_gain_M: jax.Array
    projection_PM: jax.Array
    qk_gain_XC: jax.Array | None  # a row for each of the H + K query and key heads
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


def make_weights(a: Architecture, parameters: transformer.Parameters, dtype: str) -> DecodeWeights:
    """The weights that decoding reads, from the parameters that training makes; gains stay float32."""

    def rows(kernel: jax.Array, inputs: int) -> jax.Array:
        """(in..., out...) as (out, in); `inputs` counts the leading axes that are input."""
        width = math.prod(kernel.shape[:inputs])
        return kernel.reshape(width, -1).T.astype(dtype)

    def layer(p: transformer.Parameters) -> LayerWeights:
        attention, mlp = p["attention"], p["mlp"]
        gains = [(attention["query_norm"], a.n_heads), (attention["key_norm"], a.n_kv_heads)] if a.qk_norm else []
        return LayerWeights(
            attention_gain_M=p["attention_norm"]["gain"],
            projection_PM=jnp.concatenate([rows(attention[name]["kernel"], 1) for name in ("query", "key", "value")]),
            qk_gain_XC=jnp.concatenate([jnp.tile(g["gain"][None], (n, 1)) for g, n in gains]) if gains else None,
            output_MQ=rows(attention["output"]["kernel"], 2),
            mlp_gain_M=p["mlp_norm"]["gain"],
            gate_up_UM=jnp.concatenate([rows(mlp[name]["kernel"], 1) for name in ("gate", "up")]),
            down_MF=rows(mlp["down"]["kernel"], 1),
        )

    return DecodeWeights(
        embedding_VM=parameters["embedding"].astype(dtype),
        layers=tuple(layer(p) for p in transformer.unstack_layers(a, parameters)),
        final_gain_M=parameters["final_norm"]["gain"],
        unembedding_VM=None if a.tied_embeddings else rows(parameters["unembedding"], 1),
    )


def random_weights(a: Architecture, seed: int, dtype: str) -> DecodeWeights:
    """Weights of the right shapes and scales, made on the host without compiling anything; for timing only."""
    shapes = jax.eval_shape(lambda: make_weights(a, transformer.init(a, jax.random.key(0)), dtype))
    generator = np.random.default_rng(seed)

    def fill(leaf: jax.ShapeDtypeStruct) -> jax.Array:
        if leaf.shape[-1] == a.d_head or len(leaf.shape) == 1:  # gains
            return jax.device_put(np.ones(leaf.shape, leaf.dtype))
        values = generator.random(leaf.shape, np.float32)
        values -= 0.5
        values *= math.sqrt(12 / leaf.shape[-1])
        return jax.device_put(values.astype(leaf.dtype, copy=False))

    return jax.tree.map(fill, shapes)


def _linear(x_BTI: jax.Array, w_OI: jax.Array, dtype: Any = None) -> jax.Array:
    return jnp.einsum("BTI,OI->BTO", x_BTI, w_OI, preferred_element_type=dtype)


def _layer(
    a: Architecture,
    w: LayerWeights,
    x_BTM: jax.Array,
    table: tuple[jax.Array, jax.Array],
    attend: Callable[[jax.Array, jax.Array, jax.Array], jax.Array],
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """One layer of T positions, attention left to `attend`; also its new keys and values, (B,K,T,C)."""
    B, T, _ = x_BTM.shape
    H, K, C, F = a.n_heads, a.n_kv_heads, a.d_head, a.d_ff
    heads_BTXC = _linear(rms_norm(x_BTM, w.attention_gain_M), w.projection_PM).reshape(B, T, H + 2 * K, C)
    qk_BTXC, v_BTKC = heads_BTXC[:, :, : H + K], heads_BTXC[:, :, H + K :]
    if w.qk_gain_XC is not None:
        qk_BTXC = rms_norm(qk_BTXC, jnp.ones((C,))) * w.qk_gain_XC[None, None].astype(x_BTM.dtype)
    qk_BTXC = turn(qk_BTXC, *table)
    q_BTHC, k_BTKC = qk_BTXC[:, :, :H], qk_BTXC[:, :, H:]
    x_BTM = x_BTM + _linear(attend(q_BTHC, k_BTKC, v_BTKC).reshape(B, T, H * C), w.output_MQ)
    u_BTU = _linear(rms_norm(x_BTM, w.mlp_gain_M), w.gate_up_UM)
    x_BTM = x_BTM + _linear(jax.nn.silu(u_BTU[..., :F]) * u_BTU[..., F:], w.down_MF)
    return x_BTM, k_BTKC.transpose(0, 2, 1, 3), v_BTKC.transpose(0, 2, 1, 3)


def _choose(w: DecodeWeights, x_BTM: jax.Array) -> jax.Array:
    """The greedy next token (B,) after the last position."""
    matrix_VM = w.embedding_VM if w.unembedding_VM is None else w.unembedding_VM
    logits_BTV = _linear(rms_norm(x_BTM[:, -1:], w.final_gain_M), matrix_VM, jnp.float32)
    return jnp.argmax(logits_BTV[:, 0], axis=-1).astype(jnp.int32)


def _attend_one(
    q_BTHC: jax.Array, k_BTKC: jax.Array, v_BTKC: jax.Array, *, k_BKSC: jax.Array, v_BKSC: jax.Array, mask_S: jax.Array
) -> jax.Array:
    """Attention of one new position over the cache as it was before it, and over itself.

    Reading the old cache, rather than one with the new position written in, leaves the write as the cache's last use,
    so that XLA writes in place.
    """
    B, _, H, C = q_BTHC.shape
    K = k_BKSC.shape[1]
    q_BKGC = q_BTHC.reshape(B, K, H // K, C) * (1 / math.sqrt(C))
    old_BKGS = jnp.einsum("BKGC,BKSC->BKGS", q_BKGC, k_BKSC, preferred_element_type=jnp.float32)
    old_BKGS = old_BKGS + mask_S[None, None, None]
    own_BKG1 = jnp.sum((q_BKGC * k_BTKC.reshape(B, K, 1, C)).astype(jnp.float32), axis=-1, keepdims=True)
    top_BKG1 = jnp.maximum(jnp.max(old_BKGS, axis=-1, keepdims=True), own_BKG1)
    old_BKGS, own_BKG1 = jnp.exp(old_BKGS - top_BKG1), jnp.exp(own_BKG1 - top_BKG1)
    mixed_BKGC = jnp.einsum(
        "BKGS,BKSC->BKGC", old_BKGS.astype(v_BKSC.dtype), v_BKSC, preferred_element_type=jnp.float32
    )
    mixed_BKGC = mixed_BKGC + own_BKG1 * v_BTKC.reshape(B, K, 1, C)
    return (mixed_BKGC / (jnp.sum(old_BKGS, axis=-1, keepdims=True) + own_BKG1)).astype(q_BTHC.dtype)


def prefill(a: Architecture, w: DecodeWeights, token_BT: jax.Array, cache: KVCache) -> tuple[jax.Array, KVCache]:
    """The first new token (B,), and the cache with the prompt in its first T positions, whatever it held."""
    T = token_BT.shape[1]
    table = rotary_table(jnp.arange(T), a.d_head, a.rope_base)
    attend = functools.partial(jax.nn.dot_product_attention, is_causal=True)
    x_BTM = jnp.take(w.embedding_VM, token_BT, axis=0)
    start = jnp.zeros((), jnp.int32)
    keys, values = [], []
    for layer, k_BKSC, v_BKSC in zip(w.layers, cache.k_BKSC, cache.v_BKSC, strict=True):
        x_BTM, k_BKTC, v_BKTC = _layer(a, layer, x_BTM, table, attend)
        keys.append(kv_cache.write(k_BKSC, k_BKTC, start))
        values.append(kv_cache.write(v_BKSC, v_BKTC, start))
    return _choose(w, x_BTM), KVCache(tuple(keys), tuple(values), jnp.full((), T, jnp.int32))


def step(a: Architecture, w: DecodeWeights, token_B: jax.Array, cache: KVCache) -> tuple[jax.Array, KVCache]:
    """The token (B,) that follows `token_B`, and the cache with `token_B`'s position in it."""
    table = rotary_table(cache.length[None], a.d_head, a.rope_base)
    mask_S = jnp.where(jnp.arange(cache.capacity) < cache.length, 0.0, -jnp.inf)
    table, mask_S = jax.lax.optimization_barrier((table, mask_S))  # once a step, not again in every layer
    x_BTM = jnp.take(w.embedding_VM, token_B[:, None], axis=0)
    fresh = []
    for layer, k_BKSC, v_BKSC in zip(w.layers, cache.k_BKSC, cache.v_BKSC, strict=True):
        attend = functools.partial(_attend_one, k_BKSC=k_BKSC, v_BKSC=v_BKSC, mask_S=mask_S)
        x_BTM, k_BKTC, v_BKTC = _layer(a, layer, x_BTM, table, attend)
        fresh.append((k_BKTC, v_BKTC))
    next_B = _choose(w, x_BTM)
    # Adding this zero makes every write depend on the last read of its array; without it XLA copies the whole cache.
    start = cache.length + jnp.minimum(next_B[0], 0)
    keys = tuple(kv_cache.write(k, new, start) for k, (new, _) in zip(cache.k_BKSC, fresh, strict=True))
    values = tuple(kv_cache.write(v, new, start) for v, (_, new) in zip(cache.v_BKSC, fresh, strict=True))
    return next_B, KVCache(keys, values, cache.length + 1)


def loop(
    a: Architecture, n_steps: int, w: DecodeWeights, token_B: jax.Array, cache: KVCache
) -> tuple[jax.Array, KVCache]:
    """The n_steps tokens (T,B) that follow `token_B`, and the cache after them."""

    def body(carry: tuple[jax.Array, KVCache], _: None) -> tuple[tuple[jax.Array, KVCache], jax.Array]:
        token_B, cache = step(a, w, *carry)
        return (token_B, cache), token_B

    (_, cache), token_TB = jax.lax.scan(body, (token_B, cache), length=n_steps)
    return token_TB, cache


@dataclasses.dataclass(frozen=True)
class Engine:
    """Compiled decoding of one architecture for one workload; the cache is donated to each call and comes back.

    Attributes:
      compile_s: seconds that tracing and compiling took.
    """

    architecture: Architecture
    workload: Workload
    weights: DecodeWeights
    compiled_prefill: jax.stages.Compiled
    compiled_decode: jax.stages.Compiled | None
    compile_s: float

    def new_cache(self) -> KVCache:
        """A cache of the workload's size."""
        w = self.workload
        return kv_cache.empty_cache(self.architecture, w.batch, w.cache_positions, w.dtype)

    def prefill(self, token_BT: jax.Array, cache: KVCache) -> tuple[jax.Array, KVCache]:
        """The first new token (B,) after the prompt, and the cache."""
        return self.compiled_prefill(self.weights, token_BT, cache)

    def decode(self, token_B: jax.Array, cache: KVCache) -> tuple[Any, KVCache]:
        """The other new_tokens − 1 tokens: (T,B) in loop mode, a list of T arrays (B,) in step mode; and the cache."""
        if self.compiled_decode is None:
            return [], cache
        if self.workload.mode == "loop":
            return self.compiled_decode(self.weights, token_B, cache)
        tokens = []
        for _ in range(self.workload.new_tokens - 1):
            token_B, cache = self.compiled_decode(self.weights, token_B, cache)
            tokens.append(token_B)
        return tokens, cache

    def generate(self, token_BT: np.ndarray) -> np.ndarray:
        """The new tokens (B, new_tokens) that greedy decoding adds to these prompts."""
        first_B, cache = self.prefill(jnp.asarray(token_BT, jnp.int32), self.new_cache())
        rest, _ = self.decode(first_B, cache)
        return np.stack([np.asarray(first_B), *(np.asarray(token_B) for token_B in rest)], axis=1)


def compile_engine(a: Architecture, workload: Workload, weights: DecodeWeights) -> Engine:
    """Prefill and decode compiled for these very shapes, with the cache donated."""
    cache = jax.eval_shape(lambda: kv_cache.empty_cache(a, workload.batch, workload.cache_positions, workload.dtype))
    prompt_BT = jax.ShapeDtypeStruct((workload.batch, workload.prompt_tokens), jnp.int32)
    token_B = jax.ShapeDtypeStruct((workload.batch,), jnp.int32)
    n_steps = workload.new_tokens - 1
    decode = functools.partial(loop, a, n_steps) if workload.mode == "loop" else functools.partial(step, a)
    start = time.perf_counter()
    compiled_prefill = jax.jit(functools.partial(prefill, a), donate_argnums=2).lower(weights, prompt_BT, cache)
    compiled_prefill = compiled_prefill.compile()
    compiled_decode = None
    if n_steps:
        compiled_decode = jax.jit(decode, donate_argnums=2).lower(weights, token_B, cache).compile()
    return Engine(a, workload, weights, compiled_prefill, compiled_decode, time.perf_counter() - start)
