"""Schedules step by step, and the chain of transformations with and without scales."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ie_scaling.train import optimizer
from ie_scaling.train.config import OptimizerConfig
from ie_scaling.train.transfer import Scales


def rates(n_steps=50, **changes):
    settings = {"learning_rate": 0.01, "final_fraction": 0.1, "warmup_fraction": 0.2} | changes
    found = optimizer.learning_rates(OptimizerConfig(**settings), n_steps)
    assert found.shape == (n_steps,)
    assert found.dtype == np.float32
    return found


@pytest.mark.parametrize("schedule", ["cosine", "wsd", "constant"])
def test_every_schedule_warms_up_alike(schedule):
    np.testing.assert_allclose(rates(schedule=schedule)[:10], 0.01 * np.arange(1, 11) / 10, rtol=1e-6)
    assert rates(schedule=schedule, warmup_fraction=0.0)[0] == pytest.approx(0.01, rel=2e-3)


def test_cosine_in_closed_form_and_as_it_was():
    steps = np.arange(1, 41) / 40
    expected = 0.01 * (0.1 + 0.9 * (1 + np.cos(np.pi * steps)) / 2)
    np.testing.assert_allclose(rates()[10:], expected, rtol=1e-5)
    before = optax.schedules.warmup_cosine_decay_schedule(0.0, 0.01, 10, 50, 0.01 * 0.1)
    np.testing.assert_array_equal(rates(), np.asarray(before(jnp.arange(1, 51)), np.float32))


def test_wsd_stays_and_falls_in_a_line():
    found = rates(schedule="wsd", decay_fraction=0.2)
    np.testing.assert_allclose(found[9:40], 0.01, rtol=1e-6)
    np.testing.assert_allclose(found[40:], 0.01 - 0.009 * np.arange(1, 11) / 10, rtol=1e-5)
    assert found[-1] == pytest.approx(0.001, rel=1e-5)


def test_wsd_whose_parts_overlap_decays_after_the_warm_up():
    found = rates(schedule="wsd", warmup_fraction=0.5, decay_fraction=0.8)
    assert np.argmax(found) == 24
    assert found[-1] == pytest.approx(0.001, rel=1e-5)
    np.testing.assert_allclose(rates(schedule="wsd", decay_fraction=0.0)[9:], 0.01, rtol=1e-6)


def test_constant_stays():
    np.testing.assert_allclose(rates(schedule="constant")[9:], 0.01, rtol=1e-6)


@pytest.mark.parametrize("schedule", ["cosine", "wsd", "constant"])
@pytest.mark.parametrize("n_steps", [1536, 2000])
def test_a_warm_up_longer_than_the_run_goes_as_far_as_it_gets(schedule, n_steps):
    """The 80M model of arXiv 2501.18107 at 20 tokens a parameter: 1,536 steps, 2,000 of them warm-up."""
    found = rates(n_steps, schedule=schedule, warmup_steps=2000)
    np.testing.assert_allclose(found, 0.01 * np.arange(1, n_steps + 1) / 2000, rtol=1e-4)


def test_steps_of_warm_up_override_the_fraction():
    np.testing.assert_array_equal(rates(warmup_steps=10, warmup_fraction=0.9), rates())
    assert rates(warmup_steps=0)[0] == pytest.approx(0.01, rel=2e-3)


def test_scales_act_on_gradient_decay_and_update():
    """One step by hand, from AdamW's formula: at the first step Adam divides the gradient by its own size."""
    config = OptimizerConfig(weight_decay=0.5, epsilon=0.1, clip_norm=1e9)
    weight, gradient = {"kernel": jnp.array([2.0]), "gain": jnp.array([3.0])}, {"kernel": 4.0, "gain": 5.0}
    gradient = jax.tree.map(lambda leaf: jnp.array([leaf]), gradient)
    half = {"kernel": 0.5, "gain": 0.25}
    scales = Scales(init=half, learning_rate=half, decay={"kernel": 2.0, "gain": 4.0}, gradient=half)
    transformation = optimizer.build(config, scales)
    update, _ = transformation.update(gradient, transformation.init(weight), weight)
    assert float(update["kernel"][0]) == pytest.approx(0.5 * (2.0 / (2.0 + 0.1) + 0.5 * 2.0 * 2.0), rel=1e-5)
    assert float(update["gain"][0]) == pytest.approx(0.25 * 1.25 / (1.25 + 0.1), rel=1e-5)  # gains do not decay


def test_without_scales_it_is_the_plain_chain():
    config = OptimizerConfig(weight_decay=0.1, clip_norm=0.5)
    weight = {"kernel": jnp.linspace(-1, 1, 7), "gain": jnp.ones(3)}
    gradient = jax.tree.map(jnp.sin, weight)
    plain = optax.chain(
        optax.clip_by_global_norm(0.5),
        optax.scale_by_adam(0.9, 0.95, 1e-8),
        optax.add_decayed_weights(0.1, mask={"kernel": True, "gain": False}),
    )
    ours = optimizer.build(config)
    updates = [chain.update(gradient, chain.init(weight), weight)[0] for chain in (ours, plain)]
    jax.tree.map(np.testing.assert_array_equal, *updates)
    assert jax.tree.structure(ours.init(weight)) == jax.tree.structure(plain.init(weight))
