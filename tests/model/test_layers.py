"""Parts of a layer against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ie_scaling.model import layers


def test_rms_norm_has_unit_mean_square_times_the_gain():
    x, gain = np.random.default_rng(0).standard_normal((3, 5, 7), np.float32), np.arange(1, 8, dtype=np.float32)
    y = layers.rms_norm(jnp.asarray(x), jnp.asarray(gain))
    np.testing.assert_allclose(y, x * gain / np.sqrt(np.mean(np.square(x), -1, keepdims=True) + 1e-5), rtol=1e-5)
    assert layers.rms_norm(jnp.asarray(x, jnp.bfloat16), jnp.asarray(gain)).dtype == jnp.bfloat16


def test_rotary_products_depend_on_the_distance_alone():
    q, k = jax.random.normal(jax.random.key(1), (2, 1, 1, 1, 6))

    def product(at_q, at_k):
        turned = [layers.rotate(x, jnp.array([at]), 100.0) for x, at in ((q, at_q), (k, at_k))]
        return float(jnp.sum(turned[0] * turned[1]))

    assert product(3, 1) == pytest.approx(product(10, 8), abs=1e-5)
    assert product(0, 0) == pytest.approx(float(jnp.sum(q * k)), abs=1e-6)
    assert product(3, 1) != pytest.approx(product(1, 3), abs=1e-3)


@pytest.mark.parametrize("block", [3, 4, 128])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_in_blocks_is_attention(block, masked):
    """Against jax.nn.dot_product_attention, with a length that blocks do not divide."""
    q, k, v = (jax.random.normal(jax.random.key(heads), (2, 11, heads, 6)) for heads in (4, 2, 2))
    document_BT = jnp.arange(11)[None] // jnp.array([[4], [5]])
    same_BTT = document_BT[:, :, None] == document_BT[:, None, :] if masked else None
    mask = same_BTT[:, None] if masked else None
    expected = jax.nn.dot_product_attention(q, k, v, mask=mask, is_causal=True)
    np.testing.assert_allclose(layers.attend(q, k, v, same_BTT, block), expected, atol=1e-6)
