"""Expected regret, its Monte Carlo error, and ties: against brute force, correlated draws, and thirty seeds."""

import dataclasses

import numpy as np
import pytest

from ie_scaling.architecture import Architecture
from ie_scaling.laws import forms
from ie_scaling.laws.bayes import posterior
from ie_scaling.laws.level import Level
from ie_scaling.laws.observations import Reference
from ie_scaling.search import decision, ranked, regret
from ie_scaling.search.belief import Belief
from ie_scaling.search.candidate_latency import Bound, MeasuredLatency
from ie_scaling.search.config import RankingConfig
from ie_scaling.search.regret import Regret
from ie_scaling.search.space import Space

SHAPE = Architecture(d_model=128, n_layers=3, n_heads=8, n_kv_heads=8, d_head=16, d_ff=384, vocab_size=512)
# The law sees nothing of how a width of 128 is cut into heads.
EQUAL = [dataclasses.replace(SHAPE, n_heads=128 // c, n_kv_heads=128 // c, d_head=c) for c in (16, 32, 64)]
SECONDS = np.array([0.3, 0.2, 0.25])


def made(law="effective", nu=10.0, sigma=0.004):
    """Draws of a law with an optimum at d/n = 40."""
    rng = np.random.default_rng(0)
    means = {"E": 1.5, "A_ref": 0.5, "alpha": 0.4, "B_ref": 0.5, "beta": 0.4, "kappa": 0.02, "R_star": 40.0}
    draws = {name: value * np.exp(0.02 * rng.normal(size=(2, 200))) for name, value in means.items()}
    constant = {"tau": 0.002, "sigma": sigma, "nu": nu, "sigma_fall_N": 0.1, "sigma_fall_D": 0.0}
    return posterior.Posterior(
        law=forms.get_law(law, count="total"),
        reference=Reference(N0=3e6, D0=1e8, R0=30, d0=96, n0=4, r0=1.5, x0=0.2, g0=2, L0=3.0, L_min=2.5),
        draws=draws | {name: np.full((2, 200), value) for name, value in constant.items()},
        effects_CSM=np.zeros((2, 200, 1)),
        model_ids=("other",),
    )


def latency(seconds):
    return MeasuredLatency(np.asarray(seconds, float), np.full(len(seconds), 0.01), np.full(len(seconds), 25.0))


def decide(shapes, seconds, level, seed):
    space, belief = Space.own_sizes(shapes), Belief((made(),))
    losses_of = belief.losses(space.features(1e8), level, seed, belief.identify(shapes))
    loss_WA, mean_WA = losses_of(np.arange(400)), losses_of.means(np.arange(400))
    options = {"bound": Bound(), "min_p_feasible": 0.9, "top_k": 2, "seed": seed}
    table = decision.decide(np.log(loss_WA), latency(seconds), mean_WA=mean_WA, **options)
    return table, decision.runner_up(table, np.log(loss_WA), mean_WA)


@pytest.mark.parametrize("level", list(Level))
def test_three_equal_shapes_give_the_same_recommendation_whatever_the_seed(level):
    for seed in range(30):
        table, second = decide(EQUAL, SECONDS, level, seed)
        assert table.index[table["recommended"]].tolist() == [1], seed  # the fastest
        assert table["tied"].all()
        assert second is None  # all others are its twins
        if seed % 6:
            continue
        config = RankingConfig(level=level, seed=seed, n_compared=1)
        ranking = ranked.rank(config, Belief((made(),)), Space.own_sizes(EQUAL))
        answer = ranking.answer
        assert answer["best"] == min(shape.name for shape in EQUAL)
        assert "runner_up" not in answer
        assert "cannot tell it from" in answer["ties"][0]
        assert ranking.table["tied"].all()


def test_the_runner_up_is_the_next_that_the_law_can_tell_apart():
    other = dataclasses.replace(SHAPE, n_layers=1, d_model=192, n_heads=12, n_kv_heads=12)
    table, second = decide([*EQUAL, other], [*SECONDS, 0.1], "shape", 0)
    assert table.index[table["recommended"]].tolist() == [1]
    assert second is not None
    assert second.index == 3


def test_exact_ties_never_recommend_a_dominated_candidate():
    loss_WA = np.repeat(2 + 0.01 * np.random.default_rng(0).standard_normal((50, 1)), 3, axis=1)
    options = {"bound": Bound(), "min_p_feasible": 0.9, "top_k": 1, "seed": 0}
    table = decision.decide(np.log(loss_WA), latency([3.0, 2.0, 1.0]), **options)
    assert table["recommended"].tolist() == [False, False, True]
    assert table.loc[table["recommended"], "p_pareto"].item() == 1.0
    np.testing.assert_allclose(table["p_best"], 1 / 3)
    np.testing.assert_allclose(table["expected_rank"], 2)
    assert decision.runner_up(table, np.log(loss_WA)) is None


def test_within_the_monte_carlo_error_the_faster_wins_and_beyond_it_the_better():
    rng = np.random.default_rng(0)
    base_W, noise_W = 2 + 0.01 * rng.standard_normal(4000), 0.01 * rng.standard_normal(4000)
    options = {"bound": Bound(), "min_p_feasible": 0.9, "top_k": 1, "seed": 0}
    error = 0.01 / np.sqrt(4000)
    for gap, chosen in ((1.0 * error, 1), (8.0 * error, 0)):
        loss_WA = np.stack([base_W, base_W + noise_W - noise_W.mean() + gap], axis=1)
        table = decision.decide(np.log(loss_WA), latency([2.0, 1.0]), **options)
        assert table.index[table["recommended"]].tolist() == [chosen]
    assert regret.describe_ties(["a", "b"], 1, np.array([True, True]), loss_WA, "fastest") == [
        "Its expected regret is tied within Monte Carlo error with that of a.",
        "Of these the fastest is recommended.",
    ]


def test_the_error_of_correlated_draws_is_that_of_their_mean():
    """A first-order chain of correlation 0.9: the mean's error is √19 times that of independent draws."""
    rng = np.random.default_rng(1)
    noise_WA, chain_WA = rng.standard_normal((20_000, 40)), np.zeros((20_000, 40))
    for w in range(1, len(chain_WA)):
        chain_WA[w] = 0.9 * chain_WA[w - 1] + noise_WA[w]
    independent = chain_WA.std() / np.sqrt(len(chain_WA))
    assert regret.standard_error(chain_WA).mean() == pytest.approx(np.sqrt(19) * independent, rel=0.08)
    assert np.isnan(regret.standard_error(chain_WA[:1])).all()


def test_regret_of_the_draws_themselves_is_brute_force():
    loss_WA = 3 + 0.02 * np.random.default_rng(0).standard_normal((257, 5)) + np.linspace(0, 0.02, 5)
    best_W = loss_WA.min(axis=1)
    found = Regret.of(loss_WA, loss_WA, best_W)
    np.testing.assert_allclose(found.mean_A, [np.mean([x[a] - min(x) for x in loss_WA]) for a in range(5)])
    np.testing.assert_allclose(found.percent_A, [100 * np.mean([x[a] / min(x) - 1 for x in loss_WA]) for a in range(5)])


@pytest.mark.parametrize("level", list(Level))
def test_means_given_the_parameters_are_those_of_very_many_draws(level):
    shapes = [*EQUAL[:1], dataclasses.replace(SHAPE, n_layers=1)]
    belief, space = Belief((made(nu=2.5, sigma=0.05),)), Space.own_sizes(shapes)
    draws = [
        belief.losses(space.features(1e8), level, seed, belief.identify(shapes))(np.arange(400)).mean(axis=0)
        for seed in range(40)
    ]
    means = belief.losses(space.features(1e8), level, 0, belief.identify(shapes)).means(np.arange(400)).mean(axis=0)
    error = np.std(draws, axis=0) / np.sqrt(40)
    assert (np.abs(np.mean(draws, axis=0) - means) <= 4 * error + 1e-12).all()


def test_a_new_runs_mean_does_not_hang_on_one_wild_draw():
    """ν just above 2: the exponential of an uncapped Student-t has no mean; capped, seeds agree."""
    belief, space = Belief((made(nu=2.05, sigma=0.3),)), Space.own_sizes(EQUAL)
    config = RankingConfig(level="new_run", n_compared=1)
    tables = [ranked.rank(dataclasses.replace(config, seed=seed), belief, space).table for seed in range(6)]
    means = np.array([table["loss_mean"] for table in tables])
    np.testing.assert_allclose(means, means[0, 0], rtol=1e-12)
    regrets = np.array([table["expected_regret"] for table in tables])
    assert np.isfinite(regrets).all()
    assert regrets.max() < 2 * regrets.min()
