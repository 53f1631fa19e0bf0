"""Robust objectives and their minimization from many starts: what a fit, a fold and a bootstrap refit share."""

import concurrent.futures
import dataclasses
import functools
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ie_scaling.inference import numerics
from ie_scaling.laws.law import Law, Role
from ie_scaling.laws.least_squares import newton
from ie_scaling.laws.observations import Features, Reference
from ie_scaling.laws.problem import Problem

MAX_STEPS = 400
RELATIVE_TOLERANCE = 1e-11  # of the gradient, against δ (or the residual scale) per row
MAX_LANES = 32  # descents side by side
LANE_ROWS = 2**16  # rows of all lanes together: what keeps a step in the cache
EXPLORE_ROWS = 4096  # beyond it the starts descend on a sample
N_POLISHED = 3  # distinct ends of which are carried to all rows


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Data:
    """What of a problem the compiled descent reads."""

    features: Features
    log_loss_R: np.ndarray
    reference: Reference

    @classmethod
    def of(cls, problem: Problem) -> "Data":
        """Of all its rows."""
        return cls(problem.features, problem.log_loss_R, problem.reference)

    def take(self, index_R: np.ndarray) -> "Data":
        """These rows alone."""
        return Data(self.features.take(index_R), self.log_loss_R[index_R], self.reference)


def huber(residual: Any, delta: jax.Array) -> jax.Array:
    """r²/2 within δ, δ(|r| − δ/2) beyond; elementwise."""
    size = jnp.abs(residual)
    return jnp.where(size <= delta, 0.5 * residual**2, delta * (size - 0.5 * delta))


def objective(law: Law, data: Data, z_P: jax.Array, weight_R: jax.Array, delta: jax.Array) -> jax.Array:
    """Σ_i w_i·Huber_δ(ln L_i − ln L̂_i)."""
    predicted_R = law.log_loss(law.from_free(z_P), data.features, data.reference)
    return jnp.sum(weight_R * huber(data.log_loss_R - predicted_R, delta))


def draw_starts(problem: Problem, n_starts: int, seed: int) -> np.ndarray:
    """Free coordinates [Z, P]: the prior's middle, and draws about it somewhat wider than the prior."""
    center_P, spread_P = problem.prior
    noise_ZP = np.random.default_rng(seed).standard_normal((n_starts, len(center_P)))
    noise_ZP[:1] = 0.0
    return center_P + 1.2 * spread_P * noise_ZP


def schedule_from_afar(delta: float, n_rows: int) -> newton.Stages:
    """From afar: a wide δ, a middle one, and δ itself, loosely until the last."""
    wide = max(delta, 0.05)
    return _schedule((wide, np.sqrt(wide * delta), delta), (60, 60, MAX_STEPS), n_rows)


def schedule_from_nearby(delta: float, n_rows: int) -> newton.Stages:
    """From the minimum of nearly the same rows."""
    wide = max(delta, 0.01)
    return _schedule((wide, np.sqrt(wide * delta), delta), (4, 4, MAX_STEPS // 2), n_rows)


def _schedule(delta_S: Sequence[float], max_steps_S: Sequence[int], n_rows: int) -> newton.Stages:
    loose_S = np.array([1e5, 1e5, 1.0])
    tolerance_S = RELATIVE_TOLERANCE * np.array(delta_S) * n_rows * loose_S
    return newton.Stages(delta_S=np.array(delta_S), tolerance_S=tolerance_S, max_steps_S=np.array(max_steps_S))


def bounds(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """The box of free coordinates: within each parameter's reach, and a floor at most the smallest loss."""
    law, center_P = problem.law, problem.prior[0]
    reach_P = np.array([p.reach for p in law.parameters])
    high_P = center_P + reach_P
    high_P[law.positions_of(Role.FLOOR)] = np.min(problem.log_loss_R)
    return center_P - reach_P, high_P


@functools.partial(jax.jit, static_argnums=0, compiler_options=numerics.COMPILER_OPTIONS)
def _advance(law: Law, data: Data, lanes: newton.Lanes, *state) -> tuple[newton.Lanes, jax.Array]:
    """`newton.advance` on this law's objective: compiled once for a law, a number of rows and a number of lanes."""
    return newton.advance(functools.partial(objective, law, data), lanes, *state)


def minimize(
    law: Law,
    data: Data,
    start_ZP: np.ndarray,
    weights_of: Callable[[np.ndarray], np.ndarray],
    low_P: np.ndarray,
    high_ZP: np.ndarray,
    schedule: newton.Stages,
    on_progress: Callable[[int], None] = lambda finished: None,
) -> newton.Minima:
    """All problems through as many lanes as the rows leave room for."""
    n_lanes = int(np.clip(LANE_ROWS // len(data.log_loss_R), 1, MAX_LANES))
    with numerics.double_precision():
        data, low_P, schedule = jax.device_put((data, low_P, schedule))

    def advance_lanes(lanes, weight_BR, settled_B, high_BP):
        return _advance(law, data, lanes, weight_BR, settled_B, low_P, high_BP, schedule)

    lock = threading.Lock()

    def report(finished):
        with lock:
            on_progress(finished)

    def work(part_Z):
        with numerics.double_precision():
            weights_of_part = lambda problems: weights_of(part_Z[problems])  # noqa: E731
            return newton.solve(advance_lanes, start_ZP[part_Z], weights_of_part, high_ZP[part_Z], n_lanes, report)

    n_workers = int(np.clip(len(start_ZP) // (4 * n_lanes), 1, os.cpu_count() or 1))
    if n_workers > 1:  # compile once, before all of them would
        lanes = newton.start(np.repeat(start_ZP[:1], n_lanes, axis=0))
        weight_BR = np.repeat(weights_of(np.array([0])), n_lanes, axis=0)
        with numerics.double_precision():
            advance_lanes(lanes, weight_BR, np.ones(n_lanes, bool), np.repeat(high_ZP[:1], n_lanes, axis=0))
    with concurrent.futures.ThreadPoolExecutor(n_workers) as workers:
        parts = list(workers.map(work, np.array_split(np.arange(len(start_ZP)), n_workers)))
    return newton.Minima(
        z_ZP=np.concatenate([part.z_ZP for part in parts]),
        objective_Z=np.concatenate([part.objective_Z for part in parts]),
        grad_norm_Z=np.concatenate([part.grad_norm_Z for part in parts]),
    )


def explore(problem: Problem, start_ZP: np.ndarray, huber_delta: float, seed: int) -> np.ndarray:
    """The best few ends of descents on a random sample of the rows: where to begin on all of them."""
    index_R = np.random.default_rng(seed).choice(len(problem), EXPLORE_ROWS, replace=False)
    low_P, high_P = bounds(problem)
    minima = minimize(
        problem.law,
        Data.of(problem).take(index_R),
        start_ZP,
        lambda problems: np.ones((len(problems), EXPLORE_ROWS)),
        low_P,
        np.broadcast_to(high_P, start_ZP.shape),
        schedule_from_afar(huber_delta, EXPLORE_ROWS),
    )
    order_Z = np.argsort(minima.objective_Z)
    objective_Z = minima.objective_Z[order_Z]
    distinct_Z = np.concatenate([[True], np.diff(objective_Z) > 1e-6 * objective_Z[0]]) & np.isfinite(objective_Z)
    return minima.z_ZP[order_Z[distinct_Z][:N_POLISHED]]
