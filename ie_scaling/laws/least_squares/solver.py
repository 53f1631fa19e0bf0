"""Least squares: the robust reference fit from many starts in one program, and its bootstrap over models."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from ie_scaling.inference import numerics
from ie_scaling.laws.choices import Objective, Status
from ie_scaling.laws.law import Law, Role
from ie_scaling.laws.least_squares import descent, identification
from ie_scaling.laws.observations import Features, Reference
from ie_scaling.laws.problem import Problem
from ie_scaling.running.diagnostic import Diagnostic, Kind


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeastSquaresFit:
    """The point where a law posed on a table fits it best, at full precision, with a status.

    Attributes:
      params: the law's free parameters by name, coefficients at the reference point.
      derived: the same as the literature prints them (A, B, epsilon …).
      objective: Huber loss of ln L − ln L̂ summed over rows (`huber_log`), or squared nats summed (`squared`).
      grad_norm: of the objective in free coordinates (logs), over those that are free to move.
      status: how it ended; `reasons` says which parameter is not determined, and why.
      n_agreeing: starts that reached this objective to 1e-6, out of `n_starts`.
      seed: of the starts.
    """

    problem: Problem
    params: dict[str, float]
    derived: dict[str, float]
    objective: float
    grad_norm: float
    status: Status
    reasons: tuple[str, ...]
    n_starts: int = 1
    n_agreeing: int = 1
    loss_function: Objective = Objective.HUBER_LOG
    huber_delta: float = 1e-3
    seed: int = 0

    @property
    def law(self) -> Law:
        """The law that was fitted."""
        return self.problem.law

    @property
    def reference(self) -> Reference:
        """Where its coefficients are stated."""
        return self.problem.reference

    @property
    def n_rows(self) -> int:
        """R, the rows that were fitted."""
        return len(self.problem)

    @property
    def converged(self) -> bool:
        """Whether it is the minimum, and the rows determine every parameter."""
        return self.status is Status.CONVERGED

    def diagnose(self) -> list[Diagnostic]:
        """Why it is not to be trusted; nothing where it converged."""
        if self.converged:
            return []
        message = f"{self.status} ({'; '.join(self.reasons)})"
        return [Diagnostic(Kind.LEAST_SQUARES, f"least squares {self.law.name}", message)]

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


def fit(problem: Problem, *, huber_delta: float = 1e-3, n_starts: int = 64, seed: int = 0) -> LeastSquaresFit:
    """The minimum of Σ_i Huber_δ(ln L_i − ln L̂_i) over the law's parameters, with E at most the smallest loss.

    `n_starts` draws from the prior descend together, from a wide δ to a narrower and a narrower one, to a small
    gradient. Beyond `descent.EXPLORE_ROWS` rows they descend on a random sample, and the best are polished on all
    rows. Summed, not averaged [B24], docs/laws.md.

    Raises:
      FloatingPointError: no start gave a finite objective.
    """
    law, n_rows = problem.law, len(problem)
    start_ZP = descent.draw_starts(problem, n_starts, seed)
    if n_rows > descent.EXPLORE_ROWS:
        start_ZP = descent.explore(problem, start_ZP, huber_delta, seed)
    low_P, high_P = descent.bounds(problem)
    every_row = lambda problems: np.ones((len(problems), n_rows))  # noqa: E731
    high_ZP = np.broadcast_to(high_P, start_ZP.shape)
    schedule = descent.schedule_from_afar(huber_delta, n_rows)
    minima = descent.minimize(law, descent.Data.of(problem), start_ZP, every_row, low_P, high_ZP, schedule)
    best = int(np.argmin(minima.objective_Z))
    if not np.isfinite(minima.objective_Z[best]):
        raise FloatingPointError(f"law {law.name!r}: no start of {n_starts} gave a finite objective")
    z_P, grad_norm = minima.z_ZP[best], float(minima.grad_norm_Z[best])
    params = constrain(law, z_P)
    small = grad_norm <= descent.RELATIVE_TOLERANCE * huber_delta * n_rows
    status, reasons = identification.judge(problem, z_P, low_P, high_P, small)
    return LeastSquaresFit(
        problem=problem,
        params=params,
        derived=derive(law, params, problem.reference),
        objective=float(minima.objective_Z[best]),
        grad_norm=grad_norm,
        status=status,
        reasons=reasons,
        n_starts=n_starts,
        n_agreeing=int((minima.objective_Z <= minima.objective_Z[best] * (1 + 1e-6) + 1e-20).sum()),
        huber_delta=huber_delta,
        seed=seed,
    )


def fit_subsets(fitted: LeastSquaresFit, kept_WR: np.ndarray, *, n_starts: int = 8, seed: int = 0) -> np.ndarray:
    """Free coordinates z_WP fitted to W subsets of the rows (masks), each from `n_starts`, for cross-validation.

    E is at most the smallest loss of the subset: nothing but the reference point and one of the starts knows of the
    rows left out, and a minimum depends on neither.
    """
    law, problem = fitted.law, fitted.problem
    low_P, high_P = descent.bounds(problem)
    starts_NP = np.concatenate([fitted.z_P[None], descent.draw_starts(problem, n_starts - 1, seed)])
    n_subsets = len(kept_WR)
    high_WP = np.repeat(high_P[None], n_subsets, axis=0)
    high_WP[:, law.positions_of(Role.FLOOR)] = np.where(kept_WR, problem.log_loss_R, np.inf).min(axis=1)[:, None]
    minima = descent.minimize(
        law,
        descent.Data.of(problem),
        np.tile(starts_NP, (n_subsets, 1)),
        lambda problems: kept_WR[problems // n_starts].astype(np.float64),
        low_P,
        np.repeat(high_WP, n_starts, axis=0),
        descent.schedule_from_afar(fitted.huber_delta, len(problem)),
    )
    best_W = minima.objective_Z.reshape(n_subsets, n_starts).argmin(axis=1)
    return minima.z_ZP.reshape(n_subsets, n_starts, -1)[np.arange(n_subsets), best_W]


def bootstrap(
    fitted: LeastSquaresFit,
    n_draws: int,
    seed: int = 0,
    by: str = "model",
    on_progress: Callable[[int], None] = lambda finished: None,
) -> np.ndarray:
    """Free coordinates z_WP refitted to tables whose models (or rows, by="row") are drawn with replacement.

    Checkpoints of one model are not independent, so whole models are drawn. Each refit starts at the full table's fit.
    """
    problem = fitted.problem
    group_R = problem.rows.model_R if by == "model" else np.arange(len(problem))
    n_groups = int(group_R.max()) + 1
    counts_WM = np.random.default_rng(seed).multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_draws)
    low_P, high_P = descent.bounds(problem)
    minima = descent.minimize(
        fitted.law,
        descent.Data.of(problem),
        np.tile(fitted.z_P, (n_draws, 1)),
        lambda problems: counts_WM[problems][:, group_R].astype(np.float64),
        low_P,
        np.tile(high_P, (n_draws, 1)),
        descent.schedule_from_nearby(fitted.huber_delta, len(problem)),
        on_progress,
    )
    return minima.z_ZP


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


def predict_many(problem: Problem, z_WP: np.ndarray) -> np.ndarray:
    """ln L̂ [W, R] of each row under each of W sets of free coordinates."""
    law = problem.law
    with numerics.double_precision():
        return np.asarray(predict_draws(law, law.from_free(z_WP), problem.features, problem.reference))
