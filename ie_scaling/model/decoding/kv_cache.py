"""The key-value cache: an argument that is passed, returned and donated, never state hidden in a module.

B batch, S cache positions, K kv heads, Z = K·B with the heads outermost, C head width. Heads and batch are one axis:
attention is then a product with the cache as it lies, and XLA writes new positions in place.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from ie_scaling.architecture import Architecture


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class KVCache:
    """Keys and values of every layer, each layer in buffers of its own so that a write touches only its own.

    Attributes:
      k_ZSC: one array a layer; positions contiguous for each head, as attention reads them.
      v_ZSC: likewise.
      length: int32 scalar, positions filled so far (equal for the whole batch).
    """

    k_ZSC: tuple[jax.Array, ...]
    v_ZSC: tuple[jax.Array, ...]
    length: jax.Array

    @property
    def capacity(self) -> int:
        """S: the most positions it can hold."""
        return self.k_ZSC[0].shape[1]


def empty_cache(architecture: Architecture, batch: int, capacity: int, dtype: DTypeLike) -> KVCache:
    """A cache with nothing in it."""
    shape = (architecture.n_kv_heads * batch, capacity, architecture.d_head)
    layers = range(architecture.n_layers)
    return KVCache(
        k_ZSC=tuple(jnp.zeros(shape, dtype) for _ in layers),
        v_ZSC=tuple(jnp.zeros(shape, dtype) for _ in layers),
        length=jnp.zeros((), jnp.int32),
    )


def write(cache_ZSC: jax.Array, new_ZTC: jax.Array, start: jax.Array) -> jax.Array:
    """The cache array with T new positions from `start` on; they must fit (the slice would clamp silently)."""
    zero = jnp.zeros((), start.dtype)
    return jax.lax.dynamic_update_slice(cache_ZSC, new_ZTC.astype(cache_ZSC.dtype), (zero, start, zero))
