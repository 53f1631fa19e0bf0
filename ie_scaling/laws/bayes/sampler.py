"""The Bayesian law: a NumPyro model over any law of forms.py, sampled by NUTS in 64 bits.

The generative story of R rows of M trained models:

    z_p  ~ Normal(center_p, spread_p)                the law's free coordinates, at the reference point
    τ, σ_i, ν                                        the noise, as noise.py has it; σ_i may fall with N and D
    s, v_m                                           of smooth misses: alike of shapes alike, and per token
    u_m  ~ Normal(0, τ)                              one per trained model
    ln L_i ~ StudentT(ν, ln f(x_i; z) + s(x_i) + u_model(i) + v_model(i)·ln(D_i/D0), σ_i)

s and v are 0 where misses are independent. NUTS samples the law, the noise and smooth misses with every u_m integrated
out (effects.py), and each u_m is then drawn from its exact conditional: the same posterior, without the funnel of τ.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer.util import log_density

from ie_scaling.inference import diagnostics, numerics, nuts
from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws.bayes import coordinates, discrepancy, effects, noise
from ie_scaling.laws.choices import Misses
from ie_scaling.laws.problem import Problem

N_NOISE = len(noise.COORDINATES)


def model(problem: Problem, log_loss_R: Any) -> None:
    """The generative story above, effects and all; `log_loss_R` None simulates. Sampled through `marginal_model`."""
    parts = _sampled(problem)
    u_M: Any = numpyro.sample("u", dist.Normal(jnp.zeros(problem.n_models), parts.effect_sd).to_event(1))
    location_R = parts.location_R + u_M[problem.rows.model_R]
    numpyro.sample("log_loss", dist.StudentT(parts.nu, location_R, parts.sigma_R).to_event(1), obs=log_loss_R)


def marginal_model(problem: Problem) -> None:
    """`model` with the effects u_m integrated out by quadrature."""
    parts = _sampled(problem)
    residual_R = problem.log_loss_R - parts.location_R
    marginal_M = effects.log_marginal(residual_R, problem.grouping, parts.effect_sd, parts.sigma_R, parts.nu)
    numpyro.factor("log_loss", marginal_M.sum())


class Parts(NamedTuple):
    """What the likelihood is made of: ln L of each row but for u and noise, σ of each row, ν, and the sd of u.

    The latter is τ; where misses are smooth [M], and of a model of a single token count that of u + v·t.
    """

    location_R: jax.Array
    sigma_R: jax.Array
    nu: jax.Array
    effect_sd: jax.Array


def _sampled(problem: Problem) -> Parts:
    """The part both models share."""
    prior = noise.PRIORS[problem.misses]
    sites: dict[str, Any] = {"z": numpyro.sample("z", dist.Normal(*problem.prior).to_event(1))}
    sites["noise"] = numpyro.sample("noise", dist.Normal(prior.center, prior.spread).to_event(1))
    for name, scale in site_scales(problem, sites).items():
        sites[name] = numpyro.sample(name, dist.Normal(0.0, scale).to_event(1))
    return parts_of(problem, sites)


def parts_of(problem: Problem, sites: Mapping[str, Any]) -> Parts:
    """From one value of the sites: z, noise and, of smooth misses, sines and slopes."""
    location_R, tau, sigma_R, nu = law_and_noise(problem, sites["z"], sites["noise"])
    if problem.misses == Misses.INDEPENDENT:
        return Parts(location_R, sigma_R, nu, tau)
    design, values = discrepancy.design_of(problem), noise.from_coordinates(sites["noise"])
    weights = standard(problem, sites)
    if "sines" in weights:
        location_R = location_R + values["tau_smooth"] * (design.wave_RK * weights["sines"][None, :]).sum(axis=-1)
    if "slopes" in weights:
        slope_V = jnp.append(values["tau_tokens"] * weights["slopes"], 0.0)
        location_R = location_R + slope_V[design.slope_R] * design.log_tokens_R
    return Parts(location_R, sigma_R, nu, jnp.sqrt(tau**2 + (values["tau_tokens"] * design.alone_M) ** 2))


def site_scales(problem: Problem, sites: Mapping[str, Any]) -> dict[str, Any]:
    """Prior sds of the sites of s and v given the noise, by name; there are none where misses are independent."""
    if problem.misses == Misses.INDEPENDENT:
        return {}
    return discrepancy.design_of(problem).site_scales(noise.from_coordinates(sites["noise"]))


def standard(problem: Problem, sites: Mapping[str, Any]) -> dict[str, Any]:
    """Sines and slopes in units of τ_s and τ_v, as the prior has them standard normal; those that there are."""
    return {name: sites[name] / scale for name, scale in site_scales(problem, sites).items()}


def site_sizes(problem: Problem) -> dict[str, int]:
    """How many coordinates each site has, in order."""
    sizes = {"z": len(problem.law.names), "noise": len(noise.PRIORS[problem.misses].coordinates)}
    return sizes if problem.misses == Misses.INDEPENDENT else sizes | discrepancy.design_of(problem).sizes


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
      slopes_CSM, sines_CSK: of smooth misses, v of each model and the weights of s in units of τ_s.
      stats: diverging, n_steps, acceptance_rate, energy, lp, by name, each [C, S].
    """

    z_CSP: np.ndarray
    noise: dict[str, np.ndarray]
    effects_CSM: np.ndarray
    stats: dict[str, np.ndarray]
    seconds: float
    slopes_CSM: np.ndarray | None = None
    sines_CSK: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepared:
    """One posterior to sample, its sampler being compiled."""

    problem: Problem
    config: NutsConfig
    compiling: nuts.Compiling


def prepare(problem: Problem, config: NutsConfig) -> Prepared:
    """Begin to compile the sampler, in the background: worth doing before the fit that `sample` starts from."""
    target = dataclasses.replace(
        target_of(problem), draw_rest=lambda key, sites: draw_effects_and_slopes(key, problem, sites)
    )
    return Prepared(problem=problem, config=config, compiling=nuts.compile_ahead(target, config))


def target_of(problem: Problem) -> nuts.Target:
    """The density of a posterior; smooth misses, of many coordinates, have a scale that needs no learnt covariances."""
    return nuts.Target(
        n_coordinates=sum(site_sizes(problem).values()),
        sites_of=lambda y_Q: sites_of(problem, y_Q),
        log_density=lambda sites: log_density(marginal_model, (problem,), {}, sites)[0],
        learn_covariances=problem.misses == Misses.INDEPENDENT,
    )


def sample(
    prepared: Prepared,
    start_P: np.ndarray,
    seed: int,
    on_progress: Callable[[int], None] = lambda transitions: None,
) -> Samples:
    """Draw from the posterior: NUTS, started about `start_P`.

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
        effects_CSM=draws.rest[0],
        slopes_CSM=draws.rest[1],
        sines_CSK=standard(prepared.problem, draws.sites).get("sines"),
        stats=draws.stats,
        seconds=time.monotonic() - began,
    )


def precondition(problem: Problem, start_P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Origin and scale of the coordinates that NUTS walks in: a Gauss-Newton guess at the posterior.

    The posterior itself does not depend on them. Q = P law coordinates, Z of noise and, of smooth misses, K and V.
    """
    center_P, spread_P = problem.prior
    origin_P = center_P + np.clip(start_P - center_P, -2 * spread_P, 2 * spread_P)

    def build(z_P):
        residual_R = problem.log_loss_R - problem.log_loss(z_P)
        sd = jnp.clip(1.4826 * jnp.median(jnp.abs(residual_R)), 2e-3, 0.1)
        y_P = coordinates.straighten(problem, z_P)
        return sd, y_P, scale_of_others(problem, y_P, sd)

    with numerics.double_precision(), jax.numpy_rank_promotion("allow"):
        run = jax.jit(build, compiler_options=numerics.RUN_ONCE_OPTIONS)
        sd, y_P, scale_OO = jax.device_get(run(origin_P))
    prior = noise.PRIORS[problem.misses]
    missed = np.zeros(len(scale_OO) - len(y_P))
    origin_Q = np.concatenate([y_P, [math.log(sd), math.log(sd), *prior.center[2:]], missed])
    return origin_Q, np.asarray(with_noise(problem, scale_OO))


def scale_of_others(problem: Problem, y_P: jax.Array, sd: jax.Array) -> jax.Array:
    """Cholesky factor [O, O] of about the posterior's covariance in all but the noise, were that normal and of this sd.

    Of smooth misses the law, s and v together, where s and v are 0 and the sd of u is that of the noise.
    """
    if problem.misses == Misses.INDEPENDENT:
        return coordinates.gauss_newton(problem, y_P, sd)
    model_R, sizes = problem.rows.model_R, site_sizes(problem)
    n_law, n_missed = len(y_P), sum(sizes.values()) - sizes["z"] - sizes["noise"]
    at_Z = noise.PRIORS[problem.misses].center

    def predict(y_O):
        sites = sites_of(problem, jnp.concatenate([y_O[:n_law], at_Z, y_O[n_law:]]))
        return parts_of(problem, sites).location_R, sites["z"]

    jacobian_RO, bend_PO = jax.jacfwd(predict)(jnp.concatenate([y_P, jnp.zeros(n_missed)]))
    sum_MO = jax.ops.segment_sum(jacobian_RO, model_R, problem.n_models)
    shared_M = 1 / (1 + np.bincount(model_R, minlength=problem.n_models))
    precision_OO = (jacobian_RO.T @ jacobian_RO - sum_MO.T @ (shared_M[:, None] * sum_MO)) / sd**2
    precision_OO += bend_PO.T @ (bend_PO / problem.prior[1][:, None] ** 2)
    precision_OO += jnp.diag(np.r_[np.zeros(n_law), np.ones(n_missed)])
    return jnp.linalg.cholesky(jnp.linalg.inv(precision_OO))


def with_noise(problem: Problem, scale_OO: Any) -> Any:
    """The scale [Q, Q] with what is typical of the noise's coordinates, which follow the law's."""
    n_law, typical_Z = len(problem.law.names), noise.PRIORS[problem.misses].typical_sd
    xp, n_all = (jnp if isinstance(scale_OO, jax.Array) else np), len(scale_OO) + len(typical_Z)
    other_O = np.r_[0:n_law, n_law + len(typical_Z) : n_all]
    put_QO = np.eye(n_all)[:, other_O]
    noise_QQ = np.zeros((n_all, n_all))
    noise_Z = np.arange(n_law, n_law + len(typical_Z))
    noise_QQ[noise_Z, noise_Z] = typical_Z
    return xp.asarray(put_QO @ scale_OO @ put_QO.T + noise_QQ)


def sites_of(problem: Problem, y_Q: jax.Array) -> dict[str, jax.Array]:
    """Sampled sites by name from stacked straightened coordinates, last axis Q."""
    sites, start = {}, 0
    for name, size in site_sizes(problem).items():
        if size:
            sites[name] = y_Q[..., start : start + size]
        start += size
    return sites | {"z": coordinates.bend(problem, sites["z"])}


def draw_effects(key: jax.Array, problem: Problem, sites: Mapping[str, jax.Array]) -> jax.Array:
    """u of each trained model, [M], from its conditional, given one draw of the rest; u + v·t of one token count."""
    parts = parts_of(problem, sites)
    residual_R = problem.log_loss_R - parts.location_R
    return effects.draw(key, residual_R, problem.grouping, parts.effect_sd, parts.sigma_R, parts.nu)


def draw_effects_and_slopes(
    key: jax.Array, problem: Problem, sites: Mapping[str, jax.Array]
) -> tuple[jax.Array, jax.Array | None]:
    """u and v of each trained model, [M]; no v where misses are independent."""
    if problem.misses == Misses.INDEPENDENT:
        return draw_effects(key, problem, sites), None
    design, values = discrepancy.design_of(problem), noise.from_coordinates(sites["noise"])
    of_sum, of_share = jax.random.split(key)
    sum_M, t_M = draw_effects(of_sum, problem, sites), design.alone_M
    # Of a model of one token count u + v·t was drawn: v given that sum is normal.
    tau, tau_v = values["tau"], values["tau_tokens"]
    sum_sd_M = jnp.sqrt(tau**2 + (tau_v * t_M) ** 2)
    mean_M, sd_M = sum_M * tau_v**2 * t_M / sum_sd_M**2, tau * tau_v / sum_sd_M
    v_M = mean_M + sd_M * jax.random.normal(of_share, sum_M.shape, sum_M.dtype)
    if "slopes" in sites:
        slope_V = jnp.append(tau_v * standard(problem, sites)["slopes"], 0.0)
        v_M = jnp.where(design.slope_M < design.n_slopes, slope_V[design.slope_M], v_M)
    return sum_M - v_M * t_M, v_M
