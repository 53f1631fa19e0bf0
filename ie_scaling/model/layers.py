"""One decoder layer: RMSNorm, grouped-query attention with rotary positions, SwiGLU.

B batch, T query positions, S key positions, M model width, H query heads, K kv heads, G = H/K, C head width,
F MLP width.
"""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from ie_scaling.architecture import Architecture
from ie_scaling.model import on_cpu

NORM_EPSILON = 1e-5
QUERY_BLOCK = 128


def fan_in_init(fan_in: int, scale: float = 1.0) -> nnx.Initializer:
    """Normal of standard deviation scale/√fan_in, cut at two of them: what is drawn has 0.88 of that."""
    return jax.nn.initializers.truncated_normal(stddev=scale / math.sqrt(fan_in))


def rms_norm(x: jax.Array, gain: jax.Array) -> jax.Array:
    """x / rms(x) · gain over the last axis, computed in float32."""
    x32 = x.astype(jnp.float32)
    scale = jax.lax.rsqrt(jnp.mean(jnp.square(x32), axis=-1, keepdims=True) + NORM_EPSILON)
    return (x32 * scale * gain.reshape((1,) * (x.ndim - 1) + (-1,))).astype(x.dtype)


class RMSNorm(nnx.Module):
    """`rms_norm` with its gain as a parameter."""

    def __init__(self, width: int):
        self.gain = nnx.Param(jnp.ones((width,), jnp.float32))

    def __call__(self, x: jax.Array) -> jax.Array:
        return rms_norm(x, self.gain[...])


def rotary_table(position_T: jax.Array, width: int, base: float) -> tuple[jax.Array, jax.Array]:
    """Cosine and sine (T, width/2) of the angles position · base^(−2i/width)."""
    half = width // 2
    frequency = base ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angle_TC = position_T.astype(jnp.float32)[:, None] * frequency[None, :]
    return jnp.cos(angle_TC), jnp.sin(angle_TC)


def turn(x_BTHC: jax.Array, cos_TC: jax.Array, sin_TC: jax.Array) -> jax.Array:
    """Each pair (i, i + C/2) turned by its angle, as Hugging Face's Llama lays them out."""
    half = x_BTHC.shape[-1] // 2
    cos, sin = cos_TC[None, :, None, :], sin_TC[None, :, None, :]
    x32 = x_BTHC.astype(jnp.float32)
    first, second = x32[..., :half], x32[..., half:]
    turned = jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
    return turned.astype(x_BTHC.dtype)


def rotate(x_BTHC: jax.Array, position_T: jax.Array, base: float) -> jax.Array:
    """Rotary embedding of these positions."""
    return turn(x_BTHC, *rotary_table(position_T, x_BTHC.shape[-1], base))


class Linear(nnx.Einsum):
    """`nnx.Einsum` over the rows N of an input of any leading axes.

    Rows are one axis because the gradient of the weights then sums over one axis, which needs no transposed copy of
    the activations (XLA makes one where it sums over B and T).
    """

    def __init__(
        self, subscripts: str, shape: tuple[int, ...], dtype: DTypeLike, kernel_init: nnx.Initializer, rngs: nnx.Rngs
    ):
        super().__init__(subscripts, shape, dtype=dtype, kernel_init=kernel_init, einsum_op=on_cpu.einsum, rngs=rngs)

    def __call__(self, x: jax.Array, n_axes: int = 1) -> jax.Array:  # ty: ignore
        """The last n_axes of x contracted with the weights."""
        leading = x.shape[: x.ndim - n_axes]
        rows = super().__call__(x.reshape(-1, *x.shape[x.ndim - n_axes :]))
        return rows.reshape(*leading, *rows.shape[1:])


def attend(
    q_BTHC: jax.Array,
    k_BTKC: jax.Array,
    v_BTKC: jax.Array,
    same_BTT: jax.Array | None,
    query_block: int = QUERY_BLOCK,
) -> jax.Array:
    """Causal attention (B,T,H,C), within documents alone where `same_BTT` says which positions are of the same.

    In blocks of `query_block` queries, each with the keys up to its end, so that most of the masked half is never
    computed. The G query heads of a KV head are rows of one product with it.
    """
    B, T, H, C = q_BTHC.shape
    K = k_BTKC.shape[2]
    q_BKGTC = (q_BTHC / math.sqrt(C)).reshape(B, T, K, H // K, C).transpose(0, 2, 3, 1, 4)
    k_BKTC, v_BKTC = k_BTKC.transpose(0, 2, 1, 3), v_BTKC.transpose(0, 2, 1, 3)
    visible_BTT = jnp.tril(jnp.ones((1, T, T), bool))
    visible_BTT = visible_BTT if same_BTT is None else visible_BTT & same_BTT
    # Added, and not chosen by: then the backward pass needs nothing but the weights.
    bias_BTT = jnp.where(visible_BTT, 0.0, -1e30).astype(jnp.float32)
    mixed = []
    for start in range(0, T, query_block):
        end = min(start + query_block, T)
        seen = slice(0, end)
        block_BKGTC = q_BKGTC[:, :, :, start:end]
        mixed.append(_attend_block(block_BKGTC, k_BKTC[:, :, seen], v_BKTC[:, :, seen], bias_BTT[:, start:end, seen]))
    mixed_BKGTC = mixed[0] if len(mixed) == 1 else jnp.concatenate(mixed, axis=3)
    return mixed_BKGTC.transpose(0, 3, 1, 2, 4).reshape(B, T, H, C)


def _attend_block(q_BKGTC: jax.Array, k_BKSC: jax.Array, v_BKSC: jax.Array, bias_BTS: jax.Array) -> jax.Array:
    """softmax(q·k + bias)·v of some queries, (B,K,G,T,C); the rows R of each KV head are its G·T queries."""
    B, K, G, T, C = q_BKGTC.shape
    q_BKRC = q_BKGTC.reshape(B, K, G * T, C)
    logits_BKRS = jnp.einsum("BKRC,BKSC->BKRS", q_BKRC, k_BKSC, preferred_element_type=jnp.float32)
    weights_BKRS = jax.nn.softmax(logits_BKRS + jnp.tile(bias_BTS, (1, G, 1))[:, None], axis=-1).astype(v_BKSC.dtype)
    return jnp.einsum("BKRS,BKSC->BKRC", weights_BKRS, v_BKSC).reshape(B, K, G, T, C)


class Attention(nnx.Module):
    """Causal grouped-query self-attention, over its own positions or over a cache."""

    def __init__(self, a: Architecture, dtype: DTypeLike, rngs: nnx.Rngs):
        M, H, K, C = a.d_model, a.n_heads, a.n_kv_heads, a.d_head
        into, out = fan_in_init(M), fan_in_init(H * C, 1 / math.sqrt(2 * a.n_layers))
        self.query = Linear("NM,MHC->NHC", (M, H, C), dtype=dtype, kernel_init=into, rngs=rngs)
        self.key = Linear("NM,MKC->NKC", (M, K, C), dtype=dtype, kernel_init=into, rngs=rngs)
        self.value = Linear("NM,MKC->NKC", (M, K, C), dtype=dtype, kernel_init=into, rngs=rngs)
        self.output = Linear("NHC,HCM->NM", (H, C, M), dtype=dtype, kernel_init=out, rngs=rngs)
        self.query_norm = RMSNorm(C) if a.qk_norm else None
        self.key_norm = RMSNorm(C) if a.qk_norm else None
        self.rope_base = a.rope_base

    def project(self, x_BTM: jax.Array, position_T: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Rotated queries (B,T,H,C) and keys (B,T,K,C), and values (B,T,K,C)."""
        q_BTHC, k_BTKC, v_BTKC = self.query(x_BTM), self.key(x_BTM), self.value(x_BTM)
        if self.query_norm is not None and self.key_norm is not None:
            q_BTHC, k_BTKC = self.query_norm(q_BTHC), self.key_norm(k_BTKC)
        return rotate(q_BTHC, position_T, self.rope_base), rotate(k_BTKC, position_T, self.rope_base), v_BTKC

    def __call__(self, x_BTM: jax.Array, position_T: jax.Array, same_BTT: jax.Array | None = None) -> jax.Array:
        """Over its own T positions, those of the same document alone where `same_BTT` says which these are."""
        q_BTHC, k_BTKC, v_BTKC = self.project(x_BTM, position_T)
        return self.output(attend(q_BTHC, k_BTKC, v_BTKC, same_BTT), n_axes=2)


class MLP(nnx.Module):
    """SwiGLU: (silu(x·gate) ∘ x·up)·down."""

    def __init__(self, a: Architecture, dtype: DTypeLike, rngs: nnx.Rngs):
        M, F = a.d_model, a.d_ff
        into, out = fan_in_init(M), fan_in_init(F, 1 / math.sqrt(2 * a.n_layers))
        self.gate = Linear("NM,MF->NF", (M, F), dtype=dtype, kernel_init=into, rngs=rngs)
        self.up = Linear("NM,MF->NF", (M, F), dtype=dtype, kernel_init=into, rngs=rngs)
        self.down = Linear("NF,FM->NM", (F, M), dtype=dtype, kernel_init=out, rngs=rngs)

    def __call__(self, x_BTM: jax.Array) -> jax.Array:
        return self.down(jax.nn.silu(self.gate(x_BTM)) * self.up(x_BTM))


class Layer(nnx.Module):
    """Pre-norm attention and MLP, each added to the residual stream."""

    def __init__(self, a: Architecture, dtype: DTypeLike, rngs: nnx.Rngs):
        self.attention_norm, self.attention = RMSNorm(a.d_model), Attention(a, dtype, rngs)
        self.mlp_norm, self.mlp = RMSNorm(a.d_model), MLP(a, dtype, rngs)

    def __call__(self, x_BTM: jax.Array, position_T: jax.Array, same_BTT: jax.Array | None = None) -> jax.Array:
        x_BTM = x_BTM + self.attention(self.attention_norm(x_BTM), position_T, same_BTT)
        return x_BTM + self.mlp(self.mlp_norm(x_BTM))
