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
import xarray as xr
from numpyro.infer.util import log_density
from scipy.optimize import least_squares

from ie_scaling.inference import diagnostics, nuts
from ie_scaling.inference.config import NutsConfig
from ie_scaling.latency_law import formula as law_model
from ie_scaling.latency_law import likelihood as law_density
from ie_scaling.latency_law.config import LatencyLawConfig
from ie_scaling.latency_law.features import RANGES
from ie_scaling.latency_law.likelihood import Timed
from ie_scaling.latency_law.table import Rows

NOISES, MISFITS = (
    [law_model.NAMES.index(f"{metric}_{kind}") for metric in ("ttft", "tpot")] for kind in ("noise", "misfit")
)
SCALES = NOISES + MISFITS
TYPICAL_SD = {"log_lambda": 0.4, "atanh_rho": 0.2, "log_tau": 0.4}  # to scale the sampler's steps
START_LAMBDA = 0.5
MANY_ROWS, CAREFUL_ACCEPT = 48, 0.99
N_ROUNDS = 3
NOISE_GRID, MISFIT_GRID = np.geomspace(0.005, 0.3, 12), np.geomspace(0.005, 0.5, 12)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Samples:
    """What NUTS drew and what was drawn given that, C chains of S draws.

    Attributes:
      sites: by name [C, S, …].
      log_density_CSR: ln density of each row given all others; `weights_CS2R` is `Misfit`'s.
      effects_CS2N: u of each session on TTFT and on TPOT; N is 0 with one session.
      stats: the sampler's.
    """

    sites: dict[str, np.ndarray]
    log_density_CSR: np.ndarray
    weights_CS2R: np.ndarray
    effects_CS2N: np.ndarray
    stats: dict[str, np.ndarray]


def sample(
    rows: Rows, config: LatencyLawConfig, on_progress: Callable[[int], None] = lambda transitions: None
) -> Samples:
    """Draw from the posterior. `on_progress` gets the transitions of each chain since the last call."""
    timed, settings = law_density.timed(rows, config.form), nuts_of(rows, config)
    target = nuts.Target(
        n_coordinates=sum(math.prod(shape) for shape in site_shapes(timed).values()),
        sites_of=lambda y_Q: sites_of(timed, y_Q),
        log_density=lambda sites: log_density(law_density.model, (timed,), {}, sites)[0],
        draw_rest=lambda key, sites: law_density.draw_rest(timed, key, sites),
        learn_covariances=len(rows) < MANY_ROWS,
    )
    compiling = nuts.compile_ahead(target, settings)
    origin_Q, scale_QQ = precondition(timed)

    def enough(sites):
        return diagnostics.long_enough(np.concatenate([*monitored(sites).values()], axis=-1), settings)

    draws = nuts.run(compiling, origin_Q, scale_QQ, settings, config.seed, enough, on_progress)
    rest = draws.rest
    return Samples(
        sites=draws.sites,
        log_density_CSR=rest["log_density_R"],
        weights_CS2R=rest["weights_2R"],
        effects_CS2N=rest.get("u_2S", np.zeros((*rest["log_density_R"].shape[:2], 2, 0))),
        stats=draws.stats,
    )


def nuts_of(rows: Rows, config: LatencyLawConfig) -> NutsConfig:
    """As configured; more careful with few rows, or a few a device, whose posterior is not shaped as at its mode."""
    settings = config.nuts
    if len(rows) < MANY_ROWS * len(rows.devices):
        settings = dataclasses.replace(settings, target_accept=max(settings.target_accept, CAREFUL_ACCEPT))
    if len(rows) < MANY_ROWS:
        settings = dataclasses.replace(settings, n_warmup=2 * settings.n_warmup)
    return settings


def monitored(sites: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the gate looks at, [C, S, ·]: each parameter over the devices, and every other site."""
    named = {name: sites["x"][:, :, i] for i, name in enumerate(law_model.NAMES)}
    others = {name: values for name, values in sites.items() if name != "x"}
    return named | {name: values.reshape(*values.shape[:2], -1) for name, values in others.items()}


def draws_of(rows: Rows, samples: Samples) -> dict[str, np.ndarray]:
    """Each device's parameters by name, [C, S, K], and λ, ρ and, of several sessions, τ, each [C, S]."""
    sites = samples.sites
    draws = law_model.constrain(np.moveaxis(sites["x"], 2, 0))
    draws |= law_model.derived(draws, np.array([device.row_balance for device in rows.devices]))
    draws |= {"device_spread": np.exp(sites["log_lambda"]), "noise_correlation": np.tanh(sites["atanh_rho"])}
    if "log_tau" in sites:
        draws["session_spread"] = np.exp(sites["log_tau"])
    return draws


def groups_of(rows: Rows, samples: Samples) -> dict[str, xr.Dataset]:
    """sample_stats, log_likelihood, observed_data and constant_data."""
    coords = {"row": np.array([case.name for case in rows.cases], dtype=str)}
    stats = {name: (("chain", "draw"), values) for name, values in samples.stats.items()}
    timed = {"ttft_s": ("row", rows.ttft_s_R), "tpot_s": ("row", rows.tpot_s_R)}
    constants: dict[str, Any] = {name: ("row", getattr(rows.features, name)) for name in RANGES}
    constants["device"] = ("row", np.array([rows.devices[place].name for place in rows.device_R], dtype=str))
    constants["session"] = ("row", np.array([rows.sessions[place] for place in rows.session_R], dtype=str))
    density = {"timing": (("chain", "draw", "row"), samples.log_density_CSR)}
    return {
        "sample_stats": xr.Dataset(stats),
        "log_likelihood": xr.Dataset(density, coords=coords),
        "observed_data": xr.Dataset(timed, coords=coords),
        "constant_data": xr.Dataset(constants, coords=coords),
    }


def site_shapes(t: Timed) -> dict[str, tuple[int, ...]]:
    """The model's sites and their shapes, in the order of the coordinates."""
    shapes: dict[str, tuple[int, ...]] = {"x": (len(law_model.PARAMETERS), len(t.rows.devices))}
    shapes |= {"log_lambda": (), "atanh_rho": ()}
    return shapes | ({"log_tau": ()} if t.has_sessions else {})


def sites_of(t: Timed, y_Q: Any) -> dict[str, Any]:
    """Sites by name from stacked coordinates, last axis Q."""
    sites, begun = {}, 0
    for name, shape in site_shapes(t).items():
        ended = begun + math.prod(shape)
        sites[name] = y_Q[..., begun:ended].reshape(*y_Q.shape[:-1], *shape)
        begun = ended
    return sites


def precondition(t: Timed) -> tuple[np.ndarray, np.ndarray]:
    """Origin and scale of the coordinates that NUTS walks in; the posterior itself does not depend on them."""
    x_PK, scale_DD = fit_mode(t)
    middle = {
        "log_lambda": law_model.LOG_LAMBDA[0],
        "atanh_rho": law_density.ATANH_RHO[0],
        "log_tau": law_density.LOG_TAU[0],
    }
    single = [name for name in site_shapes(t) if name in middle]
    place, n = np.arange(x_PK.size).reshape(x_PK.shape), x_PK.size
    located = np.delete(place, SCALES, axis=0).ravel()
    scale_QQ = np.diag(np.concatenate([np.ones(n), [TYPICAL_SD[name] for name in single]]))
    scale_QQ[np.ix_(located, located)] = scale_DD
    count_K = t.device_KR.sum(axis=1)
    scales = place[SCALES].ravel()
    scale_QQ[scales, scales] = (1 / np.sqrt(1 + count_K * law_model.SPREAD_P[SCALES, None] ** 2)).ravel()
    return np.concatenate([x_PK.ravel(), [middle[name] for name in single]]), scale_QQ


def fit_mode(t: Timed) -> tuple[np.ndarray, np.ndarray]:
    """The posterior's mode, about: least squares with λ, ρ and τ held, in turns with the scales of noise and misfit.

    Returns:
      x_PK, and a Cholesky factor of its covariance without the scales.
    """
    n_devices = len(t.rows.devices)
    free = np.delete(np.arange(len(law_model.PARAMETERS)), SCALES)
    whiten_KK = np.linalg.inv(np.linalg.cholesky(START_LAMBDA**2 * np.eye(n_devices) + 1))
    x_PK, jacobian = np.zeros((len(law_model.PARAMETERS), n_devices)), np.empty((0, 0))

    def residuals(w_D, factor_MM):
        x_PK[free] = w_D.reshape(-1, n_devices)
        whitened_M = scipy.linalg.solve_triangular(factor_MM, law_density.misses(t, x_PK), lower=True)
        return np.concatenate([whitened_M, (x_PK[free] @ whiten_KK.T).ravel()])

    for _ in range(N_ROUNDS):
        covariance_MM = law_density.covariance(t, x_PK, law_density.ATANH_RHO[0], law_density.LOG_TAU[0])
        arguments = (np.linalg.cholesky(covariance_MM),)
        found = least_squares(residuals, x_PK[free].ravel(), args=arguments, max_nfev=30, x_scale=1.0)
        x_PK[free], jacobian = found.x.reshape(-1, n_devices), found.jac
        x_PK[SCALES] = fit_scales(t, x_PK)
    return x_PK, np.linalg.cholesky(scipy.linalg.inv(jacobian.T @ jacobian))


def fit_scales(t: Timed, x_PK: np.ndarray) -> np.ndarray:
    """Standardised coordinates of SCALES, [4, K]: the likeliest on a grid given the rest, metric by metric."""
    misses_2R = np.full(2 * len(t.rows), np.nan)
    misses_2R[t.measured_M] = law_density.misses(t, x_PK)
    found = np.zeros((2, 2, len(t.device_KR)))
    for metric, device in np.ndindex(2, len(t.device_KR)):
        miss_R = misses_2R.reshape(2, -1)[metric]
        mine_R = (t.device_KR[device] > 0) & np.isfinite(miss_R)
        fitness = functools.partial(_fitness, t, metric, miss_R, np.flatnonzero(mine_R))
        noise, misfit = max(itertools.product(NOISE_GRID, MISFIT_GRID), key=fitness)
        found[:, metric, device] = _standardised(metric, noise, misfit)
    return found.reshape(4, -1)


def _fitness(t: Timed, metric: int, miss_R: np.ndarray, mine: np.ndarray, scales: tuple[float, float]) -> float:
    """ln posterior density, but for a constant, of the noise and misfit of one metric on the device of these rows."""
    noise, misfit = scales
    error_R = (t.rows.ttft_error_R, t.rows.tpot_error_R)[metric][mine]
    covariance_RR = misfit**2 * t.correlation_2RR[metric][np.ix_(mine, mine)] + np.diag(noise**2 + error_R**2)
    if t.has_sessions:
        session_SR = t.session_SR[:, mine]
        covariance_RR += math.exp(2 * law_density.LOG_TAU[0]) * session_SR.T @ session_SR
    factor_RR = np.linalg.cholesky(covariance_RR)
    whitened_R = scipy.linalg.solve_triangular(factor_RR, miss_R[mine], lower=True)
    squares = whitened_R @ whitened_R + np.sum(_standardised(metric, noise, misfit) ** 2)
    return -0.5 * squares - np.log(np.diag(factor_RR)).sum()


def _standardised(metric: int, noise: float, misfit: float) -> np.ndarray:
    """Their two coordinates."""
    places = [NOISES[metric], MISFITS[metric]]
    return (np.log([noise, misfit]) - law_model.CENTER_P[places]) / law_model.SPREAD_P[places]
