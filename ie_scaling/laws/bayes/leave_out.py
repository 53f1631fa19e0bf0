"""Leave-one-model-out predictions of a posterior, by importance sampling.

Whole trained models are left out, never rows of them, by Pareto-smoothed importance sampling [PSIS] with each
model's effect integrated out. What is scored is one more run: the density of each row by itself, averaged over the rows
of its model. (The joint density of a model's rows would reward laws for the shape of a loss curve within a run.)
M models, R rows, W draws.
"""

import dataclasses
import importlib
import math
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

from ie_scaling.inference import numerics
from ie_scaling.laws.bayes import discrepancy, effects, noise
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.observations import Features
from ie_scaling.laws.problem import group

RELIABLE_K = 0.7  # Pareto k beyond which importance sampling is not to be trusted


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeaveOut:
    """Each model left out in turn: ln density of one of its rows (their mean), and where its losses fall.

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


def leave_models_out(posterior: Posterior, seed: int = 0) -> LeaveOut:
    """One posterior's predictions of each model from the others, as of one more model and run of it.

    Raises:
      InputError: a posterior saved without its data.
    """
    rows = posterior.rows
    features, log_loss_R, model_R = rows.features, rows.log_loss_R, rows.model_R
    slope_WM = None if posterior.discrepancy is None else posterior.discrepancy.slope_WM
    log_likelihood_WM = log_likelihood(posterior, features, log_loss_R, model_R, slope_WM)
    smoothed_MW, pareto_k_M = smooth(-log_likelihood_WM.T)
    log_density_WR = log_density(posterior, features, log_loss_R)
    row_score_R = special.logsumexp(smoothed_MW[model_R].T + log_density_WR, axis=0)
    others = [f"another {model}" for model in model_R]
    drawn_WR = np.log(posterior.losses(features, level="new_run", seed=seed, model_ids=others).all())
    return LeaveOut(
        model_ids=posterior.model_ids,
        log_score_M=np.bincount(model_R, row_score_R) / np.bincount(model_R),
        pit_R=((drawn_WR < log_loss_R) * np.exp(smoothed_MW[model_R].T)).sum(axis=0),
        pareto_k_M=pareto_k_M,
    )


def log_density(posterior: Posterior, features: Features, log_loss_R: np.ndarray) -> np.ndarray:
    """ln of the density, per unit of ln loss, of each row as the only one of one more model, given draw w, [W, R]."""
    return log_likelihood(posterior, features, log_loss_R, np.arange(len(log_loss_R), dtype=np.int32))


def log_likelihood(
    posterior: Posterior,
    features: Features,
    log_loss_R: np.ndarray,
    model_R: np.ndarray,
    slope_WM: np.ndarray | None = None,
) -> np.ndarray:
    """ln p(rows of model m | draw w), its effect integrated out, [W, M]; `model_R` numbers the rows' models.

    Where misses are smooth, v of a model of several token counts is given by `slope_WM`; without it each model must be
    of a single one, whose u + v·t is integrated out together.
    """
    law, grouping = posterior.law, group(model_R, int(model_R.max()) + 1)
    flat = {name: values.reshape(-1) for name, values in posterior.draws.items()}
    if posterior.discrepancy is not None:
        flat |= _beyond(posterior, features, model_R, slope_WM)

    def one(draw):
        law_draw = {name: draw[name] for name in law.names}
        residual_R: Any = log_loss_R - law.log_loss(law_draw, features, posterior.reference)
        tau = draw["tau"]
        if posterior.discrepancy is not None:
            residual_R, tau = residual_R - draw["missed"], draw["effect_sd"]
        sigma_R = noise.scale(law, law_draw, features, posterior.reference, draw)
        return effects.log_marginal(residual_R, grouping, tau, sigma_R, draw["nu"])

    with numerics.double_precision(), jax.numpy_rank_promotion("allow"):
        batch = math.gcd(posterior.n_draws, 64)  # a smaller last one would be compiled apart
        every = lambda draws: jax.lax.map(one, draws, batch_size=batch)  # noqa: E731
        run = jax.jit(every, compiler_options=numerics.COMPILER_OPTIONS)
        return np.asarray(run({name: jnp.asarray(values) for name, values in flat.items()}))


def _beyond(
    posterior: Posterior, features: Features, model_R: np.ndarray, slope_WM: np.ndarray | None
) -> dict[str, np.ndarray]:
    """What smooth misses add: s and v·t of each row where v is given, [W, R], and the sd of the rest of each model."""
    assert posterior.discrepancy is not None
    missed, n_models, flat = posterior.discrepancy, int(model_R.max()) + 1, posterior.flat
    log_tokens_R = discrepancy.log_tokens(features, posterior.reference.D0)
    has_several_M, alone_M = discrepancy.token_counts(log_tokens_R, model_R, n_models)
    missed_WR = missed.of_sizes(features)
    if slope_WM is not None:
        missed_WR = missed_WR + np.where(has_several_M, slope_WM, 0.0)[:, model_R] * log_tokens_R
    is_unknown_M = np.zeros(n_models)
    is_unknown_M[model_R] = missed.sines.unknown(features)
    tau, tau_smooth, tau_tokens = (flat[name][:, None] for name in ("tau", *noise.SMOOTH_NAMES))
    variance_WM = tau**2 + (tau_tokens * alone_M) ** 2 + tau_smooth**2 * is_unknown_M
    return {"missed": missed_WR, "effect_sd": np.sqrt(variance_WM)}


def smooth(log_weight_MW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pareto-smoothed, normalized log weights and each row's k, by whichever ArviZ is installed."""
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
