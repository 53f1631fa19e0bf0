"""Draws of the latency law's posterior: a least-squares fit to start from, then NUTS.

The sampler's Q coordinates are x_PK row by row, log_lambda, atanh_rho and, of several sessions, log_tau.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import scipy.linalg
from numpyro.infer.util import log_density
from scipy.optimize import least_squares

from ie_scaling.inference import diagnostics, nuts
from ie_scaling.inference.config import NutsConfig
from ie_scaling.latency_law import formula, likelihood
from ie_scaling.latency_law.config import LatencyLawConfig
from ie_scaling.latency_law.likelihood import LatencyProblem
from ie_scaling.latency_law.timed_rows import TimedRows

NOISES, MISFITS = (
    [formula.NAMES.index(f"{metric}_{kind}") for metric in ("ttft", "tpot")] for kind in ("noise", "misfit")
)
SCALES = NOISES + MISFITS
TYPICAL_SD = {"log_lambda": 0.4, "atanh_rho": 0.2, "log_tau": 0.4}  # to scale the sampler's steps
START_LAMBDA = 0.5
MANY_ROWS, CAREFUL_ACCEPT = 48, 0.99
N_ROUNDS = 3
NOISE_GRID, MISFIT_GRID = np.geomspace(0.005, 0.3, 12), np.geomspace(0.005, 0.5, 12)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LatencySamples:
    """What NUTS drew and what was drawn given that, C chains of S draws.

    Attributes:
      sites: by name [C, S, …].
      log_density_CSR: ln density of each row given all others; `weights_CS2R` is `Misfit`'s.
      effects_CS2N: u of each session on TTFT and on TPOT; N is 0 with one session.
      stats: the sampler's statistics by name, each [C, S].
    """

    sites: dict[str, np.ndarray]
    log_density_CSR: np.ndarray
    weights_CS2R: np.ndarray
    effects_CS2N: np.ndarray
    stats: dict[str, np.ndarray]


def sample(
    rows: TimedRows, config: LatencyLawConfig, on_progress: Callable[[int], None] = lambda transitions: None
) -> LatencySamples:
    """Draw from the posterior. `on_progress` gets the transitions of each chain since the last call."""
    problem, settings = likelihood.pose(rows, config.form), nuts_of(rows, config.nuts)
    target = nuts.Target(
        n_coordinates=sum(math.prod(shape) for shape in site_shapes(problem).values()),
        sites_of=lambda y_Q: sites_of(problem, y_Q),
        log_density=lambda sites: log_density(likelihood.model, (problem,), {}, sites)[0],
        draw_rest=lambda key, sites: likelihood.draw_rest(problem, key, sites),
        learn_covariances=len(rows) < MANY_ROWS,
    )
    compiling = nuts.compile_ahead(target, settings)
    origin_Q, scale_QQ = precondition(problem)

    def enough(sites):
        return diagnostics.long_enough(np.concatenate([*monitored(sites).values()], axis=-1), settings)

    draws = nuts.run(compiling, origin_Q, scale_QQ, settings, config.seed, enough, on_progress)
    rest = draws.rest
    return LatencySamples(
        sites=draws.sites,
        log_density_CSR=rest["log_density_R"],
        weights_CS2R=rest["weights_2R"],
        effects_CS2N=rest.get("u_2S", np.zeros((*rest["log_density_R"].shape[:2], 2, 0))),
        stats=draws.stats,
    )


def nuts_of(rows: TimedRows, settings: NutsConfig) -> NutsConfig:
    """As configured; more careful with few rows, or a few a device, whose posterior is not shaped as at its mode."""
    if len(rows) < MANY_ROWS * len(rows.devices):
        settings = dataclasses.replace(settings, target_accept=max(settings.target_accept, CAREFUL_ACCEPT))
    if len(rows) < MANY_ROWS:
        settings = dataclasses.replace(settings, n_warmup=2 * settings.n_warmup)
    return settings


def monitored(sites: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the gate looks at, [C, S, ·]: each parameter over the devices, and every other site."""
    named = {name: sites["x"][:, :, i] for i, name in enumerate(formula.NAMES)}
    others = {name: values for name, values in sites.items() if name != "x"}
    return named | {name: values.reshape(*values.shape[:2], -1) for name, values in others.items()}


def draws_of(rows: TimedRows, samples: LatencySamples) -> dict[str, np.ndarray]:
    """Each device's parameters by name, [C, S, K], and λ, ρ and, of several sessions, τ, each [C, S]."""
    sites = samples.sites
    draws = formula.constrain(np.moveaxis(sites["x"], 2, 0))
    draws |= formula.derived(draws, np.array([device.row_balance for device in rows.devices]))
    draws |= {"device_spread": np.exp(sites["log_lambda"]), "noise_correlation": np.tanh(sites["atanh_rho"])}
    if "log_tau" in sites:
        draws["session_spread"] = np.exp(sites["log_tau"])
    return draws


def site_shapes(t: LatencyProblem) -> dict[str, tuple[int, ...]]:
    """The model's sites and their shapes, in the order of the coordinates."""
    shapes: dict[str, tuple[int, ...]] = {"x": (len(formula.PARAMETERS), len(t.rows.devices))}
    shapes |= {"log_lambda": (), "atanh_rho": ()}
    return shapes | ({"log_tau": ()} if t.has_sessions else {})


def sites_of(t: LatencyProblem, y_Q: Any) -> dict[str, Any]:
    """Sites by name from stacked coordinates, last axis Q."""
    sites, begun = {}, 0
    for name, shape in site_shapes(t).items():
        ended = begun + math.prod(shape)
        sites[name] = y_Q[..., begun:ended].reshape(*y_Q.shape[:-1], *shape)
        begun = ended
    return sites


def precondition(t: LatencyProblem) -> tuple[np.ndarray, np.ndarray]:
    """Origin and scale of the coordinates that NUTS walks in; the posterior itself does not depend on them."""
    x_PK, scale_DD = fit_mode(t)
    centers = {
        "log_lambda": formula.LOG_LAMBDA[0],
        "atanh_rho": likelihood.ATANH_RHO[0],
        "log_tau": likelihood.LOG_TAU[0],
    }
    single = [name for name in site_shapes(t) if name in centers]
    index_PK, n = np.arange(x_PK.size).reshape(x_PK.shape), x_PK.size
    located = np.delete(index_PK, SCALES, axis=0).ravel()
    scale_QQ = np.diag(np.concatenate([np.ones(n), [TYPICAL_SD[name] for name in single]]))
    scale_QQ[np.ix_(located, located)] = scale_DD
    count_K = t.device_KR.sum(axis=1)
    scales = index_PK[SCALES].ravel()
    scale_QQ[scales, scales] = (1 / np.sqrt(1 + count_K * formula.SPREAD_P[SCALES, None] ** 2)).ravel()
    return np.concatenate([x_PK.ravel(), [centers[name] for name in single]]), scale_QQ


def fit_mode(t: LatencyProblem) -> tuple[np.ndarray, np.ndarray]:
    """About the posterior's mode: least squares with λ, ρ and τ fixed, in turns with the scales of noise and misfit.

    Returns:
      x_PK, and a Cholesky factor of its covariance without the scales.
    """
    n_devices = len(t.rows.devices)
    free = np.delete(np.arange(len(formula.PARAMETERS)), SCALES)
    whiten_KK = np.linalg.inv(np.linalg.cholesky(START_LAMBDA**2 * np.eye(n_devices) + 1))
    x_PK, jacobian = np.zeros((len(formula.PARAMETERS), n_devices)), np.empty((0, 0))

    def residuals(w_D, factor_MM):
        x_PK[free] = w_D.reshape(-1, n_devices)
        whitened_M = scipy.linalg.solve_triangular(factor_MM, likelihood.residuals(t, x_PK), lower=True)
        return np.concatenate([whitened_M, (x_PK[free] @ whiten_KK.T).ravel()])

    for _ in range(N_ROUNDS):
        covariance_MM = likelihood.covariance(t, x_PK, likelihood.ATANH_RHO[0], likelihood.LOG_TAU[0])
        arguments = (np.linalg.cholesky(covariance_MM),)
        solution = least_squares(residuals, x_PK[free].ravel(), args=arguments, max_nfev=30, x_scale=1.0)
        x_PK[free], jacobian = solution.x.reshape(-1, n_devices), solution.jac
        x_PK[SCALES] = fit_scales(t, x_PK)
    return x_PK, np.linalg.cholesky(scipy.linalg.inv(jacobian.T @ jacobian))


def fit_scales(t: LatencyProblem, x_PK: np.ndarray) -> np.ndarray:
    """Standardized coordinates of SCALES, [4, K]: the likeliest on a grid given the rest, metric by metric."""
    residual_2R = np.full(2 * len(t.rows), np.nan)
    residual_2R[t.measured_M] = likelihood.residuals(t, x_PK)
    scales = np.zeros((2, 2, len(t.device_KR)))
    for metric, device in np.ndindex(2, len(t.device_KR)):
        residual_R = residual_2R.reshape(2, -1)[metric]
        own_R = (t.device_KR[device] > 0) & np.isfinite(residual_R)
        fitness = functools.partial(_fitness, t, metric, residual_R, np.flatnonzero(own_R))
        noise, misfit = max(itertools.product(NOISE_GRID, MISFIT_GRID), key=fitness)
        scales[:, metric, device] = _standardized(metric, noise, misfit)
    return scales.reshape(4, -1)


def _fitness(
    t: LatencyProblem, metric: int, residual_R: np.ndarray, own: np.ndarray, scales: tuple[float, float]
) -> float:
    """ln posterior density, but for a constant, of the noise and misfit of one metric on the device of these rows."""
    noise, misfit = scales
    error_R = (t.rows.ttft_error_R, t.rows.tpot_error_R)[metric][own]
    covariance_RR = misfit**2 * t.correlation_2RR[metric][np.ix_(own, own)] + np.diag(noise**2 + error_R**2)
    if t.has_sessions:
        session_SR = t.session_SR[:, own]
        covariance_RR += math.exp(2 * likelihood.LOG_TAU[0]) * session_SR.T @ session_SR
    factor_RR = np.linalg.cholesky(covariance_RR)
    whitened_R = scipy.linalg.solve_triangular(factor_RR, residual_R[own], lower=True)
    squares = whitened_R @ whitened_R + np.sum(_standardized(metric, noise, misfit) ** 2)
    return -0.5 * squares - np.log(np.diag(factor_RR)).sum()


def _standardized(metric: int, noise: float, misfit: float) -> np.ndarray:
    """The standardized coordinates of the two scales."""
    indices = [NOISES[metric], MISFITS[metric]]
    return (np.log([noise, misfit]) - formula.CENTER_P[indices]) / formula.SPREAD_P[indices]
