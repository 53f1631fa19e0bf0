"""Least squares: the robust reference fit from many starts in one program, and its bootstrap over models."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ie_scaling.laws import identification, newton, numerics
from ie_scaling.laws.forms import Law
from ie_scaling.laws.observations import Features, Observations, Reference

MAX_STEPS = 400
RELATIVE_TOLERANCE = 1e-11  # of the gradient, against δ (or the residual scale) per row
BOOTSTRAP_BATCH = 256


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

    `n_starts` draws from the prior descend together, from a wide δ to a narrower and a narrower one; the best are
    polished. Summed, not averaged [Besiroglu et al. 2404.10102].

    Raises:
      ValueError: a feature that the law needs is blank.
    """
    observations.require(law.needs, law.name)
    reference = observations.reference(law.reference_omega)
    low_P, high_P = bounds(law, reference)
    center_P, spread_P = prior_of(law, reference)
    noise_ZP = np.random.default_rng(seed).standard_normal((n_starts, len(center_P)))
    noise_ZP[0] = 0.0
    problem = Problem(
        features=observations.features,
        log_loss_R=observations.log_loss_R,
        weight_R=np.ones(len(observations)),
        reference=reference,
        low_P=low_P,
        high_P=high_P,
    )
    with numerics.double_precision():
        found = jax.device_get(_descend(law, problem, center_P + 1.2 * spread_P * noise_ZP, np.float64(huber_delta)))
    objective_Z = np.where(np.isfinite(found.objective), found.objective, np.inf)
    best = int(np.argmin(objective_Z))
    if not np.isfinite(objective_Z[best]):
        raise FloatingPointError(f"law {law.name!r}: no start of {n_starts} gave a finite objective")
    z_P = found.z_P[best]
    params = constrain(law, z_P)
    status, reasons = identification.judge(
        law,
        observations,
        reference,
        z_P,
        low_P,
        high_P,
        bool(found.grad_norm[best] <= _tolerance(huber_delta, len(observations))),
    )
    return LeastSquaresFit(
        law=law,
        reference=reference,
        params=params,
        derived=derive(law, params, reference),
        objective=float(objective_Z[best]),
        grad_norm=float(found.grad_norm[best]),
        status=status,
        reasons=reasons,
        n_rows=len(observations),
        n_starts=n_starts,
        n_agreeing=int((objective_Z <= objective_Z[best] * (1 + 1e-6) + 1e-20).sum()),
        huber_delta=huber_delta,
    )


def bootstrap(
    fitted: LeastSquaresFit, observations: Observations, n_draws: int, seed: int = 0, by: str = "model"
) -> np.ndarray:
    """Free coordinates z_WP refitted to tables whose models (or rows, by="row") are drawn with replacement.

    Checkpoints of one model are not independent, so whole models are drawn. Each refit starts at the full table's fit.
    """
    group_R = observations.model_R if by == "model" else np.arange(len(observations))
    n_groups = int(group_R.max()) + 1
    counts_WM = np.random.default_rng(seed).multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_draws)
    low_P, high_P = bounds(fitted.law, fitted.reference)
    problem = Problem(
        features=observations.features,
        log_loss_R=observations.log_loss_R,
        weight_R=np.ones(len(observations)),
        reference=fitted.reference,
        low_P=low_P,
        high_P=high_P,
    )
    with numerics.double_precision():
        weight_WR = counts_WM[:, group_R].astype(np.float64)
        return np.asarray(_refit(fitted.law, problem, weight_WR, fitted.z_P, np.float64(fitted.huber_delta)))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """The data of one fit, as arrays."""

    features: Features
    log_loss_R: np.ndarray
    weight_R: np.ndarray
    reference: Reference
    low_P: np.ndarray
    high_P: np.ndarray


def huber(residual: Any, delta: jax.Array) -> jax.Array:
    """r²/2 within δ, δ(|r| − δ/2) beyond; elementwise."""
    size = jnp.abs(residual)
    return jnp.where(size <= delta, 0.5 * residual**2, delta * (size - 0.5 * delta))


def objective(law: Law, problem: Problem, z_P: jax.Array, delta: jax.Array) -> jax.Array:
    """Σ_i w_i·Huber_δ(ln L_i − ln L̂_i)."""
    predicted_R = law.log_loss(law.from_free(z_P), problem.features, problem.reference)
    return jnp.sum(problem.weight_R * huber(problem.log_loss_R - predicted_R, delta))


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
    with numerics.double_precision():
        return {name: float(value) for name, value in law.from_free(jnp.asarray(z_P)).items()}


def _tolerance(delta: float, n_rows: int) -> float:
    return RELATIVE_TOLERANCE * delta * n_rows


_evaluate = jax.jit(
    lambda law, params, features, reference: law.log_loss(params, features, reference), static_argnums=0
)


@functools.partial(jax.jit, static_argnums=0, compiler_options=numerics.COMPILER_OPTIONS)
def predict_draws(law: Law, draws_W: dict[str, jax.Array], features: Features, reference: Reference) -> jax.Array:
    """ln L̂ [W, A] of each row under each of W draws of the parameters."""
    return jax.vmap(lambda draws: law.log_loss(draws, features, reference))(draws_W)


@functools.partial(jax.jit, static_argnums=0, compiler_options=numerics.COMPILER_OPTIONS)
def _descend(law: Law, problem: Problem, start_ZP: jax.Array, delta: jax.Array) -> newton.Minimum:
    """All starts through wide, middle and final δ."""

    wide = jnp.maximum(delta, 0.05)
    delta_S = jnp.stack([wide, jnp.sqrt(wide * delta), delta])
    return jax.vmap(lambda start_P: _solve_in_stages(law, problem, start_P, delta_S, jnp.array([60, 60, MAX_STEPS])))(
        start_ZP
    )


@functools.partial(jax.jit, static_argnums=0, compiler_options=numerics.COMPILER_OPTIONS)
def _refit(law: Law, problem: Problem, weight_WR: jax.Array, start_P: jax.Array, delta: jax.Array) -> jax.Array:
    """The minimum for each row of weights, in batches so that memory stays small."""

    delta_S = jnp.stack([jnp.maximum(delta, 0.01), delta])

    def one(weight_R):
        weighted = dataclasses.replace(problem, weight_R=weight_R)
        return _solve_in_stages(law, weighted, start_P, delta_S, jnp.array([40, 100])).z_P

    return jax.lax.map(one, weight_WR, batch_size=BOOTSTRAP_BATCH)


def _solve_in_stages(law, problem, start_P, delta_S, steps_S) -> newton.Minimum:
    """One start through a falling sequence of δ, loosely until the last; one loop, so that it compiles once."""
    last_S = jnp.arange(len(delta_S)) == len(delta_S) - 1
    tolerance_S = RELATIVE_TOLERANCE * delta_S * len(problem.log_loss_R) * jnp.where(last_S, 1.0, 1e5)

    def stage(z_P, setting):
        delta, steps, tolerance = setting
        found = newton.minimise(
            lambda z_P: objective(law, problem, z_P, delta), z_P, problem.low_P, problem.high_P, tolerance, steps
        )
        return found.z_P, found

    found_S = jax.lax.scan(stage, start_P, (delta_S, steps_S, tolerance_S))[1]
    return jax.tree.map(lambda values_S: values_S[-1], found_S)
