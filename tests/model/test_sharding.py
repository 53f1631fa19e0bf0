"""Sharding: a rule for every parameter, and eight devices compute what one does."""

import functools

import jax
import numpy as np
import pytest

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.model import sharding, transformer
from tests.model.shapes import FAMILIES

EVEN = Architecture(d_model=24, n_layers=2, n_heads=4, n_kv_heads=2, d_head=10, d_ff=36, vocab_size=40, qk_norm=True)


@pytest.mark.parametrize("a", FAMILIES.values(), ids=FAMILIES)
def test_every_parameter_has_a_rule(a):
    mesh = sharding.make_mesh(data=2, fsdp=2, tensor=2)
    placed, leaves = sharding.parameter_shardings(a, mesh), transformer.abstract_parameters(a)
    for leaf, place in zip(jax.tree.leaves(leaves), jax.tree.leaves(placed), strict=True):
        place.shard_shape(leaf.shape)  # raises where an axis does not divide
    with pytest.raises(KeyError, match="no partition rule"):
        sharding.spec_of((jax.tree_util.DictKey("novel"),))


def test_every_matrix_is_split_over_both_weight_axes():
    mesh = sharding.make_mesh(fsdp=2, tensor=4)
    a = Architecture(d_model=24, n_layers=3, n_heads=8, n_kv_heads=4, d_head=10, d_ff=36, vocab_size=40)
    placed, leaves = sharding.parameter_shardings(a, mesh), transformer.abstract_parameters(a)
    for leaf, place in zip(jax.tree.leaves(leaves), jax.tree.leaves(placed), strict=True):
        shards = leaf.size // np.prod(place.shard_shape(leaf.shape))
        assert shards == (1 if leaf.ndim <= 2 and a.vocab_size not in leaf.shape else 8)


@pytest.mark.parametrize("axes", [(2, 2, 2), pytest.param((8, 1, 1), marks=pytest.mark.slow)])
def test_eight_devices_compute_what_one_does(axes):
    mesh = sharding.make_mesh(*axes)
    key = jax.random.key(0)
    token_BT = jax.random.randint(key, (8, 7), 0, EVEN.vocab_size)
    alone = jax.jit(functools.partial(transformer.init, EVEN))(key)
    placed = sharding.parameter_shardings(EVEN, mesh)
    spread = jax.jit(functools.partial(transformer.init, EVEN), out_shardings=placed)(key)
    for left, right in zip(jax.tree.leaves(alone), jax.tree.leaves(spread), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)
    placed_BT = jax.device_put(token_BT, jax.NamedSharding(mesh, sharding.BATCH))
    forward = jax.jit(functools.partial(transformer.forward, EVEN))
    logits_BTV = forward(spread, placed_BT)
    assert len(logits_BTV.sharding.device_set) == 8
    np.testing.assert_allclose(logits_BTV, forward(alone, token_BT), atol=1e-5)


@pytest.mark.parametrize("axes", [(3, 1, 1), (0, 1, 1), (16, 1, 1)])
def test_a_mesh_that_does_not_fit_is_refused(axes):
    with pytest.raises(InputError, match=r"^mesh data="):
        sharding.make_mesh(*axes)
