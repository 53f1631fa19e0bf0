"""Forecasts of held-out runs: paired predictive draws of their losses, and the density of each realized loss.

W draws, R rows. Losses in nats per token; every draw is of one more run (level `new_run`) of each row's model.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import special, stats

from ie_scaling.laws.bayes import leave_out, stacking
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.least_squares.solver import LeastSquaresFit
from ie_scaling.laws.observations import Observations


@dataclasses.dataclass(frozen=True, kw_only=True)
class Forecast:
    """Draws [W, R] and ln of the predictive density, per nat, at each realized loss, [R]."""

    loss_WR: np.ndarray
    log_density_R: np.ndarray


def of_posterior(posterior: Posterior, held_out: Observations, seed: int) -> Forecast:
    """The forecast of one posterior or bootstrap; a model that was fitted has its own effect in the draws."""
    names = [held_out.model_ids[model] for model in held_out.model_R]
    loss_WR = posterior.losses(held_out.features, level="new_run", seed=seed, model_ids=names).all()
    every_row = np.arange(len(held_out), dtype=np.int32)
    log_density_WR = leave_out.log_likelihood(posterior, held_out.features, held_out.log_loss_R, every_row)
    mean_R = special.logsumexp(log_density_WR, axis=0) - np.log(len(log_density_WR))
    return Forecast(loss_WR=loss_WR, log_density_R=mean_R - held_out.log_loss_R)


def mix(forecasts: Sequence[Forecast], weight_K: np.ndarray) -> Forecast:
    """The mixture of several: draws in proportion to the weights, densities weighted."""
    n_draws = min(len(forecast.loss_WR) for forecast in forecasts)
    parts = []
    for forecast, count in zip(forecasts, stacking.apportion(weight_K, n_draws), strict=True):
        parts.append(forecast.loss_WR[np.linspace(0, len(forecast.loss_WR) - 1, count).astype(int)])
    log_density_KR = np.stack([forecast.log_density_R for forecast in forecasts])
    return Forecast(
        loss_WR=np.concatenate(parts),
        log_density_R=special.logsumexp(log_density_KR, axis=0, b=np.asarray(weight_K)[:, None]),
    )


def of_curve_fit(fitted: LeastSquaresFit, held_out: Observations, n_draws: int, seed: int) -> Forecast:
    """The forecast of a fit by squared error: normal about its curve, with the fitted residuals' standard error."""
    sd = np.sqrt(fitted.objective / max(fitted.n_rows - len(fitted.params), 1))
    mean_R = np.exp(fitted.predict(held_out.features))
    draws_WR = np.random.default_rng(seed).standard_normal((n_draws, len(held_out)))
    return Forecast(loss_WR=mean_R + sd * draws_WR, log_density_R=stats.norm.logpdf(held_out.loss_R, mean_R, sd))
