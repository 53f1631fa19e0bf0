"""How much a posterior owes to its priors: sensitivity to raising prior, or likelihood, to a power.

Power-scaling [KAL] (docs/laws.md): every draw is weighted by prior^(α − 1) for α a little above and below 1, weights
Pareto-smoothed, and the cumulative Jensen-Shannon distance between the weighted and the plain draws of a quantity is
taken per doubling of α. Above THRESHOLD the quantity is called sensitive. The prior is that of
the law's parameters and of the noise; a model's effect u belongs to the likelihood. W draws.
"""

import enum
import re
from collections.abc import Mapping
from typing import TypedDict

import numpy as np

from ie_scaling.errors import InputError
from ie_scaling.laws.bayes import leave_out
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.observations import Features

THRESHOLD = 0.05
POWERS = (0.99, 1.01)


class Influence(enum.StrEnum):
    """What decides a quantity: the data, the prior, or both at odds."""

    DATA = "ok"
    CONFLICT = "prior and data disagree"
    PRIOR = "the prior decides"


class Reach(enum.StrEnum):
    """What a quantity is of: the law, the noise about it, or what the law says within the fitted rows or beyond."""

    PARAMETER = enum.auto()
    NOISE = enum.auto()
    NEAR = enum.auto()
    FAR = enum.auto()


class Sensitivity(TypedDict):
    """How far a quantity moves per doubling of the power of prior or likelihood, and what follows from that."""

    prior: float
    likelihood: float
    verdict: Influence
    reach: Reach


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
        reach = _reach(name, posterior)
        verdict = _verdict(prior, likelihood)
        result[name] = Sensitivity(prior=prior, likelihood=likelihood, verdict=verdict, reach=reach)
    return result


def judge(sensitive: Mapping[str, Sensitivity]) -> tuple[list[str], list[str]]:
    """Why a fit fails, a line for each quantity, and what is only noted, a line for each influence and reach.

    It fails where the prior decides a parameter of the law or a quantity within the fitted rows. Noise is judged by
    coverage. Beyond the rows a law must lean on its priors, which an answer owes its reader but does not condemn it;
    nor does a prior that still moves what the data decide as well.
    """
    failures, notes = [], {}
    for name, entry in sensitive.items():
        if entry["verdict"] is Influence.DATA:
            continue
        if entry["verdict"] is Influence.PRIOR and entry["reach"] in (Reach.PARAMETER, Reach.NEAR):
            failures.append(f"sensitivity: {entry['verdict']} on {name} (prior {entry['prior']:.2f})")
        else:
            beyond = ", beyond the rows" if entry["reach"] is Reach.FAR else ""
            notes.setdefault((entry["verdict"], beyond), []).append(f"{name} ({entry['prior']:.2f})")
    lines = [
        f"sensitivity, without a verdict{beyond}: {what} on {', '.join(names)}"
        for (what, beyond), names in notes.items()
    ]
    return failures, lines


def is_far(name: str, value: float, features: Features) -> bool:
    """Whether a quantity of this name (quantities.compute) is of FLOPs or of an aspect ratio outside the fitted rows.

    `value` is the quantity's, which counts where it is an aspect ratio itself. A name rounds its FLOPs to three digits.
    A blank feature of the rows bounds nothing.
    """
    if budget := re.fullmatch(r"optimal_\w+@(.+)", name):
        flops_R = 6 * features.n_total * features.n_tokens
        return not _within(float(budget[1]), flops_R, 1.01)
    if pair := re.fullmatch(r"log_loss_R(.+)_minus_R(.+)", name):
        return not all(_within(float(text), features.aspect_ratio, 1.0) for text in pair.groups())
    return name == "optimal_aspect_ratio" and not _within(value, features.aspect_ratio, 1.0)


def _within(value: float, values_R: np.ndarray, slack: float) -> bool:
    known = values_R[~np.isnan(values_R)]
    return not len(known) or bool(known.min() / slack <= value <= known.max() * slack)


def _reach(name: str, posterior: Posterior) -> Reach:
    if name in posterior.quantities:
        median = float(np.median(posterior.quantities[name]))
        return Reach.FAR if is_far(name, median, posterior.rows.features) else Reach.NEAR
    return Reach.PARAMETER if name in posterior.law.names else Reach.NOISE


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
