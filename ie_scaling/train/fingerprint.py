"""Fingerprint of a training state: sums that a lost chunk, a flipped bit or a swapped word changes."""

import jax
import jax.numpy as jnp

from ie_scaling.train.step import TrainState


def of(state: TrainState) -> dict[str, int]:
    """Tree path -> 32-bit sum over a leaf's words, each hashed with its position: the same on every mesh.

    A truncated or missing chunk, which TensorStore reads as zeros, changes it; so does a flipped bit.
    """
    sums = jax.device_get(_word_sums(state))
    return {jax.tree_util.keystr(path): int(value) for path, value in jax.tree.leaves_with_path(sums)}


@jax.jit
def _word_sums(state: TrainState) -> TrainState:
    def word_sum(leaf: jax.Array) -> jax.Array:
        unsigned = {1: jnp.uint8, 2: jnp.uint16, 4: jnp.uint32, 8: jnp.uint64}[leaf.dtype.itemsize]
        words = jax.lax.bitcast_convert_type(leaf, unsigned).astype(jnp.uint32)
        index = jnp.zeros(leaf.shape, jnp.uint32)
        for axis, size in enumerate(leaf.shape):
            index = index * jnp.uint32(size) + jax.lax.broadcasted_iota(jnp.uint32, leaf.shape, axis)
        # A plain sum would not do: round numbers end in zeros, and 1024² times one of them is 0 modulo 2³².
        mixed = (words ^ (index * jnp.uint32(0x9E3779B9))) * jnp.uint32(0x85EBCA6B)
        mixed = (mixed ^ (mixed >> 16)) * jnp.uint32(0xC2B2AE35)
        return jnp.sum(mixed ^ (mixed >> 13), dtype=jnp.uint32)

    return jax.tree.map(word_sum, state)
