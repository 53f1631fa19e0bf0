"""The fingerprint of a state, on any mesh."""

import jax
import jax.numpy as jnp

from ie_scaling.train import fingerprint
from ie_scaling.train.step import TrainState


def test_a_fingerprint_does_not_depend_on_the_mesh_but_on_every_word():
    values = jnp.arange(64.0).reshape(8, 8)
    mesh = jax.make_mesh((4, 2), ("a", "b"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    alone = TrainState({"w": values}, {}, jnp.int32(1))
    spread = TrainState({"w": jax.device_put(values, jax.NamedSharding(mesh, jax.P("b", "a")))}, {}, jnp.int32(1))
    assert fingerprint.of(alone) == fingerprint.of(spread)
    swapped = TrainState({"w": values.at[0].set(values[1]).at[1].set(values[0])}, {}, jnp.int32(1))
    assert fingerprint.of(alone) != fingerprint.of(swapped)
    low = TrainState({"w": values.astype(jnp.bfloat16)}, {}, jnp.int32(1))
    assert fingerprint.of(low)
