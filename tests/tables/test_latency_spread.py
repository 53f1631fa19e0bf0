"""How much requests vary, of few values: percentiles without bias, and intervals that hold what they say."""

import numpy as np
import pandas as pd
import pytest

from ie_scaling.search.candidate_latency import MeasuredLatency
from ie_scaling.tables import latency_spread


def table(log_values_AN):
    """What timing A shapes N times each writes of one metric."""
    low, middle, high = np.exp(np.quantile(log_values_AN, (0.1, 0.5, 0.9), axis=1))
    count = log_values_AN.shape[1]
    return pd.DataFrame({"e2e_s": middle, "e2e_s_p10": low, "e2e_s_p90": high, "count": count})


@pytest.mark.parametrize(("count", "most"), [(2, 0.07), (5, 0.06), (16, 0.02), (50, 0.02)])
def test_the_spread_of_few_values_is_that_of_all(count, most):
    values_AN = 0.1 * np.random.default_rng(0).standard_normal((20_000, count))
    assert latency_spread.of_table(table(values_AN), "e2e_s").mean() == pytest.approx(0.1, rel=most)


@pytest.mark.parametrize("count", [2, 5, 16])
def test_nine_of_ten_requests_end_within_the_ninetieth_percentile(count):
    """Twelve shapes a table, whose spreads differ by a factor of 1.6 about 0.05: the next request of each."""
    rng, within = np.random.default_rng(1), []
    for _ in range(400):
        spread_A1 = 0.05 * np.exp(0.45 * rng.standard_normal((12, 1)))
        values = table(spread_A1 * rng.standard_normal((12, count)))
        measured = MeasuredLatency.from_table(values, "e2e_s")
        within.append(np.exp(spread_A1[:, 0] * rng.standard_normal(12)) <= measured.quantile(0.9))
    assert 0.88 <= np.mean(within) <= 0.95, np.mean(within)


def test_one_percentile_says_as_much_as_two():
    rows = pd.DataFrame({"e2e_s": 1.0, "e2e_s_p10": [1 / 1.2, np.nan, 1 / 1.2], "e2e_s_p90": [1.2, 1.2, np.nan]})
    spread_A = latency_spread.of_table(rows.assign(count=20), "e2e_s")
    np.testing.assert_allclose(spread_A, spread_A[0])


def test_rows_without_a_spread_are_remarked_on():
    rows = pd.DataFrame({"architecture": ["a", "b"], "e2e_s": 1.0, "e2e_s_p10": [0.9, np.nan], "e2e_s_p90": 1.1})
    assert latency_spread.remarks(rows.assign(count=20), "e2e_s", "t.csv") == []
    (said,) = latency_spread.remarks(rows.assign(count=[20, 1]), "e2e_s", "t.csv")
    assert said.startswith("t.csv: 1 of 2 rows, b the first, do not say how much e2e_s varies")
