"""What the latency law reads: features that add up, ceilings by size, filters, and errors that name the cell."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import fit_latency
from ie_scaling import accounting, workload
from ie_scaling.latency_law import features as law_features
from ie_scaling.latency_law import likelihood, sampling
from ie_scaling.latency_law import table as law_table
from ie_scaling.running import runner
from ie_scaling.tables import cells
from tests.latency_law import simulated

DEVICE = simulated.device(0)
CASES = simulated.cases(12, seed=4)


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return simulated.table(CASES, DEVICE, simulated.coordinates(rng, 1, 0.2)[:, 0], rng)


@pytest.fixture
def path(tmp_path, frame):
    cells.write_table(tmp_path / "latency.csv", frame)
    return tmp_path / "latency.csv"


def test_features_add_up_to_what_a_workload_costs():
    features = law_features.features_of(CASES, [DEVICE] * len(CASES))
    pairs = [(case.architecture, case.workload) for case in CASES]
    np.testing.assert_allclose(features.step_bytes, [workload.step_bytes(*pair) for pair in pairs])
    np.testing.assert_allclose(features.step_flops, [workload.step_flops(*pair) for pair in pairs])
    np.testing.assert_allclose(features.prefill_flops, [workload.prefill_flops(*pair) for pair in pairs])
    cached = [load.batch * load.mean_context * accounting.kv_cache_bytes_per_token(a, 4) for a, load in pairs]
    np.testing.assert_allclose(features.cache_bytes, cached)
    attention = [load.batch * 4 * a.n_layers * round(load.mean_context) * a.n_heads * a.d_head for a, load in pairs]
    np.testing.assert_allclose(features.attention_flops, attention)


def test_bandwidth_is_interpolated_between_logs():
    device = law_features.FittedDevice("x", "float32", "loop", (2.0**22, 2.0**24), (16e9, 4e9), 1e11, (0.0, 0.0))
    sizes = [2.0**20, 2.0**22, 2.0**23, 2.0**24, 2.0**30]
    np.testing.assert_allclose([device.bandwidth(size) for size in sizes], [16e9, 16e9, 8e9, 4e9, 4e9])
    assert device.typical_bandwidth == pytest.approx(8e9)


def test_a_tables_devices_carry_its_ceilings_and_errors(path):
    (device,) = law_table.devices_of(law_table.read(str(path)))
    assert device.name == "sim0 float32 loop"
    assert device.flops_per_s == pytest.approx(DEVICE.flops_per_s)
    np.testing.assert_allclose([DEVICE.bandwidth(size) for size in device.sizes], device.bytes_per_s)
    np.testing.assert_allclose(device.errors, simulated.MEDIAN_ERROR, rtol=1e-3)


def test_rows_may_be_held_out_by_shape_size_and_workload(path):
    table = law_table.read(str(path))
    sizes = np.array([accounting.count_parameters(case.architecture) for case in CASES])
    fitted, held = law_table.split(table, "n_params_total > 5e7")
    assert len(held) == (sizes > 5e7).sum()
    assert fitted["n_params_total"].max() <= 5e7
    fitted, held = law_table.split(table, "shape_index % 4 == 0")
    assert len(held) == 3
    assert not set(fitted["architecture"]) & set(held["architecture"])
    assert set(law_table.split(table, "batch == 8")[1]["batch"]) == {8}
    assert law_table.split(table, "")[1] is None


def test_a_session_is_as_fast_as_its_ceilings(frame):
    """Of three sessions the second reads twice as fast and computes three times as fast, and so is a later one."""
    slow = law_table.add_columns(frame)
    names = np.resize(["a", "b", "c"], len(slow))
    fast = np.where(names == "b", 2.0, 1.0), np.where(names == "b", 3.0, 1.0)
    ceilings = slow[["ceiling_bytes_per_s", "ceiling_flops_per_s"]].to_numpy() * np.transpose(fast)
    table = slow.assign(session=names, ceiling_bytes_per_s=ceilings[:, 0], ceiling_flops_per_s=ceilings[:, 1])
    rows, plain = law_table.rows_of(table), law_table.rows_of(slow)
    assert rows.devices[0].sessions == ("a", "b", "c")
    np.testing.assert_allclose(rows.speed_2R[1], fast[1])
    np.testing.assert_allclose(rows.speed_2R[0], fast[0])
    np.testing.assert_allclose(rows.devices[0].bytes_per_s, plain.devices[0].bytes_per_s)
    np.testing.assert_allclose(rows.features.flops_per_s, plain.features.flops_per_s * fast[1])
    np.testing.assert_allclose(plain.speed_2R, 1.0)
    later = law_table.rows_of(table[names == "b"].assign(session="z"), rows.devices, rows.sessions)
    np.testing.assert_allclose(later.speed_2R, rows.speed_2R[:, names == "b"])
    assert set(later.session_R) == {-1}
    again = slow[names == "b"].assign(session="b")  # its ceilings, read again, are another hour's: they are not asked
    np.testing.assert_allclose(law_table.rows_of(again, rows.devices, rows.sessions).speed_2R, later.speed_2R)


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
    rows = law_table.rows_of(table)
    np.testing.assert_allclose(rows.speed_2R[:, -1] / rows.speed_2R[:, 0], 1.5)
    assert _gaps_of_sessions(rows).max() < 0.06
    blind = dataclasses.replace(rows, features=rows.features.at_speed(*(1 / rows.speed_2R)))
    assert _gaps_of_sessions(blind).min() > 0.08


def _gaps_of_sessions(rows):
    """How far apart two sessions lie in what the law at its mode leaves of TTFT and of TPOT."""
    timed = likelihood.pose(rows, "serial")
    misses_2R = likelihood.residuals(timed, sampling.fit_mode(timed)[0]).reshape(2, -1)
    return np.ptp([misses_2R[:, rows.session_R == session].mean(axis=1) for session in (0, 1)], axis=0)


def test_several_tables_are_several_sessions(path, tmp_path):
    other = tmp_path / "other.csv"
    other.write_bytes(path.read_bytes())
    rows = law_table.rows_of(law_table.read(f"{path}, {other}", "batch == 1"))
    assert rows.sessions == (str(path), str(other))
    assert list(rows.session_R) == [0] * 6 + [1] * 6
    again = law_table.rows_of(law_table.read(str(other)), rows.devices, (str(path),))
    assert set(again.session_R) == {-1}


def test_what_only_one_table_says_of_its_requests_is_the_default_in_the_other(path, frame, tmp_path):
    other = tmp_path / "other.csv"
    cells.write_table(other, frame.assign(cache_room=2048, temperature=0.5))
    cases = law_table.rows_of(law_table.read(f"{path},{other}")).cases
    assert [(case.workload.cache_room, case.workload.temperature) for case in cases] == [(0, 0.0)] * 12 + [
        (2048, 0.5)
    ] * 12


def test_a_table_may_tell_sessions_apart_itself(path, frame):
    cells.write_table(path, frame.assign(session=[1, 2] * 6))
    assert law_table.rows_of(law_table.read(str(path))).sessions == (f"{path} 1", f"{path} 2")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop(columns="ceiling_flops_per_s"), ["ceiling_flops_per_s", "missing", "time the shapes again"]),
        (lambda t: t.assign(ceiling_bytes_per_s=["1e9"] * 7 + [""] * 5), ["row 8", "ceiling_bytes_per_s", "blank"]),
        (lambda t: t.assign(ceiling_bytes_per_s=["1e9"] * 7 + ["inf"] * 5), ["row 8", "ceiling_bytes_per_s", "finite"]),
        (lambda t: t.assign(n_devices=[1] * 11 + [2]), ["row 12", "n_devices", "must be 1"]),
        (lambda t: t.assign(n_devices=[1] * 11 + [""]), ["row 12", "n_devices", "blank"]),
        (lambda t: t.assign(batch=[1] * 11 + [1.9]), ["row 12", "column batch", "'1.9'", "whole number"]),
        (lambda t: t.assign(d_ff=[64] * 11 + [64.5]), ["row 12", "column d_ff", "'64.5'", "whole number"]),
        (lambda t: t.assign(dtype=["float32"] * 11 + [""]), ["row 12", "column dtype", "must not be blank"]),
        (lambda t: t.assign(mode=["loop"] * 11 + [""]), ["row 12", "column mode", "must not be blank"]),
        (lambda t: t.assign(cache_room=[0] * 11 + ["inf"]), ["row 12", "cache_room", "inf", "whole number"]),
        (lambda t: t.assign(cache_room=[0] * 11 + ["wide"]), ["row 12", "cache_room", "'wide'", "whole number"]),
        (lambda t: t.assign(temperature=[0] * 11 + ["hot"]), ["row 12", "temperature", "'hot'", "a number"]),
        (lambda t: t.assign(tpot_s=["fast"] + ["0.1"] * 11), ["row 1", "tpot_s", "'fast'"]),
        (lambda t: t.assign(dtype=["float32"] * 4 + ["float3"] * 8), ["row 5", "dtype='float3'", "must be one of"]),
    ],
)
def test_a_bad_cell_is_named(path, frame, change, words):
    cells.write_table(path, change(frame))
    with pytest.raises(ValueError, match=r"latency\.csv") as caught:
        law_table.read(str(path))
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    ("holdout", "words"),
    [
        ("batch > 0", ["holdout='batch > 0'", "leaving none to fit"]),
        ("batch > 99", ["holdout='batch > 99'", "keeps no row"]),
        ("width > 3", ["holdout='width > 3'", "not a row filter"]),
    ],
)
def test_a_holdout_must_split(path, holdout, words):
    with pytest.raises(ValueError, match="holdout") as caught:
        law_table.split(law_table.read(str(path)), holdout)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("tpu", "float32", "loop"), ["device_kind='tpu'", "fitted are sim0"]),
        (("sim0", "bfloat16", "loop"), ["dtype='bfloat16'", "fitted are float32 loop"]),
        (("sim0", "float32", "step"), ["mode='step'", "fitted are float32 loop"]),
    ],
)
def test_an_unknown_device_is_named(asked, words):
    with pytest.raises(ValueError, match="was not fitted") as caught:
        law_features.index_of((DEVICE,), *asked)
    assert all(word in str(caught.value) for word in words)


def test_a_table_in_memory_will_do(frame):
    """Rows as a benchmark has them, none with a time per output token."""
    blank = frame.astype({name: object for name in frame if name.startswith("tpot_s")}).copy()
    blank[[name for name in blank if name.startswith("tpot_s")]] = None
    rows = law_table.rows_of(law_table.add_columns(blank))
    assert rows.sessions == (law_table.ONE_SESSION,)
    assert [case.architecture for case in rows.cases] == [case.architecture for case in CASES]
    assert np.isnan(rows.tpot_s_R).all()
    assert rows.devices[0].errors[1] == 0


def test_milliseconds_are_warned_of_before_the_fit(tmp_path):
    path = Path(__file__).parent.parent / "cases" / "latency_milliseconds.csv"
    config = fit_latency.Config(tables=str(path))
    (said,) = fit_latency.load(config).remarks
    assert f"{path}: row 1, and 12 of 12 rows" in said
    assert runner.dry_run(fit_latency, config, tmp_path / "out") == [said]


def test_the_error_of_a_median_without_spread_is_that_of_the_other_rows(frame):
    rows = law_table.add_columns(frame)
    known = law_table.rows_of(rows).tpot_error_R
    first = rows.index[0]
    rows.loc[first, ["tpot_s_p10", "tpot_s_p90"]] = np.nan
    changed = law_table.rows_of(rows).tpot_error_R
    np.testing.assert_array_equal(changed[1:], known[1:])
    assert 0.3 * known[0] < changed[0] < 3 * known[0]
