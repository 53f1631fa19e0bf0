"""Draws of the latency law's posterior: a robust least-squares fit to start from, then NUTS.

The sampler's Q coordinates are x_PK row by row, log_lambda, log_tail, atanh_rho and, of several sessions, log_tau
and u_2S row by row.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.linalg
import xarray as xr
from numpyro.infer.util import log_density
from scipy.optimize import least_squares

from ie_scaling.inference import diagnostics, nuts
from ie_scaling.latency.law import model as law_model
from ie_scaling.latency.law.config import LatencyLawConfig
from ie_scaling.latency.law.table import Rows

RANGES = ("n_layers", "batch", "step_bytes", "step_flops", "prefill_flops")  # what a case is far outside of
N_PARAMETERS = len(law_model.PARAMETERS)
NOISES = [law_model.NAMES.index(name) for name in ("ttft_noise", "tpot_noise")]
TYPICAL_SD = {"log_lambda": 0.4, "log_tail": 0.8, "atanh_rho": 0.2, "log_tau": 0.4}  # to scale the sampler's steps
START_LAMBDA, START_TAU, START_NU = 0.5, 0.1, 5.0
N_REWEIGHTED = 4
LEAST_NOISE, MOST_NOISE = 0.01, 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Samples:
    """What NUTS drew, C chains of S draws: sites by name [C, S, …], ln density of each row [C, S, R], statistics."""

    sites: dict[str, np.ndarray]
    log_density_CSR: np.ndarray
    stats: dict[str, np.ndarray]


def sample(
    rows: Rows, config: LatencyLawConfig, on_progress: Callable[[int], None] = lambda transitions: None
) -> Samples:
    """Draw from the posterior. `on_progress` gets the transitions of each chain since the last call."""
    target = nuts.Target(
        n_coordinates=sum(math.prod(shape) for shape in site_shapes(rows).values()),
        sites_of=lambda y_Q: sites_of(rows, y_Q),
        log_density=lambda sites: log_density(law_model.model, (rows, config.form), {}, sites)[0],
        draw_rest=lambda key, sites: density_of_rows(rows, config.form, sites),
    )
    compiling = nuts.compile_ahead(target, config.nuts)
    origin_Q, scale_QQ = precondition(rows, config.form)

    def enough(sites):
        return diagnostics.long_enough(np.concatenate([*monitored(rows, sites).values()], axis=-1), config.nuts)

    draws = nuts.run(compiling, origin_Q, scale_QQ, config.nuts, config.seed, enough, on_progress)
    return Samples(sites=draws.sites, log_density_CSR=draws.rest, stats=draws.stats)


def monitored(rows: Rows, sites: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the gate looks at, [C, S, ·]: each parameter over the devices, and every other site."""
    named = {name: sites["x"][:, :, i] for i, name in enumerate(law_model.NAMES)}
    others = {name: values for name, values in sites.items() if name != "x"}
    return named | {name: values.reshape(*values.shape[:2], -1) for name, values in others.items()}


def draws_of(rows: Rows, samples: Samples) -> dict[str, np.ndarray]:
    """Each device's parameters by name, [C, S, K], and λ, ν, ρ and, of several sessions, τ, each [C, S]."""
    sites = samples.sites
    draws = law_model.constrain(np.moveaxis(sites["x"], 2, 0))
    draws |= law_model.derived(draws, np.array([device.row_balance for device in rows.devices]))
    draws |= {"device_spread": np.exp(sites["log_lambda"]), "nu": law_model.MIN_NU + np.exp(sites["log_tail"])}
    draws |= {"noise_correlation": np.tanh(sites["atanh_rho"])}
    if "u" in sites:
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


def density_of_rows(rows: Rows, form: str, sites: Mapping[str, Any]) -> Any:
    """ln density of every row at one draw, [R]."""
    u_2S = sites.get("u", jnp.zeros((2, 1)))
    return law_model.log_density_of_rows(rows, form, sites["x"], sites["log_tail"], sites["atanh_rho"], u_2S)


def site_shapes(rows: Rows) -> dict[str, tuple[int, ...]]:
    """The model's sites and their shapes, in the order of the coordinates."""
    shapes: dict[str, tuple[int, ...]] = {"x": (N_PARAMETERS, len(rows.devices))}
    shapes |= {"log_lambda": (), "log_tail": (), "atanh_rho": ()}
    if len(rows.sessions) > 1:
        shapes |= {"log_tau": (), "u": (2, len(rows.sessions))}
    return shapes


def sites_of(rows: Rows, y_Q: Any) -> dict[str, Any]:
    """Sites by name from stacked coordinates, last axis Q."""
    sites, begun = {}, 0
    for name, shape in site_shapes(rows).items():
        ended = begun + math.prod(shape)
        sites[name] = y_Q[..., begun:ended].reshape(*y_Q.shape[:-1], *shape)
        begun = ended
    return sites


def precondition(rows: Rows, form: str) -> tuple[np.ndarray, np.ndarray]:
    """Origin and scale of the coordinates that NUTS walks in; the posterior itself does not depend on them."""
    x_PK, u_2S, scale_DD, noise_sd_2K = fit_mode(rows, form)
    shapes = site_shapes(rows)
    middle = {
        "log_lambda": law_model.LOG_LAMBDA[0],
        "log_tail": law_model.LOG_TAIL[0],
        "atanh_rho": law_model.ATANH_RHO[0],
        "log_tau": law_model.LOG_TAU[0],
    }
    single = [name for name in shapes if name in TYPICAL_SD]
    place, n = np.arange(x_PK.size).reshape(x_PK.shape), x_PK.size
    free, noisy = np.delete(place, NOISES, axis=0).ravel(), place[NOISES].ravel()
    sessions = np.arange(u_2S.size) + n + len(single)
    scale_QQ = np.zeros((n + len(single) + u_2S.size,) * 2)
    located = np.concatenate([free, sessions])
    scale_QQ[np.ix_(located, located)] = scale_DD
    scale_QQ[noisy, noisy] = noise_sd_2K.ravel()
    for offset, name in enumerate(single):
        scale_QQ[n + offset, n + offset] = TYPICAL_SD[name]
    return np.concatenate([x_PK.ravel(), [middle[name] for name in single], u_2S.ravel()]), scale_QQ


def fit_mode(rows: Rows, form: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The posterior's mode, about, by reweighted least squares with λ, τ and the tails held.

    Returns:
      x_PK, u_2S (empty with one session), a Cholesky factor of the covariance of both without the noises, and the
      standard deviations of the noises' coordinates.
    """
    n_devices, n_sessions = len(rows.devices), len(rows.sessions) if len(rows.sessions) > 1 else 0
    population_KK = START_LAMBDA**2 * np.eye(n_devices) + 1
    whiten_KK = np.linalg.inv(np.linalg.cholesky(population_KK))
    timed_R = np.isfinite(rows.tpot_s_R)
    device_T = np.concatenate([rows.device_R, rows.device_R[timed_R]])
    noise_2K = np.full((2, n_devices), 0.05)
    weight_T = np.ones(len(device_T))

    def unpack(w_D):
        x_PK = np.zeros((N_PARAMETERS, n_devices))
        x_PK[[i for i in range(N_PARAMETERS) if i not in NOISES]] = w_D[: len(w_D) - 2 * n_sessions].reshape(
            -1, n_devices
        )
        return x_PK, w_D[len(w_D) - 2 * n_sessions :].reshape(2, -1)

    def misses(w_D):
        x_PK, u_2S = unpack(w_D)
        z = law_model.free_of(x_PK[:, rows.device_R])
        u_2R = u_2S[:, rows.session_R] if n_sessions else np.zeros((2, 1))
        ttft_R = np.log(rows.ttft_s_R) - law_model.log_prefill_s(z, rows.features) - u_2R[0]
        tpot_R = np.log(rows.tpot_s_R) - law_model.log_step_s(z, rows.features, form) - u_2R[1]
        return np.concatenate([ttft_R, tpot_R[timed_R]])

    def scales():
        by_row = np.hypot(noise_2K[0, rows.device_R], rows.ttft_error_R)
        return np.concatenate([by_row, np.hypot(noise_2K[1, rows.device_R], rows.tpot_error_R)[timed_R]])

    def residuals(w_D):
        x_PK, u_2S = unpack(w_D)
        prior = (x_PK @ whiten_KK.T)[[i for i in range(N_PARAMETERS) if i not in NOISES]]
        return np.concatenate([weight_T * misses(w_D) / scales(), prior.ravel(), u_2S.ravel() / START_TAU])

    w_D = np.zeros((N_PARAMETERS - len(NOISES)) * n_devices + 2 * n_sessions)
    jacobian = np.eye(len(w_D))
    for _ in range(N_REWEIGHTED):
        found = least_squares(residuals, w_D, max_nfev=30, x_scale=1.0)
        w_D, jacobian, miss_T = found.x, found.jac, misses(found.x)
        kind_T = np.repeat([0, 1], [len(rows), len(miss_T) - len(rows)])
        for kind, device in np.ndindex(noise_2K.shape):
            mine = miss_T[(kind_T == kind) & (device_T == device)]
            if len(mine) > 4:
                noise_2K[kind, device] = np.clip(1.4826 * np.median(np.abs(mine)), LEAST_NOISE, MOST_NOISE)
        weight_T = np.sqrt((START_NU + 1) / (START_NU + (miss_T / scales()) ** 2))
    x_PK, u_2S = unpack(w_D)
    center, spread = law_model.CENTER_P[NOISES, None], law_model.SPREAD_P[NOISES, None]
    x_PK[NOISES] = (np.log(noise_2K) - center) / spread
    counts_2K = np.array([np.bincount(d, minlength=n_devices) for d in (rows.device_R, rows.device_R[timed_R])])
    noise_sd_2K = 1 / np.sqrt(1 + counts_2K * spread**2)
    covariance_DD = scipy.linalg.inv(jacobian.T @ jacobian)
    return x_PK, u_2S, np.linalg.cholesky(covariance_DD), noise_sd_2K
