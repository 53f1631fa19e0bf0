"""The decode engine: prefill and decode compiled ahead of time, on one device or over the tensor axis of a mesh.

B batch, T query positions, S cache positions, M model width, H query heads, K kv heads, G = H/K, J = H + K, Z = K·B, C
head width, F MLP width, V vocabulary, X devices along the tensor axis.
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
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from ie_scaling.architecture import Architecture
from ie_scaling.model import layers
from ie_scaling.model.decoding import kv_cache
from ie_scaling.model.decoding.kv_cache import KVCache
from ie_scaling.model.decoding.weights import DecodeWeights, LayerWeights, Matrix, weight_shardings
from ie_scaling.model.layers import NORM_EPSILON, rms_norm, rotary_table, turn
from ie_scaling.running.config import require
from ie_scaling.workload import DecodeMode, Workload, prefill_block


def _normed_linear(x_BTM: jax.Array, w: Matrix) -> jax.Array:
    """RMS norm, then the matrix that has its gain: W·(s·x) as s·(W·x), so that the product need not wait for s."""
    x32_BTM = x_BTM.astype(jnp.float32)
    square_BT = jnp.einsum("BTM,BTM->BT", x32_BTM, x32_BTM)
    scale_BT = jax.lax.rsqrt(square_BT / x_BTM.shape[-1] + NORM_EPSILON)
    return (w.apply(x_BTM, jnp.float32) * scale_BT[..., None]).astype(x_BTM.dtype)


@dataclasses.dataclass(frozen=True)
class Decoder:
    """What is compiled: the architecture, how it is split over X devices, and how tokens are chosen."""

    architecture: Architecture
    n_shards: int = 1
    temperature: float = 0.0


Table = tuple[jax.Array, jax.Array]  # cosines and sines, as rotary_table has them
Attend = Callable[..., jax.Array]  # of q_BTHC, k_BTKC, v_BTKC, and the cache with these in it, k_ZSC and v_ZSC


def _layers(
    d: Decoder, w: DecodeWeights, token_BT: jax.Array, cache: KVCache, start: jax.Array, table: Table, attend: Attend
) -> tuple[jax.Array, KVCache]:
    """The residual stream (B,T,M) after all layers, and the cache with these tokens' T positions in it from `start`."""
    x_BTM = w.embedding.rows(token_BT)
    keys, values = [], []
    for layer, k_ZSC, v_ZSC in zip(w.layers, cache.k_ZSC, cache.v_ZSC, strict=True):
        x_BTM, k_ZSC, v_ZSC = _layer(d, layer, x_BTM, k_ZSC, v_ZSC, start, table, attend)
        keys.append(k_ZSC)
        values.append(v_ZSC)
    return x_BTM, KVCache(tuple(keys), tuple(values), start + token_BT.shape[1])


def _layer(
    d: Decoder,
    w: LayerWeights,
    x_BTM: jax.Array,
    k_ZSC: jax.Array,
    v_ZSC: jax.Array,
    start: jax.Array,
    table: Table,
    attend: Attend,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """One layer of `_layers`, and its cache arrays."""
    B, T, _ = x_BTM.shape
    a, X = d.architecture, d.n_shards
    H, K, C, F = a.n_heads, a.n_kv_heads, a.d_head, a.d_ff
    h, k = H // X, K // X  # of one device
    heads = _normed_linear(x_BTM, w.projection).reshape(B, T, X, h + 2 * k, C)
    qk_BTJC, v_BTKC = heads[:, :, :, : h + k].reshape(B, T, H + K, C), heads[:, :, :, h + k :].reshape(B, T, K, C)
    if w.qk_gain_JC is not None:
        qk_BTJC = rms_norm(qk_BTJC, jnp.ones((C,))) * w.qk_gain_JC[None, None].astype(x_BTM.dtype)
    qk = turn(qk_BTJC, *table).reshape(B, T, X, h + k, C)
    q_BTHC, k_BTKC = qk[:, :, :, :h].reshape(B, T, H, C), qk[:, :, :, h:].reshape(B, T, K, C)
    k_ZSC = kv_cache.write(k_ZSC, _heads_outermost(k_BTKC), start)
    v_ZSC = kv_cache.write(v_ZSC, _heads_outermost(v_BTKC), start)
    x_BTM = x_BTM + w.output.apply(attend(q_BTHC, k_BTKC, v_BTKC, k_ZSC, v_ZSC).reshape(B, T, H * C))
    u = _normed_linear(x_BTM, w.gate_up).reshape(B, T, X, 2, F // X)
    x_BTM = x_BTM + w.down.apply((jax.nn.silu(u[:, :, :, 0]) * u[:, :, :, 1]).reshape(B, T, F))
    return x_BTM, k_ZSC, v_ZSC


def _choose(d: Decoder, w: DecodeWeights, x_BTM: jax.Array, key: jax.Array, position: jax.Array) -> jax.Array:
    """The next token (B,) after the last position: the most likely one, or drawn at the decoder's temperature."""
    unembedding = w.embedding if w.unembedding is None else w.unembedding
    logits_BV = unembedding.apply(rms_norm(x_BTM[:, -1:], w.final_gain_M), jnp.float32)[:, 0]
    if d.temperature:
        drawn = jax.random.gumbel(jax.random.fold_in(key, position), logits_BV.shape, jnp.float32)
        logits_BV = logits_BV / d.temperature + drawn
    return jnp.argmax(logits_BV, axis=-1).astype(jnp.int32)


def _attend_one(q_BTHC: jax.Array, k_ZSC: jax.Array, v_ZSC: jax.Array, mask_S: jax.Array) -> jax.Array:
    """Attention (B,1,H,C) of one position over the cache, each KV head read once for its G query heads."""
    B, _, H, C = q_BTHC.shape
    K = k_ZSC.shape[0] // B
    q_KBGC = (q_BTHC * (1 / math.sqrt(C))).reshape(B, K, H // K, C).transpose(1, 0, 2, 3)
    q_ZGC = q_KBGC.reshape(K * B, H // K, C)
    logits_ZGS = jnp.einsum("ZGC,ZSC->ZGS", q_ZGC, k_ZSC, preferred_element_type=jnp.float32) + mask_S[None, None]
    weights_ZGS = jnp.exp(logits_ZGS - jnp.max(logits_ZGS, axis=-1, keepdims=True))
    mixed_ZGC = jnp.einsum("ZGS,ZSC->ZGC", weights_ZGS.astype(v_ZSC.dtype), v_ZSC, preferred_element_type=jnp.float32)
    mixed_ZGC = (mixed_ZGC / jnp.sum(weights_ZGS, axis=-1, keepdims=True)).astype(q_BTHC.dtype)
    return mixed_ZGC.reshape(K, B, 1, H // K, C).transpose(1, 2, 0, 3, 4).reshape(B, 1, H, C)


def _heads_outermost(x_BTKC: jax.Array) -> jax.Array:
    """(Z,T,C), as the cache has them."""
    B, T, K, C = x_BTKC.shape
    return x_BTKC.transpose(2, 0, 1, 3).reshape(K * B, T, C)


def prefill(
    d: Decoder, w: DecodeWeights, token_BT: jax.Array, cache: KVCache, key: jax.Array
) -> tuple[jax.Array, KVCache]:
    """The first new token (B,), and the cache with the prompt in its first T positions, whatever it held."""
    a, T = d.architecture, token_BT.shape[1]
    table = rotary_table(jnp.arange(T), a.d_head, a.rope_base)

    def attend(q_BTHC, k_BTKC, v_BTKC, *_):  # the prompt to itself
        return layers.attend(q_BTHC, k_BTKC, v_BTKC, None, prefill_block(T))

    x_BTM, cache = _layers(d, w, token_BT, cache, jnp.zeros((), jnp.int32), table, attend)
    return _choose(d, w, x_BTM, key, cache.length), cache


def step(d: Decoder, w: DecodeWeights, token_B: jax.Array, cache: KVCache, key: jax.Array) -> tuple[jax.Array, KVCache]:
    """The token (B,) that follows `token_B`, and the cache with `token_B`'s position in it."""
    table = rotary_table(cache.length[None], d.architecture.d_head, d.architecture.rope_base)
    return _step(d, w, token_B, cache, key, table)


def _step(
    d: Decoder, w: DecodeWeights, token_B: jax.Array, cache: KVCache, key: jax.Array, table: Table
) -> tuple[jax.Array, KVCache]:
    """`step`, given the rotary table of its position."""
    mask_S = jnp.where(jnp.arange(cache.capacity) <= cache.length, 0.0, -jnp.inf)

    def attend(q_BTHC, k_BTKC, v_BTKC, k_ZSC, v_ZSC):
        return _attend_one(q_BTHC, k_ZSC, v_ZSC, mask_S)

    x_BTM, cache = _layers(d, w, token_B[:, None], cache, cache.length, table, attend)
    return _choose(d, w, x_BTM, key, cache.length), cache


def loop(
    d: Decoder, n_steps: int, w: DecodeWeights, token_B: jax.Array, cache: KVCache, key: jax.Array
) -> tuple[jax.Array, KVCache]:
    """The n_steps tokens (T,B) that follow `token_B`, and the cache after them."""
    # Of all positions at once, outside the loop: inside, every layer would take its own sines.
    tables = rotary_table(jnp.arange(cache.capacity), d.architecture.d_head, d.architecture.rope_base)

    def body(carry: tuple[jax.Array, KVCache], _: None) -> tuple[tuple[jax.Array, KVCache], jax.Array]:
        token_B, cache = carry
        cos_TC, sin_TC = (jax.lax.dynamic_slice_in_dim(table_SC, cache.length, 1) for table_SC in tables)
        token_B, cache = _step(d, w, token_B, cache, key, (cos_TC, sin_TC))
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
    mesh: Mesh
    compiled_prefill: jax.stages.Compiled
    compiled_decode: jax.stages.Compiled | None
    compile_s: float

    def place(self, array: Any) -> jax.Array:
        """On every device of the mesh, whole."""
        return jax.device_put(array, NamedSharding(self.mesh, P()))

    def new_cache(self) -> KVCache:
        """A cache of the workload's size, with nothing in it."""
        cache = _empty_cache(self.architecture, self.workload)
        return jax.device_put(cache, _cache_shardings(cache, self.mesh))

    @property
    def memory_bytes(self) -> int | None:
        """What XLA allots on each device for a request: weights, cache and temporaries; None where it does not say."""
        sizes = []
        for program in (self.compiled_prefill, self.compiled_decode):
            memory = None if program is None else program.memory_analysis()
            if memory is not None:
                live = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
                sizes.append(live + memory.temp_size_in_bytes)
        return max(sizes, default=None)

    def prefill(self, token_BT: jax.Array, cache: KVCache, key: jax.Array) -> tuple[jax.Array, KVCache]:
        """The first new token (B,) after the prompt, and the cache."""
        return self.compiled_prefill(self.weights, token_BT, cache, key)

    def decode(self, token_B: jax.Array, cache: KVCache, key: jax.Array) -> tuple[Any, KVCache]:
        """The other new_tokens − 1 tokens: (T,B) in loop mode, a list of T arrays (B,) in step mode; and the cache."""
        if self.compiled_decode is None:
            return [], cache
        if self.workload.mode == DecodeMode.LOOP:
            return self.compiled_decode(self.weights, token_B, cache, key)
        tokens = []
        for _ in range(self.workload.new_tokens - 1):
            token_B, cache = self.compiled_decode(self.weights, token_B, cache, key)
            tokens.append(token_B)
        return tokens, cache

    def generate(self, token_BT: np.ndarray, seed: int = 0) -> np.ndarray:
        """The new tokens (B, new_tokens) that decoding adds to these prompts; `seed` matters above temperature 0.

        Raises:
          InputError: prompts of another number or length than the engine was compiled for.
        """
        compiled_for = (self.workload.batch, self.workload.prompt_tokens)
        require(np.shape(token_BT) == compiled_for, "prompts", np.shape(token_BT), f"must be of shape {compiled_for}")
        key = self.place(jax.random.key(seed))
        first_B, cache = self.prefill(self.place(np.asarray(token_BT, np.int32)), self.new_cache(), key)
        rest, _ = self.decode(first_B, cache, key)
        return np.stack([np.asarray(first_B), *(np.asarray(token_B) for token_B in rest)], axis=1)


def compile_engine(a: Architecture, workload: Workload, weights: DecodeWeights, mesh: Mesh) -> Engine:
    """Prefill and decode compiled for these very shapes, with the cache donated.

    `weights` are laid out for the workload's batch and for as many shards as the mesh's tensor axis has devices, and
    placed by `weight_shardings`.
    """
    decoder = Decoder(a, mesh.shape["tensor"], workload.temperature)
    cache = jax.eval_shape(lambda: _empty_cache(a, workload))
    prompt_BT = jax.ShapeDtypeStruct((workload.batch, workload.prompt_tokens), jnp.int32)
    token_B = jax.ShapeDtypeStruct((workload.batch,), jnp.int32)
    key = jax.eval_shape(lambda: jax.random.key(0))
    whole, cache_places = NamedSharding(mesh, P()), _cache_shardings(cache, mesh)

    def compiled(function: Callable, token: jax.ShapeDtypeStruct) -> jax.stages.Compiled:
        places = (weight_shardings(a, workload.batch, mesh), whole, cache_places, whole)
        program = jax.jit(function, donate_argnums=2, in_shardings=places, out_shardings=(whole, cache_places))
        return program.lower(weights, token, cache, key).compile()

    start, n_steps = time.perf_counter(), workload.new_tokens - 1
    compiled_prefill = compiled(functools.partial(prefill, decoder), prompt_BT)
    decode = (
        functools.partial(loop, decoder, n_steps)
        if workload.mode == DecodeMode.LOOP
        else functools.partial(step, decoder)
    )
    compiled_decode = compiled(decode, token_B) if n_steps else None
    return Engine(a, workload, weights, mesh, compiled_prefill, compiled_decode, time.perf_counter() - start)


def _empty_cache(a: Architecture, workload: Workload) -> KVCache:
    return kv_cache.empty_cache(a, workload.batch, workload.cache_positions, workload.dtype)


def _cache_shardings(cache: KVCache, mesh: Mesh) -> Any:
    """Keys and values over the tensor axis by kv heads."""
    heads, whole = NamedSharding(mesh, P("tensor")), NamedSharding(mesh, P())
    return jax.tree.map(lambda array: heads if array.ndim else whole, cache)
