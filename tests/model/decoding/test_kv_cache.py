"""The cache: its shape, and what a write changes."""

import jax.numpy as jnp
import numpy as np

from ie_scaling.model.decoding import kv_cache
from tests.model.shapes import FAMILIES


def test_an_empty_cache_has_room_for_every_head_of_every_request():
    a = FAMILIES["gqa"]
    cache = kv_cache.empty_cache(a, batch=3, capacity=11, dtype=jnp.bfloat16)
    shapes = {array.shape for array in (*cache.k_ZSC, *cache.v_ZSC)}
    assert shapes == {(a.n_kv_heads * 3, 11, a.d_head)}
    assert (len(cache.k_ZSC), cache.capacity, int(cache.length)) == (a.n_layers, 11, 0)
    assert cache.k_ZSC[0].dtype == jnp.bfloat16


def test_new_positions_are_written_where_they_start_and_nowhere_else():
    cache_ZSC = jnp.zeros((2, 7, 3))
    written = kv_cache.write(cache_ZSC, jnp.ones((2, 2, 3)), jnp.int32(4))
    assert np.asarray(written).any(axis=(0, 2)).tolist() == [False] * 4 + [True] * 2 + [False]
