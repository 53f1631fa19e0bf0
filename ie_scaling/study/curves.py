"""Predicted loss curves of a family of decoders that differ in size alone."""

import numpy as np

from ie_scaling.architecture import Architecture
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.proportions import Family
from ie_scaling.report.figures import Band


def bands(
    posterior: Posterior,
    template: Architecture,
    aspect_ratio: float,
    n_params: np.ndarray,
    n_tokens: float,
    sequence_length: int,
    level: str,
    label: str,
) -> tuple[Band, Band]:
    """The predicted loss with its 90 % interval against total parameters, and against training FLOPs.

    Members have the proportions of `template` at this aspect ratio, `n_params` total parameters and `n_tokens` tokens.
    """
    t, features = template, Family.like(template).members(n_params, aspect_ratio, n_tokens)
    attention_width = features.d_model * t.n_heads * t.d_head / t.d_model
    forward = 2 * features.n_non_embedding + 2 * t.vocab_size * features.d_model
    forward = forward + 4 * features.n_layers * sequence_length * attention_width
    loss_WA = np.exp(posterior.log_losses(features, level))
    mean, lo, hi = loss_WA.mean(axis=0), *np.quantile(loss_WA, (0.05, 0.95), axis=0)
    return Band(label, features.n_total, mean, lo, hi), Band(label, 3 * n_tokens * forward, mean, lo, hi)
