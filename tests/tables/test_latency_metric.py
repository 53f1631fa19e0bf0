"""The latency metrics are the columns of the latency table, times before throughput."""

from ie_scaling.tables import latency_table
from ie_scaling.tables.latency_metric import TIMES, LatencyMetric


def test_metrics_are_columns_and_times_end_in_seconds():
    assert {*LatencyMetric} <= {*latency_table.LATENCY_COLUMNS}
    assert [*TIMES, LatencyMetric.THROUGHPUT] == [*LatencyMetric]
    assert all(metric.endswith("_s") for metric in TIMES)
    assert f"{LatencyMetric.E2E}_lo90" == "e2e_s_lo90"
