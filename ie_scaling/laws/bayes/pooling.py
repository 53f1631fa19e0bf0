"""One law for several families of runs: E, A, B, exponents and noise of each, shape parameters that are alike.

A family is a set of runs whose losses can be compared (one source, one validation set). For K families and each shape
parameter p (those of the law's shape terms, and ω),

    μ_p ~ Normal(center_p, spread_p)                the families' common value
    λ ~ LogNormal(ln 0.3, 0.7)                      how far they differ, in units of the prior's spread
    z_kp ~ Normal(μ_p, λ·spread_p)                  family k's own

and all else of a family is as in sampler.py. NUTS samples with every μ_p integrated out, which leaves z_·p jointly
normal with covariance spread_p²·(1 + λ²·I); μ_p is drawn back from its conditional.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import scipy.linalg
from numpyro.infer.util import log_density

from ie_scaling.errors import InputError
from ie_scaling.inference import diagnostics, nuts
from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws.bayes import effects, noise, sampler
from ie_scaling.laws.law import Law, Role
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.observations import Observations, Reference
from ie_scaling.laws.problem import Problem, pose

LOG_LAMBDA_CENTER, LOG_LAMBDA_SPREAD = float(np.log(0.3)), 0.7


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pooled:
    """Draws [C, S] of all families at once: each one's samples, λ, and μ of each shape parameter in its own units."""

    problems: dict[str, Problem]
    samples: dict[str, sampler.Samples]
    spread_CS: np.ndarray
    common: dict[str, np.ndarray]


def shared_indices(law: Law) -> np.ndarray:
    """Indices of the free parameters that families share: shape parameters, and ω.

    Raises:
      InputError: a law without any.
    """
    shape = {parameter.name for part in law.shape_parts for parameter in part.parameters}
    is_shared = [parameter.name in shape or parameter.role is Role.COUNT for parameter in law.parameters]
    indices = np.flatnonzero(is_shared)
    if not len(indices):
        raise InputError(f"law={law.name!r}: has no shape parameter that families could share")
    return indices


def model(families: Sequence[Problem]) -> None:
    """The generative story above, with every μ_p and every u_m integrated out; one law, one reference point."""
    center_P, spread_P = families[0].prior
    shared_H = shared_indices(families[0].law)
    own_O = np.setdiff1d(np.arange(len(center_P)), shared_H)
    n_families = len(families)
    log_lambda: Any = numpyro.sample("log_lambda", dist.Normal(LOG_LAMBDA_CENTER, LOG_LAMBDA_SPREAD))
    covariance_KK = jnp.exp(2 * log_lambda) * jnp.eye(n_families) + 1.0
    shared_HK: Any = numpyro.sample(
        "shared", dist.MultivariateNormal(jnp.zeros(n_families), covariance_KK).expand([len(shared_H)]).to_event(1)
    )
    shape = (n_families, 1)
    own_KO: Any = numpyro.sample("own", dist.Normal(np.tile(center_P[own_O], shape), spread_P[own_O]).to_event(2))
    noise_KZ: Any = numpyro.sample("noise", dist.Normal(np.tile(noise.CENTER, shape), noise.SPREAD).to_event(2))
    z_KP = jnp.zeros((n_families, len(center_P))).at[:, own_O].set(own_KO)
    z_KP = z_KP.at[:, shared_H].set(center_P[shared_H] + spread_P[shared_H] * shared_HK.T)
    for k, family in enumerate(families):
        mean_R, tau, sigma_R, nu = sampler.law_and_noise(family, z_KP[k], noise_KZ[k])
        density_M = effects.log_marginal(family.log_loss_R - mean_R, family.grouping, tau, sigma_R, nu)
        numpyro.factor(f"log_loss_{k}", density_M.sum())


def sample(
    law: Law,
    families: Mapping[str, Observations],
    config: NutsConfig,
    seed: int,
    on_progress: Callable[[int], None] = lambda transitions: None,
) -> Pooled:
    """Draw from the joint posterior, about each family's least-squares fit, at one common reference point.

    Raises:
      InputError: fewer than two families, or a law without shape parameters.
    """
    if len(families) < 2:
        raise InputError(f"families: has {len(families)}; pooling needs at least two")
    shared_indices(law)
    reference = _common_reference(law, list(families.values()))
    problems = [pose(law, rows, reference) for rows in families.values()]
    compiling = nuts.compile_ahead(_target(problems), config)
    origin_Q, scale_QQ = _precondition([solver.fit(problem, n_starts=16, seed=seed) for problem in problems])

    def enough(sites):
        return diagnostics.long_enough(np.concatenate([*sites[1], *sites[2]], axis=-1), config)

    draws = nuts.run(compiling, origin_Q, scale_QQ, config, seed, enough, on_progress)
    sites, z, noises = draws.sites
    samples = {
        name: sampler.Samples(
            z_CSP=z[k],
            noise=noise.from_coordinates(noises[k]),
            effects_CSM=draws.rest[k],
            stats=draws.stats,
            seconds=0.0,
        )
        for k, name in enumerate(families)
    }
    spread_CS = np.exp(sites["log_lambda"])
    return Pooled(
        problems=dict(zip(families, problems, strict=True)),
        samples=samples,
        spread_CS=spread_CS,
        common=_draw_common(problems[0], sites["shared"], spread_CS, np.random.default_rng((seed, 1))),
    )


def _target(problems: Sequence[Problem]) -> nuts.Target:
    """What NUTS samples: sites of the model, with z and noise of each family beside them, and its effects after."""
    return nuts.Target(
        n_coordinates=1 + len(problems) * (len(problems[0].law.names) + sampler.N_NOISE),
        sites_of=lambda y_Q: _sites_of(problems, y_Q),
        log_density=lambda sites: log_density(model, (problems,), {}, sites[0])[0],
        draw_rest=lambda key, sites: _draw_effects(key, problems, *sites[1:]),
    )


def _draw_effects(
    key: jax.Array, problems: Sequence[Problem], z: list[jax.Array], noises: list[jax.Array]
) -> list[jax.Array]:
    """u_M of every family from their conditionals, given one draw of the rest."""
    keys = jax.random.split(key, len(problems))
    return [
        sampler.draw_effects(key, problem, {"z": z_P, "noise": noise_Z})
        for key, problem, z_P, noise_Z in zip(keys, problems, z, noises, strict=True)
    ]


def _common_reference(law: Law, families: list[Observations]) -> Reference:
    """The mean over families of each one's reference point, so that no family counts more for having more rows."""
    points = [dataclasses.asdict(rows.reference(law.reference_omega)) for rows in families]
    return Reference(**{name: float(np.exp(np.mean([np.log(point[name]) for point in points]))) for name in points[0]})


def _precondition(starts: Sequence[solver.LeastSquaresFit]) -> tuple[np.ndarray, np.ndarray]:
    """Each family's own origin and scale (sampler.precondition) side by side, and λ last."""
    blocks = [sampler.precondition(start.problem, start.z_P) for start in starts]
    origin_Q = np.concatenate([*(origin for origin, _ in blocks), [LOG_LAMBDA_CENTER]])
    return origin_Q, scipy.linalg.block_diag(*(scale for _, scale in blocks), LOG_LAMBDA_SPREAD)


def _sites_of(problems: Sequence[Problem], y_Q: jax.Array):
    """The model's sites, and each family's z and noise, from stacked straightened coordinates, last axis Q."""
    center_P, spread_P = problems[0].prior
    shared_H = shared_indices(problems[0].law)
    own_O = np.setdiff1d(np.arange(len(center_P)), shared_H)
    width = len(center_P) + sampler.N_NOISE
    z, noises = [], []
    for k, problem in enumerate(problems):
        sites = sampler.sites_of(problem, y_Q[..., k * width : (k + 1) * width])
        z.append(sites["z"])
        noises.append(sites["noise"])
    shared = jnp.stack([(z_P[..., shared_H] - center_P[shared_H]) / spread_P[shared_H] for z_P in z], axis=-1)
    own, all_noise = jnp.stack([z_P[..., own_O] for z_P in z], axis=-2), jnp.stack(noises, axis=-2)
    return {"log_lambda": y_Q[..., -1], "shared": shared, "own": own, "noise": all_noise}, z, noises


def _draw_common(
    problem: Problem, shared_CSHK: np.ndarray, spread_CS: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """μ_p of each shape parameter from its normal conditional, in the parameter's own units, [C, S]."""
    law, (center_P, spread_P) = problem.law, problem.prior
    variance_CS1 = 1 / (1 + shared_CSHK.shape[-1] / spread_CS[..., None] ** 2)
    mean_CSH = variance_CS1 * shared_CSHK.sum(axis=-1) / spread_CS[..., None] ** 2
    drawn_CSH = mean_CSH + np.sqrt(variance_CS1) * rng.standard_normal(mean_CSH.shape)
    return {
        law.names[index]: np.asarray(
            law.parameters[index].from_free(center_P[index] + spread_P[index] * drawn_CSH[..., h])
        )
        for h, index in enumerate(shared_indices(law))
    }
