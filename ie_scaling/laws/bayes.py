"""The Bayesian law: a NumPyro model over any law of forms.py, sampled by NUTS in 64 bits with all chains at once.

The generative story of R rows of M trained models (science.md §4):

    z_p  ~ Normal(centre_p, spread_p)                the law's free coordinates, at the reference point
    τ    ~ LogNormal(ln 0.005, 1)                    sd of what a shape adds to ln L beyond the law
    σ    ~ LogNormal(ln 0.01, 1)                     scale of what a run adds
    ν    = 2 + LogNormal(ln 8, 1)                    its tails
    u_m  ~ Normal(0, τ)                              one per trained model
    ln L_i ~ StudentT(ν, ln f(x_i; z) + u_model(i), σ)

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
from numpyro.infer import NUTS
from numpyro.infer.util import log_density

from ie_scaling.laws import effects, numerics
from ie_scaling.laws.config import NutsConfig
from ie_scaling.laws.descent import prior_of
from ie_scaling.laws.law import Law
from ie_scaling.laws.observations import Features, Observations, Reference

NOISE = ("log_tau", "log_sigma", "log_nu")
NOISE_CENTER = (math.log(0.005), math.log(0.01), math.log(8.0))
NOISE_SPREAD = (1.0, 1.0, 1.0)
MIN_NU = 2.0  # a finite variance
CHUNK = 250  # transitions between reports of progress
MAX_TREE_DEPTH = 8


def model(
    law: Law,
    features: Features,
    reference: Reference,
    model_R: jax.Array,
    n_models: int,
    log_loss_R: jax.Array | None = None,
) -> None:
    """The generative story above, effects and all; `log_loss_R` None simulates. Sampled through `marginal_model`."""
    mean_R, tau, sigma, nu = _law_and_noise(law, features, reference)
    u_M: Any = numpyro.sample("u", dist.Normal(jnp.zeros(n_models), tau).to_event(1))
    numpyro.sample("log_loss", dist.StudentT(nu, mean_R + u_M[model_R], sigma).to_event(1), obs=log_loss_R)


def marginal_model(
    law: Law, features: Features, reference: Reference, grouping: effects.Grouping, log_loss_R: jax.Array
) -> None:
    """`model` with the effects u_m integrated out by quadrature."""
    mean_R, tau, sigma, nu = _law_and_noise(law, features, reference)
    numpyro.factor("log_loss", effects.log_marginal(log_loss_R - mean_R, grouping, tau, sigma, nu).sum())


def _law_and_noise(
    law: Law, features: Features, reference: Reference
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The part both models share: ln f of each row, τ, σ, ν."""
    z_P = numpyro.sample("z", dist.Normal(*prior_of(law, reference)).to_event(1))
    logs = [
        numpyro.sample(name, dist.Normal(center, spread))
        for name, center, spread in zip(NOISE, NOISE_CENTER, NOISE_SPREAD, strict=True)
    ]
    tau, sigma, nu = noise_of(*logs)
    return law.log_loss(law.from_free(z_P), features, reference), tau, sigma, nu


def noise_of(log_tau: Any, log_sigma: Any, log_nu: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
    """τ, σ, ν from their sampled coordinates."""
    return jnp.exp(log_tau), jnp.exp(log_sigma), MIN_NU + jnp.exp(log_nu)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Samples:
    """What NUTS drew: C chains of S draws.

    Attributes:
      z_CSP: free coordinates of the law's parameters.
      noise: tau, sigma, nu by name, each [C, S].
      effects_CSM: u of each trained model.
      stats: diverging, n_steps, acceptance_rate, energy, lp, by name, each [C, S].
    """

    z_CSP: np.ndarray
    noise: dict[str, np.ndarray]
    effects_CSM: np.ndarray
    stats: dict[str, np.ndarray]
    seconds: float


def sample(
    law: Law,
    observations: Observations,
    reference: Reference,
    start_P: np.ndarray,
    config: NutsConfig,
    seed: int,
    on_progress: Callable[[int], None] = lambda transitions: None,
) -> Samples:
    """Draw from the posterior: NUTS with a dense mass matrix, chains vectorised, started about `start_P`.

    Runs under 64 bits whatever the process uses elsewhere. `on_progress` gets the transitions done since the last call.
    """
    began = time.monotonic()
    with numerics.double_precision(), jax.numpy_rank_promotion("allow"):
        origin_Q, scale_QQ = precondition(law, observations, reference, start_P)
        grouping = effects.group(observations.model_R, len(observations.model_ids))
        data = (observations.features, reference, grouping, observations.log_loss_R)

        def potential(x_Q):
            return -log_density(marginal_model, (law, *data), {}, sites_of(law, origin_Q + scale_QQ @ x_Q))[0]

        keys = jax.random.split(jax.random.key(seed), 3)
        start_CQ = 0.5 * jax.random.normal(keys[0], (config.n_chains, len(origin_Q)))
        x_CSQ, stats = _run_nuts(potential, start_CQ, keys[1], config, on_progress)
        sites = sites_of(law, jnp.asarray(origin_Q + x_CSQ @ scale_QQ.T))
        effects_CSM = _draw_effects(law, data, sites, keys[2])
        noise = dict(zip(("tau", "sigma", "nu"), noise_of(*(sites[name] for name in NOISE)), strict=True))
        return Samples(
            z_CSP=np.asarray(sites["z"]),
            noise=jax.device_get(noise),
            effects_CSM=effects_CSM,
            stats=stats,
            seconds=time.monotonic() - began,
        )


def precondition(
    law: Law, observations: Observations, reference: Reference, start_P: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Origin and scale of the coordinates that NUTS walks in: a Gauss-Newton guess at the posterior.

    The posterior itself does not depend on them. Q = P law coordinates and three of noise.
    """
    center_P, spread_P = prior_of(law, reference)
    origin_P = center_P + np.clip(start_P - center_P, -2 * spread_P, 2 * spread_P)

    def predict(y_P):
        z_P = bend(law, y_P)
        return law.log_loss(law.from_free(z_P), observations.features, reference), z_P

    y_P = np.asarray(straighten(law, jnp.asarray(origin_P)))
    (jacobian_RP, bend_PP), (log_loss_R, _) = jax.jit(
        lambda y_P: (jax.jacfwd(predict)(y_P), predict(y_P)), compiler_options=numerics.RUN_ONCE_OPTIONS
    )(y_P)
    residual_R = observations.log_loss_R - np.asarray(log_loss_R)
    noise = float(np.clip(1.4826 * np.median(np.abs(residual_R)), 2e-3, 0.1))
    precision_PP = jacobian_RP.T @ jacobian_RP / noise**2 + bend_PP.T @ np.diag(spread_P**-2.0) @ bend_PP
    n_params = len(origin_P)
    scale_QQ = np.diag(np.concatenate([np.zeros(n_params), [0.4, 0.3, 0.8]]))
    scale_QQ[:n_params, :n_params] = np.linalg.cholesky(np.linalg.inv(precision_PP))
    return np.concatenate([y_P, [math.log(noise), math.log(noise), NOISE_CENTER[2]]]), scale_QQ


def sites_of(law: Law, y_Q: jax.Array) -> dict[str, jax.Array]:
    """Sampled sites by name from stacked straightened coordinates, last axis Q."""
    return {"z": bend(law, y_Q[..., :-3]), "log_tau": y_Q[..., -3], "log_sigma": y_Q[..., -2], "log_nu": y_Q[..., -1]}


def bend(law: Law, y_P: jax.Array) -> jax.Array:
    """Free coordinates from straightened ones, in which (ln E, ln A_ref, …) became (ln of the sum, ln A_ref/E, …).

    The sum is known to a few thousandths while its parts trade off against one another: a sharp curved ridge in logs
    of the parts, a flat one here. The map's Jacobian determinant is 1, so densities carry over unchanged.
    """
    if len(law.coefficient_indices) < 2:
        return y_P
    columns = [y_P[..., i] for i in range(y_P.shape[-1])]
    first, *others = law.coefficient_indices
    ratios = [jnp.zeros_like(columns[first]), *(columns[i] for i in others)]
    log_first = columns[first] - jax.nn.logsumexp(jnp.stack(ratios, axis=-1), axis=-1)
    for i, ratio in zip((first, *others), ratios, strict=True):
        columns[i] = log_first + ratio
    return jnp.stack(columns, axis=-1)  # no scatter: XLA compiles and runs these few slices faster


def straighten(law: Law, z_P: jax.Array) -> jax.Array:
    """The inverse of `bend`."""
    if len(law.coefficient_indices) < 2:
        return z_P
    first, *others = law.coefficient_indices
    log_parts = z_P[..., np.array(law.coefficient_indices)]
    y_P = z_P.at[..., np.array(others)].add(-z_P[..., first][..., None])
    return y_P.at[..., first].set(jax.nn.logsumexp(log_parts, axis=-1))


def _run_nuts(potential, start_CQ, key, config: NutsConfig, on_progress) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Draws [C, S, Q] and sampler statistics; one compiled chunk serves warm-up and sampling."""
    kernel = NUTS(
        potential_fn=potential,
        dense_mass=True,
        target_accept_prob=config.target_accept,
        max_tree_depth=MAX_TREE_DEPTH,
        find_heuristic_step_size=False,
    )
    options = numerics.COMPILER_OPTIONS
    keys_C = jax.random.split(key, config.n_chains)
    start = jax.jit(
        lambda *inputs: kernel.init(inputs[0], config.n_warmup, inputs[1], (), {}),
        compiler_options=numerics.RUN_ONCE_OPTIONS,
    )
    state = start(keys_C, start_CQ)
    chunk = math.gcd(config.n_warmup, config.n_samples, CHUNK)

    def advance(state, _):
        state = kernel.sample(state, (), {})
        return state, (
            state.z,
            state.diverging,
            state.num_steps,
            state.accept_prob,
            state.energy,
            -state.potential_energy,
        )

    advance_chunk = jax.jit(lambda state: jax.lax.scan(advance, state, length=chunk), compiler_options=options)
    collected = []
    for done in range(0, config.n_warmup + config.n_samples, chunk):
        state, drawn = jax.block_until_ready(advance_chunk(state))
        if done >= config.n_warmup:
            collected.append(jax.device_get(drawn))
        on_progress(chunk)
    x_CSQ, *stats = (np.concatenate(parts).swapaxes(0, 1) for parts in zip(*collected, strict=True))
    names = ("diverging", "n_steps", "acceptance_rate", "energy", "lp")
    return x_CSQ, dict(zip(names, stats, strict=True))


def _draw_effects(law: Law, data: tuple, sites: Mapping[str, jax.Array], key: jax.Array) -> np.ndarray:
    """u [C, S, M] of each trained model from its conditional, given every draw of the rest."""
    features, reference, grouping, log_loss_R = data

    def one(key_and_sites):
        key, site = key_and_sites
        residual_R = log_loss_R - law.log_loss(law.from_free(site["z"]), features, reference)
        return effects.draw(key, residual_R, grouping, *noise_of(*(site[name] for name in NOISE)))

    shape = sites["log_tau"].shape
    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in sites.items()}
    keys = jax.random.split(key, shape[0] * shape[1])
    u_WM = jax.jit(lambda inputs: jax.lax.map(one, inputs, batch_size=64), compiler_options=numerics.COMPILER_OPTIONS)(
        (keys, flat)
    )
    return np.asarray(u_WM).reshape(*shape, -1)
