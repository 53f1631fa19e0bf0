"""Beliefs of one posterior and of several: mixtures, what they need, and what they are warned of."""

import dataclasses

import numpy as np
import pytest

from ie_scaling.laws.bayes import posterior, stacking
from ie_scaling.laws.observations import features_of
from ie_scaling.search import belief
from ie_scaling.search.space import Space
from tests.search import small_fit
from tests.search.small_fit import GRID


@pytest.fixture
def fit(tmp_path):
    return small_fit.write(tmp_path / "fit")


def stack_of(weight_K, n_unreliable_K):
    """Stacked laws of these weights; what else is known of them does not matter."""
    every = {field.name: weight_K for field in dataclasses.fields(stacking.Stack)}
    return stacking.Stack(**every | {"n_unreliable_K": n_unreliable_K})


def test_a_mixture_spreads_its_laws_over_its_draws(fit):
    """Every batch of draws, and so the Monte Carlo error, has each law's share."""
    first = posterior.load_fit(fit.fit)
    second = dataclasses.replace(first, draws=first.draws | {"E": first.draws["E"] + 1})
    half = np.array([0.25, 0.75])
    stack = stack_of(half, np.array([0, 0]))
    names = Space.of((), GRID).architectures[:2]
    losses_of = belief.Belief((first, second), stack).losses(features_of(names, 1e8), "law", 0, ["a", "b"])
    share_B = [(batch == 1).mean() for batch in np.array_split(losses_of.law_W, 12)]
    np.testing.assert_allclose(share_B, 0.75, atol=0.03)
    loss_WA = losses_of(np.arange(600))
    np.testing.assert_array_equal(losses_of(np.array([3, 5, 4]))[:, 1], loss_WA[[3, 5, 4], 1])
    np.testing.assert_array_equal(losses_of.means(np.arange(600)), loss_WA)
