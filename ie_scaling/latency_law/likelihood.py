"""The likelihood of measured times given the devices' parameters: law, misfit, session and noise, all normal in logs.

    (ln TTFT, ln TPOT)_i = ln of the law's + δ_i + u_session(i) + e_i
    δ ~ the misfit's Gaussian process (misfit.py), of TTFT and of TPOT, with the device's `ttft_misfit`, `tpot_misfit`
    u_s ~ Normal(0, τ), of TTFT and of TPOT: a session, timed in one go; left out where there is only one
    e_i ~ Normal₂(0, scales √(noise² + error_i²), correlation ρ)
    ρ = tanh Normal(0, 0.5), τ ~ LogNormal(ln 0.05, 0.7)

δ, u and e are integrated out, so that NUTS walks in the devices' parameters, λ, ρ and τ alone; δ and u are drawn from
their conditional afterwards. Devices that no session joins have nothing to do with each other given their parameters:
their rows are blocks, factorized one by one. R rows, S sessions, K devices, M measured logs: R of TTFT, then those of
TPOT that are known.
"""

import dataclasses
import math
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.scipy.linalg import cho_solve
from scipy.sparse import csgraph

from ie_scaling.latency_law import formula, misfit
from ie_scaling.latency_law.config import RooflineForm
from ie_scaling.latency_law.timed_rows import TimedRows

ATANH_RHO = (0.0, 0.5)
LOG_TAU = (math.log(0.05), 0.7)


@dataclasses.dataclass(frozen=True)
class LatencyProblem:
    """The latency law posed on timed rows, with all of their likelihood that does not depend on a parameter.

    Attributes:
      measured_M: indices of the measured logs among 2R, TTFT of all rows and then TPOT of all.
      blocks: the M in parts that are independent given the parameters.
      device_KR, session_SR: 1 where the row is of the device, of the session; 0 elsewhere.
      sizes_2RI: as `Misfit` has them; `correlation_2RR` is of their misfits, 0 between devices.
    """

    rows: TimedRows
    form: RooflineForm
    log_times_M: np.ndarray
    measured_M: np.ndarray
    blocks: tuple[np.ndarray, ...]
    device_KR: np.ndarray
    session_SR: np.ndarray
    sizes_2RI: np.ndarray
    correlation_2RR: np.ndarray

    @property
    def has_sessions(self) -> bool:
        """Whether there are several, so that their effects are identified."""
        return len(self.rows.sessions) > 1


def pose(rows: TimedRows, form: RooflineForm | str) -> LatencyProblem:
    """A form of the law posed on rows."""
    log_times = np.log(np.concatenate([rows.ttft_s_R, rows.tpot_s_R]))
    measured_M = np.flatnonzero(np.isfinite(log_times))
    device_KR = (np.arange(len(rows.devices))[:, None] == rows.device_R).astype(float)
    session_SR = (np.arange(len(rows.sessions))[:, None] == rows.session_R).astype(float)
    sizes_2RI = misfit.sizes_of(rows.cases)
    correlation_2RR = np.array([misfit.correlation(sizes_RI, sizes_RI) for sizes_RI in sizes_2RI])
    correlation_2RR = correlation_2RR * (device_KR.T @ device_KR)
    block_M = blocks_of(rows)[measured_M % len(rows)]
    blocks = tuple(np.flatnonzero(block_M == block) for block in np.unique(block_M))
    return LatencyProblem(
        rows=rows,
        form=RooflineForm(form),
        log_times_M=log_times[measured_M],
        measured_M=measured_M,
        blocks=blocks,
        device_KR=device_KR,
        session_SR=session_SR,
        sizes_2RI=sizes_2RI,
        correlation_2RR=correlation_2RR,
    )


def blocks_of(rows: TimedRows) -> np.ndarray:
    """Which block each row is in, [R]: rows of one device are in one, and so are devices that a session joins."""
    joined_RR = rows.device_R[:, None] == rows.device_R
    if len(rows.sessions) > 1:
        joined_RR |= rows.session_R[:, None] == rows.session_R
    return csgraph.connected_components(joined_RR, directed=False)[1]


def model(t: LatencyProblem) -> None:
    """The generative story above and that of the devices (formula.py), with every μ_p, δ, u and e integrated out."""
    log_lambda: Any = numpyro.sample("log_lambda", dist.Normal(*formula.LOG_LAMBDA))
    shape = (len(formula.PARAMETERS), len(t.rows.devices))
    x_PK: Any = numpyro.sample("x", dist.ImproperUniform(dist.constraints.real, (), shape))
    numpyro.factor("population", formula.log_density_of_devices(x_PK, log_lambda))
    atanh_rho: Any = numpyro.sample("atanh_rho", dist.Normal(*ATANH_RHO))
    log_tau = numpyro.sample("log_tau", dist.Normal(*LOG_TAU)) if t.has_sessions else None
    numpyro.factor("timing", log_density(t, x_PK, atanh_rho, log_tau))


def log_density(t: LatencyProblem, x_PK: Any, atanh_rho: Any, log_tau: Any) -> jax.Array:
    """ln of the density of all measured logs together."""
    residual_M, covariance_MM = residuals(t, x_PK, jnp), covariance(t, x_PK, atanh_rho, log_tau, jnp)
    parts = [_log_normal(residual_M[block], covariance_MM[np.ix_(block, block)]) for block in t.blocks]
    return jnp.sum(jnp.stack(parts))


def residuals(t: LatencyProblem, x_PK: Any, xp: ModuleType = np) -> Any:
    """Residuals of the measured logs about the law alone, [M]."""
    z = formula.free_of(x_PK @ t.device_KR)
    features = t.rows.features
    law_2R = xp.concatenate([formula.log_prefill_s(z, features, xp), formula.log_step_s(z, features, t.form, xp)])
    return t.log_times_M - law_2R[t.measured_M]


def covariance(t: LatencyProblem, x_PK: Any, atanh_rho: Any, log_tau: Any, xp: ModuleType = np) -> Any:
    """Covariance of the measured logs about the law, [M, M]."""
    scales_2R, amplitude_2R = _scales(t, x_PK, xp)
    shared_RR = xp.exp(2 * log_tau) * (t.session_SR.T @ t.session_SR) if t.has_sessions else 0.0
    own = [
        amplitude_R[:, None] * correlation_RR * amplitude_R + shared_RR + xp.diag(scale_R**2)
        for amplitude_R, correlation_RR, scale_R in zip(amplitude_2R, t.correlation_2RR, scales_2R, strict=True)
    ]
    both_RR = xp.diag(xp.tanh(atanh_rho) * scales_2R[0] * scales_2R[1])
    whole = xp.concatenate([xp.concatenate([own[0], both_RR], 1), xp.concatenate([both_RR, own[1]], 1)])
    return whole if len(t.measured_M) == len(whole) else whole[t.measured_M][:, t.measured_M]


def _scales(t: LatencyProblem, x_PK: Any, xp: ModuleType) -> tuple[Any, Any]:
    """Standard deviations of each row's noise and of its misfit, of TTFT and of TPOT: [2, R] both."""
    z = formula.free_of(x_PK @ t.device_KR)
    errors_2R = np.array([t.rows.ttft_error_R, t.rows.tpot_error_R])
    noise_2R = xp.exp(xp.stack([z["log_ttft_noise"], z["log_tpot_noise"]]))
    return xp.sqrt(noise_2R**2 + errors_2R**2), xp.exp(xp.stack([z["log_ttft_misfit"], z["log_tpot_misfit"]]))


@jax.custom_vjp
def _log_normal(residual_M: jax.Array, covariance_MM: jax.Array) -> jax.Array:
    """ln Normal(residual; 0, covariance); its derivative costs one inverse, where JAX's own costs several."""
    return _log_normal_forward(residual_M, covariance_MM)[0]


def _log_normal_forward(
    residual_M: jax.Array, covariance_MM: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    inverse_MM, log_root = _invert(covariance_MM)
    pulled_M = inverse_MM @ residual_M
    density = -0.5 * residual_M @ pulled_M - log_root - 0.5 * len(residual_M) * math.log(2 * math.pi)
    return density, (pulled_M, inverse_MM)


def _log_normal_backward(saved: tuple[jax.Array, jax.Array], g: jax.Array) -> tuple[jax.Array, jax.Array]:
    pulled_M, inverse_MM = saved
    return -g * pulled_M, 0.5 * g * (jnp.outer(pulled_M, pulled_M) - inverse_MM)


@jax.custom_batching.custom_vmap
def _invert(covariance_MM: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The inverse and ln of the root of the determinant."""
    factor_MM = jnp.linalg.cholesky(covariance_MM)
    inverse_MM = cho_solve((factor_MM, True), jnp.eye(len(covariance_MM)))
    return inverse_MM, jnp.sum(jnp.log(jnp.diag(factor_MM)))


@_invert.def_vmap
def _invert_each(_, __, covariance_CMM: jax.Array) -> tuple[tuple[jax.Array, jax.Array], tuple[bool, bool]]:
    """One matrix after another where chains are vectorized.

    jaxlib's factorization of several waits, in a thread of XLA's pool, for others of that pool, and two programs side
    by side on two cores then wait for each other for ever.
    """
    inverses, log_roots = zip(*(_invert(covariance_MM) for covariance_MM in covariance_CMM), strict=True)
    return (jnp.stack(inverses), jnp.stack(log_roots)), (True, True)


_log_normal.defvjp(_log_normal_forward, _log_normal_backward)


def draw_rest(t: LatencyProblem, key: jax.Array, sites: Mapping[str, Any]) -> dict[str, jax.Array]:
    """What was integrated out, drawn given the rest, and the density of each row given all others.

    Returns:
      log_density_R, of each row given all others and these parameters; weights_2R, as `Misfit` has them, by
      Matheron's rule (a draw of the prior, corrected by its residuals); of several sessions, u_2S.
    """
    x_PK, n_rows, log_tau = sites["x"], len(t.rows), sites.get("log_tau", -math.inf)
    residual_M = residuals(t, x_PK, jnp)
    covariance_MM = covariance(t, x_PK, sites["atanh_rho"], log_tau, jnp)
    inverse_MM = jnp.zeros_like(covariance_MM)
    for block in t.blocks:
        inside = np.ix_(block, block)
        inverse_MM = inverse_MM.at[inside].set(_invert(covariance_MM[inside])[0])
    keys = jax.random.split(key, 3)
    scales_2R, amplitude_2R = _scales(t, x_PK, jnp)
    root_2RR, unroot_2RR = map(np.array, zip(*map(misfit.roots, t.correlation_2RR), strict=True))
    eta_2R = jax.random.normal(keys[0], (2, n_rows))
    first_R, second_R = jax.random.normal(keys[1], (2, n_rows))
    rho = jnp.tanh(sites["atanh_rho"])
    noise_2R = scales_2R * jnp.stack([first_R, rho * first_R + jnp.sqrt(1 - rho**2) * second_R])
    prior_2R = amplitude_2R * jnp.einsum("mrs,ms->mr", root_2RR, eta_2R) + noise_2R
    tau = jnp.exp(log_tau)
    u_2S = tau * jax.random.normal(keys[2], (2, len(t.session_SR)))
    prior_2R = prior_2R + u_2S @ t.session_SR
    pulled_M = inverse_MM @ (residual_M - prior_2R.reshape(-1)[t.measured_M])
    pulled_2R = jnp.zeros(2 * n_rows).at[t.measured_M].set(pulled_M).reshape(2, n_rows)
    rest = {
        "log_density_R": _leave_one_out(t, residual_M, inverse_MM),
        "weights_2R": jnp.einsum("mrs,ms->mr", unroot_2RR, eta_2R) + amplitude_2R * pulled_2R,
    }
    return rest | ({"u_2S": u_2S + tau**2 * pulled_2R @ t.session_SR.T} if t.has_sessions else {})


def _leave_one_out(t: LatencyProblem, residual_M: jax.Array, inverse_MM: jax.Array) -> jax.Array:
    """ln of the density of each row given all others, [R] ([RW] section 5.4.2, in pairs)."""
    n_rows = len(t.rows)
    pulled_2R = jnp.zeros(2 * n_rows).at[t.measured_M].set(inverse_MM @ residual_M).reshape(2, n_rows)
    whole = jnp.zeros((2 * n_rows,) * 2).at[np.ix_(t.measured_M, t.measured_M)].set(inverse_MM)
    own, cross_R = jnp.diag(whole).reshape(2, n_rows), jnp.diag(whole, n_rows)
    both_R = np.isin(np.arange(n_rows) + n_rows, t.measured_M)
    determinant_R = jnp.where(both_R, own[0] * own[1] - cross_R**2, own[0])
    square_R = own[1] * pulled_2R[0] ** 2 - 2 * cross_R * pulled_2R[0] * pulled_2R[1] + own[0] * pulled_2R[1] ** 2
    square_R = jnp.where(both_R, square_R, pulled_2R[0] ** 2) / determinant_R
    return 0.5 * (jnp.log(determinant_R) - square_R) - (0.5 + 0.5 * both_R) * math.log(2 * math.pi)
