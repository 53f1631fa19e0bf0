"""Weights laid out for decoding: the same products in every layout, and random ones like real ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ie_scaling.model import sharding, transformer
from ie_scaling.model.decoding import layout
from ie_scaling.model.decoding.weights import Matrix, make_weights, random_weights
from tests.model.shapes import FAMILIES


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("in_first", [True, False])
@pytest.mark.parametrize("shape", [(13, 5), (5, 13)])
def test_every_layout_gives_the_same_products_and_rows(monkeypatch, batch, in_first, shape):
    monkeypatch.setattr(layout, "many_in_first", lambda: in_first)
    monkeypatch.setattr(layout, "SLOW_WIDTH", 1)
    matrix_OI = jax.random.normal(jax.random.key(0), shape)
    x_BTI = jax.random.normal(jax.random.key(1), (batch, 2, shape[1]))
    matrix = Matrix.of(matrix_OI, batch)
    np.testing.assert_allclose(matrix.apply(x_BTI), x_BTI @ matrix_OI.T, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(matrix.rows(jnp.array([[0, 4]])), matrix_OI[jnp.array([[0, 4]])])


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", FAMILIES)
def test_random_weights_have_the_shapes_and_scales_of_real_ones(name, batch, monkeypatch):
    monkeypatch.setattr(layout, "SLOW_WIDTH", 1)
    a = FAMILIES[name]
    real = jax.eval_shape(lambda: make_weights(a, transformer.init(a, jax.random.key(0)), "bfloat16", batch))
    random = random_weights(a, 0, "bfloat16", batch, sharding.make_mesh(devices=jax.devices()[:1]))
    assert jax.tree.structure(real) == jax.tree.structure(random)
    for left, right in zip(jax.tree.leaves(real), jax.tree.leaves(random), strict=True):
        assert (left.shape, left.dtype) == (right.shape, right.dtype)
    assert random.final_gain_M.dtype == jnp.float32
    assert (np.asarray(random.final_gain_M) == 1).all()
    assert np.std(np.asarray(random.layers[0].down.array, np.float32)) == pytest.approx(1 / np.sqrt(a.d_ff), rel=0.1)
