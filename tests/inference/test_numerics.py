"""Sixty-four bits inside, whatever the process uses outside."""

import jax
import jax.numpy as jnp

from ie_scaling.inference import numerics


def test_only_what_is_inside_has_64_bits():
    outside = jnp.ones(1).dtype
    with numerics.double_precision():
        inside = jax.jit(lambda x: x + 1e-12, compiler_options=numerics.RUN_ONCE_OPTIONS)(jnp.ones(1))
        assert inside.dtype == jnp.float64
        assert float(inside[0]) != 1.0
        assert {device.platform for device in inside.devices()} == {"cpu"}
    assert jnp.ones(1).dtype == outside
