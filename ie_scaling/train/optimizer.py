"""AdamW as an optax chain whose learning rate is an argument, and the schedule that supplies it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ie_scaling.train.config import OptimizerConfig


def is_decayed(path: tuple, _: jax.Array) -> bool:
    """Weight decay for every matrix, none for norm gains."""
    return str(path[-1].key) != "gain"


def build(config: OptimizerConfig) -> optax.GradientTransformation:
    """Clipping, Adam and decoupled decay; the caller scales the update by −learning_rate.

    The learning rate stays outside so that runs of different length share one compiled step.
    """
    return optax.chain(
        optax.clip_by_global_norm(config.clip_norm),
        optax.scale_by_adam(config.beta1, config.beta2, config.epsilon),
        optax.add_decayed_weights(
            config.weight_decay, mask=lambda parameters: jax.tree.map_with_path(is_decayed, parameters)
        ),
    )


def learning_rates(config: OptimizerConfig, n_steps: int) -> np.ndarray:
    """Float32 learning rate of each step: linear warm-up from 0, then cosine to final_fraction of the peak."""
    warmup = round(config.warmup_fraction * n_steps)
    schedule = optax.schedules.warmup_cosine_decay_schedule(
        init_value=0.0 if warmup else config.learning_rate,
        peak_value=config.learning_rate,
        warmup_steps=warmup,
        decay_steps=max(n_steps, warmup + 1),
        end_value=config.learning_rate * config.final_fraction,
    )
    # The first step would be wasted at a rate of zero: step k takes the rate at k + 1.
    return np.asarray(schedule(jnp.arange(1, n_steps + 1)), np.float32)
