"""What a run adds to ln L beyond the law: the noise's coordinates with their priors, and its scale for each row.

    τ    ~ LogNormal(ln 0.005, 1)     sd of what a trained model's shape adds, one draw a model
    σ    ~ LogNormal(ln 0.01, 1)      scale of what a run adds, at the reference point
    ν    = 2 + LogNormal(ln 8, 1)     its tails; above 2, so that the variance is finite
    s_N, s_D ~ Normal(0, 0.2)         how fast that scale falls: σ_i = σ·(N_i/N0)^−s_N·(D_i/D0)^−s_D

and where misses are smooth (discrepancy.py), with τ of center ln 0.003,

    τ_s  ~ LogNormal(ln 0.003, 0.7)   sd of what is missed alike of shapes alike
    τ_v  ~ LogNormal(ln 0.003, 1)     sd of what a model's loss falls faster or slower by, per ln of its tokens

The exponential of a Student-t has no mean, so that in mean losses, in regrets, and in the draws that are ranked, |t| is
capped at MAX_T scales: at ν = 10 two draws in a million, at ν = 2.1 one in a hundred.

N is counted as the law counts it. Z coordinates of the noise, in the order of COORDINATES.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from ie_scaling.laws.choices import Misses
from ie_scaling.laws.law import Law, Params
from ie_scaling.laws.observations import Features, Reference

COORDINATES = ("log_tau", "log_sigma", "log_nu", "sigma_fall_N", "sigma_fall_D")
NAMES = ("tau", "sigma", "nu", "sigma_fall_N", "sigma_fall_D")
CENTER = np.array([math.log(0.005), math.log(0.01), math.log(8.0), 0.0, 0.0])
SPREAD = np.array([1.0, 1.0, 1.0, 0.2, 0.2])
TYPICAL_SD = np.array([0.4, 0.3, 0.8, 0.15, 0.15])  # of a posterior's coordinates, to scale a sampler's steps
SMOOTH_NAMES = ("tau_smooth", "tau_tokens")  # of smooth misses, beside NAMES
MIN_NU = 2.0
MAX_T = 10.0
N_MOMENTS = 14  # even moments of the capped t: enough for scales up to 0.5 in ln(nats)
N_NODES = 96


@dataclasses.dataclass(frozen=True)
class Prior:
    """The noise's coordinates, centers and spreads [Z] of their normal priors, and sds typical of posteriors."""

    coordinates: tuple[str, ...]
    center: np.ndarray
    spread: np.ndarray
    typical_sd: np.ndarray


_OF_SMOOTH = np.log([0.003, 0.003])
PRIORS = {
    Misses.INDEPENDENT: Prior(COORDINATES, CENTER, SPREAD, TYPICAL_SD),
    Misses.SMOOTH: Prior(
        coordinates=(*COORDINATES, "log_tau_smooth", "log_tau_tokens"),
        center=np.concatenate([[math.log(0.003)], CENTER[1:], _OF_SMOOTH]),
        spread=np.concatenate([SPREAD, [0.7, 1.0]]),
        typical_sd=np.concatenate([TYPICAL_SD, [0.5, 0.5]]),
    ),
}


def names_in(names: Iterable[str]) -> tuple[str, ...]:
    """Those of the noise among the names of draws, in order."""
    return tuple(name for name in (*NAMES, *SMOOTH_NAMES) if name in names)


def from_coordinates(x_Z: Any) -> dict[str, Any]:
    """Noise by name from its coordinates, last axis Z; NumPy in NumPy out."""
    xp = jnp if isinstance(x_Z, jax.Array) else np
    log_tau, log_sigma, log_nu, fall_N, fall_D, *log_smooth = (x_Z[..., i] for i in range(x_Z.shape[-1]))
    values = xp.exp(log_tau), xp.exp(log_sigma), MIN_NU + xp.exp(log_nu), fall_N, fall_D, *map(xp.exp, log_smooth)
    return dict(zip((*NAMES, *SMOOTH_NAMES), values, strict=False))


def to_coordinates(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """The inverse of `from_coordinates`, Z a new last axis."""
    logs = (np.log(values["tau"]), np.log(values["sigma"]), np.log(values["nu"] - MIN_NU))
    log_smooth = [np.log(values[name]) for name in SMOOTH_NAMES if name in values]
    return np.stack([*logs, values["sigma_fall_N"], values["sigma_fall_D"], *log_smooth], axis=-1)


def scale(law: Law, params: Params, features: Features, reference: Reference, noise: Mapping[str, Any]) -> Any:
    """σ of each row, as an array like the features; scalar params and noise. A blank D counts as D0."""
    xp = jnp if isinstance(features.n_total, jax.Array) or isinstance(noise["sigma"], jax.Array) else np
    size = xp.log(law.count_parameters(params, features) / reference.N0)
    tokens = xp.nan_to_num(xp.log(features.n_tokens / reference.D0))
    return noise["sigma"] * xp.exp(-noise["sigma_fall_N"] * size - noise["sigma_fall_D"] * tokens)


def mean_factor(scale_wA: np.ndarray, nu_w: np.ndarray) -> np.ndarray:
    """E[exp(scale·t)] of a Student-t capped at MAX_T, [w, A]: its even moments over their factorials."""
    node_K, weight_K = np.polynomial.legendre.leggauss(N_NODES)
    t_K = 0.5 * MAX_T * (node_K + 1)
    density_wK = 2 * stats.t.pdf(t_K, nu_w[:, None]) * weight_K * 0.5 * MAX_T
    beyond_w = 2 * stats.t.sf(MAX_T, nu_w)
    square_wA, factor_wA = scale_wA**2, np.zeros_like(scale_wA)
    for k in range(N_MOMENTS, 0, -1):  # Horner
        moment_w = density_wK @ t_K ** (2 * k) + beyond_w * MAX_T ** (2 * k)
        factor_wA = (factor_wA + (moment_w / math.factorial(2 * k))[:, None]) * square_wA
    return 1 + factor_wA
