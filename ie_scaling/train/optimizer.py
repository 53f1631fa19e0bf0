"""AdamW as an optax chain whose learning rate is an argument, and the schedule that supplies it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ie_scaling.train.config import OptimizerConfig, Schedule
from ie_scaling.train.transfer import Scales


def is_decayed(path: tuple, _: jax.Array) -> bool:
    """Weight decay for every matrix, none for norm gains."""
    return str(path[-1].key) != "gain"


def build(config: OptimizerConfig, scales: Scales | None = None) -> optax.GradientTransformation:
    """Clipping, Adam and decoupled decay; the caller scales the update by −learning_rate.

    The learning rate stays outside so that runs of different length share one compiled step.

    Args:
      scales: for each parameter, what its gradient is multiplied by between clipping and Adam, its decay, and its
        whole update (`train.transfer`); None for none of it.
    """
    clip = optax.clip_by_global_norm(config.clip_norm)
    adam = optax.scale_by_adam(config.beta1, config.beta2, config.epsilon)
    if scales is None:
        return optax.chain(clip, adam, optax.add_decayed_weights(config.weight_decay, mask=_decay_mask))
    decay = jax.tree.map(
        lambda decayed, scale: scale * config.weight_decay if decayed else 0.0, _decay_mask(scales.decay), scales.decay
    )
    return optax.chain(clip, _multiply(scales.gradient), adam, _add_decayed(decay), _multiply(scales.learning_rate))


def _decay_mask(parameters: Any) -> Any:
    return jax.tree.map_with_path(is_decayed, parameters)


def _multiply(factors: Any) -> optax.GradientTransformation:
    """Each leaf of the update times its own factor."""
    return optax.stateless(
        lambda update, _: jax.tree.map(lambda leaf, factor: (factor * leaf).astype(leaf.dtype), update, factors)
    )


def _add_decayed(decay: Any) -> optax.GradientTransformation:
    """`optax.add_decayed_weights` with a rate for each parameter."""
    return optax.stateless(
        lambda update, parameters: jax.tree.map(
            lambda leaf, rate, weight: leaf + rate * weight, update, decay, parameters
        )
    )


def learning_rates(config: OptimizerConfig, n_steps: int) -> np.ndarray:
    """Float32 learning rate of each step: linear warm-up from 0, then what `config.schedule` says.

    "cosine" falls to final_fraction of the peak at the last step, "wsd" stays and falls linearly to it over the last
    decay_fraction of the run, "constant" stays. A warm-up longer than the run goes as far as it gets.
    """
    warmup = round(config.warmup_fraction * n_steps) if config.warmup_steps is None else config.warmup_steps
    # The first step would be wasted at a rate of zero: step k takes the rate at k + 1.
    rates = np.asarray(_schedule(config, n_steps, warmup)(jnp.arange(1, n_steps + 1)), np.float32)
    return np.array(np.broadcast_to(rates, (n_steps,)))  # a constant comes as one number


def _schedule(config: OptimizerConfig, n_steps: int, warmup: int) -> optax.Schedule:
    peak, final = config.learning_rate, config.learning_rate * config.final_fraction
    start = 0.0 if warmup else peak
    if config.schedule == Schedule.COSINE:
        return optax.schedules.warmup_cosine_decay_schedule(
            init_value=start,
            peak_value=peak,
            warmup_steps=warmup,
            decay_steps=max(n_steps, warmup + 1),
            end_value=final,
        )
    stable = optax.schedules.warmup_constant_schedule(start, peak, warmup)
    decay = min(round(config.decay_fraction * n_steps), n_steps - warmup)
    if config.schedule == Schedule.CONSTANT or decay <= 0:
        return stable
    fall = optax.schedules.linear_schedule(peak, final, decay)
    return optax.schedules.join_schedules([stable, fall], [n_steps - decay])
