"""Losses in blocks equal those at once; means are those of many draws; a draw without a loss is named."""

import dataclasses

import numpy as np
import pytest

from ie_scaling.errors import InputError
from ie_scaling.laws.level import Level
from ie_scaling.laws.proportions import Proportions
from ie_scaling.search import ranking
from tests.laws import small_posterior, small_smooth

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


SMOOTH_PROBLEM = small_smooth.problem()
SMOOTH = small_smooth.posterior(SMOOTH_PROBLEM)


def missed_of_new_shapes(d_model: float, n_layers: float, level: Level = Level.SHAPE, n: int = 4000) -> np.ndarray:
    """ln L − ln f of n new shapes of one width and depth in three draws, [3, n]."""
    features = small_smooth.of_sizes(SMOOTH_PROBLEM, np.full(n, d_model), np.full(n, n_layers))
    losses = SMOOTH.losses(features, level=level, seed=1, model_ids=[f"new {i}" for i in range(n)])
    law = SMOOTH.losses(features.take(np.array([0])), level=Level.LAW)
    return np.log(losses(EVERY[:3]) / law(EVERY[:3]))


def test_a_new_shape_shares_s_and_has_its_own_u_and_v():
    missed_wA = missed_of_new_shapes(300.0, 6.0)
    wave_AK = SMOOTH.sines(small_smooth.of_sizes(SMOOTH_PROBLEM, [300.0], [6.0]))
    s_w = 0.006 * (SMOOTH.sines_CSK.reshape(80, -1)[:3] @ wave_AK[0])
    t = np.log(SMOOTH_PROBLEM.features.n_tokens[0] / SMOOTH_PROBLEM.reference.D0)
    sd = np.sqrt(0.003**2 + (0.004 * t) ** 2)
    assert abs(t) > 0.5
    np.testing.assert_allclose(missed_wA.mean(axis=1), s_w, atol=0.06 * sd)
    np.testing.assert_allclose(missed_wA.std(axis=1), sd, rtol=0.05)


def test_a_shape_of_unknown_width_has_an_s_of_its_own():
    t = np.log(SMOOTH_PROBLEM.features.n_tokens[0] / SMOOTH_PROBLEM.reference.D0)
    sd = np.sqrt(0.003**2 + (0.004 * t) ** 2 + 0.006**2)
    np.testing.assert_allclose(missed_of_new_shapes(np.nan, 6.0).std(axis=1), sd, rtol=0.05)


def test_a_fitted_shape_has_s_and_its_own_u_and_v():
    row = 0
    model = SMOOTH_PROBLEM.rows.model_R[row]
    features = SMOOTH_PROBLEM.features.take(np.array([row]))
    names = [SMOOTH_PROBLEM.rows.model_ids[model]]
    shape_WA, law_WA = (
        SMOOTH.losses(features, level=level, model_ids=names).all() for level in (Level.SHAPE, Level.LAW)
    )
    t = np.log(features.n_tokens[0] / SMOOTH_PROBLEM.reference.D0)
    u_W, v_W = (values.reshape(80, -1)[:, model] for values in (SMOOTH.effects_CSM, SMOOTH.slopes_CSM))
    s_W = 0.006 * (SMOOTH.sines_CSK.reshape(80, -1) @ SMOOTH.sines(features)[0])
    np.testing.assert_allclose(np.log(shape_WA / law_WA)[:, 0], s_W + u_W + v_W * t, atol=1e-12)


@pytest.mark.parametrize("level", Level)
def test_smooth_draws_are_the_same_in_whatever_block(level):
    losses = SMOOTH.losses(SMOOTH_PROBLEM.features, level=level, seed=4, model_ids=SMOOTH_PROBLEM.rows.run_ids)
    np.testing.assert_array_equal(losses(EVERY[50:60], np.array([2, 0])), losses.all()[50:60][:, [2, 0]])


@pytest.mark.parametrize("level", [Level.SHAPE, Level.NEW_RUN])
def test_smooth_means_are_those_of_many_shapes(level):
    n = 4000
    features = small_smooth.of_sizes(SMOOTH_PROBLEM, np.full(n, 300.0), np.full(n, 6.0))
    losses = SMOOTH.losses(features, level=level, seed=1, model_ids=[f"new {i}" for i in range(n)])
    np.testing.assert_allclose(losses.means(EVERY[:3], np.array([0]))[:, 0], losses(EVERY[:3]).mean(axis=1), rtol=4e-4)


def test_a_choice_is_by_means_at_level_shape_of_smooth_misses_alone():
    for posterior, features in ((POSTERIOR, FEATURES), (SMOOTH, SMOOTH_PROBLEM.features)):
        for level in Level:
            losses = posterior.losses(features, level=level, seed=4)
            by_means = posterior is SMOOTH and level == Level.SHAPE
            assert losses.is_chosen_by_means == by_means
            expected_WA = losses.means(EVERY) if by_means else losses.all()
            np.testing.assert_array_equal(losses.to_choose(EVERY), expected_WA)


def test_regret_and_p_best_do_not_depend_on_how_finely_a_grid_is_cut():
    posterior = small_smooth.posterior(small_smooth.problem("effective"), n_draws=400, tau_smooth=0.003)
    family = Proportions.of(SMOOTH_PROBLEM.rows)
    answers = []
    for n in (69, 280):
        ratios = np.geomspace(25, 80, n)
        near_A = np.abs(np.log(ratios / 44.7)) < np.log(1.1)
        losses = posterior.losses(family.members(4e7, ratios, 3e9), level=Level.SHAPE, seed=2)
        answer = []
        for choose in (losses.to_choose, losses):
            summary = ranking.stream(choose, posterior.n_draws, n, 1)
            answer.append([summary.expected_regret_A.min(), summary.rank_probability_AK[near_A, 0].sum()])
        answers.append(answer)
    coarse, fine = np.array(answers)
    np.testing.assert_allclose(coarse[0], fine[0], rtol=0.1)
    assert fine[1, 0] > 1.1 * coarse[1, 0]  # with luck in the choice, the finer the luckier
