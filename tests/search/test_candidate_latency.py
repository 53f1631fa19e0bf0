"""Latencies of candidates: measured with their spread, predicted by draws, and bounds that they meet."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ie_scaling.search.candidate_latency import Bound, MeasuredLatency, PredictedLatency


def latency(medians, spread=0.1, count=25):
    medians = np.asarray(medians, float)
    return MeasuredLatency(medians, np.full_like(medians, spread), np.full_like(medians, count))


def test_latency_quantiles_come_back_from_a_table_of_many_values():
    table = pd.DataFrame({"e2e_s": [2.0], "e2e_s_p10": [2.0 / 1.2], "e2e_s_p90": [2.0 * 1.2], "count": [10**6]})
    measured = MeasuredLatency.from_table(table, "e2e_s")
    assert measured.p_within(2.0 * 1.2)[0] == pytest.approx(0.9, abs=1e-5)
    assert measured.p_within(2.0)[0] == pytest.approx(0.5)
    assert measured.quantile(0.9)[0] == pytest.approx(2.4, rel=1e-5)


def test_of_few_values_less_is_known():
    """30 values: ŝ·31/29, whose √(1 + π/60) is the scale of a t with 3 + 0.63·29 = 21.27 degrees of freedom."""
    table = pd.DataFrame({"e2e_s": [2.0], "e2e_s_p10": [2.0 / 1.2], "e2e_s_p90": [2.0 * 1.2], "count": [30]})
    scale = np.log(1.2) / stats.norm.ppf(0.9) * 31 / 29 * np.sqrt(1 + np.pi / 60)
    expected = stats.t.cdf(np.log(1.2) / scale, 3 + 0.63 * 29)
    assert MeasuredLatency.from_table(table, "e2e_s").p_within(2.4)[0] == pytest.approx(expected, abs=1e-5)
    assert 0.8 < expected < 0.88


@pytest.mark.parametrize(
    ("p10", "p90", "count"), [(np.nan, np.nan, 20), (1.0, 1.0, 1), (np.nan, np.nan, 1), (1.0, 1.0, 20)]
)
def test_a_latency_without_spread_is_never_certain(p10, p90, count):
    """Alone, or beside a row whose spread is known: neither one request nor the median is sure to meet a bound."""
    row = {"e2e_s": 1.0, "e2e_s_p10": p10, "e2e_s_p90": p90, "count": count}
    beside = {"e2e_s": 1.0, "e2e_s_p10": 0.9, "e2e_s_p90": 1.1, "count": 20}
    for rows in ([row], [row, beside]):
        measured = MeasuredLatency.from_table(pd.DataFrame(rows), "e2e_s")
        assert 0.5 < measured.p_within(1.05)[0] < 0.999
        assert 0.001 < measured.p_within(0.95)[0] < 0.5
        assert 1.0 < measured.quantile(0.9)[0] < 3.0
        draws_WA = measured.draw_medians(4000, np.random.default_rng(0))
        assert np.isfinite(draws_WA).all()
        assert np.log(draws_WA[:, 0]).std() > 0.003
        if len(rows) == 2:
            assert measured.p_within(1.3)[1] > measured.p_within(1.3)[0] or count == 20


def test_draws_of_the_median_have_its_standard_error():
    draws = latency([3.0], spread=0.2, count=5000).draw_medians(20_000, np.random.default_rng(0))
    assert np.log(draws).std() == pytest.approx(np.sqrt(np.pi / 2) * 0.2 / np.sqrt(5000), rel=0.03)


def test_a_ratio_is_of_what_is_not_common_to_all():
    """Latencies that rise and fall together by a fifth: the second takes 1.05 times as long in every draw."""
    common_W = np.exp(0.2 * np.random.default_rng(0).standard_normal(400))
    predicted = PredictedLatency(common_W[:, None] * np.array([1.0, 1.05, 1.2]))
    assert Bound(ratio=1.1).p_met(predicted).tolist() == [1.0, 1.0, 0.0]
    assert Bound(ratio=1.1).in_seconds(predicted) == pytest.approx(1.1 * np.median(common_W))
    seconds = Bound(seconds=1.1 * float(np.median(common_W))).p_met(predicted)
    assert seconds[0] == pytest.approx(stats.norm.cdf(np.log(1.1) / 0.2), abs=0.05)
    measured = latency([2.0, 2.1], spread=0.1)
    np.testing.assert_allclose(Bound(ratio=1.2).p_met(measured), measured.p_within(2.4))


def test_what_is_needed_is_met_with_that_probability():
    predicted = PredictedLatency(np.random.default_rng(0).gamma(3.0, size=(37, 4)))
    for share in (0.3, 0.9):
        needed_A = predicted.quantile(share)
        assert all(predicted.p_within(needed)[a] >= share for a, needed in enumerate(needed_A))
        assert all(predicted.p_within(needed - 1e-9)[a] < share for a, needed in enumerate(needed_A))
    with pytest.raises(ValueError, match=r"latency bound 0\.5 × the fastest: no.*needs 1 × the fastest, 2 times"):
        Bound(ratio=0.5).feasible(predicted, 0.9)
