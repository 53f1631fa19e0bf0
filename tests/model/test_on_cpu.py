"""Products whose gradient is computed another way give the same gradient."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ie_scaling.model import on_cpu

WIDE = on_cpu.SLOW_STRIDE


def gradients(einsum, subscripts, x, weight):
    """Of a sum whose every term weighs differently."""

    def total(x, weight):
        made = einsum(subscripts, x, weight)
        return jnp.sum(made * jnp.cos(jnp.arange(made.size, dtype=made.dtype)).reshape(made.shape))

    return jax.jit(jax.grad(total, argnums=(0, 1)))(x, weight)


@pytest.mark.parametrize(
    ("subscripts", "x_shape", "weight_shape"),
    [
        ("NM,MF->NF", (24, 16), (16, WIDE)),
        ("NM,VM->NV", (24, 16), (WIDE, 16)),
        ("NM,MHC->NHC", (24, 16), (16, WIDE // 64, 64)),
        ("NHC,HCM->NM", (24, 4, 8), (4, 8, WIDE)),
    ],
)
def test_gradients_are_those_of_einsum(subscripts, x_shape, weight_shape):
    x_key, weight_key = jax.random.split(jax.random.key(0))
    x, weight = jax.random.normal(x_key, x_shape), jax.random.normal(weight_key, weight_shape)
    ours = gradients(on_cpu.einsum, subscripts, x, weight)
    plain = gradients(jnp.einsum, subscripts, x, weight)
    for one, other in zip(ours, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-4)


def test_what_products_make_is_kept_where_that_is_asked():
    """Two products forward; the gradient has four more where the first one is kept, and that one again where not."""

    def loss(x, weight, back):
        return jnp.sum(jnp.tanh(on_cpu.einsum("NM,MF->NF", x, weight)) @ back)

    def count(policy):
        gradient = jax.grad(jax.checkpoint(loss, policy=policy), argnums=(0, 1, 2))
        jaxpr = jax.make_jaxpr(gradient)(jnp.ones((4, 8)), jnp.ones((8, WIDE)), jnp.ones((WIDE, 8)))
        return str(jaxpr).count("dot_general[")

    policies = jax.checkpoint_policies
    assert count(policies.nothing_saveable) == count(policies.dots_with_no_batch_dims_saveable) + 1


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="plain everywhere else")
@pytest.mark.parametrize(
    ("width", "dtype", "is_rewritten"),
    [(WIDE, jnp.float32, True), (WIDE + 1, jnp.float32, False), (WIDE, jnp.bfloat16, False)],
)
def test_only_slow_products_are_written_anew(width, dtype, is_rewritten):
    x, weight = jnp.ones((4, 8), dtype), jnp.ones((8, width), dtype)
    product = functools.partial(on_cpu.einsum, "NM,MF->NF", preferred_element_type=jnp.float32)
    assert ("custom_vjp" in str(jax.make_jaxpr(product)(x, weight))) == is_rewritten
