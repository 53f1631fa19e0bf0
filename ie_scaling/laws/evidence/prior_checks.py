"""What the priors alone say, beside what the posterior says: losses of the fitted rows, and what scale and shape do."""

import dataclasses
from typing import Any

import numpy as np

from ie_scaling.inference.draws import DrawSummary, summarize
from ie_scaling.laws.bayes import noise
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.choices import Misses
from ie_scaling.laws.observations import Features
from ie_scaling.laws.proportions import Proportions

TENFOLD = 10.0
FOURFOLD = 4.0
CENTRAL = (0.001, 0.999)


def predict(posterior: Posterior, seed: int) -> dict[str, Any]:
    """Prior and posterior summaries, JSON-ready, and the share of rows outside the central 99.8 % of the prior's.

    `loss` is of one more run of every fitted row, in nats. The others are at the rows' geometric means and median
    proportions, in per cent of the loss: what ten times the parameters, or the tokens, gain, and what four times
    the aspect ratio costs.
    """
    rows = posterior.rows
    features, log_loss_R, model_R = rows.features, rows.log_loss_R, rows.model_R
    blank = _prior_of(posterior, seed)
    names = [f"another {model}" for model in model_R]
    options: dict[str, Any] = {"level": "new_run", "seed": seed, "model_ids": names}
    with np.errstate(over="ignore"):  # a prior may allow for anything
        loss_WR = dataclasses.replace(blank.losses(features, **options), must_be_finite=False).all()
    low_R, high_R = np.quantile(loss_WR, CENTRAL, axis=0)
    loss_R = np.exp(log_loss_R)
    result: dict[str, Any] = {"share_outside": float(((loss_R < low_R) | (loss_R > high_R)).mean())}
    again_WR = posterior.losses(features, **options).all()
    result["loss"] = {"prior": summarize(loss_WR), "posterior": summarize(again_WR)}
    members = _at_the_middle(features)
    of_prior, of_posterior = (_effects(draws.losses(members, level="law").all()) for draws in (blank, posterior))
    result |= {name: {"prior": of_prior[name], "posterior": of_posterior[name]} for name in of_prior}
    return result


def _prior_of(posterior: Posterior, seed: int) -> Posterior:
    """The prior's draws as if they were a posterior's that has seen no model."""
    draws = {name: posterior.prior[name] for name in (*posterior.law.names, *noise.names_in(posterior.draws))}
    shape = draws["tau"].shape
    blank = dataclasses.replace(posterior, draws=draws, effects_CSM=np.zeros((*shape, 0)), model_ids=())
    if posterior.misses == Misses.INDEPENDENT:
        return blank
    weight_CSK = np.random.default_rng(seed).standard_normal((*shape, len(posterior.sines)))
    return dataclasses.replace(blank, slopes_CSM=np.zeros((*shape, 0)), sines_CSK=weight_CSK)


def _at_the_middle(features) -> Any:
    """The middle of the rows, then ten times its size, ten times its tokens, and four times its aspect ratio."""
    middle = [np.exp(np.log(x).mean()) for x in (features.n_total, features.aspect_ratio, features.n_tokens)]
    scales = np.array([[1, 1, 1], [TENFOLD, 1, 1], [1, 1, TENFOLD], [1, FOURFOLD, 1]])
    members = Proportions.of_features(features).members(*(np.array(middle) * scales).T)
    members = dataclasses.replace(members, loss_optimal=np.full(len(members), np.median(features.loss_optimal)))
    return dataclasses.replace(members, **_without_proportions(features, members, scales[:, 0]))


def _without_proportions(features: Features, members: Features, scale_A: np.ndarray) -> dict[str, np.ndarray]:
    """What the rows tell but members of their proportions lack, as of a table without shapes: counts scaled as N is."""
    known = {}
    for field in dataclasses.fields(features):
        known_R = getattr(features, field.name)
        if np.isnan(getattr(members, field.name)).any() and not np.isnan(known_R).any():
            factor_A = scale_A if field.name.startswith("n_") and field.name != "n_layers" else np.ones(len(scale_A))
            known[field.name] = np.exp(np.log(known_R).mean()) * factor_A
    return known


def _effects(loss_WA: np.ndarray) -> dict[str, DrawSummary]:
    """Gains and cost in per cent, summarized."""
    change_WA = 100 * (loss_WA[:, 1:] / loss_WA[:, :1] - 1)
    return {
        "gain of ten times the parameters (%)": summarize(-change_WA[:, 0]),
        "gain of ten times the tokens (%)": summarize(-change_WA[:, 1]),
        "cost of four times the aspect ratio (%)": summarize(change_WA[:, 2]),
    }
