"""Latency tables that contradict themselves are refused, and those hardly in seconds are warned of."""

import pandas as pd
import pytest

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.tables import latency_checks, latency_table
from tests.tables.test_latency_table import QK, RESULTS, SHAPE, record, refusal, write


def scaled(row, metric, factor):
    return row | {name: row[name] * factor for name in row if name.startswith(metric)}


@pytest.mark.parametrize(
    ("metric", "factor", "words"),
    [
        ("ttft_s", 6.0, "column e2e_s: .* must be at least ttft_s, 0.006"),
        ("e2e_s", 0.1, "column e2e_s: .* must be at least ttft_s, 0.001"),
        ("tpot_s", 1000.0, r"column tpot_s: .* contradicts \(e2e_s - ttft_s\)/\(new_tokens - 1\) = 0.0005"),
        ("tpot_s", 1e-3, "column tpot_s: .* contradicts"),
        ("tokens_per_s", 3.0, r"column tokens_per_s: .* contradicts batch \* new_tokens/e2e_s = 3600"),
        ("tokens_per_s", 1000.0, "column tokens_per_s: .* contradicts batch .* is e2e_s in milliseconds"),
    ],
)
def test_cells_that_contradict_one_another_are_named(tmp_path, metric, factor, words):
    path = write(tmp_path, record(), scaled(record(), metric, factor))
    with pytest.raises(InputError, match=f"row 2, {words}"):
        latency_table.read_latency(path)


def test_medians_need_not_agree_to_the_last_digit(tmp_path):
    rows = [scaled(record(), "tpot_s", factor) for factor in (0.6, 1.5)]
    rows += [scaled(record(), "tokens_per_s", factor) for factor in (0.6, 1.8)]
    assert len(latency_table.read_latency(write(tmp_path, *rows))) == 4


def test_a_name_of_the_users_own_is_read_but_not_of_two_shapes(tmp_path):
    assert len(latency_table.read_latency(write(tmp_path, record(architecture="mine")))) == 1
    path = write(tmp_path, record() | {"architecture": "mine"}, record(QK) | {"architecture": "mine"})
    assert "row 2, column architecture: 'mine' is another shape's name in a row above" in refusal(path)


def in_milliseconds(row, floor=True):
    changed = {name: row[name] * 1e3 for name in row if name.startswith(("ttft_s", "tpot_s", "e2e_s"))}
    return row | changed | ({} if floor else {"floor_s": ""})


@pytest.mark.parametrize("floor", [True, False])
def test_milliseconds_are_remarked_on_with_and_without_a_floor(tmp_path, floor):
    slow = Architecture(d_model=96, n_layers=1, n_heads=6, n_kv_heads=6, d_head=16, d_ff=288, vocab_size=512)
    frame = latency_table.read_latency(write(tmp_path, *(in_milliseconds(record(a), floor) for a in (SHAPE, slow))))
    (said,) = latency_checks.remarks(frame, "t.csv")
    assert "row 1, and 2 of 2 rows" in said
    assert "are these milliseconds?" in said


def test_milliseconds_are_remarked_on_where_the_floor_is_in_them_too(tmp_path):
    table = pd.read_csv(RESULTS / "latency_study" / "draw_09.csv").head(5)
    times = [
        column
        for column in table
        if column.startswith(("ttft_s", "tpot_s", "e2e_s", "floor_s")) and "error" not in column
    ]
    rates = [column for column in table if column.startswith("tokens_per_s")]
    table = table.assign(**{column: table[column] * 1e3 for column in times} | {r: table[r] / 1e3 for r in rates})
    table.to_csv(tmp_path / "ms.csv", index=False)
    (said,) = latency_checks.remarks(latency_table.read_latency(tmp_path / "ms.csv"), "ms.csv")
    assert "5 of 5 rows: a floor_s of 0.2" in said
    assert "are these milliseconds?" in said


def test_a_public_models_name_on_another_shape_is_remarked_on(tmp_path):
    path = write(tmp_path, record(), record(architecture="Qwen3-0.6B", d_ff=38))
    (said,) = latency_checks.remarks(latency_table.read_latency(path), "t.csv")
    assert said.startswith("t.csv: row 2: Qwen3-0.6B is d1024-n28-h16-k8-")
    assert SHAPE.name.replace("f37", "f38") in said


def test_dispatch_is_not_taken_for_milliseconds(tmp_path):
    """A small shape on a fast device: thousands of floors, and yet half a millisecond, or five, for three layers."""
    slower = record()
    for metric, factor in (("ttft_s", 10), ("tpot_s", 10), ("e2e_s", 10), ("tokens_per_s", 0.1)):
        slower = scaled(slower, metric, factor)
    frame = latency_table.read_latency(write(tmp_path, record(floor_s=4e-7), slower | {"floor_s": 4e-7}))
    assert latency_checks.remarks(frame, "t.csv") == []


def test_a_step_faster_than_its_floor_is_remarked_on(tmp_path):
    frame = latency_table.read_latency(write(tmp_path, record(), record(floor_s=0.4)))
    (said,) = latency_checks.remarks(frame, "t.csv")
    assert said.startswith("t.csv: row 2, and 1 of 2 rows: ttft_s or tpot_s is 0.0013 of floor_s")


def test_the_medians_of_two_very_different_requests_need_not_agree(tmp_path):
    """Of requests of 1 and 10 ms the median time is 5.5 ms, of the rates 1000 and 100 a second 550: thrice 1/5.5 ms."""
    e2e = {"e2e_s": 5.5e-3, "e2e_s_p10": 1.9e-3, "e2e_s_p90": 9.1e-3, "e2e_s_p99": 9.91e-3}
    rates = {"": 550, "_p10": 190, "_p90": 910, "_p99": 991}
    rates = {f"tokens_per_s{tail}": 18 * value for tail, value in rates.items()}
    latency_table.read_latency(write(tmp_path, record(**e2e, **rates, count=2)))
    with pytest.raises(InputError, match="tokens_per_s"):
        latency_table.read_latency(write(tmp_path, record(**e2e, **{k: 9 * v for k, v in rates.items()}, count=2)))
