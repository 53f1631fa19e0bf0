"""The decoder: against one written by hand, causal by gradient, and the same by cache as in full."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ie_scaling.model import transformer
from tests.model.shapes import FAMILIES, draw_parameters, shape

T = 11


@functools.lru_cache
def made(name):
    """(architecture, parameters with gains that are not all one, tokens (2,T))."""
    a = FAMILIES[name]
    token_BT = np.random.default_rng(4).integers(0, a.vocab_size, (2, T), np.int32)
    return a, draw_parameters(a, 3), token_BT


def forward(a, parameters, token_BT, dtype=jnp.float32):
    return jax.jit(functools.partial(transformer.forward, a, dtype=dtype))(parameters, token_BT)


def plain_multi_head_forward(a, parameters, token_T):
    """Logits (T,V) in float64, one head at a time, with nothing but what the papers define."""

    def norm(x, gain):
        return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-5) * gain

    def rope(x):
        half = a.d_head // 2
        turned = np.empty_like(x)
        for t in range(len(x)):
            for i in range(half):
                angle = t * a.rope_base ** (-2 * i / a.d_head)
                first, second = x[t, i], x[t, i + half]
                turned[t, i] = first * np.cos(angle) - second * np.sin(angle)
                turned[t, i + half] = second * np.cos(angle) + first * np.sin(angle)
        return turned

    x = parameters["embedding"][token_T]
    for n in range(a.n_layers):
        p = jax.tree.map(lambda leaf, n=n: leaf[n], parameters["layers"])
        h, added = norm(x, p["attention_norm"]["gain"]), np.zeros_like(x)
        for head in range(a.n_heads):
            q, k, v = (h @ p["attention"][name]["kernel"][:, head] for name in ("query", "key", "value"))
            score = rope(q) @ rope(k).T / np.sqrt(a.d_head)
            score[np.triu_indices(len(score), 1)] = -np.inf
            weight = np.exp(score - score.max(axis=1, keepdims=True))
            weight /= weight.sum(axis=1, keepdims=True)
            added += weight @ v @ p["attention"]["output"]["kernel"][head]
        x = x + added
        h = norm(x, p["mlp_norm"]["gain"])
        gate = h @ p["mlp"]["gate"]["kernel"]
        x = x + (gate / (1 + np.exp(-gate)) * (h @ p["mlp"]["up"]["kernel"])) @ p["mlp"]["down"]["kernel"]
    return norm(x, parameters["final_norm"]["gain"]) @ parameters["unembedding"]


def test_with_as_many_kv_heads_as_heads_it_is_multi_head_attention():
    a, parameters, token_BT = made("mha")
    exact = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), parameters)
    by_hand = np.stack([plain_multi_head_forward(a, exact, row) for row in np.asarray(token_BT)])
    np.testing.assert_allclose(forward(a, parameters, token_BT), by_hand, atol=2e-5)


def test_grouped_queries_are_multi_head_attention_with_each_kv_head_repeated():
    a, parameters, token_BT = made("gqa")
    attention = dict(parameters["layers"]["attention"])
    for name in ("key", "value"):
        attention[name] = {"kernel": np.repeat(attention[name]["kernel"], a.query_group, axis=2)}
    repeated = parameters | {"layers": parameters["layers"] | {"attention": attention}}
    full = forward(shape(10, 10), repeated, token_BT)
    np.testing.assert_allclose(forward(a, parameters, token_BT), full, atol=1e-5)


@pytest.mark.parametrize("name", ["gqa", "qk_norm"])
def test_no_position_sees_a_later_one(name):
    """The gradient of position t's logits by the embedding at s is exactly zero for s > t, and never for s ≤ t.

    With untied matrices and all tokens different, a token's embedding row enters at its own position alone; a zero
    gradient at a generic point of a piecewise analytic function means that it does not enter at all.
    """
    a, parameters, _ = made(name)
    token_T = np.random.default_rng(0).permutation(a.vocab_size)[:T]
    probe_V = np.random.default_rng(1).standard_normal(a.vocab_size).astype(np.float32)

    def probed_T(embedding_VM):
        return transformer.forward(a, parameters | {"embedding": embedding_VM}, token_T[None])[0] @ probe_V

    jacobian_TVM = jax.jit(jax.jacrev(probed_T))(parameters["embedding"])
    reach_TS = np.abs(np.asarray(jacobian_TVM)[:, token_T]).max(axis=-1)
    later = np.triu(np.ones((T, T), bool), 1)
    assert (reach_TS[later] == 0).all()
    assert (reach_TS[~later] > 0).all()


@pytest.mark.parametrize("remat", ["dots", "full"])
def test_remat_changes_nothing(remat):
    a, parameters, token_BT = made("gqa")

    def loss(parameters, remat):
        return jnp.mean(transformer.forward(a, parameters, token_BT, remat=remat) ** 2)

    plain, again = (jax.jit(jax.grad(functools.partial(loss, remat=how)))(parameters) for how in ("none", remat))
    for left, right in zip(jax.tree.leaves(plain), jax.tree.leaves(again), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-7)
    assert "remat" in str(jax.make_jaxpr(functools.partial(loss, remat=remat))(parameters))


def test_bfloat16_is_near_float32_and_logits_stay_float32():
    a, parameters, token_BT = made("gqa")
    exact, rough = (np.asarray(forward(a, parameters, token_BT, dtype)) for dtype in (jnp.float32, jnp.bfloat16))
    assert rough.dtype == jnp.float32
    assert 0 < np.abs(exact - rough).max() < 0.1 * np.abs(exact).max()
