"""What the latency law reads: features that add up, ceilings by size, filters, and errors that name the cell."""

from pathlib import Path

import numpy as np
import pytest

from experiments import fit_latency
from ie_scaling import accounting
from ie_scaling.latency_law import table as law_table
from ie_scaling.latency_law import timed_rows
from ie_scaling.running import runner
from ie_scaling.tables import cells
from tests.latency_law import simulated

DEVICE = simulated.device(0)
CASES = simulated.cases(12, seed=4)


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


def test_several_tables_are_several_sessions(path, tmp_path):
    other = tmp_path / "other.csv"
    other.write_bytes(path.read_bytes())
    rows = timed_rows.rows_of(law_table.read(f"{path}, {other}", "batch == 1"))
    assert rows.sessions == (str(path), str(other))
    assert list(rows.session_R) == [0] * 6 + [1] * 6
    again = timed_rows.rows_of(law_table.read(str(other)), rows.devices, (str(path),))
    assert set(again.session_R) == {-1}


def test_what_only_one_table_says_of_its_requests_is_the_default_in_the_other(path, frame, tmp_path):
    other = tmp_path / "other.csv"
    cells.write_table(other, frame.assign(cache_room=2048, temperature=0.5))
    cases = timed_rows.rows_of(law_table.read(f"{path},{other}")).cases
    assert [(case.workload.cache_room, case.workload.temperature) for case in cases] == [(0, 0.0)] * 12 + [
        (2048, 0.5)
    ] * 12


def test_a_table_may_tell_sessions_apart_itself(path, frame):
    cells.write_table(path, frame.assign(session=[1, 2] * 6))
    assert timed_rows.rows_of(law_table.read(str(path))).sessions == (f"{path} 1", f"{path} 2")


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


def test_a_table_in_memory_will_do(frame):
    """Rows as a benchmark has them, none with a time per output token."""
    blank = frame.astype({name: object for name in frame if name.startswith("tpot_s")}).copy()
    blank[[name for name in blank if name.startswith("tpot_s")]] = None
    rows = timed_rows.rows_of(law_table.add_columns(blank))
    assert rows.sessions == (timed_rows.ONE_SESSION,)
    assert [case.architecture for case in rows.cases] == [case.architecture for case in CASES]
    assert np.isnan(rows.tpot_s_R).all()
    assert rows.devices[0].errors[1] == 0


def test_milliseconds_are_warned_of_before_the_fit(tmp_path):
    path = Path(__file__).parent.parent / "cases" / "latency_milliseconds.csv"
    config = fit_latency.Config(tables=str(path))
    (said,) = fit_latency.load(config).remarks
    assert f"{path}: row 1, and 12 of 12 rows" in said
    assert runner.dry_run(fit_latency, config, tmp_path / "out") == [said]
