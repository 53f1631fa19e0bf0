"""The decode engine: the tokens of repeated full forwards, in both modes, and a cache that is never copied."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ie_scaling.latency import decode
from ie_scaling.latency.workload import Workload
from ie_scaling.model import transformer
from tests.model.shapes import FAMILIES, draw_parameters

PROMPT, NEW = 5, 6


def weights_of(a, parameters):
    return jax.jit(functools.partial(decode.make_weights, a, dtype="float32"))(parameters)


def greedy_by_full_forwards(a, parameters, token_BT, n_tokens):
    """Pads to the final length: a later position changes nothing before it."""
    forward = jax.jit(functools.partial(transformer.forward, a))
    padded = np.zeros((len(token_BT), PROMPT + n_tokens), np.int32)
    padded[:, :PROMPT] = token_BT
    for end in range(PROMPT, PROMPT + n_tokens):
        padded[:, end] = np.argmax(forward(parameters, padded)[:, end - 1], axis=-1)
    return padded[:, PROMPT:]


@pytest.mark.parametrize(("name", "mode"), [*((name, "loop") for name in FAMILIES), ("gqa", "step"), ("tied", "step")])
def test_greedy_tokens_are_those_of_repeated_full_forwards(name, mode):
    a = FAMILIES[name]
    parameters = draw_parameters(a, 7, scale=1.0)
    token_BT = np.random.default_rng(13).integers(0, a.vocab_size, (3, PROMPT))
    expected = greedy_by_full_forwards(a, parameters, token_BT, NEW)
    assert len(np.unique(expected)) > 3  # else every wrong cache would pass
    load = Workload(batch=3, prompt_tokens=PROMPT, new_tokens=NEW, mode=mode)
    engine = decode.compile_engine(a, load, weights_of(a, parameters))
    np.testing.assert_array_equal(engine.generate(token_BT), expected)


def test_a_cache_that_has_served_one_request_serves_the_next():
    a = FAMILIES["gqa"]
    load = Workload(batch=1, prompt_tokens=PROMPT, new_tokens=NEW)
    engine = decode.compile_engine(a, load, weights_of(a, draw_parameters(a, 7)))
    first, second = (np.random.default_rng(seed).integers(0, a.vocab_size, (1, PROMPT)) for seed in (1, 2))
    token_B, cache = engine.prefill(jnp.asarray(first, jnp.int32), engine.new_cache())
    _, cache = engine.decode(token_B, cache)
    token_B, cache = engine.prefill(jnp.asarray(second, jnp.int32), cache)
    rest_TB, _ = engine.decode(token_B, cache)
    np.testing.assert_array_equal(np.stack([token_B, *rest_TB], axis=1), engine.generate(second))


def test_one_new_token_needs_no_decoding():
    a = FAMILIES["mqa"]
    load = Workload(batch=2, prompt_tokens=PROMPT, new_tokens=1)
    engine = decode.compile_engine(a, load, decode.random_weights(a, 0, "float32"))
    assert engine.compiled_decode is None
    assert engine.generate(np.zeros((2, PROMPT), np.int32)).shape == (2, 1)


@pytest.mark.parametrize("mode", ["loop", "step"])
def test_no_step_copies_the_cache(mode):
    """XLA writes each cache array in place: the compiled program copies nothing that is as large as one."""
    a = FAMILIES["gqa"]
    load = Workload(batch=1, prompt_tokens=64, new_tokens=64, mode=mode)
    engine = decode.compile_engine(a, load, decode.random_weights(a, 0, "float32"))
    array = f"f32[1,{a.n_kv_heads},{load.cache_positions},{a.d_head}]"
    text = engine.compiled_decode.as_text()
    assert array in text
    assert not [line for line in text.splitlines() if " copy(" in line and array in line]
    cache = engine.new_cache()
    token_B, after = engine.prefill(jnp.zeros((1, 64), jnp.int32), cache)
    assert all(array.is_deleted() for array in (*cache.k_BKSC, *cache.v_BKSC))
    engine.decode(token_B, after)
    assert all(array.is_deleted() for array in (*after.k_BKSC, *after.v_BKSC))


@pytest.mark.parametrize("name", FAMILIES)
def test_random_weights_have_the_shapes_and_scales_of_real_ones(name):
    a = FAMILIES[name]
    real = jax.eval_shape(lambda: decode.make_weights(a, transformer.init(a, jax.random.key(0)), "bfloat16"))
    random = decode.random_weights(a, 0, "bfloat16")
    assert jax.tree.structure(real) == jax.tree.structure(random)
    for left, right in zip(jax.tree.leaves(real), jax.tree.leaves(random), strict=True):
        assert (left.shape, left.dtype) == (right.shape, right.dtype)
    gain = random.layers[0].attention_gain_M
    assert gain.dtype == jnp.float32
    assert (np.asarray(gain) == 1).all()
    assert np.std(np.asarray(random.layers[0].down_MF, np.float32)) == pytest.approx(1 / np.sqrt(a.d_ff), rel=0.1)


def test_bfloat16_decodes_in_bfloat16():
    a = FAMILIES["qk_norm"]
    load = Workload(batch=1, prompt_tokens=PROMPT, new_tokens=NEW, dtype="bfloat16")
    engine = decode.compile_engine(a, load, decode.random_weights(a, 0, "bfloat16"))
    assert engine.new_cache().k_BKSC[0].dtype == jnp.bfloat16
    tokens = engine.generate(np.zeros((1, PROMPT), np.int32))
    assert tokens.shape == (1, NEW)
    assert ((tokens >= 0) & (tokens < a.vocab_size)).all()
