"""Coordinates in which a law's posterior is nearly normal, and a Gauss-Newton guess at its middle and scale.

A law's free coordinates ln E, ln A_ref, α … trade off along sharp curved ridges. Straightened, they become

    ln(E + A' + B_ref + …)           the loss in the middle of the table, known to a few thousandths
    ln(A'·α / E), ln(B_ref·β / E) …  about what ten times the size, or the tokens, are worth
    and the exponents, the shape's parameters and ω as they are,

with A' = A_ref·(N̄(ω)/N0)^−α the contribution at the rows' own mean size under that ω. Each step is a shear, so the
Jacobian determinant is 1 and densities carry over unchanged. Letters: P coordinates of the law, last axis.
"""

import jax
import jax.numpy as jnp
import numpy as np

from ie_scaling.laws.law import Law, Role
from ie_scaling.laws.problem import Problem


def bend(problem: Problem, y_P: jax.Array) -> jax.Array:
    """Free coordinates from straightened ones; leading axes are free."""
    columns = [y_P[..., i] for i in range(y_P.shape[-1])]
    powers = _powers(problem.law)
    if powers:
        first, *others = powers
        ratios = {first: jnp.zeros_like(columns[first])}
        ratios |= {i: columns[i] - _log_exponent(columns, powers[i]) for i in others}
        log_first = columns[first] - _log_sum(problem.law, ratios, columns)
        for i, ratio in ratios.items():
            columns[i] = log_first + ratio
    _shift_to_own_size(problem, columns, +1)
    return jnp.stack(columns, axis=-1)  # no scatter: XLA compiles and runs these few slices faster


def straighten(problem: Problem, z_P: jax.Array) -> jax.Array:
    """The inverse of `bend`."""
    columns = [z_P[..., i] for i in range(z_P.shape[-1])]
    _shift_to_own_size(problem, columns, -1)
    powers = _powers(problem.law)
    if powers:
        first, *others = powers
        log_first = columns[first]
        columns[first] = _log_sum(problem.law, {i: columns[i] for i in powers}, columns)
        for i in others:
            columns[i] = columns[i] - log_first + _log_exponent(columns, powers[i])
    return jnp.stack(columns, axis=-1)


def gauss_newton(problem: Problem, y_P: jax.Array, sd: jax.Array | float) -> jax.Array:
    """Cholesky factor [P, P] of the posterior's covariance about y_P, were the noise normal of this sd."""
    _, spread_P = problem.prior

    def predict(y_P):
        z_P = bend(problem, y_P)
        return problem.log_loss(z_P), z_P

    jacobian_RP, bend_PP = jax.jacfwd(predict)(y_P)
    precision_PP = jacobian_RP.T @ jacobian_RP / sd**2 + bend_PP.T @ jnp.diag(spread_P**-2.0) @ bend_PP
    return jnp.linalg.cholesky(jnp.linalg.inv(precision_PP))


def _powers(law: Law) -> dict[int, int | None]:
    """The index of each summand's positive coefficient, with that of its exponent; the floor, without one, first."""
    indices = law.positions
    exponent_of: dict[int, int | None] = dict.fromkeys(law.positions_of(Role.FLOOR))
    for power in law.powers:
        exponent_of[indices[power.name_of(Role.COEFFICIENT) or ""]] = indices[power.name_of(Role.EXPONENT) or ""]
    return exponent_of if len(exponent_of) > 1 else {}


def _log_sum(law: Law, logs: dict[int, jax.Array], columns: list[jax.Array]) -> jax.Array:
    """ln of the sum of the law's terms, from the logs of the floor and of each power's coefficient, by index.

    A factor common to all of them is a factor of the sum, coupled or not.
    """
    indices, summands = law.positions, [logs[i] for i in law.positions_of(Role.FLOOR)]
    for term in law.terms:
        coupling = term.name_of(Role.COUPLING)
        parts = [logs[indices[power.name_of(Role.COEFFICIENT) or ""]] for power in term.powers]
        if coupling is None:
            summands += parts
        else:
            h = jnp.exp(columns[indices[coupling]])
            summands.append(h * jax.nn.logsumexp(jnp.stack(parts, axis=-1) / h[..., None], axis=-1))
    return jax.nn.logsumexp(jnp.stack(summands, axis=-1), axis=-1)


def _log_exponent(columns: list[jax.Array], exponent: int | None) -> jax.Array | float:
    return 0.0 if exponent is None else columns[exponent]


def _shift_to_own_size(problem: Problem, columns: list[jax.Array], sign: int) -> None:
    """Exchange ln A_ref and ln A' in `columns`: where ω is free, the rows' mean size moves with it."""
    law, features = problem.law, problem.features
    counts = law.positions_of(Role.COUNT)
    if not counts or not law.size_powers:
        return
    omega = law.parameters[counts[0]].from_free(columns[counts[0]])
    n_params = jnp.asarray(features.n_non_embedding) + omega[..., None] * jnp.asarray(features.n_embedding)
    log_size = jnp.log(n_params).mean(axis=-1) - np.log(problem.reference.N0)
    indices = law.positions
    for term in law.size_powers:
        coefficient, exponent = (indices[term.name_of(role) or ""] for role in (Role.COEFFICIENT, Role.EXPONENT))
        columns[coefficient] = columns[coefficient] + sign * jnp.exp(columns[exponent]) * log_size
