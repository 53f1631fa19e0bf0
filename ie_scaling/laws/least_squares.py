"""Least squares: the robust reference fit from many starts in one program, and its bootstrap over models."""

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

from ie_scaling.laws import identification, newton, numerics
from ie_scaling.laws.law import Law
from ie_scaling.laws.observations import Features, Observations, Reference

MAX_STEPS = 400
RELATIVE_TOLERANCE = 1e-11  # of the gradient, against δ (or the residual scale) per row
MAX_LANES = 32  # descents side by side
LANE_ROWS = 2**16  # rows of all lanes together: what keeps a step in the cache
EXPLORE_ROWS = 4096  # beyond it the starts descend on a sample
POLISHED = 3  # distinct ends of which are carried to all rows


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeastSquaresFit:
    """A law fitted to rows, at full precision.

    Attributes:
      params: the law's free parameters by name, coefficients at the reference point.
      derived: the same as the literature prints them (A, B, epsilon …).
      objective: Huber loss of ln L − ln L̂ summed over rows (`huber_log`), or squared nats summed (`squared`).
      grad_norm: of the objective in free coordinates (logs), over those that are free to move.
      status: `converged`, `at_bound`, `not_identified` or `max_steps`; `reasons` says which parameter and why.
      n_agreeing: starts that reached this objective to 1e-6, out of `n_starts`.
    """

    law: Law
    reference: Reference
    params: dict[str, float]
    derived: dict[str, float]
    objective: float
    grad_norm: float
    status: str
    reasons: tuple[str, ...]
    n_rows: int
    n_starts: int = 1
    n_agreeing: int = 1
    loss_function: str = "huber_log"
    huber_delta: float = 1e-3

    @property
    def z_P(self) -> np.ndarray:
        """Free coordinates of the parameters (NaN for one outside its support, as a negative A)."""
        return np.array([p.to_free(self.params[p.name]) for p in self.law.parameters])

    def predict(self, features: Features) -> np.ndarray:
        """ln L̂ of each row."""
        return evaluate(self.law, self.params, features, self.reference)


def evaluate(law: Law, params: dict[str, float], features: Features, reference: Reference) -> np.ndarray:
    """ln L̂ of each row at one set of parameters, in float64."""
    with numerics.double_precision():
        return np.asarray(_evaluate(law, {k: jnp.float64(v) for k, v in params.items()}, features, reference))


def fit(
    law: Law, observations: Observations, *, huber_delta: float = 1e-3, n_starts: int = 64, seed: int = 0
) -> LeastSquaresFit:
    """The minimum of Σ_i Huber_δ(ln L_i − ln L̂_i) over the law's parameters, with E at most the smallest loss.

    `n_starts` draws from the prior descend together, from a wide δ to a narrower and a narrower one, to a small
    gradient. Beyond EXPLORE_ROWS rows they descend on a random sample, and the best are polished on all rows. Summed,
    not averaged [Besiroglu et al. 2404.10102].

    Raises:
      ValueError: a feature that the law needs is blank.
      FloatingPointError: no start gave a finite objective.
    """
    observations.require(law.needs, law.name)
    reference = observations.reference(law.reference_omega)
    start_ZP = draw_starts(law, reference, n_starts, seed)
    if len(observations) > EXPLORE_ROWS:
        start_ZP = _explore(law, observations, reference, start_ZP, huber_delta, seed)
    low_P, high_P = bounds(law, reference)
    problem = Problem(observations.features, observations.log_loss_R, reference)
    every_row = lambda problems: np.ones((len(problems), len(observations)))  # noqa: E731
    high_ZP = np.broadcast_to(high_P, start_ZP.shape)
    found = _minimise(law, problem, start_ZP, every_row, low_P, high_ZP, descent(huber_delta, len(observations)))
    best = int(np.argmin(found.objective_Z))
    if not np.isfinite(found.objective_Z[best]):
        raise FloatingPointError(f"law {law.name!r}: no start of {n_starts} gave a finite objective")
    z_P, grad_norm = found.z_ZP[best], float(found.grad_norm_Z[best])
    params = constrain(law, z_P)
    small = grad_norm <= RELATIVE_TOLERANCE * huber_delta * len(observations)
    status, reasons = identification.judge(law, observations, reference, z_P, low_P, high_P, small)
    return LeastSquaresFit(
        law=law,
        reference=reference,
        params=params,
        derived=derive(law, params, reference),
        objective=float(found.objective_Z[best]),
        grad_norm=grad_norm,
        status=status,
        reasons=reasons,
        n_rows=len(observations),
        n_starts=n_starts,
        n_agreeing=int((found.objective_Z <= found.objective_Z[best] * (1 + 1e-6) + 1e-20).sum()),
        huber_delta=huber_delta,
    )


def fit_subsets(
    fitted: LeastSquaresFit, observations: Observations, kept_WR: np.ndarray, *, n_starts: int = 8, seed: int = 0
) -> np.ndarray:
    """Free coordinates z_WP fitted to W subsets of the rows (masks), each from `n_starts`, for cross-validation.

    E is at most the smallest loss of the subset: nothing but the reference point and one of the starts knows of the
    rows left out, and a minimum depends on neither.
    """
    law, reference = fitted.law, fitted.reference
    low_P, high_P = bounds(law, reference)
    starts_NP = np.concatenate([fitted.z_P[None], draw_starts(law, reference, n_starts - 1, seed)])
    n_subsets = len(kept_WR)
    high_WP = np.repeat(high_P[None], n_subsets, axis=0)
    if "E" in law.names:
        high_WP[:, law.names.index("E")] = np.where(kept_WR, observations.log_loss_R, np.inf).min(axis=1)
    problem = Problem(observations.features, observations.log_loss_R, reference)
    found = _minimise(
        law,
        problem,
        np.tile(starts_NP, (n_subsets, 1)),
        lambda problems: kept_WR[problems // n_starts].astype(np.float64),
        low_P,
        np.repeat(high_WP, n_starts, axis=0),
        descent(fitted.huber_delta, len(observations)),
    )
    best_W = found.objective_Z.reshape(n_subsets, n_starts).argmin(axis=1)
    return found.z_ZP.reshape(n_subsets, n_starts, -1)[np.arange(n_subsets), best_W]


def bootstrap(
    fitted: LeastSquaresFit,
    observations: Observations,
    n_draws: int,
    seed: int = 0,
    by: str = "model",
    on_progress: Callable[[int], None] = lambda finished: None,
) -> np.ndarray:
    """Free coordinates z_WP refitted to tables whose models (or rows, by="row") are drawn with replacement.

    Checkpoints of one model are not independent, so whole models are drawn. Each refit starts at the full table's fit.
    """
    group_R = observations.model_R if by == "model" else np.arange(len(observations))
    n_groups = int(group_R.max()) + 1
    counts_WM = np.random.default_rng(seed).multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_draws)
    low_P, high_P = bounds(fitted.law, fitted.reference)
    found = _minimise(
        fitted.law,
        Problem(observations.features, observations.log_loss_R, fitted.reference),
        np.tile(fitted.z_P, (n_draws, 1)),
        lambda problems: counts_WM[problems][:, group_R].astype(np.float64),
        low_P,
        np.tile(high_P, (n_draws, 1)),
        redescent(fitted.huber_delta, len(observations)),
        on_progress,
    )
    return found.z_ZP


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Problem:
    """The data of one fit, as arrays."""

    features: Features
    log_loss_R: np.ndarray
    reference: Reference


def huber(residual: Any, delta: jax.Array) -> jax.Array:
    """r²/2 within δ, δ(|r| − δ/2) beyond; elementwise."""
    size = jnp.abs(residual)
    return jnp.where(size <= delta, 0.5 * residual**2, delta * (size - 0.5 * delta))


def objective(law: Law, problem: Problem, z_P: jax.Array, weight_R: jax.Array, delta: jax.Array) -> jax.Array:
    """Σ_i w_i·Huber_δ(ln L_i − ln L̂_i)."""
    predicted_R = law.log_loss(law.from_free(z_P), problem.features, problem.reference)
    return jnp.sum(weight_R * huber(problem.log_loss_R - predicted_R, delta))


def draw_starts(law: Law, reference: Reference, n_starts: int, seed: int) -> np.ndarray:
    """Free coordinates [Z, P]: the prior's middle, and draws about it somewhat wider than the prior."""
    center_P, spread_P = prior_of(law, reference)
    noise_ZP = np.random.default_rng(seed).standard_normal((n_starts, len(center_P)))
    noise_ZP[:1] = 0.0
    return center_P + 1.2 * spread_P * noise_ZP


def descent(delta: float, n_rows: int) -> newton.Schedule:
    """From afar: a wide δ, a middle one, and δ itself, loosely until the last."""
    wide = max(delta, 0.05)
    return _schedule((wide, np.sqrt(wide * delta), delta), (60, 60, MAX_STEPS), n_rows)


def redescent(delta: float, n_rows: int) -> newton.Schedule:
    """From the minimum of nearly the same rows."""
    wide = max(delta, 0.01)
    return _schedule((wide, np.sqrt(wide * delta), delta), (4, 4, MAX_STEPS // 2), n_rows)


def _schedule(delta_S: Sequence[float], max_steps_S: Sequence[int], n_rows: int) -> newton.Schedule:
    loose_S = np.array([1e5, 1e5, 1.0])
    tolerance_S = RELATIVE_TOLERANCE * np.array(delta_S) * n_rows * loose_S
    return newton.Schedule(delta_S=np.array(delta_S), tolerance_S=tolerance_S, max_steps_S=np.array(max_steps_S))


def bounds(law: Law, reference: Reference) -> tuple[np.ndarray, np.ndarray]:
    """The box of free coordinates: within each parameter's reach, and E at most the smallest loss."""
    center_P = np.array([p.center(reference) for p in law.parameters])
    reach_P = np.array([p.reach for p in law.parameters])
    high_P = center_P + reach_P
    if "E" in law.names:
        high_P[law.names.index("E")] = np.log(reference.L_min)
    return center_P - reach_P, high_P


def prior_of(law: Law, reference: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Centres and spreads of the free coordinates' normal priors."""
    return np.array([p.center(reference) for p in law.parameters]), np.array([p.spread for p in law.parameters])


def derive(law: Law, params: dict[str, float], reference: Reference) -> dict[str, float]:
    """All parameters as the literature prints them, as floats."""
    return {name: float(value) for name, value in law.derived(params, reference).items()}


def constrain(law: Law, z_P: np.ndarray) -> dict[str, float]:
    """Parameters by name from free coordinates, as floats."""
    return {name: float(value) for name, value in law.from_free(z_P).items()}


_evaluate = jax.jit(
    lambda law, params, features, reference: law.log_loss(params, features, reference), static_argnums=0
)


@functools.partial(jax.jit, static_argnums=0, compiler_options=numerics.COMPILER_OPTIONS)
def predict_draws(law: Law, draws_W: dict[str, jax.Array], features: Features, reference: Reference) -> jax.Array:
    """ln L̂ [W, A] of each row under each of W draws of the parameters."""
    return jax.vmap(lambda draws: law.log_loss(draws, features, reference))(draws_W)


def predict_many(law: Law, z_WP: np.ndarray, features: Features, reference: Reference) -> np.ndarray:
    """ln L̂ [W, A] of each row under each of W sets of free coordinates."""
    with numerics.double_precision():
        return np.asarray(predict_draws(law, law.from_free(z_WP), features, reference))


@functools.partial(jax.jit, static_argnums=0, compiler_options=numerics.COMPILER_OPTIONS)
def _advance(law: Law, problem: Problem, lanes: newton.Lanes, *state) -> tuple[newton.Lanes, jax.Array]:
    """`newton.advance` on this law's objective: compiled once for a law, a number of rows and a number of lanes."""
    return newton.advance(functools.partial(objective, law, problem), lanes, *state)


def _minimise(
    law: Law,
    problem: Problem,
    start_ZP: np.ndarray,
    weights_of: Callable[[np.ndarray], np.ndarray],
    low_P: np.ndarray,
    high_ZP: np.ndarray,
    schedule: newton.Schedule,
    on_progress: Callable[[int], None] = lambda finished: None,
) -> newton.Minima:
    """All problems through as many lanes as the rows leave room for."""
    n_lanes = int(np.clip(LANE_ROWS // len(problem.log_loss_R), 1, MAX_LANES))
    with numerics.double_precision():
        problem, low_P, schedule = jax.device_put((problem, low_P, schedule))

    def advance_lanes(lanes, weight_BR, settled_B, high_BP):
        return _advance(law, problem, lanes, weight_BR, settled_B, low_P, high_BP, schedule)

    def work(part_Z):
        with numerics.double_precision():
            weights_of_part = lambda problems: weights_of(part_Z[problems])  # noqa: E731
            return newton.solve(advance_lanes, start_ZP[part_Z], weights_of_part, high_ZP[part_Z], n_lanes, report)

    lock = threading.Lock()

    def report(finished):
        with lock:
            on_progress(finished)

    n_workers = int(np.clip(len(start_ZP) // (4 * n_lanes), 1, os.cpu_count() or 1))
    if n_workers > 1:  # compile once, before they all ask for it
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


def _explore(
    law: Law, observations: Observations, reference: Reference, start_ZP: np.ndarray, huber_delta: float, seed: int
) -> np.ndarray:
    """The best few ends of descents on a random sample of the rows: where to begin on all of them."""
    index_R = np.random.default_rng(seed).choice(len(observations), EXPLORE_ROWS, replace=False)
    problem = Problem(observations.features.take(index_R), observations.log_loss_R[index_R], reference)
    low_P, high_P = bounds(law, reference)
    found = _minimise(
        law,
        problem,
        start_ZP,
        lambda problems: np.ones((len(problems), EXPLORE_ROWS)),
        low_P,
        np.broadcast_to(high_P, start_ZP.shape),
        descent(huber_delta, EXPLORE_ROWS),
    )
    order_Z = np.argsort(found.objective_Z)
    objective_Z = found.objective_Z[order_Z]
    distinct_Z = np.concatenate([[True], np.diff(objective_Z) > 1e-6 * objective_Z[0]]) & np.isfinite(objective_Z)
    return found.z_ZP[order_Z[distinct_Z][:POLISHED]]
