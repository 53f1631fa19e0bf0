"""The hardware-agnostic proxy: weights recovered, one order of shapes on every device."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ie_scaling.latency_law import features as law_features
from ie_scaling.latency_law import proxy as law_proxy
from ie_scaling.latency_law import table as law_table
from ie_scaling.latency_law import timed_rows
from tests.latency_law import simulated

CASES = simulated.cases(30, seed=8)
BETA, GAMMA, SECONDS = 2e-7, 3e-9, np.array([4e-5, 9e-6])


@pytest.fixture
def rows():
    """Two devices whose steps and prefills take what a proxy of known weights says, to a per cent."""
    rng, tables = np.random.default_rng(1), []
    for number, seconds in enumerate(SECONDS):
        device = simulated.device(number)
        f = law_features.features_of(CASES, [device] * len(CASES))
        table = simulated.table(CASES, device, simulated.coordinates(rng, 1, 0.1)[:, 0], rng)
        noise = np.exp(0.01 * rng.standard_normal((2, len(CASES))))
        table["tpot_s"] = seconds * (f.n_layers + BETA * f.step_bytes + GAMMA * f.step_flops) * noise[0]
        table["ttft_s"] = seconds * (f.n_layers + BETA * f.prefill_bytes + GAMMA * f.prefill_flops) * noise[1]
        tables.append(table)
    return timed_rows.rows_of(law_table.add_columns(pd.concat(tables, ignore_index=True)))


@pytest.mark.parametrize("metric", ["ttft_s", "tpot_s"])
def test_weights_are_recovered(rows, metric):
    proxy = law_proxy.fit(rows, metric)
    assert proxy.layers_per_byte == pytest.approx(BETA, rel=0.1)
    np.testing.assert_allclose(proxy.seconds_per_layer_K, SECONDS, rtol=0.1)
    measured = rows.ttft_s_R if metric == "ttft_s" else rows.tpot_s_R
    predicted = proxy.predict(rows.features, rows.device_R)
    assert np.abs(predicted / measured - 1).max() < 0.05
    if metric == "ttft_s":  # a step's FLOPs are too few to tell
        assert proxy.layers_per_flop == pytest.approx(GAMMA, rel=0.1)


def test_shapes_come_in_one_order_on_every_device(rows):
    proxy = law_proxy.fit(rows, "tpot_s")
    seconds = [proxy.predict(rows.features, np.full(len(rows), k)) for k in (0, 1)]
    np.testing.assert_array_equal(np.argsort(seconds[0]), np.argsort(seconds[1]))


def test_too_few_rows_give_no_proxy(rows):
    blank = dataclasses.replace(rows, tpot_s_R=np.where(np.arange(len(rows)) < 3, rows.tpot_s_R, np.nan))
    assert law_proxy.fit(blank, "tpot_s") is None
