"""Ranks against brute force over every draw."""

import numpy as np
import pytest

from ie_scaling.search import ranking

LOSS_WA = 3 + 0.02 * np.random.default_rng(0).standard_normal((257, 5)) + np.linspace(0, 0.02, 5)


def test_against_brute_force():
    ranks = [sorted(range(5), key=lambda a, loss_A=loss_A: loss_A[a]) for loss_A in LOSS_WA]
    rank_AK = ranking.rank_probabilities(LOSS_WA)
    for a in range(5):
        places = [order.index(a) for order in ranks]
        for k in range(5):
            assert rank_AK[a, k] == pytest.approx(np.mean([place == k for place in places]))
        assert ranking.p_best(LOSS_WA)[a] == pytest.approx(np.mean([place == 0 for place in places]))
        assert ranking.p_top_k(LOSS_WA, 2)[a] == pytest.approx(np.mean([place < 2 for place in places]))
        assert ranking.expected_rank(LOSS_WA)[a] == pytest.approx(np.mean(places) + 1)
        regret = [loss_A[a] - min(loss_A) for loss_A in LOSS_WA]
        assert ranking.expected_regret(LOSS_WA)[a] == pytest.approx(np.mean(regret))
        percent = [100 * (loss_A[a] / min(loss_A) - 1) for loss_A in LOSS_WA]
        assert ranking.expected_regret_percent(LOSS_WA)[a] == pytest.approx(np.mean(percent))
        for b in range(5):
            wins = np.mean([(x[a] < x[b]) + 0.5 * (x[a] == x[b]) for x in LOSS_WA])
            assert ranking.pairwise(LOSS_WA)[a, b] == pytest.approx(wins)


def test_probabilities_are_doubly_stochastic():
    rank_AK = ranking.rank_probabilities(LOSS_WA)
    np.testing.assert_allclose(rank_AK.sum(axis=0), 1)
    np.testing.assert_allclose(rank_AK.sum(axis=1), 1)


def test_batches_equal_the_whole():
    summary = ranking.RankSummary(5, 3)
    for batch in np.array_split(LOSS_WA, 7):
        summary.add(batch)
    np.testing.assert_allclose(summary.rank_probability_AK, ranking.rank_probabilities(LOSS_WA, 3))
    np.testing.assert_allclose(summary.expected_rank_A, ranking.expected_rank(LOSS_WA))
    np.testing.assert_allclose(summary.expected_regret_A, ranking.expected_regret(LOSS_WA))


def test_many_candidates_are_ranked_by_histogram(monkeypatch):
    loss_WA = 3 + np.random.default_rng(2).gamma(2.0, 0.01, size=(40, 3000))
    exact = ranking.RankSummary.of(loss_WA, 5)
    monkeypatch.setattr(ranking, "SORTED", 10)
    ours = ranking.RankSummary.of(loss_WA, 5)
    np.testing.assert_array_equal(ours.rank_probability_AK, exact.rank_probability_AK)
    np.testing.assert_allclose(ours.expected_rank_A, exact.expected_rank_A, atol=0.3)


def test_the_stream_equals_the_whole_whatever_its_blocks(monkeypatch):
    monkeypatch.setattr(ranking, "BLOCK_LOSSES", 35)
    done = []
    ours = ranking.stream(lambda draws: LOSS_WA[draws], len(LOSS_WA), 5, 3, done.append)
    assert sum(done) == ours.n_draws == len(LOSS_WA)
    np.testing.assert_allclose(ours.rank_probability_AK, ranking.rank_probabilities(LOSS_WA, 3))
    np.testing.assert_allclose(ours.loss_mean_A, LOSS_WA.mean(axis=0))


def test_equal_losses_share_their_ranks(monkeypatch):
    """Two twins ahead of a third, and three twins; shared, the order of candidates is nothing to ranks."""
    loss_WA = np.array([[2.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    expected_AK = np.array([[1 / 3, 1 / 3, 4 / 3], [5 / 6, 5 / 6, 1 / 3], [5 / 6, 5 / 6, 1 / 3]]) / 2
    for beyond in (4096, 1):
        monkeypatch.setattr(ranking, "SORTED", beyond)
        np.testing.assert_allclose(ranking.rank_probabilities(loss_WA), expected_AK)
        np.testing.assert_allclose(ranking.rank_probabilities(loss_WA, 1), expected_AK[:, :1])
        np.testing.assert_allclose(ranking.expected_rank(loss_WA), [2.5, 1.75, 1.75])
        np.testing.assert_allclose(ranking.p_best(loss_WA[:, ::-1]), expected_AK[::-1, 0])


def test_the_stream_keeps_the_best_of_each_draw():
    ours = ranking.stream(lambda draws: LOSS_WA[draws], len(LOSS_WA), 5, 3)
    np.testing.assert_array_equal(ours.best_W, LOSS_WA.min(axis=1))


def test_pairing_matters():
    """Two shapes that share all their uncertainty: overlapping intervals, yet the order is certain."""
    shared_W = np.random.default_rng(1).standard_normal(500)
    assert ranking.p_best(np.stack([shared_W, shared_W + 0.001], axis=1)).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("loss_WA", [np.empty((0, 3)), np.empty((3, 0)), np.array([[1.0, np.nan]])])
def test_nothing_to_rank_is_refused(loss_WA):
    with pytest.raises(ValueError, match="loss_WA"):
        ranking.rank_probabilities(loss_WA)
