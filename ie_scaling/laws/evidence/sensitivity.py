"""How much a posterior owes to its priors: sensitivity to raising prior, or likelihood, to a power.

Power-scaling [KAL] (docs/laws.md): every draw is weighted by prior^(α − 1) for α a little above and below 1, weights
Pareto-smoothed, and the cumulative Jensen-Shannon distance between the weighted and the plain draws of a quantity is
taken per doubling of α. Above THRESHOLD the quantity is called sensitive. The prior is that of
the law's parameters and of the noise; a model's effect u belongs to the likelihood. W draws.
"""

import enum
from typing import TypedDict

import numpy as np

from ie_scaling.errors import InputError
from ie_scaling.laws.bayes import leave_out
from ie_scaling.laws.bayes.posterior import Posterior

THRESHOLD = 0.05
POWERS = (0.99, 1.01)


class Influence(enum.StrEnum):
    """What decides a quantity: the data, the prior, or both at odds."""

    DATA = "ok"
    CONFLICT = "prior and data disagree"
    PRIOR = "the prior decides"


class Sensitivity(TypedDict):
    """How far a quantity moves per doubling of the power of prior or likelihood, and what follows from that."""

    prior: float
    likelihood: float
    verdict: Influence


def of(posterior: Posterior) -> dict[str, Sensitivity]:
    """Of every parameter and of every derived quantity: sensitivity to prior and likelihood, and a verdict.

    Raises:
      InputError: a posterior without log prior, as of a bootstrap.
    """
    if not posterior.log_prior:
        raise InputError(f"law {posterior.law.name!r}: its file lacks the log prior, fit it again by method bayes")
    log_prior_W = np.sum([*posterior.log_prior.values()], axis=0).reshape(-1)
    log_likelihood_W = posterior.stats["lp"].reshape(-1) - log_prior_W
    by_prior, by_likelihood = _weights(log_prior_W), _weights(log_likelihood_W)
    result = {}
    for name, draws in (posterior.draws | posterior.quantities).items():
        prior, likelihood = (sensitivity(draws.reshape(-1), weights) for weights in (by_prior, by_likelihood))
        result[name] = Sensitivity(prior=prior, likelihood=likelihood, verdict=_verdict(prior, likelihood))
    return result


def sensitivity(draws_W: np.ndarray, weights: list[np.ndarray]) -> float:
    """Distance between weighted and plain draws per doubling of the power, the mean over POWERS."""
    if not np.isfinite(draws_W).all() or np.ptp(draws_W) == 0:
        return 0.0
    distances = [distance(draws_W, weight_W) for weight_W in weights]
    return float(np.mean([length / abs(np.log2(power)) for length, power in zip(distances, POWERS, strict=True)]))


def distance(draws_W: np.ndarray, weight_W: np.ndarray) -> float:
    """Cumulative Jensen-Shannon distance, in [0, 1], the larger of that of the draws and of their mirror image."""
    return max(_one_sided(draws_W, weight_W), _one_sided(-draws_W, weight_W))


def _one_sided(draws_W: np.ndarray, weight_W: np.ndarray) -> float:
    order = np.argsort(draws_W)
    width = np.diff(draws_W[order])
    plain = np.arange(1, len(draws_W)) / len(draws_W)
    other = np.clip(np.cumsum(weight_W[order])[:-1], 1e-300, 1)
    plain_area, other_area = plain @ width, other @ width
    if plain_area + other_area == 0:
        return 0.0
    middle = np.log2(0.5 * (plain + other))
    one = (plain * (np.log2(plain) - middle)) @ width + (other_area - plain_area) / (2 * np.log(2))
    two = (other * (np.log2(other) - middle)) @ width + (plain_area - other_area) / (2 * np.log(2))
    return float(np.sqrt(max(one + two, 0) / (plain_area + other_area)))


def _weights(log_density_W: np.ndarray) -> list[np.ndarray]:
    """Smoothed, normalized weights of each power."""
    raw = np.stack([(power - 1) * log_density_W for power in POWERS])
    return list(np.exp(leave_out.smooth(raw - raw.max(axis=1, keepdims=True))[0]))


def _verdict(prior: float, likelihood: float) -> Influence:
    if prior < THRESHOLD:
        return Influence.DATA
    return Influence.CONFLICT if likelihood >= THRESHOLD else Influence.PRIOR
