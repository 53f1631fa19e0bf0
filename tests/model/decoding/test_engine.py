"""The decode engine: the tokens of repeated full forwards, greedy and drawn, split or whole, and no copied cache."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ie_scaling.errors import InputError
from ie_scaling.model import sharding, transformer
from ie_scaling.model.decoding import engine, layout
from ie_scaling.model.decoding.weights import make_weights, random_weights, weight_shardings
from ie_scaling.workload import Workload
from tests.model.shapes import FAMILIES, draw_parameters

PROMPT, NEW = 5, 6


def one_device():
    return sharding.make_mesh(devices=jax.devices()[:1])


def make_engine(a, load, parameters, tensor=1):
    mesh = sharding.make_mesh(tensor=tensor, devices=jax.devices()[:tensor])
    make = functools.partial(make_weights, a, dtype="float32", batch=load.batch, n_shards=tensor)
    weights = jax.device_put(jax.jit(make)(parameters), weight_shardings(a, load.batch, mesh))
    return engine.compile_engine(a, load, weights, mesh)


def make_random_engine(a, load):
    return engine.compile_engine(a, load, random_weights(a, 0, load.dtype, load.batch, one_device()), one_device())


def by_full_forwards(a, parameters, token_BT, n_tokens, choose=lambda logits_BV, position: logits_BV):
    """The likeliest tokens by repeated full forwards, of logits that `choose` may change.

    Pads to the final length: a later position changes nothing before it.
    """
    forward = jax.jit(functools.partial(transformer.forward, a))
    padded = np.zeros((len(token_BT), PROMPT + n_tokens), np.int32)
    padded[:, :PROMPT] = token_BT
    for end in range(PROMPT, PROMPT + n_tokens):
        padded[:, end] = np.argmax(choose(forward(parameters, padded)[:, end - 1], end), axis=-1)
    return padded[:, PROMPT:]


@pytest.mark.parametrize(("name", "mode"), [*((name, "loop") for name in FAMILIES), ("gqa", "step"), ("tied", "step")])
def test_greedy_tokens_are_those_of_repeated_full_forwards(name, mode):
    a = FAMILIES[name]
    parameters = draw_parameters(a, 7, scale=1.0)
    token_BT = np.random.default_rng(13).integers(0, a.vocab_size, (3, PROMPT))
    expected = by_full_forwards(a, parameters, token_BT, NEW)
    assert len(np.unique(expected)) > 3  # else every wrong cache would pass
    load = Workload(batch=3, prompt_tokens=PROMPT, new_tokens=NEW, mode=mode)
    np.testing.assert_array_equal(make_engine(a, load, parameters).generate(token_BT), expected)


@pytest.mark.parametrize("mode", ["loop", "step"])
def test_drawn_tokens_are_the_likeliest_under_gumbel_noise(mode):
    """argmax(logits/t + Gumbel noise) is a draw of softmax(logits/t); the noise is keyed by seed and position."""
    a, temperature = FAMILIES["gqa"], 0.7
    parameters = draw_parameters(a, 7, scale=1.0)
    token_BT = np.random.default_rng(13).integers(0, a.vocab_size, (3, PROMPT))

    def choose(logits_BV, position):
        key = jax.random.fold_in(jax.random.key(5), position)
        return logits_BV / temperature + jax.random.gumbel(key, logits_BV.shape, jnp.float32)

    load = Workload(batch=3, prompt_tokens=PROMPT, new_tokens=NEW, mode=mode, temperature=temperature)
    engine = make_engine(a, load, parameters)
    drawn = engine.generate(token_BT, seed=5)
    np.testing.assert_array_equal(drawn, by_full_forwards(a, parameters, token_BT, NEW, choose))
    assert (drawn != engine.generate(token_BT, seed=6)).any()
    assert (drawn != by_full_forwards(a, parameters, token_BT, NEW)).any()


@pytest.mark.parametrize(("name", "batch", "many"), [("gqa", 9, True), ("tied", 9, False), ("tied", 1, False)])
def test_the_layout_for_a_batch_changes_no_token(name, batch, many, monkeypatch):
    a = FAMILIES[name]
    monkeypatch.setattr(layout, "many_in_first", lambda: many)
    parameters = draw_parameters(a, 7, scale=1.0)
    token_BT = np.random.default_rng(13).integers(0, a.vocab_size, (batch, PROMPT))
    engine = make_engine(a, Workload(batch=batch, prompt_tokens=PROMPT, new_tokens=NEW), parameters)
    assert engine.weights.layers[0].gate_up.in_first == (many or batch == 1)
    np.testing.assert_array_equal(engine.generate(token_BT), by_full_forwards(a, parameters, token_BT, NEW))


@pytest.mark.parametrize("name", ["gqa", "tied"])
def test_longer_rows_change_no_token(name, monkeypatch):
    a = FAMILIES[name]
    monkeypatch.setattr(layout, "many_in_first", lambda: True)
    monkeypatch.setattr(layout, "SLOW_WIDTH", 1)
    parameters = draw_parameters(a, 7, scale=1.0)
    token_BT = np.random.default_rng(13).integers(0, a.vocab_size, (3, PROMPT))
    engine = make_engine(a, Workload(batch=3, prompt_tokens=PROMPT, new_tokens=NEW), parameters)
    assert engine.weights.embedding.array.shape == (a.d_model, a.vocab_size + layout.PADDING)
    np.testing.assert_array_equal(engine.generate(token_BT), by_full_forwards(a, parameters, token_BT, NEW))


@pytest.mark.parametrize(("name", "tensor"), [("gqa", 5), ("tied", 2), ("qk_norm", 5)])
def test_split_over_devices_it_decodes_the_same_tokens(name, tensor, monkeypatch):
    monkeypatch.setattr(layout, "SLOW_WIDTH", 1)  # what is split is not padded
    a = dataclasses.replace(FAMILIES[name], d_ff=30, vocab_size=40)
    parameters = draw_parameters(a, 7, scale=1.0)
    token_BT = np.random.default_rng(13).integers(0, a.vocab_size, (3, PROMPT))
    load = Workload(batch=3, prompt_tokens=PROMPT, new_tokens=NEW)
    engine = make_engine(a, load, parameters, tensor)
    np.testing.assert_array_equal(engine.generate(token_BT), by_full_forwards(a, parameters, token_BT, NEW))
    for array in (engine.weights.layers[0].down.array, engine.weights.embedding.array, engine.new_cache().k_ZSC[0]):
        assert array.addressable_shards[0].data.size * tensor == array.size


def test_devices_that_do_not_divide_the_heads_are_refused():
    mesh = sharding.make_mesh(tensor=2, devices=jax.devices()[:2])
    with pytest.raises(InputError, match=r"n_kv_heads=5: must be divisible by tensor=2"):
        weight_shardings(FAMILIES["gqa"], 1, mesh)


def test_a_cache_with_room_to_spare_changes_nothing_and_prompts_of_another_shape_are_refused():
    a, parameters = FAMILIES["gqa"], draw_parameters(FAMILIES["gqa"], 7, scale=1.0)
    load = Workload(batch=2, prompt_tokens=PROMPT, new_tokens=NEW, cache_room=40)
    engine = make_engine(a, load, parameters)
    token_BT = np.random.default_rng(13).integers(0, a.vocab_size, (2, PROMPT))
    np.testing.assert_array_equal(engine.generate(token_BT), by_full_forwards(a, parameters, token_BT, NEW))
    with pytest.raises(InputError, match=r"prompts=\(2, 41\): must be of shape \(2, 5\)"):
        engine.generate(np.zeros((2, 41), np.int32))


def test_a_cache_that_has_served_one_request_serves_the_next():
    a = FAMILIES["gqa"]
    load = Workload(batch=1, prompt_tokens=PROMPT, new_tokens=NEW)
    engine = make_engine(a, load, draw_parameters(a, 7))
    first, second = (np.random.default_rng(seed).integers(0, a.vocab_size, (1, PROMPT), np.int32) for seed in (1, 2))
    key = engine.place(jax.random.key(0))
    token_B, cache = engine.prefill(engine.place(first), engine.new_cache(), key)
    _, cache = engine.decode(token_B, cache, key)
    token_B, cache = engine.prefill(engine.place(second), cache, key)
    rest_TB, _ = engine.decode(token_B, cache, key)
    np.testing.assert_array_equal(np.stack([token_B, *rest_TB], axis=1), engine.generate(second))


def test_one_new_token_needs_no_decoding():
    a = FAMILIES["mqa"]
    load = Workload(batch=2, prompt_tokens=PROMPT, new_tokens=1)
    engine = make_random_engine(a, load)
    assert engine.compiled_decode is None
    assert engine.generate(np.zeros((2, PROMPT), np.int32)).shape == (2, 1)


@pytest.mark.parametrize("mode", ["loop", "step"])
def test_no_step_copies_the_cache(mode):
    """XLA writes each cache array in place: the compiled program copies nothing that is as large as one."""
    a = FAMILIES["gqa"]
    load = Workload(batch=1, prompt_tokens=64, new_tokens=64, mode=mode)
    engine = make_random_engine(a, load)
    array = f"f32[{a.n_kv_heads},{load.cache_positions},{a.d_head}]"
    text = engine.compiled_decode.as_text()
    assert array in text
    assert not [line for line in text.splitlines() if " copy(" in line and array in line]
    cache = engine.new_cache()
    key = engine.place(jax.random.key(0))
    token_B, after = engine.prefill(engine.place(np.zeros((1, 64), np.int32)), cache, key)
    assert all(array.is_deleted() for array in (*cache.k_ZSC, *cache.v_ZSC))
    engine.decode(token_B, after, key)
    assert all(array.is_deleted() for array in (*after.k_ZSC, *after.v_ZSC))


def test_bfloat16_decodes_in_bfloat16():
    a = FAMILIES["qk_norm"]
    load = Workload(batch=1, prompt_tokens=PROMPT, new_tokens=NEW, dtype="bfloat16")
    engine = make_random_engine(a, load)
    assert engine.new_cache().k_ZSC[0].dtype == jnp.bfloat16
    tokens = engine.generate(np.zeros((1, PROMPT), np.int32))
    assert tokens.shape == (1, NEW)
    assert ((tokens >= 0) & (tokens < a.vocab_size)).all()
