"""The key-value cache: an argument that is passed, returned and donated, never state hidden in a module.

B batch, S cache positions, K kv heads, C head width.
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
      k_BKSC: one array a layer; positions contiguous for each head, as attention reads them.
      v_BKSC: likewise.
      length: int32 scalar, positions filled so far (equal for the whole batch).
    """

    k_BKSC: tuple[jax.Array, ...]
    v_BKSC: tuple[jax.Array, ...]
    length: jax.Array

    @property
    def capacity(self) -> int:
        """S: the most positions it can hold."""
        return self.k_BKSC[0].shape[2]


def empty_cache(architecture: Architecture, batch: int, capacity: int, dtype: DTypeLike) -> KVCache:
    """A cache with nothing in it."""
    shape = (batch, architecture.n_kv_heads, capacity, architecture.d_head)
    layers = range(architecture.n_layers)
    return KVCache(
        k_BKSC=tuple(jnp.zeros(shape, dtype) for _ in layers),
        v_BKSC=tuple(jnp.zeros(shape, dtype) for _ in layers),
        length=jnp.zeros((), jnp.int32),
    )


def write(cache_BKSC: jax.Array, new_BKTC: jax.Array, start: jax.Array) -> jax.Array:
    """The cache array with T new positions from `start` on; they must fit (the slice would clamp silently)."""
    zero = jnp.zeros((), start.dtype)
    return jax.lax.dynamic_update_slice(cache_BKSC, new_BKTC.astype(cache_BKSC.dtype), (zero, zero, start, zero))
