"""Losses in blocks equal those at once; means are those of many draws; a draw without a loss is named."""

import dataclasses

import numpy as np
import pytest

from ie_scaling.errors import InputError
from ie_scaling.laws.level import Level
from tests.laws import small_posterior

POSTERIOR = small_posterior.make()
FEATURES = POSTERIOR.rows.features
EVERY = np.arange(80)


@pytest.mark.parametrize("level", Level)
def test_a_draw_is_the_same_in_whatever_block(level):
    losses = POSTERIOR.losses(FEATURES, level=level, seed=4, model_ids=["wide", "new", "new"])
    whole_WA = losses.all()
    np.testing.assert_array_equal(losses(EVERY[50:60], np.array([2, 0])), whole_WA[50:60][:, [2, 0]])


def test_each_level_adds_to_the_one_before():
    law_WA, shape_WA, run_WA = (
        np.log(POSTERIOR.losses(FEATURES, level=level, model_ids=["wide", "new", "new"]).all()) for level in Level
    )
    own_W = POSTERIOR.effects_CSM[..., 0].reshape(-1)
    np.testing.assert_allclose((shape_WA - law_WA)[:, 0], own_W, atol=1e-12)
    np.testing.assert_allclose((shape_WA - law_WA)[:, 1], (shape_WA - law_WA)[:, 2], atol=1e-12)
    assert 0.5 < np.std(run_WA - shape_WA) / 0.004 < 2.5


def test_equal_candidates_have_equal_losses_under_the_law():
    twice = FEATURES.take(np.array([0, 1, 0]))
    loss_WA = POSTERIOR.losses(twice, level=Level.LAW).all()
    np.testing.assert_array_equal(loss_WA[:, 0], loss_WA[:, 2])


def test_means_are_those_of_many_seeds():
    losses = [POSTERIOR.losses(FEATURES, level=Level.NEW_RUN, seed=seed) for seed in range(400)]
    mean_wA = np.mean([one(EVERY[:2]) for one in losses], axis=0)
    np.testing.assert_allclose(losses[0].means(EVERY[:2]), mean_wA, rtol=1.5e-3)


def test_a_draw_that_predicts_no_loss_is_named():
    losses = POSTERIOR.losses(FEATURES, level=Level.LAW, model_ids=["a", "b", "c"])
    kappa_W = losses.flat["kappa"].copy()
    kappa_W[7] = np.inf
    broken = dataclasses.replace(losses, flat=losses.flat | {"kappa": kappa_W})
    with pytest.raises(InputError, match=r"draw 7 of the posterior predicts a loss of (nan|inf) for 'a'"):
        broken.all()
    assert not np.isfinite(dataclasses.replace(broken, must_be_finite=False).all()[7]).all()
