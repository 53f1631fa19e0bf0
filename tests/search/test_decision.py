"""The decision table against brute force, and its answer where nothing is feasible."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ie_scaling.search import decision
from ie_scaling.search.candidate_latency import Bound
from tests.search.test_candidate_latency import latency


@given(st.integers(0, 1000), st.integers(1, 6), st.integers(1, 20))
def test_pareto_front_by_brute_force(seed, n_candidates, n_draws):
    rng = np.random.default_rng(seed)
    loss_WA, time_WA = rng.normal(size=(2, n_draws, n_candidates))
    expected = np.zeros(n_candidates)
    for loss_A, time_A in zip(loss_WA, time_WA, strict=True):
        for i in range(n_candidates):
            beaten = any(time_A[j] <= time_A[i] and loss_A[j] <= loss_A[i] for j in range(n_candidates) if j != i)
            expected[i] += not beaten
    np.testing.assert_allclose(decision.p_pareto(loss_WA, time_WA), expected / n_draws)


def test_ranks_and_regret_are_among_the_feasible():
    """The best shape is too slow; of the other two the first wins three draws of four, by 0.1, and loses by 0.2."""
    loss_WA = np.array([[1.0, 2.0, 2.1], [1.0, 2.0, 2.1], [1.0, 2.0, 2.1], [1.0, 2.2, 2.0]])
    options = {"bound": Bound(seconds=2.0), "min_p_feasible": 0.9, "top_k": 1, "seed": 0}
    table = decision.decide(np.log(loss_WA), latency([4.0, 1.0, 1.0]), **options)
    assert table["p_feasible"].round(4).tolist() == [0.0, 1.0, 1.0]
    assert np.isnan(table.loc[0, ["p_best", "p_top_k", "expected_rank", "expected_regret"]].astype(float)).all()
    np.testing.assert_allclose(table.loc[1:, "p_best"], [0.75, 0.25])
    np.testing.assert_allclose(table.loc[1:, "expected_regret"], [0.05, 0.075])
    np.testing.assert_allclose(table.loc[1:, "expected_rank"], [1.25, 1.75])
    assert table["recommended"].tolist() == [False, True, False]
    second = decision.runner_up(table, np.log(loss_WA))
    assert second.index == 2
    assert second.figures["extra_loss_mean"] == pytest.approx(0.025)
    assert second.p_better_than_recommended == 0.25


def test_feasibility_is_of_a_request_not_of_the_median():
    options = {"bound": Bound(seconds=1.05), "top_k": 1, "seed": 0}
    loss_WA = np.log(np.array([[2.0, 1.0]]))
    slow = latency([0.5, 1.0], spread=0.1)  # P(second ≤ 1.05) = 0.68, of a t about a median of 25 values
    scale, dof = 0.1 * np.sqrt(1 + np.pi / 50), 3 + 0.63 * 24
    assert slow.p_within(1.05)[1] == pytest.approx(stats.t.cdf(np.log(1.05) / scale, dof))
    assert decision.decide(loss_WA, slow, min_p_feasible=0.9, **options)["recommended"].tolist() == [True, False]
    assert decision.decide(loss_WA, slow, min_p_feasible=0.6, **options)["recommended"].tolist() == [False, True]


def test_a_bound_that_nothing_meets_says_by_how_much():
    with pytest.raises(ValueError, match=r"latency bound 0\.5 s: no candidate.*needs 1 s, 2 times the bound"):
        decision.decide(
            np.zeros((2, 2)), latency([1.0, 2.0], spread=1e-9), bound=Bound(0.5), min_p_feasible=0.9, top_k=1, seed=0
        )


def test_ranks_are_of_the_draws_to_choose_by_and_intervals_of_the_others():
    rng = np.random.default_rng(0)
    mean_WA = np.array([2.0, 2.01]) * np.ones((500, 2))
    loss_WA = mean_WA + 0.2 * rng.standard_normal((500, 2))
    options = {"bound": Bound(), "min_p_feasible": 0.9, "top_k": 1, "seed": 0}
    table = decision.decide(np.log(loss_WA), latency([1.0, 1.5]), mean_WA=mean_WA, choice_WA=mean_WA, **options)
    assert table["p_best"].tolist() == [1.0, 0.0]
    assert table["p_pareto"].tolist() == [1.0, 0.0]
    assert (table["loss_hi90"] - table["loss_lo90"] > 0.5).all()
    assert decision.runner_up(table, np.log(loss_WA), mean_WA, mean_WA).p_better_than_recommended == 0
