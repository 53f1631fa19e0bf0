"""Workload: its rules, and what a step costs."""

import dataclasses

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ie_scaling import accounting, workload
from ie_scaling.model import transformer
from ie_scaling.model.decoding import kv_cache
from ie_scaling.model.decoding.weights import make_weights
from ie_scaling.workload import Case, Workload
from tests.model.shapes import FAMILIES
from tests.test_architecture import architectures

LOAD = Workload(batch=3, prompt_tokens=5, new_tokens=7)


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        *(
            (field, value, "at least 1")
            for field in ("batch", "prompt_tokens", "new_tokens")
            for value in (0, True, 2.5)
        ),
        ("dtype", "float8", "must be one of float32"),
        ("mode", "stream", "must be one of loop, step"),
        ("temperature", -1.0, "must be at least 0"),
        ("temperature", float("nan"), "must be at least 0"),
        ("cache_room", 10, "must hold the prompt of 5 and all new tokens but the last: 11"),
    ],
)
def test_a_broken_rule_names_field_and_value(field, value, rule):
    with pytest.raises(ValueError, match=f"^{field}={value!r}: .*{rule}"):
        dataclasses.replace(LOAD, **{field: value})


@pytest.mark.parametrize("name", FAMILIES)
def test_memory_is_what_the_engine_allocates(name):
    a = FAMILIES[name]
    weights = jax.eval_shape(lambda: make_weights(a, transformer.init(a, jax.random.key(0)), "float32"))
    cache = jax.eval_shape(lambda: kv_cache.empty_cache(a, LOAD.batch, LOAD.cache_positions, "float32"))
    repeated = (a.n_heads + a.n_kv_heads - 2) * a.d_head * a.n_layers * a.qk_norm  # one gain a head, side by side
    folded = 2 * a.n_layers * a.d_model  # gains that are multiplied into the matrices after them
    held = 4 * (sum(leaf.size for leaf in jax.tree.leaves((weights, cache))) - 1 - repeated + folded)
    assert workload.weight_bytes(a, LOAD) + workload.cache_bytes(a, LOAD) == held


def test_step_bytes_and_flops_by_hand():
    a = FAMILIES["gqa"]
    unread = a.vocab_size * a.d_model
    contexts = [LOAD.prompt_tokens + step for step in range(1, LOAD.new_tokens)]
    assert LOAD.mean_context == sum(contexts) / len(contexts)
    weights = 4 * (accounting.count_parameters(a) - unread + 3 * a.d_model)
    cache = 3 * LOAD.mean_context * 2 * a.n_layers * a.n_kv_heads * a.d_head * 4
    assert workload.step_bytes(a, LOAD) == weights + cache
    one_context = dataclasses.replace(LOAD, new_tokens=2)
    assert workload.step_flops(a, one_context) == 3 * accounting.forward_flops_per_token(a, 6)


COSTS = (
    workload.step_bytes,
    workload.step_flops,
    workload.prefill_bytes,
    workload.prefill_flops,
    workload.memory_bytes,
    workload.activation_bytes,
)


@st.composite
def cases(draw):
    load = Workload(
        batch=draw(st.integers(1, 100)),
        prompt_tokens=draw(st.integers(1, 5000)),
        new_tokens=draw(st.integers(1, 5000)),
        dtype=draw(st.sampled_from(sorted(workload.DTYPE_BYTES))),
    )
    return Case(draw(architectures(largest=99)), load)


@given(st.lists(cases(), min_size=1, max_size=5))
def test_arrays_of_cases_cost_what_each_case_costs(cases):
    shape, load = workload.arrays_of(cases)
    for cost in COSTS:
        one_by_one = [cost(case.architecture, case.workload) for case in cases]
        assert not any(isinstance(value, np.generic) for value in one_by_one)  # Python's numbers, exact of integers
        np.testing.assert_array_equal(cost(shape, load), one_by_one)
    for floor in (workload.floor_s, workload.prefill_floor_s):
        one_by_one = [floor(case.architecture, case.workload, 1e10, 3e10) for case in cases]
        np.testing.assert_allclose(floor(shape, load, 1e10, 3e10), one_by_one, rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_prompt_costs_its_positions_one_by_one(dtype):
    """The mean over the prompt of what each position costs, its logits apart."""
    a, load = FAMILIES["gqa"], dataclasses.replace(LOAD, dtype=dtype)
    each = [accounting.forward_flops_per_token(a, context) for context in range(1, load.prompt_tokens + 1)]
    logits = a.embedding.unembedding_flops
    assert workload.prefill_flops(a, load) == load.batch * (sum(each) - (load.prompt_tokens - 1) * logits)


def test_the_floor_is_the_slower_of_the_two():
    a = FAMILIES["gqa"]
    moved, work = workload.step_bytes(a, LOAD), workload.step_flops(a, LOAD)
    assert workload.floor_s(a, LOAD, moved / 2, work) == pytest.approx(2)
    assert workload.floor_s(a, LOAD, moved, work / 3) == pytest.approx(3)
