"""Damped Newton with exact Hessians inside a box: written for one start, vmapped over many.

Small dense problems (five to nine unknowns) with a robust, nearly piecewise-linear objective: the Hessian's eigenvalues
are taken in absolute value, so that saddles repel, and the damping follows what each step achieved.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

MAX_STEP = 1.5  # in free coordinates, which are logarithms mostly


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Minimum:
    """Where a descent ended; every array has the batch's leading axes.

    grad_norm is the Euclidean norm of the gradient over the coordinates that are free to move.
    """

    z_P: jax.Array
    objective: jax.Array
    grad_norm: jax.Array
    n_steps: jax.Array


def minimise(
    objective: Callable[[jax.Array], jax.Array],
    start_P: jax.Array,
    low_P: jax.Array,
    high_P: jax.Array,
    grad_tolerance: jax.Array,
    max_steps: int | jax.Array,
) -> Minimum:
    """Descend from one start until the gradient is small, no step helps, or `max_steps`; pure, to be vmapped."""

    def evaluate(z_P):
        (value, grad_P), hess_PP = jax.value_and_grad(objective)(z_P), jax.hessian(objective)(z_P)
        return jnp.where(jnp.isfinite(value), value, jnp.inf), grad_P, hess_PP

    def project(z_P, grad_P):
        fixed_P = ((z_P <= low_P) & (grad_P > 0)) | ((z_P >= high_P) & (grad_P < 0))
        return ~fixed_P, jnp.where(fixed_P, 0.0, grad_P)

    def unfinished(state):
        _, _, grad_norm, damping, step = state
        return (step < max_steps) & (grad_norm > grad_tolerance) & (damping < 1e12)

    def advance(state):
        z_P, (value, grad_P, hess_PP), grad_norm, damping, step = state
        free_P, grad_free_P = project(z_P, grad_P)
        hess_free_PP = jnp.where(free_P[:, None] & free_P[None, :], hess_PP, jnp.eye(len(z_P)))
        hess_free_PP = jnp.where(jnp.isfinite(hess_free_PP), hess_free_PP, 0.0)
        curvature_P, basis_PP = jnp.linalg.eigh(hess_free_PP)
        stiffness_P = jnp.abs(curvature_P) + damping * jnp.max(jnp.abs(curvature_P)) + 1e-300
        move_P = jnp.where(free_P, -basis_PP @ ((basis_PP.T @ grad_free_P) / stiffness_P), 0.0)
        move_P = move_P * jnp.minimum(1.0, MAX_STEP / (jnp.linalg.norm(move_P) + 1e-300))
        new_z_P = jnp.clip(z_P + move_P, low_P, high_P)
        new = evaluate(new_z_P)
        new_grad_norm = jnp.linalg.norm(project(new_z_P, new[1])[1])
        level = new[0] <= value + 1e-13 * jnp.abs(value)  # equal to rounding: then a smaller gradient decides
        better = (step == 0) | jnp.all(jnp.isfinite(new[1])) & (
            (new[0] < value) | (level & (new_grad_norm < grad_norm))
        )
        kept = jax.tree.map(
            lambda ours, theirs: jnp.where(better, ours, theirs),
            (new_z_P, new, new_grad_norm),
            (z_P, (value, grad_P, hess_PP), grad_norm),
        )
        return (*kept, jnp.where(better, jnp.maximum(damping / 8, 1e-16), damping * 4), step + 1)

    # The first pass makes no move: it only evaluates the start, so that the Hessian is compiled once.
    start_P = jnp.clip(start_P, low_P, high_P)
    zero_P, eye_PP = jnp.zeros_like(start_P), jnp.eye(len(start_P))
    unknown = (jnp.asarray(jnp.inf), zero_P, eye_PP)
    z_P, (value, _, _), grad_norm, _, step = jax.lax.while_loop(
        unfinished, advance, (start_P, unknown, jnp.asarray(jnp.inf), jnp.asarray(1e-2), jnp.asarray(0))
    )
    return Minimum(z_P, value, grad_norm, step)
