"""One optimiser step and one evaluation, compiled once for each shape.

B batch, T positions, V vocabulary.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from ie_scaling.architecture import Architecture
from ie_scaling.model import sharding, transformer
from ie_scaling.train import optimizer
from ie_scaling.train.config import OptimizerConfig, RecipeConfig
from ie_scaling.train.runtime_config import RuntimeConfig


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """Everything a step changes; passed, returned and donated."""

    parameters: transformer.Parameters
    optimizer_state: Any
    step: Any


@dataclasses.dataclass(frozen=True)
class Program:
    """The compiled functions of one architecture under one recipe.

    Attributes:
      init: key -> TrainState, made in place on the mesh.
      train: (TrainState, token_BT+1, learning_rate) -> (TrainState, {"loss", "grad_norm"}); donates the state.
      evaluate: (parameters, token_BT+1) -> summed cross-entropy in nats.
      shard_batch: a host batch laid on the mesh.
      shardings: where each leaf of the state lies.
    """

    init: Callable[[jax.Array], TrainState]
    train: Callable[[TrainState, jax.Array, jax.Array], tuple[TrainState, dict[str, jax.Array]]]
    evaluate: Callable[[transformer.Parameters, jax.Array], jax.Array]
    shard_batch: Callable[[np.ndarray], jax.Array]
    shardings: TrainState


def cross_entropy(logits_BTV: jax.Array, target_BT: jax.Array, z_loss: float) -> tuple[jax.Array, jax.Array]:
    """Mean cross-entropy in nats per token, and the mean of z_loss · logsumexp² (0 where z_loss is 0)."""
    log_z_BT = jax.nn.logsumexp(logits_BTV, axis=-1)
    chosen_BT = jnp.take_along_axis(logits_BTV, target_BT[..., None], axis=-1)[..., 0]
    return jnp.mean(log_z_BT - chosen_BT), z_loss * jnp.mean(jnp.square(log_z_BT))


def loss_and_penalty(
    a: Architecture, parameters: transformer.Parameters, token_BT1: jax.Array, z_loss: float, dtype: Any, remat: bool
) -> tuple[jax.Array, jax.Array]:
    """Next-token cross-entropy of windows of T + 1 tokens, and its z-loss."""
    logits_BTV = transformer.forward(a, parameters, token_BT1[:, :-1], dtype, remat)
    return cross_entropy(logits_BTV, token_BT1[:, 1:], z_loss)


def build(a: Architecture, recipe: RecipeConfig, runtime: RuntimeConfig = RuntimeConfig()) -> Program:
    """The program of this architecture; the same one for every run that can share it, whatever its length or seed."""
    mesh = sharding.make_mesh(runtime.mesh.data, runtime.mesh.fsdp, runtime.mesh.tensor)
    return _build(a, recipe.optimizer, recipe.dtype, runtime.remat != "none", mesh)


@functools.lru_cache(maxsize=64)
def _build(a: Architecture, config: OptimizerConfig, dtype: str, remat: bool, mesh: Mesh) -> Program:
    transformation = optimizer.build(config)
    shardings = state_shardings(a, transformation, mesh)
    batch_sharding = NamedSharding(mesh, sharding.BATCH)
    whole = NamedSharding(mesh, P())

    def init(key: jax.Array) -> TrainState:
        parameters = transformer.init(a, key)
        return TrainState(parameters, transformation.init(parameters), jnp.zeros((), jnp.int32))

    def train(
        state: TrainState, token_BT1: jax.Array, learning_rate: jax.Array
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        def objective(parameters: transformer.Parameters) -> tuple[jax.Array, jax.Array]:
            loss, penalty = loss_and_penalty(a, parameters, token_BT1, config.z_loss, dtype, remat)
            return loss + penalty, loss

        (_, loss), gradient = jax.value_and_grad(objective, has_aux=True)(state.parameters)
        update, optimizer_state = transformation.update(gradient, state.optimizer_state, state.parameters)
        scaled = jax.tree.map(lambda leaf: -learning_rate * leaf, update)
        parameters: Any = optax.apply_updates(state.parameters, scaled)
        metrics = {"loss": loss, "grad_norm": optax.tree.norm(gradient)}
        return TrainState(parameters, optimizer_state, state.step + 1), metrics

    def evaluate(parameters: transformer.Parameters, token_BT1: jax.Array) -> jax.Array:
        loss, _ = loss_and_penalty(a, parameters, token_BT1, 0.0, dtype, False)
        return loss * (token_BT1.shape[0] * (token_BT1.shape[1] - 1))

    # Compiling the initialisers takes XLA's CPU backend longer than running them ever could.
    quick = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    return Program(
        init=jax.jit(init, out_shardings=shardings, compiler_options=quick),
        train=jax.jit(train, donate_argnums=0, out_shardings=(shardings, whole)),
        evaluate=jax.jit(evaluate, out_shardings=whole),
        shard_batch=functools.partial(jax.device_put, device=batch_sharding),
        shardings=shardings,
    )


def state_shardings(a: Architecture, transformation: optax.GradientTransformation, mesh: Mesh) -> TrainState:
    """Where each leaf of the state lies: moments with their parameter, counters everywhere."""
    parameters = sharding.parameter_shardings(a, mesh)
    whole = NamedSharding(mesh, P())
    abstract = jax.eval_shape(transformation.init, transformer.abstract_parameters(a))
    optimizer_state = optax.tree.map_params(
        transformation,
        lambda _, placed: placed,
        abstract,
        parameters,
        transform_non_params=lambda _: whole,
    )
    return TrainState(parameters, optimizer_state, whole)
