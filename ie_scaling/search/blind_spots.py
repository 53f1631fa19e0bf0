"""Warnings about candidates that a law cannot tell apart, for want of a term, or that lie beyond what was fitted."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ie_scaling import accounting
from ie_scaling.architecture import Architecture, Shape
from ie_scaling.inference import reach
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.observations import Features

FAR = 3.0  # so many times beyond the fitted range a size or a budget is called far; aspect ratios by the half of it
SAME = 1.25  # ratios that differ by less are one: d_ff is rounded, and moved to bring shapes to one size


@dataclasses.dataclass(frozen=True)
class Feature:
    """A feature of shapes that a law may lack a term for, with its letter.

    A law has a term for it where it needs one of `needs`. Values that differ by less than a factor of `same` are one.
    """

    words: str
    letter: str
    needs: tuple[str, ...]
    values: Callable[[Shape[Any]], np.ndarray]
    same: float = 1.0 + 1e-9
    consequence: str = "differences in it are taken as zero"


def _mlp_attention_ratio(shape: Shape[Any]) -> Any:
    """r without the width, which cancels and may be blank."""
    return accounting.mlp_attention_ratio(dataclasses.replace(shape, d_model=1))


SMOOTH_MISSES_READ = ("d_model", "n_layers")
FEATURES = (
    Feature("the aspect ratio", "d/n", ("aspect_ratio", "d_model", "n_layers"), lambda shape: shape.aspect_ratio, SAME),
    Feature("query groups", "g", ("query_group",), lambda shape: shape.attention.query_group),
    Feature("the ratio of MLP to attention parameters", "r", ("mlp_attention_ratio",), _mlp_attention_ratio, SAME),
    Feature("the head width", "d_head", (), lambda shape: shape.d_head),
    Feature(
        "the vocabulary",
        "vocab_size",
        (),
        lambda shape: shape.vocab_size,
        consequence="losses per token of different vocabularies do not compare",
    ),
    Feature("tied embeddings", "embedding matrices", (), lambda shape: shape.embedding.matrices),
)


def find(posteriors: Sequence[Posterior], architectures: Sequence[Architecture], features: Features) -> list[str]:
    """Warnings, a line a feature, of candidates that differ in what a law does not read, or was not shown.

    Candidates that were fitted themselves have an effect of their own, and are not warned of. All posteriors are of the
    same rows.
    """
    first = posteriors[0]
    warnings = far_outside(first, features)
    is_new = np.array([isinstance(identity, str) for identity in first.identify(architectures)])
    if not is_new.any():
        return warnings
    candidates, fitted = Shape.of(architectures), first.fitted_shapes.shape
    for feature in FEATURES:
        candidate_A, fitted_M = feature.values(candidates), feature.values(fitted)
        fitted_M = fitted_M[~np.isnan(fitted_M)]
        beyond = _beyond(feature, candidate_A[is_new], fitted_M)
        facts = f"{_describe_fitted(feature, fitted_M)}, candidates have {_range(feature, candidate_A)}"
        blind, sighted = _split(feature, posteriors)
        if blind and (beyond or _varies(feature, candidate_A)):
            have = "has" if len(blind) == 1 else "have"
            warnings.append(f"{_name(blind)} {have} no term for {feature.words}; {facts}; {feature.consequence}")
        if sighted and beyond and feature.letter != "d/n":  # which far_outside says
            warnings.append(f"{_name(sighted)}: {facts}; the term for {feature.words} is extrapolated")
    return warnings


def _split(feature: Feature, posteriors: Sequence[Posterior]) -> tuple[list[str], list[str]]:
    """Names of the laws that do not read the feature, and of those that do, by a term or by smooth misses."""
    blind, sighted = [], []
    for posterior in posteriors:
        of_misses = SMOOTH_MISSES_READ if len(posterior.sines) else ()
        is_read = {*feature.needs} & {*posterior.law.needs, *of_misses}
        (sighted if is_read else blind).append(posterior.law.name)
    return blind, sighted


def _name(laws: list[str]) -> str:
    return f"law {laws[0]}" if len(laws) == 1 else f"laws {', '.join(laws)}"


def _describe_fitted(feature: Feature, fitted_M: np.ndarray) -> str:
    if not len(fitted_M):
        return "what the fitted runs had is unknown"
    who = "fitted runs" if _varies(feature, fitted_M) else "every fitted run"
    return f"{who} had {_range(feature, fitted_M)}"


def _varies(feature: Feature, values: np.ndarray) -> bool:
    return bool(values.max() > values.min() * feature.same)


def _beyond(feature: Feature, values: np.ndarray, fitted: np.ndarray) -> bool:
    """Whether values lie outside those fitted; what was fitted may be unknown."""
    if not len(fitted):
        return False
    return bool(values.max() > fitted.max() * feature.same or values.min() * feature.same < fitted.min())


def _range(feature: Feature, values: np.ndarray) -> str:
    low, high = (f"{value:.0f}" if value == round(value) else f"{value:.4g}" for value in (values.min(), values.max()))
    return f"{feature.letter} = {low} to {high}" if _varies(feature, values) else f"{feature.letter} = {low}"


def far_outside(posterior: Posterior, features: Features) -> list[str]:
    """Warnings that say how far the candidates lie beyond the rows that were fitted."""
    if posterior.fitted_rows is None:
        return []
    warnings = []
    for name, far in (("n_total", FAR), ("n_tokens", FAR), ("aspect_ratio", FAR / 2)):
        fitted = getattr(posterior.fitted_rows.features, name)
        if not np.isnan(fitted).any():
            warnings += reach.beyond(name, fitted, getattr(features, name), far)
    return warnings
