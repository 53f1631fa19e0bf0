"""Forecasts of held-out runs: paired predictive draws of their losses, and the density of each realized loss.

W draws, R rows. Losses in nats per token; every draw is of one more run (level `new_run`) of each row's model.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import special, stats

from ie_scaling.laws.bayes import leave_out, stacking
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.least_squares.solver import LeastSquaresFit
from ie_scaling.laws.observations import Observations


@dataclasses.dataclass(frozen=True, kw_only=True)
class Forecast:
    """Draws [W, R] and ln of the predictive density, per nat, at each realized loss, [R]; None where it has none.

    `ends_2R`, by level in per cent, are the ends of intervals [2, R] that are not quantiles of the draws.
    """

    loss_WR: np.ndarray
    log_density_R: np.ndarray | None
    ends_2R: Mapping[int, np.ndarray] = dataclasses.field(default_factory=dict)

    def interval(self, level: int) -> np.ndarray:
        """The ends of the central interval of a level in per cent, [2, R]."""
        if level in self.ends_2R:
            return self.ends_2R[level]
        return np.quantile(self.loss_WR, (0.5 - level / 200, 0.5 + level / 200), axis=0)


def of_posterior(posterior: Posterior, held_out: Observations, seed: int) -> Forecast:
    """The forecast of one posterior or bootstrap; a model that was fitted has its own effect in the draws."""
    names = [held_out.model_ids[model] for model in held_out.model_R]
    loss_WR = posterior.losses(held_out.features, level="new_run", seed=seed, model_ids=names).all()
    log_density_WR = leave_out.log_density(posterior, held_out.features, held_out.log_loss_R)
    known_R = np.isin(names, posterior.model_ids)
    if known_R.any():  # in which the effect of a model is known, not integrated over
        own_WR = _about_fitted_models(posterior, held_out, names, seed)
        log_density_WR = np.where(known_R, own_WR, log_density_WR)
    mean_R = special.logsumexp(log_density_WR, axis=0) - np.log(len(log_density_WR))
    return Forecast(loss_WR=loss_WR, log_density_R=mean_R - held_out.log_loss_R)


def _about_fitted_models(posterior: Posterior, held_out: Observations, names: list[str], seed: int) -> np.ndarray:
    """ln density per ln(nat) of one more run about each draw of its shape, [W, R]."""
    shape_WR = posterior.losses(held_out.features, level="shape", seed=seed, model_ids=names).all()
    scale_WR, nu_W = posterior.scale_of_runs(held_out.features), posterior.flat["nu"]
    return stats.t.logpdf(held_out.log_loss_R - np.log(shape_WR), nu_W[:, None], scale=scale_WR)


def mix(forecasts: Sequence[Forecast], weight_K: np.ndarray) -> Forecast:
    """The mixture of several: draws in proportion to the weights, densities and ends of intervals weighted.

    No density, and no ends but the draws' quantiles, where one of them has none.
    """
    n_draws = min(len(forecast.loss_WR) for forecast in forecasts)
    parts = []
    for forecast, count in zip(forecasts, stacking.apportion(weight_K, n_draws), strict=True):
        parts.append(forecast.loss_WR[np.linspace(0, len(forecast.loss_WR) - 1, count).astype(int)])
    densities = [forecast.log_density_R for forecast in forecasts if forecast.log_density_R is not None]
    mixed = None
    if len(densities) == len(forecasts):
        mixed = special.logsumexp(np.stack(densities), axis=0, b=np.asarray(weight_K)[:, None])
    levels = set.intersection(*(set(forecast.ends_2R) for forecast in forecasts))
    ends = {
        level: np.tensordot(weight_K, np.stack([forecast.ends_2R[level] for forecast in forecasts]), 1)
        for level in levels
    }
    return Forecast(loss_WR=np.concatenate(parts), log_density_R=mixed, ends_2R=ends)


def of_curve_fit(fitted: LeastSquaresFit, held_out: Observations, n_draws: int, seed: int) -> Forecast:
    """The forecast of a fit by squared error: normal about its curve, with the fitted residuals' standard error."""
    sd = np.sqrt(fitted.objective / max(fitted.n_rows - len(fitted.params), 1))
    mean_R = np.exp(fitted.predict(held_out.features))
    draws_WR = np.random.default_rng(seed).standard_normal((n_draws, len(held_out)))
    return Forecast(loss_WR=mean_R + sd * draws_WR, log_density_R=stats.norm.logpdf(held_out.loss_R, mean_R, sd))
