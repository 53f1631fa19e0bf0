"""Whether a Bayesian law's intervals mean what they say: simulation-based calibration on the very design of a table.

Parameters are drawn from the prior, runs are simulated from them at the table's own shapes and budgets, and each
simulated table is fitted by NUTS: over simulations the rank of every true value among its posterior draws must be
uniform [SBC]. All S simulated tables are sampled by one compiled program, one chain each. A histogram is judged by its
cumulative distribution against a simultaneous band [BANDS].
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import TypedDict

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer.util import log_density
from scipy import stats

from ie_scaling.inference import numerics, nuts
from ie_scaling.laws.bayes import coordinates, noise, sampler
from ie_scaling.laws.observations import Features, Observations
from ie_scaling.laws.problem import Problem
from ie_scaling.laws.proportions import Proportions

N_BAND = 4000  # simulated uniform samples behind a band
CANDIDATE_RATIOS = (0.02, 0.35, 0.65, 0.98)  # quantiles of d/n whose shapes are compared
AHEAD = 3.0  # they are so many times larger, and trained on so many times the tokens, as the table's largest
SIDE_BY_SIDE = 20  # tables whose chains are one program


@dataclasses.dataclass(frozen=True, kw_only=True)
class Truths:
    """S simulated tables with what made them; `effect_SA` are those of the candidate shapes."""

    z_SP: np.ndarray
    noise_SZ: np.ndarray
    effect_SA: np.ndarray
    log_loss_SR: np.ndarray


def candidates(observations: Observations) -> Features:
    """Four shapes beyond the table, from deep to wide, whose losses and ranks are calibrated too."""
    x = observations.features
    ratios = np.quantile(x.aspect_ratio, CANDIDATE_RATIOS)
    return Proportions.of(observations).members(AHEAD * x.n_total.max(), ratios, AHEAD * x.n_tokens.max())


def simulate(problem: Problem, n_tables: int, seed: int, prior_scale: float = 1.0) -> Truths:
    """Draw S truths from the prior and a table from each.

    `prior_scale` other than 1 widens every prior of the simulator alone: an error planted to see it caught.
    """
    rng = np.random.default_rng(seed)
    center_P, spread_P = problem.prior
    z_SP = center_P + prior_scale * spread_P * rng.standard_normal((n_tables, len(center_P)))
    noise_SZ = noise.CENTER + prior_scale * noise.SPREAD * rng.standard_normal((n_tables, len(noise.CENTER)))
    with numerics.double_precision():
        run = jax.jit(jax.vmap(functools.partial(sampler.law_and_noise, problem)))
        mean_SR, tau_S, sigma_SR, nu_S = map(np.asarray, run(z_SP, noise_SZ))
    u_SM = tau_S[:, None] * rng.standard_normal((n_tables, problem.n_models))
    noise_SR = sigma_SR * rng.standard_t(nu_S[:, None], mean_SR.shape)
    effect_SA = tau_S[:, None] * rng.standard_normal((n_tables, len(CANDIDATE_RATIOS)))
    return Truths(
        z_SP=z_SP,
        noise_SZ=noise_SZ,
        effect_SA=effect_SA,
        log_loss_SR=mean_SR + u_SM[:, problem.rows.model_R] + noise_SR,
    )


def fit_all(
    problem: Problem,
    truths: Truths,
    schedule: nuts.ChainSchedule,
    seed: int,
    on_progress: Callable[[int], None] = lambda transitions: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Posterior draws of (z, noise) for every simulated table, [S, L, P + Z], and divergences [S].

    One chain a table, which starts at the truth (warm-up forgets it), in coordinates scaled by the design there: the
    posterior depends on neither. `on_progress` gets the transitions of each chain since the last call.
    """

    def target_of(log_loss_R):
        simulated = problem.with_losses(log_loss_R)
        return nuts.Target(
            n_coordinates=len(problem.law.names) + sampler.N_NOISE,
            sites_of=lambda y_Q: sampler.sites_of(problem, y_Q),
            log_density=lambda sites: log_density(sampler.marginal_model, (simulated,), {}, sites)[0],
        )

    origin_SQ, scale_SQQ = _precondition_all(problem, truths)
    draws = nuts.run_many(
        target_of,
        truths.log_loss_SR,
        origin_SQ,
        scale_SQQ,
        None,
        seed,
        schedule,
        SIDE_BY_SIDE,
        on_progress,
    )
    return np.concatenate([draws.sites["z"], draws.sites["noise"]], axis=-1), draws.stats["diverging"].sum(axis=1)


def ranks(problem: Problem, truths: Truths, draws_SLQ: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """For each quantity the rank of the truth among its draws, [S], 0 to L.

    Quantities: every parameter and the noise; the difference in ln loss between the widest and the deepest candidate,
    effects included; and the position of the deepest among the four, ties broken at random.
    """
    rng = np.random.default_rng(seed)
    n_tables, n_draws, _ = draws_SLQ.shape
    features, law = candidates(problem.rows), problem.law
    n_params = len(law.names)
    with numerics.double_precision():
        flat = jnp.asarray(draws_SLQ.reshape(-1, draws_SLQ.shape[-1])[:, :n_params])
        law_SLA = np.asarray(_log_losses(problem, flat, features)).reshape(n_tables, n_draws, -1)
        law_SA = np.asarray(_log_losses(problem, jnp.asarray(truths.z_SP), features))
    tau_SL = np.exp(draws_SLQ[..., n_params])
    drawn_SLA = law_SLA + tau_SL[..., None] * rng.standard_normal(law_SLA.shape)
    true_SA = law_SA + truths.effect_SA
    names = [*law.names, *noise.COORDINATES]
    true_SQ = np.concatenate([truths.z_SP, truths.noise_SZ], axis=1)
    rank_S = {name: _rank(true_SQ[:, q], draws_SLQ[..., q], rng) for q, name in enumerate(names)}
    rank_S["loss difference"] = _rank(true_SA[:, -1] - true_SA[:, 0], drawn_SLA[..., -1] - drawn_SLA[..., 0], rng)
    rank_S["place of the deepest"] = _rank(_n_better(true_SA), _n_better(drawn_SLA), rng)
    return rank_S


def _n_better(loss_xA: np.ndarray) -> np.ndarray:
    """How many candidates lose less than the first."""
    return (loss_xA < loss_xA[..., :1]).sum(axis=-1)


class Uniformity(TypedDict):
    """Whether ranks are uniform, JSON-ready; `p_value` is the share of uniform samples at least as far out."""

    passed: bool
    p_value: float
    ecdf: list[float]
    band_low: list[float]
    band_high: list[float]
    histogram: list[int]


def judge(rank_S: np.ndarray, n_draws: int, seed: int = 0, level: float = 0.99) -> Uniformity:
    """Whether ranks 0 … L are uniform, by the simultaneous band about their cumulative distribution [BANDS]."""
    n_tables = len(rank_S)
    share_K = np.arange(1, n_draws + 1) / (n_draws + 1)
    null_B = _null(n_tables, n_draws, seed)
    ecdf_K = np.bincount(rank_S, minlength=n_draws + 1).cumsum()[:-1]
    ours = _farthest(ecdf_K, n_tables)
    edge = float(np.quantile(null_B, 1 - level))
    return {
        "passed": bool(ours >= edge),
        "p_value": float((null_B <= ours).mean()),
        "ecdf": (ecdf_K / n_tables).tolist(),
        "band_low": (stats.binom.ppf(edge / 2, n_tables, share_K) / n_tables).tolist(),
        "band_high": (stats.binom.isf(edge / 2, n_tables, share_K) / n_tables).tolist(),
        "histogram": np.bincount(rank_S * 20 // (n_draws + 1), minlength=20).tolist(),
    }


def _farthest(ecdf_xK: np.ndarray, n_tables: int) -> np.ndarray:
    """The smallest two-sided tail probability over the points of a cumulative count."""
    n_draws = ecdf_xK.shape[-1]
    share_K = np.arange(1, n_draws + 1) / (n_draws + 1)
    tail_xK = np.minimum(stats.binom.cdf(ecdf_xK, n_tables, share_K), stats.binom.sf(ecdf_xK - 1, n_tables, share_K))
    return 2 * tail_xK.min(axis=-1)


@functools.lru_cache(maxsize=8)
def _null(n_tables: int, n_draws: int, seed: int) -> np.ndarray:
    """`_farthest` of N_BAND samples of uniform ranks, which every quantity of a certificate is judged by."""
    uniform_BS = np.random.default_rng(seed).integers(0, n_draws + 1, size=(N_BAND, n_tables))
    count_BK = np.apply_along_axis(np.bincount, 1, uniform_BS, minlength=n_draws + 1)
    return _farthest(count_BK.cumsum(axis=1)[:, :-1], n_tables)


def _rank(true_S: np.ndarray, draws_SL: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How many draws lie below the truth; those equal to it fall on either side at random."""
    below_S, equal_S = (draws_SL < true_S[:, None]).sum(axis=1), (draws_SL == true_S[:, None]).sum(axis=1)
    return below_S + rng.integers(0, equal_S + 1)


def _log_losses(problem: Problem, z_SP: jax.Array, features: Features) -> jax.Array:
    """ln L̂ [S, A] of A shapes under each of S sets of free coordinates."""
    law, reference = problem.law, problem.reference
    run = jax.jit(jax.vmap(lambda z_P: law.log_loss(law.from_free(z_P), features, reference)))
    return run(z_SP)


def _precondition_all(problem: Problem, truths: Truths) -> tuple[np.ndarray, np.ndarray]:
    """Origins at the truths and Cholesky scales of the Gauss-Newton posterior there, [S, Q] and [S, Q, Q]."""

    def one(z_P, noise_Z):
        y_P = coordinates.straighten(problem, z_P)
        sd = jnp.clip(jnp.exp(noise_Z[1]), 2e-3, 0.1)
        scale_PP = coordinates.gauss_newton(problem, y_P, sd)
        scale_QQ = jax.scipy.linalg.block_diag(scale_PP, jnp.diag(noise.TYPICAL_SD))
        return jnp.concatenate([y_P, noise_Z]), scale_QQ

    with numerics.double_precision(), jax.numpy_rank_promotion("allow"):
        return jax.device_get(jax.jit(jax.vmap(one))(truths.z_SP, truths.noise_SZ))
