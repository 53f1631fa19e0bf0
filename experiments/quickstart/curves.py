"""Predicted loss curves of a family of decoders that differ in size alone."""

import dataclasses

import numpy as np

from ie_scaling.architecture import Architecture
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.level import Level
from ie_scaling.laws.proportions import Proportions
from ie_scaling.report.figures import Band


def bands(
    posterior: Posterior, template: Architecture, n_params: np.ndarray, n_tokens: float, sequence_length: int
) -> tuple[Band, Band]:
    """The predicted loss of a new shape with its 90 % interval, against total parameters and against training FLOPs.

    Members have the proportions of `template` at the posterior's reference aspect ratio, and `n_params` total
    parameters.
    """
    features = Proportions.like(template).members(n_params, posterior.reference.R0, n_tokens)
    wider = features.d_model / template.d_model
    attention = dataclasses.replace(template.attention, d_model=features.d_model, n_heads=template.n_heads * wider)
    embedding = dataclasses.replace(template.embedding, d_model=features.d_model)
    forward = 2 * features.n_non_embedding + embedding.unembedding_flops
    forward = forward + features.n_layers * attention.attending_flops(sequence_length)
    loss_WA = posterior.losses(features, level=Level.SHAPE).all()
    mean, lo, hi = loss_WA.mean(axis=0), *np.quantile(loss_WA, (0.05, 0.95), axis=0)
    label = f"{n_tokens:,.0f} tokens"
    return Band(label, features.n_total, mean, lo, hi), Band(label, 3 * n_tokens * forward, mean, lo, hi)
