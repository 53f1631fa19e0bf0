"""Ranking of named shapes and of a grid: levels apart, pieces equal to the whole, laws at odds."""

import dataclasses

import numpy as np
import pytest

from experiments import rank
from ie_scaling import accounting
from ie_scaling.errors import InputError
from ie_scaling.laws.bayes import posterior
from ie_scaling.laws.level import Level
from ie_scaling.search import belief, ranked, ranking, space
from ie_scaling.search.config import GridConfig, RankingConfig
from ie_scaling.search.space import Space
from tests.laws import small_smooth
from tests.search import small_fit
from tests.search.small_fit import GRID
from tests.search.test_belief import stack_of


@pytest.fixture
def fit(tmp_path):
    return small_fit.write(tmp_path / "fit")


def test_a_grid_holds_every_shape_of_about_that_size():
    shapes = space.enumerate_grid(dataclasses.replace(GRID, equal_size=False))
    sizes = np.array([accounting.count_parameters(shape) for shape in shapes])
    assert len(shapes) == len(set(shapes)) >= 10
    assert (np.abs(sizes / 2e6 - 1) <= 0.08 + 1e-6).all()
    for shape in shapes:  # one layer more or fewer leaves the tolerance, or is in the grid too
        for n_layers in (shape.n_layers - 1, shape.n_layers + 1):
            if n_layers < 1 or not 3 <= shape.d_model / n_layers <= 400:
                continue
            other = dataclasses.replace(shape, n_layers=n_layers)
            assert other in shapes or abs(accounting.count_parameters(other) / 2e6 - 1) > 0.08


def test_levels_differ_and_a_trained_shape_keeps_its_own_effect(fit):
    names = ("d64-n8-h4-k4-c16-f192-v512", "d96-n3-h4-k4-c16-f256-v512", "d128-n2-h4-k4-c16-f320-v512")
    config = dataclasses.replace(fit, candidates=names, grid=GridConfig())
    table = ranked.rank(config, *rank.load(config)).table
    own = table.set_index("architecture").loc[names[0]]
    assert own["p_best_shape"] > 0.99  # e^−0.05 of its own
    assert own["p_best_law"] != own["p_best_shape"]
    assert own["token_factor_median"] == 1.0
    assert table["p_beats_best"].iloc[0] == 0.5


@pytest.mark.parametrize("level", list(Level))
def test_pieces_equal_the_whole(fit, level):
    made = posterior.load_fit(fit.fit)
    shapes = space.enumerate_grid(GRID)
    losses_of = made.losses(shapes, 1e8, level=level, seed=3)
    whole = losses_of(np.arange(40))
    np.testing.assert_array_equal(losses_of(np.array([7, 31])), whole[[7, 31]])
    np.testing.assert_array_equal(losses_of(np.array([5]), np.array([2, 9])), whole[5:6, [2, 9]])
    summary = ranking.stream(losses_of, 40, len(shapes), 3)
    np.testing.assert_allclose(summary.expected_regret_A, ranking.expected_regret(whole))
    np.testing.assert_allclose(summary.rank_probability_AK, ranking.rank_probabilities(whole, 3))


def test_draws_that_predict_no_loss_are_one_line_that_names_draw_and_candidate(fit, tmp_path):
    made = posterior.load_fit(fit.fit)
    made.draws["E"][1, 7] = np.nan
    with pytest.raises(InputError, match=r"law effective: draw 307 of the posterior predicts a loss of nan for 'd\d+"):
        ranked.rank(fit, belief.Belief((made,)), Space.of((), GRID))


def test_where_misses_are_smooth_choices_are_by_means_and_intervals_by_draws():
    posed = small_smooth.problem("effective")
    made = small_smooth.posterior(posed, n_draws=200, tau=0.02)
    space, config = Space.of((), GRID), RankingConfig(n_tokens=1e8, top_k=3)
    listed = ranked.rank(config, belief.Belief((made,)), space)
    losses_of = made.losses(space.features(1e8), level="shape", model_ids=made.identify(space.architectures))
    every_W, names = np.arange(400), [architecture.name for architecture in space.architectures]
    best = names.index(listed.answer["best"])
    regret_A = ranking.expected_regret(losses_of.means(every_W))
    row = listed.table.iloc[0]
    assert row["expected_regret"] == pytest.approx(regret_A[best], rel=1e-9)
    assert row["p_best"] == pytest.approx(ranking.p_best(losses_of.means(every_W))[best], abs=1e-12)
    low, high = np.quantile(losses_of(every_W)[:, best], [0.05, 0.95])
    assert (row["loss_lo90"], row["loss_hi90"]) == pytest.approx((low, high), rel=1e-12)
    two = belief.Belief((made, made), stack_of(np.array([0.5, 0.5]), np.array([0, 0])))
    mixed = two.losses(space.features(1e8), "shape", 0, made.identify(space.architectures))
    assert mixed.is_chosen_by_means
    np.testing.assert_array_equal(mixed.to_choose(every_W), mixed.means(every_W))
