"""One optimizer step and one evaluation, compiled once for each shape.

B batch, T positions, V vocabulary.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from ie_scaling.architecture import Architecture
from ie_scaling.model import sharding, transformer
from ie_scaling.train import optimizer, transfer
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
      init: key -> TrainState, made on the mesh itself.
      train: (TrainState, token_BT+1, learning_rate) -> (TrainState, {"loss", "grad_norm"}); donates the state.
      evaluate: (parameters, token_BT+1) -> summed cross-entropy in nats.
      place_batch: this process's rows of a batch, laid on the mesh.
      shardings: where each leaf of the state lies.
    """

    init: Callable[[jax.Array], TrainState]
    train: Callable[[TrainState, jax.Array, jax.Array], tuple[TrainState, dict[str, jax.Array]]]
    evaluate: Callable[[transformer.Parameters, jax.Array], jax.Array]
    place_batch: Callable[[np.ndarray], jax.Array]
    shardings: TrainState
    mesh: Mesh


@dataclasses.dataclass(frozen=True)
class Model:
    """An architecture and how its forward pass is computed."""

    architecture: Architecture
    dtype: Any = jnp.float32
    remat: str = "none"
    scan: bool = True
    end_of_text_id: int | None = None
    placement: transformer.Placement = transformer.ANYWHERE


def cross_entropy(logits_BTV: jax.Array, target_BT: jax.Array, z_loss: float) -> tuple[jax.Array, jax.Array]:
    """Mean cross-entropy in nats per token, and the mean of z_loss · logsumexp² (0 where z_loss is 0)."""
    log_z_BT = jax.nn.logsumexp(logits_BTV, axis=-1)
    # Not gathered: the gradient of a gather is a scatter, of this a comparison that joins the softmax's own pass.
    is_target_BTV = target_BT[..., None] == jnp.arange(logits_BTV.shape[-1])[None, None]
    chosen_BT = jnp.sum(jnp.where(is_target_BTV, logits_BTV, 0.0), axis=-1)
    return jnp.mean(log_z_BT - chosen_BT), z_loss * jnp.mean(jnp.square(log_z_BT))


def document_numbers(token_BT: jax.Array, end_of_text_id: int) -> jax.Array:
    """Which document of its row each token belongs to, counted from 0; its end token is its last."""
    ends_BT = (token_BT == end_of_text_id).astype(jnp.int32)
    return jnp.cumsum(ends_BT, axis=1) - ends_BT


def loss_and_penalty(
    model: Model, parameters: transformer.Parameters, token_BT1: jax.Array, z_loss: float
) -> tuple[jax.Array, jax.Array]:
    """Next-token cross-entropy of windows of T + 1 tokens, and its z-loss."""
    token_BT, end = token_BT1[:, :-1], model.end_of_text_id
    logits_BTV = transformer.forward(
        model.architecture,
        parameters,
        token_BT,
        model.dtype,
        remat=model.remat,
        scan=model.scan,
        document_BT=None if end is None else document_numbers(token_BT, end),
        placement=model.placement,
    )
    return cross_entropy(logits_BTV, token_BT1[:, 1:], z_loss)


def build(
    a: Architecture,
    recipe: RecipeConfig,
    runtime: RuntimeConfig,
    end_of_text_id: int | None = None,
    devices: Sequence[jax.Device] | None = None,
) -> Program:
    """The program of this architecture; the same one for every run that can share it, whatever its length or seed.

    Args:
      end_of_text_id: the token between documents, with recipe.document_mask.
      devices: those to build the mesh of; all by default.
    """
    if recipe.document_mask and end_of_text_id is None:
        raise ValueError("recipe.document_mask=True: needs the token that ends a document")
    mesh = sharding.make_mesh(runtime.mesh.data, runtime.mesh.fsdp, runtime.mesh.tensor, devices)
    end = end_of_text_id if recipe.document_mask else None
    model = Model(a, jnp.dtype(recipe.dtype), runtime.remat, runtime.scan_layers, end, placement_on(mesh))
    return _build(model, recipe.optimizer, runtime.accumulation, mesh)


@functools.lru_cache(maxsize=64)
def _build(model: Model, config: OptimizerConfig, accumulation: int, mesh: Mesh) -> Program:
    a = model.architecture
    scales = transfer.scales(a, config)
    transformation = optimizer.build(config, scales)
    shardings = state_shardings(a, transformation, mesh)
    batch_sharding, whole = NamedSharding(mesh, sharding.BATCH), NamedSharding(mesh, P())

    def init(key: jax.Array) -> TrainState:
        parameters = transfer.scale_init(transformer.init(a, key), scales)
        return TrainState(parameters, transformation.init(parameters), jnp.zeros((), jnp.int32))

    def train(
        state: TrainState, token_BT1: jax.Array, learning_rate: jax.Array
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        loss, gradient = gradient_of_parts(model, state.parameters, token_BT1, config.z_loss, accumulation, mesh)
        update, optimizer_state = transformation.update(gradient, state.optimizer_state, state.parameters)
        scaled = jax.tree.map(lambda leaf: -learning_rate * leaf, update)
        parameters: Any = optax.apply_updates(state.parameters, scaled)
        metrics = {"loss": loss, "grad_norm": optax.tree.norm(gradient)}
        return TrainState(parameters, optimizer_state, state.step + 1), metrics

    def evaluate(parameters: transformer.Parameters, token_BT1: jax.Array) -> jax.Array:
        loss, _ = loss_and_penalty(model, parameters, token_BT1, 0.0)
        return loss * (token_BT1.shape[0] * (token_BT1.shape[1] - 1))

    # Compiling the initializers takes XLA's CPU backend longer than running them ever could.
    quick = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    return Program(
        init=jax.jit(init, out_shardings=shardings, compiler_options=quick),
        train=jax.jit(train, donate_argnums=0, out_shardings=(shardings, whole)),
        evaluate=jax.jit(evaluate, out_shardings=whole),
        place_batch=functools.partial(jax.make_array_from_process_local_data, batch_sharding),
        shardings=shardings,
        mesh=mesh,
    )


@functools.lru_cache(maxsize=64)
def placement_on(mesh: Mesh) -> transformer.Placement:
    """Activations constrained to the batch axes of `mesh`, so that weights are gathered and activations stay."""
    if mesh.size == 1:
        return transformer.ANYWHERE

    def hold(spec: P) -> Callable[[jax.Array], jax.Array]:
        sharding_of_x = NamedSharding(mesh, spec)
        return lambda x: jax.lax.with_sharding_constraint(x, sharding_of_x)

    return transformer.Placement(activations=hold(sharding.ACTIVATIONS), logits=hold(sharding.LOGITS))


def gradient_of_parts(
    model: Model, parameters: transformer.Parameters, token_BT1: jax.Array, z_loss: float, n_parts: int, mesh: Mesh
) -> tuple[jax.Array, transformer.Parameters]:
    """The batch's loss and its gradient (z-loss included), from n_parts equal parts of the batch one after another."""

    def objective(parameters: transformer.Parameters, part: jax.Array) -> tuple[jax.Array, jax.Array]:
        loss, penalty = loss_and_penalty(model, parameters, part, z_loss)
        return loss + penalty, loss

    differentiate = jax.value_and_grad(objective, has_aux=True)
    join = (lambda gradient: gradient) if model.scan else transformer.join_layers
    if not model.scan:
        parameters = transformer.split_layers(model.architecture, parameters)
    if n_parts == 1:
        (_, loss), gradient = differentiate(parameters, token_BT1)
        return loss, join(gradient)

    def add_part(total: Any, part: jax.Array) -> tuple[Any, None]:
        (_, loss), gradient = differentiate(parameters, part)
        return jax.tree.map(jnp.add, total, (loss, gradient)), None

    # Rows are dealt out in turn, so that every part takes as many from each device and none has to move.
    parts = token_BT1.reshape(-1, n_parts, token_BT1.shape[1]).swapaxes(0, 1)
    parts = jax.lax.with_sharding_constraint(parts, NamedSharding(mesh, P(None, *sharding.BATCH)))
    zero = jax.tree.map(jnp.zeros_like, (jnp.zeros((), jnp.float32), parameters))
    total, _ = jax.lax.scan(add_part, zero, parts)
    loss, gradient = jax.tree.map(lambda leaf: leaf / n_parts, total)
    return loss, join(gradient)


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
