"""The Bayesian law: a NumPyro model over any law of forms.py, sampled by NUTS in 64 bits.

The generative story of R rows of M trained models:

    z_p  ~ Normal(centre_p, spread_p)                the law's free coordinates, at the reference point
    τ, σ_i, ν                                        the noise, as noise.py has it; σ_i may fall with N and D
    u_m  ~ Normal(0, τ)                              one per trained model
    ln L_i ~ StudentT(ν, ln f(x_i; z) + u_model(i), σ_i)

NUTS samples the law and the noise with every u_m integrated out (effects.py), and each u_m is then drawn from its exact
conditional: the same posterior, in a dozen well-behaved dimensions and without the funnel of τ.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import scipy.linalg
from numpyro.infer.util import log_density

from ie_scaling.inference import diagnostics, numerics, nuts
from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws.bayes import coordinates, effects, noise
from ie_scaling.laws.law import Law
from ie_scaling.laws.least_squares.descent import prior_of
from ie_scaling.laws.observations import Features, Observations, Reference

N_NOISE = len(noise.COORDINATES)


def model(
    law: Law,
    features: Features,
    reference: Reference,
    model_R: jax.Array,
    n_models: int,
    log_loss_R: jax.Array | None = None,
) -> None:
    """The generative story above, effects and all; `log_loss_R` None simulates. Sampled through `marginal_model`."""
    mean_R, tau, sigma_R, nu = _law_and_noise(law, features, reference)
    u_M: Any = numpyro.sample("u", dist.Normal(jnp.zeros(n_models), tau).to_event(1))
    numpyro.sample("log_loss", dist.StudentT(nu, mean_R + u_M[model_R], sigma_R).to_event(1), obs=log_loss_R)


def marginal_model(
    law: Law, features: Features, reference: Reference, grouping: effects.Grouping, log_loss_R: jax.Array
) -> None:
    """`model` with the effects u_m integrated out by quadrature."""
    mean_R, tau, sigma_R, nu = _law_and_noise(law, features, reference)
    numpyro.factor("log_loss", effects.log_marginal(log_loss_R - mean_R, grouping, tau, sigma_R, nu).sum())


def _law_and_noise(
    law: Law, features: Features, reference: Reference
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The part both models share: ln f of each row, τ, σ of each row, ν."""
    z_P: Any = numpyro.sample("z", dist.Normal(*prior_of(law, reference)).to_event(1))
    x_Z: Any = numpyro.sample("noise", dist.Normal(noise.CENTER, noise.SPREAD).to_event(1))
    return law_and_noise(law, features, reference, z_P, x_Z)


def law_and_noise(
    law: Law, features: Features, reference: Reference, z_P: jax.Array, x_Z: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """ln f of each row, τ, σ of each row and ν at free coordinates of the law and coordinates of the noise."""
    params, values = law.from_free(z_P), noise.from_coordinates(x_Z)
    sigma_R = noise.scale(law, params, features, reference, values)
    return law.log_loss(params, features, reference), values["tau"], sigma_R, values["nu"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Samples:
    """What NUTS drew: C chains of S draws.

    Attributes:
      z_CSP: free coordinates of the law's parameters.
      noise: tau, sigma, nu and how sigma falls, by name, each [C, S].
      effects_CSM: u of each trained model.
      stats: diverging, n_steps, acceptance_rate, energy, lp, by name, each [C, S].
    """

    z_CSP: np.ndarray
    noise: dict[str, np.ndarray]
    effects_CSM: np.ndarray
    stats: dict[str, np.ndarray]
    seconds: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepared:
    """One posterior to sample, its sampler being compiled."""

    law: Law
    observations: Observations
    reference: Reference
    config: NutsConfig
    compiling: nuts.Compiling


def prepare(law: Law, observations: Observations, reference: Reference, config: NutsConfig) -> Prepared:
    """Begin to compile the sampler, in the background: worth doing before the fit that `sample` starts from."""
    features, log_loss_R = observations.features, observations.log_loss_R
    grouping = effects.group(observations.model_R, len(observations.model_ids))
    arguments = (law, features, reference, grouping, log_loss_R)
    target = nuts.Target(
        n_coordinates=len(law.names) + N_NOISE,
        sites_of=lambda y_Q: sites_of(law, features, reference, y_Q),
        log_density=lambda sites: log_density(marginal_model, arguments, {}, sites)[0],
        draw_rest=lambda key, sites: draw_effects(key, law, features, reference, grouping, log_loss_R, sites),
    )
    return Prepared(
        law=law,
        observations=observations,
        reference=reference,
        config=config,
        compiling=nuts.compile_ahead(target, config),
    )


def sample(
    prepared: Prepared,
    start_P: np.ndarray,
    seed: int,
    on_progress: Callable[[int], None] = lambda transitions: None,
) -> Samples:
    """Draw from the posterior: NUTS with a dense mass matrix, started about `start_P`.

    Runs under 64 bits whatever the process uses elsewhere. `on_progress` gets the transitions done since the last call.
    """
    began, config = time.monotonic(), prepared.config
    origin_Q, scale_QQ = precondition(prepared.law, prepared.observations, prepared.reference, start_P)

    def enough(sites):
        return diagnostics.long_enough(np.concatenate([*sites.values()], axis=-1), config)

    draws = nuts.run(prepared.compiling, origin_Q, scale_QQ, config, seed, enough, on_progress)
    return Samples(
        z_CSP=draws.sites["z"],
        noise=noise.from_coordinates(draws.sites["noise"]),
        effects_CSM=draws.rest,
        stats=draws.stats,
        seconds=time.monotonic() - began,
    )


def precondition(
    law: Law, observations: Observations, reference: Reference, start_P: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Origin and scale of the coordinates that NUTS walks in: a Gauss-Newton guess at the posterior.

    The posterior itself does not depend on them. Q = P law coordinates and Z of noise.
    """
    center_P, spread_P = prior_of(law, reference)
    x = observations.features
    origin_P = center_P + np.clip(start_P - center_P, -2 * spread_P, 2 * spread_P)

    def build(z_P):
        residual_R = observations.log_loss_R - law.log_loss(law.from_free(z_P), x, reference)
        sd = jnp.clip(1.4826 * jnp.median(jnp.abs(residual_R)), 2e-3, 0.1)
        y_P = coordinates.straighten(law, x, reference, z_P)
        return sd, y_P, coordinates.gauss_newton(law, x, reference, y_P, sd)

    with numerics.double_precision(), jax.numpy_rank_promotion("allow"):
        run = jax.jit(build, compiler_options=numerics.RUN_ONCE_OPTIONS)
        sd, y_P, scale_PP = jax.device_get(run(origin_P))
    scale_QQ = scipy.linalg.block_diag(scale_PP, np.diag(noise.TYPICAL_SD))
    return np.concatenate([y_P, [math.log(sd), math.log(sd), *noise.CENTER[2:]]]), scale_QQ


def sites_of(law: Law, features: Features, reference: Reference, y_Q: jax.Array) -> dict[str, jax.Array]:
    """Sampled sites by name from stacked straightened coordinates, last axis Q."""
    return {"z": coordinates.bend(law, features, reference, y_Q[..., :-N_NOISE]), "noise": y_Q[..., -N_NOISE:]}


def draw_effects(
    key: jax.Array,
    law: Law,
    features: Features,
    reference: Reference,
    grouping: effects.Grouping,
    log_loss_R: Any,
    sites: Mapping[str, jax.Array],
) -> jax.Array:
    """u_M of each trained model from its conditional, given one draw of the rest."""
    mean_R, tau, sigma_R, nu = law_and_noise(law, features, reference, sites["z"], sites["noise"])
    return effects.draw(key, log_loss_R - mean_R, grouping, tau, sigma_R, nu)
