"""The Bayesian law: a NumPyro model over any law of forms.py, sampled by NUTS in 64 bits with all chains at once.

The generative story of R rows of M trained models (science.md §4):

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
from numpyro.infer import NUTS
from numpyro.infer.util import log_density

from ie_scaling.laws import coordinates, diagnostics, effects, noise, numerics
from ie_scaling.laws.config import NutsConfig
from ie_scaling.laws.descent import prior_of
from ie_scaling.laws.law import Law
from ie_scaling.laws.observations import Features, Observations, Reference

N_NOISE = len(noise.COORDINATES)
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

        @jax.jit
        def sites_at(x):  # any leading axes before Q
            return sites_of(law, observations.features, reference, origin_Q + x @ scale_QQ.T)

        def potential(x_Q):
            return -log_density(marginal_model, (law, *data), {}, sites_at(x_Q))[0]

        def enough(x_CSQ):
            return diagnostics.long_enough(np.concatenate([*jax.device_get(sites_at(x_CSQ)).values()], axis=-1), config)

        keys = jax.random.split(jax.random.key(seed), 2)
        start_CQ = 0.5 * np.random.default_rng(seed).standard_normal((config.n_chains, len(origin_Q)))
        x_CSQ, stats = run_nuts(potential, start_CQ, keys[0], config, enough, on_progress)
        sites = sites_at(jnp.asarray(x_CSQ))
        effects_CSM = draw_effects(law, data, sites, keys[1])
        return Samples(
            z_CSP=np.asarray(sites["z"]),
            noise=noise.from_coordinates(np.asarray(sites["noise"])),
            effects_CSM=effects_CSM,
            stats=stats,
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
    log_loss_R = law.log_loss(law.from_free(origin_P), x, reference)
    sd = float(np.clip(1.4826 * np.median(np.abs(observations.log_loss_R - np.asarray(log_loss_R))), 2e-3, 0.1))

    def build(z_P):
        y_P = coordinates.straighten(law, x, reference, z_P)
        return y_P, coordinates.gauss_newton(law, x, reference, y_P, sd)

    y_P, scale_PP = jax.device_get(jax.jit(build, compiler_options=numerics.RUN_ONCE_OPTIONS)(origin_P))
    scale_QQ = scipy.linalg.block_diag(scale_PP, np.diag(noise.TYPICAL_SD))
    return np.concatenate([y_P, [math.log(sd), math.log(sd), *noise.CENTER[2:]]]), scale_QQ


def sites_of(law: Law, features: Features, reference: Reference, y_Q: jax.Array) -> dict[str, jax.Array]:
    """Sampled sites by name from stacked straightened coordinates, last axis Q."""
    return {"z": coordinates.bend(law, features, reference, y_Q[..., :-N_NOISE]), "noise": y_Q[..., -N_NOISE:]}


def run_nuts(
    potential: Callable[[jax.Array], jax.Array],
    start_CQ: np.ndarray,
    key: jax.Array,
    config: NutsConfig,
    enough: Callable[[np.ndarray], bool],
    on_progress: Callable[[int], None],
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Draws [C, S, Q] and sampler statistics; one compiled chunk serves warm-up and sampling.

    The number of draws is doubled until `enough` of them says so, up to `config.max_samples` a chain.
    """
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
    for _ in range(0, config.n_warmup, chunk):
        state, _ = jax.block_until_ready(advance_chunk(state))
        on_progress(chunk)
    collected, wanted = [], config.n_samples
    while True:
        while len(collected) * chunk < wanted:
            state, drawn = jax.block_until_ready(advance_chunk(state))
            collected.append(jax.device_get(drawn))
            on_progress(chunk)
        x_CSQ, *stats = (np.concatenate(parts).swapaxes(0, 1) for parts in zip(*collected, strict=True))
        if wanted >= config.max_samples or enough(x_CSQ):
            break
        wanted = min(2 * wanted, config.max_samples)
    names = ("diverging", "n_steps", "acceptance_rate", "energy", "lp")
    return x_CSQ, dict(zip(names, stats, strict=True))


def draw_effects(law: Law, data: tuple, sites: Mapping[str, jax.Array], key: jax.Array) -> np.ndarray:
    """u [C, S, M] of each trained model from its conditional, given every draw of the rest."""
    features, reference, grouping, log_loss_R = data

    def one(key_and_sites):
        key, site = key_and_sites
        mean_R, tau, sigma_R, nu = law_and_noise(law, features, reference, site["z"], site["noise"])
        return effects.draw(key, log_loss_R - mean_R, grouping, tau, sigma_R, nu)

    shape = sites["z"].shape[:-1]
    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in sites.items()}
    keys = jax.random.split(key, shape[0] * shape[1])
    u_WM = jax.jit(lambda inputs: jax.lax.map(one, inputs, batch_size=64), compiler_options=numerics.COMPILER_OPTIONS)(
        (keys, flat)
    )
    return np.asarray(u_WM).reshape(*shape, -1)
