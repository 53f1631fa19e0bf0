"""One step: the loss against a hand-written one, the update against AdamW's formula."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ie_scaling.architecture import Architecture
from ie_scaling.train import optimizer, step
from ie_scaling.train.config import OptimizerConfig, RecipeConfig
from ie_scaling.train.runtime_config import RuntimeConfig

SHAPE = Architecture(d_model=24, n_layers=2, n_heads=4, n_kv_heads=2, d_head=10, d_ff=38, vocab_size=62)


def batch(rows: int = 8, length: int = 11) -> np.ndarray:
    return np.random.default_rng(0).integers(0, SHAPE.vocab_size, (rows, length + 1)).astype(np.int32)


def test_cross_entropy_by_hand():
    logits = np.random.default_rng(1).normal(size=(2, 3, 5)).astype(np.float32)
    target = np.array([[0, 1, 4], [2, 2, 3]])
    log_z = np.log(np.exp(logits).sum(-1))
    expected = np.mean([log_z[b, t] - logits[b, t, target[b, t]] for b in range(2) for t in range(3)])
    loss, penalty = step.cross_entropy(jnp.asarray(logits), jnp.asarray(target), 0.25)
    assert float(loss) == pytest.approx(expected, rel=1e-6)
    assert float(penalty) == pytest.approx(0.25 * np.mean(log_z**2), rel=1e-6)


def test_learning_rates_warm_up_and_decay():
    config = OptimizerConfig(learning_rate=0.01, final_fraction=0.1, warmup_fraction=0.2)
    rates = optimizer.learning_rates(config, 50)
    assert rates.shape == (50,)
    np.testing.assert_allclose(rates[:10], 0.01 * np.arange(1, 11) / 10, rtol=1e-6)
    assert rates[-1] == pytest.approx(0.001, rel=1e-6)
    assert (np.diff(rates[9:]) <= 0).all()


def test_decay_spares_the_gains():
    program = step.build(SHAPE, RecipeConfig(batch_size=8), RuntimeConfig())
    parameters = program.init(jax.random.key(0)).parameters
    mask = jax.tree.map_with_path(optimizer.is_decayed, parameters)
    gains = [path for path, decayed in jax.tree_util.tree_leaves_with_path(mask) if not decayed]
    assert len(gains) == 3  # attention, mlp, final


def test_a_step_is_optax_adamw():
    """Our chain with an outside learning rate equals optax.adamw after clipping, over three steps."""
    config = OptimizerConfig(learning_rate=0.02, clip_norm=0.5, weight_decay=0.1, z_loss=1e-3, epsilon=1e-3)
    program = step.build(SHAPE, RecipeConfig(batch_size=8, optimizer=config), RuntimeConfig())
    state = program.init(jax.random.key(0))
    parameters = jax.tree.map(jnp.copy, state.parameters)
    mask = jax.tree.map_with_path(optimizer.is_decayed, parameters)
    adamw = optax.adamw(0.02, 0.9, 0.95, 1e-3, weight_decay=0.1, mask=mask)
    reference = optax.chain(optax.clip_by_global_norm(0.5), adamw)
    reference_state = reference.init(parameters)
    tokens = batch()

    @jax.jit
    def reference_step(parameters, reference_state):
        def objective(parameters):
            return sum(step.loss_and_penalty(step.Model(SHAPE), parameters, tokens, 1e-3))

        update, reference_state = reference.update(jax.grad(objective)(parameters), reference_state, parameters)
        return optax.apply_updates(parameters, update), reference_state

    for _ in range(3):
        state, _ = program.train(state, program.place_batch(tokens), np.float32(0.02))
        parameters, reference_state = reference_step(parameters, reference_state)
    for ours, theirs in zip(jax.tree.leaves(state.parameters), jax.tree.leaves(parameters), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
