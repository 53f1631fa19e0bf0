"""Damped Newton with exact Hessians inside a box, for many small problems side by side.

Small dense problems (five to ten unknowns) with a robust, nearly piecewise-linear objective: the damping follows what
each step achieved, and a Hessian that is not positive definite is simply a step refused. Each problem goes through a
falling sequence of the objective's width δ. A fixed number of lanes is compiled once; a finished lane goes
to the next problem in the queue, so that a slow one delays no other.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

MAX_STEP = 1.5  # in free coordinates, which are logarithms mostly
FIRST_DAMPING, LEAST_DAMPING, HOPELESS_DAMPING = 1e-2, 1e-16, 1e12  # of the Hessian's largest diagonal element
STEPS_A_CALL = 8  # between looks at which lanes have finished

Objective = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]  # of z_P, weight_R, δ


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Stages:
    """Stages S: the width δ of each, the gradient norm at which it ends, and its most steps."""

    delta_S: Any
    tolerance_S: Any
    max_steps_S: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Lanes:
    """B descents under way; step 0 of a stage only evaluates, so that the Hessian is compiled once.

    Arrays are NumPy or JAX, as between the host and the compiled step.
    """

    z_BP: Any
    value_B: Any
    grad_BP: Any
    hess_BPP: Any
    grad_norm_B: Any
    damping_B: Any
    stage_B: Any
    step_B: Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Minima:
    """Where Z descents ended; grad_norm is over the coordinates that were free to move."""

    z_ZP: np.ndarray
    objective_Z: np.ndarray
    grad_norm_Z: np.ndarray


def start(start_BP: np.ndarray) -> Lanes:
    """Descents that have not begun."""
    n_lanes, n_params = start_BP.shape
    return Lanes(
        z_BP=start_BP.astype(np.float64),
        value_B=np.full(n_lanes, np.inf),
        grad_BP=np.zeros((n_lanes, n_params)),
        hess_BPP=np.zeros((n_lanes, n_params, n_params)),
        grad_norm_B=np.full(n_lanes, np.inf),
        damping_B=np.full(n_lanes, FIRST_DAMPING),
        stage_B=np.zeros(n_lanes, np.int32),
        step_B=np.zeros(n_lanes, np.int32),
    )


def advance(
    objective: Objective,
    lanes: Lanes,
    weight_BR: jax.Array,
    settled_B: jax.Array,
    low_P: jax.Array,
    high_BP: jax.Array,
    schedule: Stages,
) -> tuple[Lanes, jax.Array]:
    """Up to STEPS_A_CALL steps of every lane that is not settled; the lanes and who is settled now. To be jitted."""

    def step(state):
        lanes, settled_B, n = state
        step_lanes = jax.vmap(lambda lane, weight_R, high_P: _step(objective, lane, weight_R, low_P, high_P, schedule))
        moved, finished_B = step_lanes(lanes, weight_BR, high_BP)
        keep = lambda old, new: jnp.where(settled_B.reshape(-1, *[1] * (old.ndim - 1)), old, new)  # noqa: E731
        return jax.tree.map(keep, lanes, moved), settled_B | finished_B, n + 1

    unfinished = lambda state: (state[2] < STEPS_A_CALL) & ~jnp.all(state[1])  # noqa: E731
    lanes, settled_B, _ = jax.lax.while_loop(unfinished, step, (lanes, settled_B, 0))
    return lanes, settled_B


def _step(
    objective: Objective, lane: Lanes, weight_R: jax.Array, low_P: jax.Array, high_P: jax.Array, schedule: Stages
) -> tuple[Lanes, jax.Array]:
    """One step of one lane, and whether it was its last."""
    first = lane.step_B == 0
    free_P, grad_P = _project(lane.z_BP, lane.grad_BP, low_P, high_P)
    move_P = jnp.where(first, 0.0, _direction(lane.hess_BPP, grad_P, free_P, lane.damping_B))
    z_P = jnp.clip(lane.z_BP + move_P, low_P, high_P)
    value, grad_P, hess_PP = _evaluate(objective, z_P, weight_R, schedule.delta_S[lane.stage_B])
    grad_norm = jnp.linalg.norm(_project(z_P, grad_P, low_P, high_P)[1])
    level = value <= lane.value_B + 1e-13 * jnp.abs(lane.value_B)  # equal to rounding: a smaller gradient decides
    improved = (value < lane.value_B) | (level & (grad_norm < lane.grad_norm_B))
    better = first | (improved & jnp.all(jnp.isfinite(grad_P)))
    choose = lambda new, old: jnp.where(better, new, old)  # noqa: E731
    grad_norm = choose(grad_norm, lane.grad_norm_B)
    damping = jnp.where(better, jnp.maximum(lane.damping_B / 8, LEAST_DAMPING), lane.damping_B * 4)
    ended = (grad_norm <= schedule.tolerance_S[lane.stage_B]) | (lane.step_B + 1 >= schedule.max_steps_S[lane.stage_B])
    ended |= damping >= HOPELESS_DAMPING
    last = lane.stage_B >= len(schedule.delta_S) - 1
    to_next = ended & ~last
    moved = Lanes(
        z_BP=choose(z_P, lane.z_BP),
        value_B=choose(value, lane.value_B),
        grad_BP=choose(grad_P, lane.grad_BP),
        hess_BPP=choose(hess_PP, lane.hess_BPP),
        grad_norm_B=grad_norm,
        damping_B=jnp.where(first | to_next, FIRST_DAMPING, damping),
        stage_B=lane.stage_B + to_next,
        step_B=jnp.where(to_next, 0, lane.step_B + 1),
    )
    return moved, ended & last


def _evaluate(objective: Objective, z_P: jax.Array, weight_R: jax.Array, delta: jax.Array):
    """Value (infinite where undefined), gradient and Hessian, in one forward-over-reverse pass."""

    def gradient(z_P):
        value, grad_P = jax.value_and_grad(objective)(z_P, weight_R, delta)
        return grad_P, (value, grad_P)

    hess_PP, (value, grad_P) = jax.jacfwd(gradient, has_aux=True)(z_P)
    return jnp.where(jnp.isfinite(value), value, jnp.inf), grad_P, hess_PP


def _project(z_P, grad_P, low_P, high_P) -> tuple[jax.Array, jax.Array]:
    """Which coordinates may move, and the gradient over them."""
    fixed_P = ((z_P <= low_P) & (grad_P > 0)) | ((z_P >= high_P) & (grad_P < 0))
    return ~fixed_P, jnp.where(fixed_P, 0.0, grad_P)


def _direction(hess_PP, grad_P, free_P, damping) -> jax.Array:
    """The damped Newton step, no longer than MAX_STEP; NaN where the damped Hessian is not positive definite."""
    hess_PP = jnp.where(free_P[:, None] & free_P[None, :], hess_PP, jnp.eye(len(grad_P)))
    size = jnp.max(jnp.where(free_P, jnp.abs(jnp.diag(hess_PP)), 0.0)) + 1e-300
    factor_PP = jnp.linalg.cholesky(hess_PP + damping * size * jnp.eye(len(grad_P)), symmetrize_input=False)
    move_P = jnp.where(free_P, -jax.scipy.linalg.cho_solve((factor_PP, True), grad_P), 0.0)
    return move_P * jnp.minimum(1.0, MAX_STEP / (jnp.linalg.norm(move_P) + 1e-300))


def solve(
    advance_lanes: Callable[[Lanes, np.ndarray, np.ndarray, np.ndarray], tuple[Lanes, np.ndarray]],
    start_ZP: np.ndarray,
    weights_of: Callable[[np.ndarray], np.ndarray],
    high_ZP: np.ndarray,
    n_lanes: int,
    on_progress: Callable[[int], None] = lambda finished: None,
) -> Minima:
    """Run Z problems through `n_lanes` lanes.

    Args:
      advance_lanes: the compiled `advance` of (lanes, weight_BR, settled_B, high_BP).
      weights_of: the rows' weights of these problems [k] -> [k, R], called when a problem enters a lane.
      on_progress: gets the number of problems finished since the last call.
    """
    n_problems, n_params = start_ZP.shape
    minima = Minima(
        z_ZP=np.full((n_problems, n_params), np.nan),
        objective_Z=np.full(n_problems, np.inf),
        grad_norm_Z=np.full(n_problems, np.inf),
    )
    problem_B = np.full(n_lanes, -1)
    lanes = start(np.repeat(start_ZP[:1], n_lanes, axis=0))
    weight_BR = np.repeat(weights_of(np.array([0])), n_lanes, axis=0)
    high_BP = np.repeat(high_ZP[:1], n_lanes, axis=0)
    queued = 0
    while True:
        idle = np.flatnonzero(problem_B < 0)
        entering = np.arange(queued, min(queued + len(idle), n_problems))
        if len(entering):
            idle = idle[: len(entering)]
            queued += len(entering)
            problem_B[idle] = entering
            weight_BR[idle], high_BP[idle] = weights_of(entering), high_ZP[entering]
            fresh = start(np.minimum(start_ZP[entering], high_ZP[entering]))
            for field in dataclasses.fields(Lanes):
                getattr(lanes, field.name)[idle] = getattr(fresh, field.name)
        if (problem_B < 0).all():
            return minima
        lanes, settled_B = advance_lanes(lanes, weight_BR, problem_B < 0, high_BP)
        lanes, settled_B = jax.tree.map(np.array, jax.device_get((lanes, settled_B)))
        finished = np.flatnonzero(settled_B & (problem_B >= 0))
        minima.z_ZP[problem_B[finished]] = lanes.z_BP[finished]
        minima.objective_Z[problem_B[finished]] = lanes.value_B[finished]
        minima.grad_norm_Z[problem_B[finished]] = lanes.grad_norm_B[finished]
        problem_B[finished] = -1
        on_progress(len(finished))
