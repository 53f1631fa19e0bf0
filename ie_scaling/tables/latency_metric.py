"""LatencyMetric: what is measured of a decode request, by the column of the latency table (no JAX here)."""

import enum


class LatencyMetric(enum.StrEnum):
    """Time to the first token, time per output token, end-to-end time (all in seconds), and throughput."""

    TTFT = "ttft_s"
    TPOT = "tpot_s"
    E2E = "e2e_s"
    THROUGHPUT = "tokens_per_s"


TIMES = (LatencyMetric.TTFT, LatencyMetric.TPOT, LatencyMetric.E2E)
