"""Laws in the mixture that would have predicted left-out models best: stacking by leave-one-model-out log score.

Yao, Vehtari, Simpson, Gelman 2018 (1704.02030), with whole trained models left out, never rows of them, by
Pareto-smoothed importance sampling (1507.02646) with each model's effect integrated out. What is scored is what the
mixture is for, one more run: the density of each row by itself, averaged over the rows of its model. (The joint density
of a model's rows would reward laws for the shape of a loss curve within a run.) K laws, M models, W draws.
"""

import dataclasses
import importlib
import math
import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

from ie_scaling.errors import InputError
from ie_scaling.inference import numerics
from ie_scaling.laws.bayes import effects, noise
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.observations import Features
from ie_scaling.laws.problem import group

RELIABLE_K = 0.7  # Pareto k beyond which importance sampling is not to be trusted
MAX_STEPS = 20_000
N_BOOTSTRAP = 400


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeaveOut:
    """Each model left out in turn: ln density of one of its rows, their mean, and whether they came out as predicted.

    `pit_R` is the probability given to a smaller loss than each row's; `pareto_k_M` says how far to trust them.
    """

    model_ids: tuple[str, ...]
    log_score_M: np.ndarray
    pit_R: np.ndarray
    pareto_k_M: np.ndarray

    @property
    def n_unreliable(self) -> int:
        """Models whose leave-out value rests on too few draws."""
        return int((self.pareto_k_M > RELIABLE_K).sum())

    def coverage(self, level: float) -> float:
        """Share of the rows within their central intervals of this level."""
        return float((np.abs(self.pit_R - 0.5) <= 0.5 * level).mean())


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stack:
    """Weights of K laws, with 90 % intervals over resampled models, and what they rest on.

    `difference_K` is each law's summed log score minus the best law's, with its standard error over models.
    """

    weight_K: np.ndarray
    weight_lo90_K: np.ndarray
    weight_hi90_K: np.ndarray
    log_score_K: np.ndarray
    difference_K: np.ndarray
    difference_se_K: np.ndarray
    n_unreliable_K: np.ndarray


def leave_models_out(posterior: Posterior, seed: int = 0) -> LeaveOut:
    """One posterior's predictions of each model from the others, as of one more model and run of it.

    Raises:
      InputError: a posterior saved without its data.
    """
    features, log_loss_R, model_R = data_of(posterior)
    log_likelihood_WM = log_likelihood(posterior, features, log_loss_R, model_R)
    smoothed_MW, pareto_k_M = smooth(-log_likelihood_WM.T)
    every_row = np.arange(len(log_loss_R), dtype=np.int32)
    log_density_WR = log_likelihood(posterior, features, log_loss_R, every_row)
    row_score_R = special.logsumexp(smoothed_MW[model_R].T + log_density_WR, axis=0)
    drawn_WR = posterior.log_losses(features, "new_run", seed, model_ids=[f"another {model}" for model in model_R])
    return LeaveOut(
        model_ids=posterior.model_ids,
        log_score_M=np.bincount(model_R, row_score_R) / np.bincount(model_R),
        pit_R=((drawn_WR < log_loss_R) * np.exp(smoothed_MW[model_R].T)).sum(axis=0),
        pareto_k_M=pareto_k_M,
    )


def stack(posteriors: Sequence[Posterior], seed: int = 0) -> Stack:
    """Weights that maximise Σ_m ln Σ_k w_k·p_k(model m | the others).

    Raises:
      InputError: posteriors that were not fitted to the same rows.
    """
    first, *others = [data_of(posterior) for posterior in posteriors]
    for posterior, other in zip(posteriors[1:], others, strict=True):
        if posterior.model_ids != posteriors[0].model_ids or not np.array_equal(first[1], other[1]):
            names = posterior.law.name, posteriors[0].law.name
            raise InputError(f"law {names[0]!r}: was not fitted to the same rows as {names[1]!r}")
    left_out = [leave_models_out(posterior) for posterior in posteriors]
    score_MK = np.stack([each.log_score_M for each in left_out], axis=1)
    n_models = len(score_MK)
    draws_BM = np.random.default_rng(seed).multinomial(n_models, np.full(n_models, 1 / n_models), size=N_BOOTSTRAP)
    weight_BK = np.array([weigh(score_MK, draws_M) for draws_M in draws_BM])
    best = int(score_MK.sum(axis=0).argmax())
    gap_MK = score_MK - score_MK[:, best : best + 1]
    return Stack(
        weight_K=weigh(score_MK, np.ones(n_models)),
        weight_lo90_K=np.quantile(weight_BK, 0.05, axis=0),
        weight_hi90_K=np.quantile(weight_BK, 0.95, axis=0),
        log_score_K=score_MK.sum(axis=0),
        difference_K=gap_MK.sum(axis=0),
        difference_se_K=np.sqrt(n_models) * gap_MK.std(axis=0, ddof=1),
        n_unreliable_K=np.array([each.n_unreliable for each in left_out]),
    )


def weigh(score_MK: np.ndarray, count_M: np.ndarray) -> np.ndarray:
    """Stacking weights by expectation maximisation, which climbs a concave function on the simplex."""
    density_MK = np.exp(score_MK - score_MK.max(axis=1, keepdims=True))
    weight_K = np.full(score_MK.shape[1], 1 / score_MK.shape[1])
    for _ in range(MAX_STEPS):
        share_MK = weight_K * density_MK
        share_MK /= share_MK.sum(axis=1, keepdims=True)
        new_K = count_M @ share_MK / count_M.sum()
        if np.abs(new_K - weight_K).max() < 1e-9:
            return new_K
        weight_K = new_K
    return weight_K


def apportion(weight_K: np.ndarray, n_draws: int) -> np.ndarray:
    """How many of `n_draws` each law gives, by largest remainder."""
    share_K = weight_K * n_draws
    count_K = np.floor(share_K).astype(int)
    count_K[np.argsort(count_K - share_K)[: n_draws - count_K.sum()]] += 1
    return count_K


def data_of(posterior: Posterior) -> tuple[Features, np.ndarray, np.ndarray]:
    """Features, log losses and model numbers of the fitted rows, from the posterior's own groups."""
    if "constant_data" not in posterior.groups or "observed_data" not in posterior.groups:
        raise InputError(f"law {posterior.law.name!r}: its file lacks the fitted rows, fit it again")
    data = posterior.groups["constant_data"]
    fields = [field.name for field in dataclasses.fields(Features)]
    blank = np.full(data.sizes["run"], np.nan)
    features = Features(**{name: data[name].to_numpy() if name in data else blank for name in fields})
    number = {name: index for index, name in enumerate(posterior.model_ids)}
    model_R = np.array([number[name] for name in data["model"].to_numpy().astype(str)], np.int32)
    return features, posterior.groups["observed_data"]["log_loss"].to_numpy(), model_R


def log_likelihood(posterior: Posterior, features: Features, log_loss_R: np.ndarray, model_R: np.ndarray) -> np.ndarray:
    """ln p(rows of model m | draw w), its effect integrated out, [W, M]; `model_R` numbers the rows' models."""
    law, grouping = posterior.law, group(model_R, int(model_R.max()) + 1)
    flat = {name: values.reshape(-1) for name, values in posterior.draws.items()}

    def one(draw):
        law_draw = {name: draw[name] for name in law.names}
        residual_R: Any = log_loss_R - law.log_loss(law_draw, features, posterior.reference)
        sigma_R = noise.scale(law, law_draw, features, posterior.reference, draw)
        return effects.log_marginal(residual_R, grouping, draw["tau"], sigma_R, draw["nu"])

    with numerics.double_precision(), jax.numpy_rank_promotion("allow"):
        batch = math.gcd(posterior.n_draws, 64)  # a smaller last one would be compiled apart
        every = lambda draws: jax.lax.map(one, draws, batch_size=batch)  # noqa: E731
        run = jax.jit(every, compiler_options=numerics.COMPILER_OPTIONS)
        return np.asarray(run({name: jnp.asarray(values) for name, values in flat.items()}))


def smooth(log_weight_MW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pareto-smoothed, normalised log weights and each row's k, by whichever ArviZ is installed."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "\\s*ArviZ is undergoing", FutureWarning)  # once a day, by 0.23
            psislw = importlib.import_module("arviz").psislw
    except AttributeError:  # 1.x keeps it in arviz_stats, which takes the log likelihood
        stats = importlib.import_module("arviz_stats.base").array_stats
        smoothed, pareto_k = stats.psislw(-log_weight_MW, axis=-1)
    else:
        smoothed, pareto_k = psislw(log_weight_MW)
    smoothed = np.asarray(smoothed)
    return smoothed - special.logsumexp(smoothed, axis=-1, keepdims=True), np.asarray(pareto_k)
