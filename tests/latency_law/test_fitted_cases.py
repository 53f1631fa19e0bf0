"""The cases that a latency posterior keeps carry the names and sizes of the rows."""

import numpy as np

from ie_scaling.latency_law import timed_rows
from ie_scaling.latency_law.features import RANGES
from ie_scaling.latency_law.fitted_cases import FittedCases
from ie_scaling.latency_law.table import add_columns
from tests.latency_law import simulated


def test_cases_are_those_of_the_rows():
    rng = np.random.default_rng(0)
    table = simulated.table(simulated.cases(5, 1), simulated.device(0), simulated.coordinates(rng, 1, 0.1)[:, 0], rng)
    rows = timed_rows.rows_of(add_columns(table))
    cases = FittedCases.of(rows)
    assert len(cases) == 5
    assert cases.names == tuple(case.name for case in rows.cases)
    assert set(cases.device_names) == {"sim0 float32 loop"}
    assert set(cases.session_names) == {timed_rows.ONE_SESSION}
    np.testing.assert_array_equal(cases.ttft_s_R, table["ttft_s"])
    assert tuple(cases.features) == RANGES
    np.testing.assert_array_equal(cases.features["step_bytes"], rows.features.step_bytes)
