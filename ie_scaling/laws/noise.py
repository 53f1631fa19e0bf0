"""What a run adds to ln L beyond the law: the noise's coordinates with their priors, and its scale for each row.

    τ    ~ LogNormal(ln 0.005, 1)     sd of what a trained model's shape adds, one draw a model
    σ    ~ LogNormal(ln 0.01, 1)      scale of what a run adds, at the reference point
    ν    = 2 + LogNormal(ln 8, 1)     its tails; above 2, so that the variance is finite
    s_N, s_D ~ Normal(0, 0.2)         how fast that scale falls: σ_i = σ·(N_i/N0)^−s_N·(D_i/D0)^−s_D

N is counted as the law counts it. Z coordinates of the noise, in the order of COORDINATES.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ie_scaling.laws.law import Law, Params
from ie_scaling.laws.observations import Features, Reference

COORDINATES = ("log_tau", "log_sigma", "log_nu", "sigma_fall_N", "sigma_fall_D")
NAMES = ("tau", "sigma", "nu", "sigma_fall_N", "sigma_fall_D")
CENTER = np.array([math.log(0.005), math.log(0.01), math.log(8.0), 0.0, 0.0])
SPREAD = np.array([1.0, 1.0, 1.0, 0.2, 0.2])
TYPICAL_SD = np.array([0.4, 0.3, 0.8, 0.15, 0.15])  # of a posterior's coordinates, to scale a sampler's steps
MIN_NU = 2.0


def from_coordinates(x_Z: Any) -> dict[str, Any]:
    """Noise by name from its coordinates, last axis Z; NumPy in NumPy out."""
    xp = jnp if isinstance(x_Z, jax.Array) else np
    log_tau, log_sigma, log_nu, fall_N, fall_D = (x_Z[..., i] for i in range(len(COORDINATES)))
    return dict(zip(NAMES, (xp.exp(log_tau), xp.exp(log_sigma), MIN_NU + xp.exp(log_nu), fall_N, fall_D), strict=True))


def to_coordinates(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """The inverse of `from_coordinates`, Z a new last axis."""
    logs = (np.log(values["tau"]), np.log(values["sigma"]), np.log(values["nu"] - MIN_NU))
    return np.stack([*logs, values["sigma_fall_N"], values["sigma_fall_D"]], axis=-1)


def scale(law: Law, params: Params, features: Features, reference: Reference, noise: Mapping[str, Any]) -> Any:
    """σ of each row, as an array like the features; scalar params and noise. A blank D counts as D0."""
    xp = jnp if isinstance(features.n_total, jax.Array) or isinstance(noise["sigma"], jax.Array) else np
    size = xp.log(law.count_parameters(params, features) / reference.N0)
    tokens = xp.nan_to_num(xp.log(features.n_tokens / reference.D0))
    return noise["sigma"] * xp.exp(-noise["sigma_fall_N"] * size - noise["sigma_fall_D"] * tokens)
