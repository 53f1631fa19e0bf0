"""Devices of timed rows, their ceilings, errors and sessions."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ie_scaling.latency_law import likelihood, sampling, timed_rows
from ie_scaling.latency_law import table as law_table
from tests.latency_law import simulated

DEVICE = simulated.device(0)


def test_a_tables_devices_carry_its_ceilings_and_errors(path):
    (device,) = timed_rows.devices_of(law_table.read(str(path)))
    assert device.name == "sim0 float32 loop"
    assert device.flops_per_s == pytest.approx(DEVICE.flops_per_s)
    np.testing.assert_allclose([DEVICE.bandwidth(size) for size in device.sizes], device.bytes_per_s)
    np.testing.assert_allclose(device.errors, simulated.MEDIAN_ERROR, rtol=1e-3)


def test_a_session_is_as_fast_as_its_ceilings(frame):
    """Of three sessions the second reads twice as fast and computes three times as fast, and so is a later one."""
    slow = law_table.add_columns(frame)
    names = np.resize(["a", "b", "c"], len(slow))
    fast = np.where(names == "b", 2.0, 1.0), np.where(names == "b", 3.0, 1.0)
    ceilings = slow[["ceiling_bytes_per_s", "ceiling_flops_per_s"]].to_numpy() * np.transpose(fast)
    table = slow.assign(session=names, ceiling_bytes_per_s=ceilings[:, 0], ceiling_flops_per_s=ceilings[:, 1])
    rows, plain = timed_rows.rows_of(table), timed_rows.rows_of(slow)
    assert rows.devices[0].sessions == ("a", "b", "c")
    np.testing.assert_allclose(rows.speed_2R[1], fast[1])
    np.testing.assert_allclose(rows.speed_2R[0], fast[0])
    np.testing.assert_allclose(rows.devices[0].bytes_per_s, plain.devices[0].bytes_per_s)
    np.testing.assert_allclose(rows.features.flops_per_s, plain.features.flops_per_s * fast[1])
    np.testing.assert_allclose(plain.speed_2R, 1.0)
    later = timed_rows.rows_of(table[names == "b"].assign(session="z"), rows.devices, rows.sessions)
    np.testing.assert_allclose(later.speed_2R, rows.speed_2R[:, names == "b"])
    assert set(later.session_R) == {-1}
    again = slow[names == "b"].assign(session="b")  # its ceilings, read again, are another hour's: they are not asked
    np.testing.assert_allclose(timed_rows.rows_of(again, rows.devices, rows.sessions).speed_2R, later.speed_2R)


def test_what_a_faster_hour_changes_is_no_effect_of_the_session():
    """Half as fast again, ceilings and all: the factors say so, and nothing is left for u."""
    rng, cases = np.random.default_rng(0), simulated.cases(60, seed=4)
    x_P = simulated.coordinates(rng, 1, 0.0)[:, 0]
    slow = simulated.device(0)
    fast = dataclasses.replace(
        slow, bytes_per_s=tuple(1.5 * np.array(slow.bytes_per_s)), flops_per_s=1.5 * slow.flops_per_s
    )
    hours = [
        simulated.table(cases[number::2], device, x_P, rng).assign(session=name)
        for number, (name, device) in enumerate((("slow", slow), ("fast", fast)))
    ]
    table = law_table.add_columns(pd.concat(hours, ignore_index=True))
    rows = timed_rows.rows_of(table)
    np.testing.assert_allclose(rows.speed_2R[:, -1] / rows.speed_2R[:, 0], 1.5)
    assert _gaps_of_sessions(rows).max() < 0.06
    blind = dataclasses.replace(rows, features=rows.features.at_speed(*(1 / rows.speed_2R)))
    assert _gaps_of_sessions(blind).min() > 0.08


def _gaps_of_sessions(rows):
    """How far apart two sessions lie in what the law at its mode leaves of TTFT and of TPOT."""
    timed = likelihood.pose(rows, "serial")
    misses_2R = likelihood.residuals(timed, sampling.fit_mode(timed)[0]).reshape(2, -1)
    return np.ptp([misses_2R[:, rows.session_R == session].mean(axis=1) for session in (0, 1)], axis=0)


def test_the_error_of_a_median_without_spread_is_that_of_the_other_rows(frame):
    rows = law_table.add_columns(frame)
    known = timed_rows.rows_of(rows).tpot_error_R
    first = rows.index[0]
    rows.loc[first, ["tpot_s_p10", "tpot_s_p90"]] = np.nan
    changed = timed_rows.rows_of(rows).tpot_error_R
    np.testing.assert_array_equal(changed[1:], known[1:])
    assert 0.3 * known[0] < changed[0] < 3 * known[0]
