"""The Bayesian law: a NumPyro model over any law of forms.py, sampled by NUTS in 64 bits.

The generative story of R rows of M trained models:

    z_p  ~ Normal(center_p, spread_p)                the law's free coordinates, at the reference point
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
from ie_scaling.laws.problem import Problem

N_NOISE = len(noise.COORDINATES)


def model(problem: Problem, log_loss_R: Any) -> None:
    """The generative story above, effects and all; `log_loss_R` None simulates. Sampled through `marginal_model`."""
    mean_R, tau, sigma_R, nu = _law_and_noise(problem)
    u_M: Any = numpyro.sample("u", dist.Normal(jnp.zeros(problem.n_models), tau).to_event(1))
    location_R = mean_R + u_M[problem.rows.model_R]
    numpyro.sample("log_loss", dist.StudentT(nu, location_R, sigma_R).to_event(1), obs=log_loss_R)


def marginal_model(problem: Problem) -> None:
    """`model` with the effects u_m integrated out by quadrature."""
    mean_R, tau, sigma_R, nu = _law_and_noise(problem)
    residual_R = problem.log_loss_R - mean_R
    numpyro.factor("log_loss", effects.log_marginal(residual_R, problem.grouping, tau, sigma_R, nu).sum())


def _law_and_noise(problem: Problem) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The part both models share: ln f of each row, τ, σ of each row, ν."""
    z_P: Any = numpyro.sample("z", dist.Normal(*problem.prior).to_event(1))
    x_Z: Any = numpyro.sample("noise", dist.Normal(noise.CENTER, noise.SPREAD).to_event(1))
    return law_and_noise(problem, z_P, x_Z)


def law_and_noise(problem: Problem, z_P: Any, x_Z: Any) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """ln f of each row, τ, σ of each row and ν at free coordinates of the law and coordinates of the noise."""
    law, features, reference = problem.law, problem.features, problem.reference
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

    problem: Problem
    config: NutsConfig
    compiling: nuts.Compiling


def prepare(problem: Problem, config: NutsConfig) -> Prepared:
    """Begin to compile the sampler, in the background: worth doing before the fit that `sample` starts from."""
    target = nuts.Target(
        n_coordinates=len(problem.law.names) + N_NOISE,
        sites_of=lambda y_Q: sites_of(problem, y_Q),
        log_density=lambda sites: log_density(marginal_model, (problem,), {}, sites)[0],
        draw_rest=lambda key, sites: draw_effects(key, problem, sites),
    )
    return Prepared(problem=problem, config=config, compiling=nuts.compile_ahead(target, config))


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
    origin_Q, scale_QQ = precondition(prepared.problem, start_P)

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


def precondition(problem: Problem, start_P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Origin and scale of the coordinates that NUTS walks in: a Gauss-Newton guess at the posterior.

    The posterior itself does not depend on them. Q = P law coordinates and Z of noise.
    """
    center_P, spread_P = problem.prior
    origin_P = center_P + np.clip(start_P - center_P, -2 * spread_P, 2 * spread_P)

    def build(z_P):
        residual_R = problem.log_loss_R - problem.log_loss(z_P)
        sd = jnp.clip(1.4826 * jnp.median(jnp.abs(residual_R)), 2e-3, 0.1)
        y_P = coordinates.straighten(problem, z_P)
        return sd, y_P, coordinates.gauss_newton(problem, y_P, sd)

    with numerics.double_precision(), jax.numpy_rank_promotion("allow"):
        run = jax.jit(build, compiler_options=numerics.RUN_ONCE_OPTIONS)
        sd, y_P, scale_PP = jax.device_get(run(origin_P))
    scale_QQ = scipy.linalg.block_diag(scale_PP, np.diag(noise.TYPICAL_SD))
    return np.concatenate([y_P, [math.log(sd), math.log(sd), *noise.CENTER[2:]]]), scale_QQ


def sites_of(problem: Problem, y_Q: jax.Array) -> dict[str, jax.Array]:
    """Sampled sites by name from stacked straightened coordinates, last axis Q."""
    return {"z": coordinates.bend(problem, y_Q[..., :-N_NOISE]), "noise": y_Q[..., -N_NOISE:]}


def draw_effects(key: jax.Array, problem: Problem, sites: Mapping[str, jax.Array]) -> jax.Array:
    """u_M of each trained model from its conditional, given one draw of the rest."""
    mean_R, tau, sigma_R, nu = law_and_noise(problem, sites["z"], sites["noise"])
    return effects.draw(key, problem.log_loss_R - mean_R, problem.grouping, tau, sigma_R, nu)
