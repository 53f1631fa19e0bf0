"""Intervals over few clusters: by hand, and how often they hold in simulation."""

import numpy as np
import pytest
from scipy import stats

from ie_scaling.inference import clustered
from ie_scaling.inference.clustered import Values

N_TABLES = 1500


def test_equal_clusters_are_students_t_over_their_means():
    value_X = np.array([1.0, 3.0, 2.0, 2.0, 5.0, 7.0])
    own = clustered.mean(value_X, np.array([0, 0, 1, 1, 2, 2]))
    assert own.value == pytest.approx(10 / 3)
    means = np.array([2.0, 2.0, 6.0])
    low, high = stats.t.interval(0.9, 2, means.mean(), means.std(ddof=1) / np.sqrt(3))
    assert (own.low, own.high) == pytest.approx((low, high))
    assert own.n_clusters == 3
    assert not own.is_enough


def coverage(draw, values: Values, truth: float, n_models: int, n_rows: int = 3) -> float:
    rng = np.random.default_rng(1)
    model_X = np.repeat(np.arange(n_models), n_rows)
    inside = []
    for _ in range(N_TABLES):
        own = clustered.mean(draw(rng, n_models)[model_X] + 0 * model_X, model_X, values)
        inside.append(own.low <= truth <= own.high)
    return float(np.mean(inside))


def test_five_clusters_are_covered_nine_times_in_ten():
    assert coverage(lambda rng, n: rng.standard_normal(n), Values.ANY, 0.0, 5) == pytest.approx(0.9, abs=0.02)
    errors = lambda rng, n: rng.chisquare(5, n) / 5  # noqa: E731
    assert coverage(errors, Values.POSITIVE, 1.0, 5) == pytest.approx(0.9, abs=0.03)
    squares = lambda rng, n: rng.chisquare(1, n)  # noqa: E731
    assert 0.82 < coverage(squares, Values.POSITIVE, 1.0, 5) < 0.9  # a bootstrap over models: 0.70
    shares = lambda rng, n: (rng.random(n) < 0.85).astype(float)  # noqa: E731
    assert coverage(shares, Values.SHARE, 0.85, 5) >= 0.9  # exact, so that it is wide


def test_pairs_share_the_errors_of_both_their_models():
    rng, n_models = np.random.default_rng(2), 6
    pair_P2 = np.array([(i, j) for i in range(n_models) for j in range(i)])
    inside = {"pairs": [], "as if independent": []}
    for _ in range(N_TABLES):
        value_P = rng.standard_normal(n_models)[pair_P2].sum(axis=1)
        own = clustered.mean(value_P, pair_P2)
        naive = clustered.mean(value_P, np.arange(len(pair_P2)))
        inside["pairs"].append(own.low <= 0 <= own.high)
        inside["as if independent"].append(naive.low <= 0 <= naive.high)
    assert np.mean(inside["pairs"]) == pytest.approx(0.9, abs=0.07)
    assert np.mean(inside["as if independent"]) < 0.75


def test_a_share_of_all_is_not_certain():
    own = clustered.mean(np.ones(20), np.repeat(np.arange(5), 4), Values.SHARE)
    assert own.high == 1
    assert own.low == pytest.approx(0.05 ** (1 / 5))  # five of five


def test_clusters_more_alike_than_chance_earn_nothing():
    cluster_X = np.repeat(np.arange(5), 10)
    alike = np.tile([1.0] * 8 + [0.0] * 2, 5)  # eight of ten in every one, so that clusters do not differ at all
    alike[7], alike[18] = 0.0, 1.0
    own = clustered.mean(alike, cluster_X, Values.SHARE)
    alone = clustered.mean(alike, np.arange(50), Values.SHARE)
    assert own.high - own.low >= alone.high - alone.low


def test_one_cluster_none_and_nothing():
    assert np.isnan(clustered.mean(np.array([1.0, 2.0]), np.zeros(2)).low)
    assert np.isnan(clustered.mean(np.array([]), np.array([])).value)
    zero = clustered.mean(np.zeros(4), np.arange(4), Values.POSITIVE)
    assert zero.value == 0
    assert np.isnan(zero.high)
    assert np.isnan(clustered.mean(np.zeros(4), np.arange(4), Values.COST).high)
    cost = clustered.mean(np.array([0.0, 0.0, 3.0]), np.arange(3), Values.COST)
    assert (cost.low, cost.value) == (0, 1)
    assert cost.high == pytest.approx(1 + 2.92, abs=0.01)  # t of two degrees of freedom times 1


def test_groups_that_share_a_name_are_one():
    groups = clustered.components([["a", "b"], ["c"], ["b", "d"], ["e", "c"], ["f"], ["d", "e"]])
    assert len(set(groups)) == 2
    assert (groups == groups[0]).tolist() == [True, True, True, True, False, True]
