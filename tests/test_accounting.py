"""Closed-form counts against the model's own shapes, published sizes, and XLA's cost analysis."""

import functools
import math

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.latency.config import DEFAULT_ARCHITECTURES
from ie_scaling.model import transformer
from ie_scaling.model.decoding import engine, kv_cache
from ie_scaling.model.decoding.weights import make_weights
from ie_scaling.shapes.lookup import PUBLIC_SHAPES
from ie_scaling.train.config import TrainConfig
from tests.test_architecture import architectures


def counted(a):
    """(all, embedding) parameters of the model as it would be made."""
    parameters = transformer.abstract_parameters(a)
    embedding = [parameters[name] for name in ("embedding", "unembedding") if name in parameters]
    return tuple(sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree)) for tree in (parameters, embedding))


@settings(max_examples=20)
@given(architectures())
def test_counts_are_the_models_own(a):
    total, embedding = counted(a)
    assert accounting.count_parameters(a) == total
    assert accounting.count_embedding_parameters(a) == embedding
    assert accounting.count_non_embedding_parameters(a) == total - embedding


NAMED = {**PUBLIC_SHAPES, "configs/train.py": TrainConfig().architecture.name}
SOME = (
    "llama-2-7b",
    "llama-3.2-1b",
    "qwen3-0.6b",
    "qwen3-8b",
    "panda-1b",
    "surefire-3b",
    "morph-1b",
    "configs/train.py",
)


@pytest.mark.parametrize("name", [*SOME, *DEFAULT_ARCHITECTURES])
def test_counts_of_shapes_that_the_project_names(name):
    a = Architecture.parse(NAMED.get(name, name))
    assert accounting.count_parameters(a) == counted(a)[0]


@pytest.mark.parametrize(
    ("name", "size"),  # as their publishers print them
    [("llama-3.2-1b", 1_235_814_400), ("llama-3.1-8b", 8_030_261_248), ("llama-2-7b", 6_738_415_616)],
)
def test_published_sizes(name, size):
    assert accounting.count_parameters(Architecture.parse(PUBLIC_SHAPES[name])) == size


@pytest.mark.parametrize("tied", [False, True])
def test_flops_are_those_that_xla_counts(tied):
    """One unrolled decode step. Every term of the formula is over 4 % of it, the elementwise rest is under 3 %."""
    a = Architecture(
        d_model=96, n_layers=2, n_heads=6, n_kv_heads=2, d_head=34, d_ff=254, vocab_size=514, tied_embeddings=tied
    )
    context = 62
    cache = jax.eval_shape(lambda: kv_cache.empty_cache(a, 1, context, jnp.float32))
    weights = jax.eval_shape(lambda: make_weights(a, transformer.init(a, jax.random.key(0)), "float32"))
    inputs = jax.ShapeDtypeStruct((1,), jnp.int32), cache, jax.eval_shape(lambda: jax.random.key(0))
    lowered = jax.jit(functools.partial(engine.step, engine.Decoder(a))).lower(weights, *inputs)
    expected = accounting.forward_flops_per_token(a, context)
    assert expected <= lowered.cost_analysis()["flops"] <= 1.03 * expected


def test_training_flops_are_three_forward_passes():
    a = Architecture(d_model=8, n_layers=1, n_heads=1, n_kv_heads=1, d_head=8, d_ff=8, vocab_size=8)
    assert accounting.training_flops(a, 10, 4) == 30 * accounting.forward_flops_per_token(a, 4)


def test_bytes():
    a = Architecture(d_model=6, n_layers=3, n_heads=4, n_kv_heads=2, d_head=10, d_ff=7, vocab_size=11)
    assert accounting.kv_cache_bytes_per_token(a, 2) == 2 * 3 * 2 * 10 * 2
    cache = jax.eval_shape(lambda: kv_cache.empty_cache(a, 5, 13, jnp.bfloat16))
    held = sum(leaf.size * leaf.dtype.itemsize for leaf in (*cache.k_ZSC, *cache.v_ZSC))
    assert held == 5 * 13 * accounting.kv_cache_bytes_per_token(a, 2)
    assert accounting.weight_bytes(a, 4) == 4 * accounting.count_parameters(a)
