"""The transfer rule: nothing at the base shape, CompleteP's explicit form elsewhere, updates that keep their size."""

import dataclasses
import functools
import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.model import transformer
from ie_scaling.train import optimizer, step, transfer
from ie_scaling.train.config import OptimizerConfig, RecipeConfig
from ie_scaling.train.runtime_config import RuntimeConfig
from tests.model.shapes import FAMILIES
from tests.train import explicit

VOCAB = 64
BASE = Architecture(d_model=16, n_layers=2, n_heads=2, n_kv_heads=1, d_head=4, d_ff=22, vocab_size=VOCAB)
TARGET = Architecture(d_model=24, n_layers=6, n_heads=4, n_kv_heads=2, d_head=10, d_ff=38, vocab_size=VOCAB)
KINDS = {"plain": {}, "tied and qk_norm": {"tied_embeddings": True, "qk_norm": True}}


@pytest.fixture(autouse=True, scope="module")
def _compile_quickly():
    """Each program runs a few times only."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def stack(*trees):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def completep(base, **changes):
    return OptimizerConfig(transfer="completep", base=base.name, **changes)


def draw(a, seed):
    """Fresh parameters of `transformer.init`'s deviations, without compiling anything."""
    generator = np.random.default_rng(seed)
    deviations = {
        "embedding": a.d_model**-0.5 if a.tied_embeddings else 1.0,
        "output": (2 * a.n_layers * a.n_heads * a.d_head) ** -0.5,
        "down": (2 * a.n_layers * a.d_ff) ** -0.5,
    }

    def leaf(path, shape):
        if path[-1].key == "gain":
            return np.ones(shape.shape, np.float32)
        deviation = deviations.get(path[-1 - (path[-1].key == "kernel")].key, a.d_model**-0.5)
        return (deviation * generator.standard_normal(shape.shape)).astype(np.float32)

    return jax.tree.map_with_path(leaf, transformer.abstract_parameters(a))


def chains(seed, n_batches, rows=8, length=33):
    """Batches (n, rows, length) of a chain that can be learnt: the next token is one of four."""
    generator = np.random.default_rng(seed)
    tokens = generator.integers(0, VOCAB, (n_batches, rows, 1))
    for _ in range(length - 1):
        following = (5 * tokens[..., -1:] + generator.integers(0, 4, (n_batches, rows, 1))) % VOCAB
        tokens = np.concatenate([tokens, following], axis=-1)
    return tokens.astype(np.int32)


def fields(scales):
    return [getattr(scales, field.name) for field in dataclasses.fields(scales)]


@pytest.mark.parametrize("a", FAMILIES.values(), ids=FAMILIES)
def test_nothing_is_scaled_at_the_base_shape(a):
    assert transfer.scales(a, OptimizerConfig()) is None
    for tree in fields(transfer.scales(a, completep(a))):
        assert jax.tree.structure(tree) == jax.tree.structure(transformer.abstract_parameters(a))
        assert set(jax.tree.leaves(tree)) == {1.0}


def test_rate_times_decay_is_kept():
    scales = transfer.scales(TARGET, completep(BASE))
    for rate, decay in zip(jax.tree.leaves(scales.learning_rate), jax.tree.leaves(scales.decay), strict=True):
        assert rate * decay == pytest.approx(1)


def test_deviations_follow_the_law():
    """Std of fresh folded weights in closed form: the branch over depth, logits over width, fan-in elsewhere."""
    scales = transfer.scales(TARGET, completep(BASE)).init
    m, n, c = 24 / 16, 6 / 2, 10 / 4
    attention = scales["layers"]["attention"]
    fan_in = 4 * 10
    assert attention["output"]["kernel"] * (2 * 6 * fan_in) ** -0.5 == pytest.approx((2 * 2 * fan_in) ** -0.5 / n)
    assert attention["query"]["kernel"] == pytest.approx(c**-0.5)
    assert attention["value"]["kernel"] == 1
    assert scales["unembedding"] * 24**-0.5 == pytest.approx(16**-0.5 / m)
    tied, base = (dataclasses.replace(a, tied_embeddings=True) for a in (TARGET, BASE))
    scales = transfer.scales(tied, completep(base)).init
    assert scales["embedding"] * 24**-0.5 == pytest.approx(16**-0.5)
    assert scales["final_norm"]["gain"] == pytest.approx(1 / m)


@pytest.mark.parametrize("field", ["tied_embeddings", "qk_norm"])
def test_a_base_of_another_kind_is_refused(field):
    with pytest.raises(InputError, match=f"optimizer.base=.*must have {field}=True"):
        transfer.scales(dataclasses.replace(TARGET, **{field: True}), completep(BASE))


def explicit_factors(a, base, path):
    """CompleteP before folding: factors on the rate, the decay and epsilon."""
    m, n = a.d_model / base.d_model, a.n_layers / base.n_layers
    fan_in = {"output": a.n_heads * a.d_head / (base.n_heads * base.d_head), "down": a.d_ff / base.d_ff}
    inside = path[0].key == "layers"
    ratio = fan_in.get(path[-2].key, m) if inside and path[-1].key == "kernel" else 1.0
    return 1 / ratio, ratio, 1 / (m * n if inside else m)


def folded_multiplier(a, base, path):
    """What stands in front of the parameter in the explicit forward pass."""
    m, n, c = a.d_model / base.d_model, a.n_layers / base.n_layers, a.d_head / base.d_head
    name = ".".join(entry.key for entry in path)
    output = "final_norm.gain" if a.tied_embeddings else "unembedding"
    query = "layers.attention.query_norm.gain" if a.qk_norm else "layers.attention.query.kernel"
    branches = {"layers.attention.output.kernel": 1 / n, "layers.mlp.down.kernel": 1 / n}
    return ({output: 1 / m, query: c**-0.5} | branches).get(name, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_folded_weights_train_as_explicit_multipliers_do(kind):
    """Six steps with decay and an epsilon that matters: every weight, and the logits of the unchanged forward pass."""
    a, base = (dataclasses.replace(shape, **kind) for shape in (TARGET, BASE))
    config = completep(base, learning_rate=0.01, weight_decay=0.3, epsilon=1e-4, clip_norm=1e9)
    scales = transfer.scales(a, config)
    transformation = optimizer.build(config, scales)
    multiplier = functools.partial(folded_multiplier, a, base)
    m, n, c = a.d_model / base.d_model, a.n_layers / base.n_layers, a.d_head / base.d_head
    folded = jax.tree.map(jnp.asarray, transfer.scale_init(draw(a, 0), scales))
    plain = jax.tree.map_with_path(lambda path, leaf: leaf / multiplier(path), folded)

    multipliers = jnp.array([[1.0, 1.0, 1.0], [1 / n, 1 / m, c**-0.5]])

    @jax.jit
    def move(count, gradient, folded, state, plain, moments):
        update, state = transformation.update(jax.tree.map(operator.itemgetter(0), gradient), state, folded)
        folded = jax.tree.map(lambda leaf, change: leaf - config.learning_rate * change, folded, update)
        gradient = jax.tree.map(operator.itemgetter(1), gradient)
        factors = functools.partial(explicit_factors, a, base)
        return folded, state, *explicit.adamw(config, gradient, plain, moments, count, factors)

    zeros = jax.tree.map(jnp.zeros_like, plain)
    state, moments, start = transformation.init(folded), (zeros, zeros), folded
    for count, token_BT1 in enumerate(chains(0, 6, length=9)):
        both = jnp.stack([token_BT1, token_BT1])
        gradient, logits_2BTV, _ = explicit.gradients(a, stack(folded, plain), both, multipliers)
        np.testing.assert_allclose(transformer.forward(a, folded, token_BT1[:, :-1]), logits_2BTV[1], atol=1e-5)
        folded, state, plain, moments = move(np.float32(count + 1), gradient, folded, state, plain, moments)
    expected = jax.tree.map_with_path(lambda path, leaf: leaf * multiplier(path), plain)
    for left, right, fresh in zip(*map(jax.tree.leaves, (folded, expected, start)), strict=True):
        assert float(jnp.max(jnp.abs(left - fresh))) > 1e-4  # it moved
        np.testing.assert_allclose(left, right, atol=1e-5)


@pytest.mark.slow
def test_the_compiled_step_scales():
    config = completep(BASE, learning_rate=0.01)
    program = step.build(TARGET, RecipeConfig(batch_size=8, optimizer=config), RuntimeConfig())
    constant = step.build(TARGET, RecipeConfig(batch_size=8), RuntimeConfig())
    key, scales = jax.random.key(0), transfer.scales(TARGET, config)
    state = program.init(key)
    fresh = jax.tree.map(lambda leaf, scale: leaf * scale, constant.init(key).parameters, scales.init)
    start = jax.tree.map(np.asarray, state.parameters)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-6), start, fresh)
    state, _ = program.train(state, chains(0, 1)[0], np.float32(0.01))
    # Adam's first step is its rate in every coordinate whose gradient is far above epsilon.
    moved = jax.tree.map(lambda new, old: float(np.median(np.abs(new - old))), state.parameters, start)
    for name in ("output", "value"):
        rate = 0.01 * scales.learning_rate["layers"]["attention"][name]["kernel"]
        assert moved["layers"]["attention"][name]["kernel"] == pytest.approx(rate, rel=0.05)


@functools.partial(jax.jit, static_argnums=0)
@functools.partial(jax.vmap, in_axes=(None, 0, 0, 0, None))
def move(config, gradient, state, parameters, factors):
    update, state = optimizer.build(config, transfer.Scales(*factors)).update(gradient, state, parameters)
    return jax.tree.map(lambda w, u: w - config.learning_rate * u, parameters, update), state


def train_seeds(a, config, data, fresh, factors):
    """Log RMS change of (logits, stream) on the last batch after training on the others, a mean over stacked seeds."""
    plain = np.ones((len(data), 3), np.float32)
    fresh = jax.tree.map(lambda leaf, scale: np.float32(scale) * leaf, fresh, factors[0])
    state = jax.vmap(optimizer.build(config, transfer.Scales(*factors)).init)(fresh)
    trained = fresh
    for index in range(data.shape[1] - 1):
        gradient, _, _ = explicit.gradients(a, trained, data[:, index], plain)
        trained, state = move(config, gradient, state, trained, factors)
    pairs = zip(*(explicit.gradients(a, w, data[:, -1], plain)[1:] for w in (fresh, trained)), strict=True)
    changes_S2 = np.stack([np.std(np.subtract(new, old), axis=(1, 2, 3)) for old, new in pairs], axis=-1)
    return np.log(changes_S2).mean(axis=0)


def slopes(shapes, sizes, base):
    """Log-log slopes of the changes against size: {"completep" | "constant": (logits, stream)}."""
    n_seeds, n_steps = 3, 4
    config = completep(base, learning_rate=1e-3)
    data = np.stack([chains(100 + seed, n_steps + 1, rows=4) for seed in range(n_seeds)])
    changes = {"completep": [], "constant": []}
    for a in shapes:
        fresh = stack(*(draw(a, seed) for seed in range(n_seeds)))
        trees = fields(transfer.scales(a, config))
        for mode, factors in (("completep", trees), ("constant", jax.tree.map(lambda _: 1.0, trees))):
            changes[mode].append(train_seeds(a, config, data, fresh, factors))
    return {mode: np.polyfit(np.log(sizes), np.array(rows), 1)[0] for mode, rows in changes.items()}


def wide(d_model, n_layers):
    heads = d_model // 16
    shape = {"n_heads": heads, "n_kv_heads": heads // 2, "d_head": 16, "d_ff": 3 * d_model, "vocab_size": VOCAB}
    return Architecture(d_model=d_model, n_layers=n_layers, **shape)


@pytest.mark.parametrize("widths", [(32, 256), pytest.param((32, 64, 128, 256, 512), marks=pytest.mark.slow)])
def test_coordinates_keep_their_size_over_width(widths):
    """Two layers, base width 64, four steps at 1e-3, three seeds.

    Slopes (logits, stream) over the five widths: completep −0.23 and −0.07, constant 1.02 and 0.80; over the upper
    three −0.13 and −0.03 against 0.93 and 0.72. What is left of completep's falls towards 0 with the width: the logits'
    change has a random part that vanishes as width^-1/2.
    """
    found = slopes([wide(width, 2) for width in widths], widths, wide(64, 2))
    assert np.all(np.abs(found["completep"]) < 0.4), found
    assert np.all(found["constant"] > 0.7), found


@pytest.mark.slow
@pytest.mark.parametrize("depths", [(2, 32), (2, 4, 8, 16, 32)])
def test_coordinates_keep_their_size_over_depth(depths):
    """Width 64, base depth 4. Slopes over the five depths: completep 0.07 and −0.04, constant 0.64 and 0.75."""
    found = slopes([wide(64, depth) for depth in depths], depths, wide(64, 4))
    assert np.all(np.abs(found["completep"]) < 0.2), found
    assert np.all(found["constant"] > 0.4), found
