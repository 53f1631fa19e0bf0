"""Whether a Bayesian law's intervals mean what they say: simulation-based calibration on the very design of a table.

Parameters are drawn from the prior, runs are simulated from them at the table's own shapes and budgets, and each
simulated table is fitted by NUTS: over simulations the rank of every true value among its posterior draws must be
uniform [SBC]. All S simulated tables are sampled by one compiled program, one chain each. A histogram is judged by its
cumulative distribution against a simultaneous band [BANDS].
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import TypedDict

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from ie_scaling.inference import numerics, nuts
from ie_scaling.laws.bayes import coordinates, discrepancy, noise, sampler
from ie_scaling.laws.observations import Features, Observations
from ie_scaling.laws.problem import Problem
from ie_scaling.laws.proportions import Proportions

N_BAND = 4000  # simulated uniform samples behind a band
CANDIDATE_RATIOS = (0.02, 0.35, 0.65, 0.98)  # quantiles of d/n whose shapes are compared
AHEAD = 3.0  # they are so many times larger, and trained on so many times the tokens, as the table's largest
SIDE_BY_SIDE = 20  # tables whose chains are one program


@dataclasses.dataclass(frozen=True, kw_only=True)
class Truths:
    """S simulated tables with what made them.

    Attributes:
      sites: z [S, P], noise [S, Z], and sines [S, K] and slopes [S, V] where there are some.
      effect_SA: u + v·t of the candidate shapes.
      log_loss_SR: the tables.
    """

    sites: dict[str, np.ndarray]
    effect_SA: np.ndarray
    log_loss_SR: np.ndarray

    def __len__(self) -> int:
        return len(self.log_loss_SR)


def candidates(observations: Observations) -> Features:
    """Four shapes beyond the table, from deep to wide, whose losses and ranks are calibrated too."""
    x = observations.features
    ratios = np.quantile(x.aspect_ratio, CANDIDATE_RATIOS)
    return Proportions.of(observations).members(AHEAD * x.n_total.max(), ratios, AHEAD * x.n_tokens.max())


def simulate(problem: Problem, n_tables: int, seed: int, prior_scale: float = 1.0) -> Truths:
    """Draw S truths from the prior and a table from each.

    `prior_scale` other than 1 widens every prior of the simulator alone: an error planted to see it caught.
    """
    rng, prior = np.random.default_rng(seed), noise.PRIORS[problem.misses]
    center_P, spread_P = problem.prior
    sites = {
        "z": center_P + prior_scale * spread_P * rng.standard_normal((n_tables, len(center_P))),
        "noise": prior.center + prior_scale * prior.spread * rng.standard_normal((n_tables, len(prior.center))),
    }
    for name, scale in sampler.site_scales(problem, sites).items():
        sites[name] = prior_scale * scale * rng.standard_normal(scale.shape)
    with numerics.double_precision():
        parts = jax.device_get(jax.jit(jax.vmap(functools.partial(sampler.parts_of, problem)))(sites))
    u_SM = parts.effect_sd.reshape(n_tables, -1) * rng.standard_normal((n_tables, problem.n_models))
    noise_SR = parts.sigma_R * rng.standard_t(parts.nu[:, None], parts.sigma_R.shape)
    return Truths(
        sites=sites,
        effect_SA=_effects(noise.from_coordinates(sites["noise"]), _log_tokens(problem), rng),
        log_loss_SR=parts.location_R + u_SM[:, problem.rows.model_R] + noise_SR,
    )


def _log_tokens(problem: Problem) -> np.ndarray:
    """t of the candidates, [A]."""
    return discrepancy.log_tokens(candidates(problem.rows), problem.reference.D0)


def _effects(values: Mapping[str, np.ndarray], log_tokens_A: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """u + v·t of new shapes, a last axis A, of noise by name."""
    sd_x1 = values["tau"][..., None]
    if "tau_tokens" in values:
        sd_x1 = np.sqrt(sd_x1**2 + (values["tau_tokens"][..., None] * log_tokens_A) ** 2)
    return sd_x1 * rng.standard_normal((*values["tau"].shape, len(log_tokens_A)))


def fit_all(
    problem: Problem,
    truths: Truths,
    schedule: nuts.ChainSchedule,
    seed: int,
    on_progress: Callable[[int], None] = lambda transitions: None,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Posterior draws of the sites for every simulated table, each [S, L, ·], and divergences [S].

    One chain a table, which starts at the truth (warm-up forgets it), in coordinates scaled by the design there: the
    posterior depends on neither. `on_progress` gets the transitions of each chain since the last call.
    """

    def target_of(log_loss_R):
        return sampler.target_of(problem.with_losses(log_loss_R))

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
    return draws.sites, draws.stats["diverging"].sum(axis=1)


def ranks(problem: Problem, truths: Truths, draws: Mapping[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """For each quantity the rank of the truth among its draws, [S], 0 to L.

    Quantities: every parameter and the noise; the difference in ln loss between the widest and the deepest candidate,
    all that the law misses included; and the position of the deepest among the four, ties broken at random.
    """
    rng = np.random.default_rng(seed)
    known_SLA, true_SA = _candidate_losses(problem, draws), _candidate_losses(problem, truths.sites)
    drawn_SLA = known_SLA + _effects(noise.from_coordinates(draws["noise"]), _log_tokens(problem), rng)
    true_SA = true_SA + truths.effect_SA
    names = [*problem.law.names, *noise.PRIORS[problem.misses].coordinates]
    true_SQ, draws_SLQ = (np.concatenate([each["z"], each["noise"]], axis=-1) for each in (truths.sites, draws))
    rank_S = {name: _rank(true_SQ[:, q], draws_SLQ[..., q], rng) for q, name in enumerate(names)}
    rank_S["loss difference"] = _rank(true_SA[:, -1] - true_SA[:, 0], drawn_SLA[..., -1] - drawn_SLA[..., 0], rng)
    rank_S["place of the deepest"] = _rank(_n_better(true_SA), _n_better(drawn_SLA), rng)
    return rank_S


def _candidate_losses(problem: Problem, sites: Mapping[str, np.ndarray]) -> np.ndarray:
    """ln f + s of the candidates at values of the sites, a last axis A in place of each site's own."""
    features, shape = candidates(problem.rows), sites["z"].shape[:-1]
    with numerics.double_precision():
        flat = jnp.asarray(sites["z"].reshape(-1, sites["z"].shape[-1]))
        log_loss = np.asarray(_log_losses(problem, flat, features)).reshape(*shape, -1)
    weights = sampler.standard(problem, sites)
    if "sines" not in weights:
        return log_loss
    wave_AK = discrepancy.design_of(problem).sines(features)
    return log_loss + noise.from_coordinates(sites["noise"])["tau_smooth"][..., None] * (weights["sines"] @ wave_AK.T)


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

    def one(sites):
        y_P = coordinates.straighten(problem, sites["z"])
        missed = [sites[name] for name in sampler.site_sizes(problem) if name in sites and name not in ("z", "noise")]
        scale_OO = sampler.scale_of_others(problem, y_P, jnp.clip(jnp.exp(sites["noise"][1]), 2e-3, 0.1))
        return jnp.concatenate([y_P, sites["noise"], *missed]), sampler.with_noise(problem, scale_OO)

    with numerics.double_precision(), jax.numpy_rank_promotion("allow"):
        return jax.device_get(jax.jit(jax.vmap(one))(truths.sites))
