"""The latency table: what is read back, and every cell checked or refused by file, row, column and text."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.tables import cells, latency_checks, latency_table, shape_table
from ie_scaling.tables.latency_metric import LatencyMetric

CASES = Path(__file__).parent.parent / "cases"
RESULTS = Path(__file__).parent.parent.parent / "results"
SHAPE = Architecture(d_model=34, n_layers=3, n_heads=6, n_kv_heads=2, d_head=10, d_ff=37, vocab_size=53)
QK = Architecture.from_fields(SHAPE.to_fields() | {"qk_norm": True, "rope_base": 5e5})


def record(of=SHAPE, new_tokens=9, **changes):
    """A row whose cells agree: 1 ms to the first token, 0.5 ms each further one, of two requests."""
    timed = {"ttft_s": 1e-3, "tpot_s": 5e-4, "e2e_s": 1e-3 + 5e-4 * (new_tokens - 1)}
    timed["tokens_per_s"] = 2 * new_tokens / timed["e2e_s"]
    tails = (("_p10", 0.9), ("_p90", 1.1), ("_p99", 1.2))
    measured = {f"{name}{tail}": value * factor for name, value in timed.items() for tail, factor in tails} | timed
    measured |= {"device_kind": "cpu", "n_devices": 1, "dtype": "float32", "batch": 2, "prompt_tokens": 16}
    measured |= {"new_tokens": new_tokens, "mode": "loop", "compile_s": 0.0, "count": 20, "floor_s": 4e-4}
    return latency_table.latency_record(of, **measured) | changes


def write(folder, *rows, ending="csv"):
    path = folder / f"latency.{ending}"
    cells.write_table(path, list(rows))
    return path


def refusal(path):
    with pytest.raises(InputError) as caught:
        latency_table.read_latency(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_was_written_is_read(tmp_path, ending):
    frame = latency_table.read_latency(write(tmp_path, record(), record(QK, mine=3), ending=ending))
    assert shape_table.architectures_of(frame) == [SHAPE, QK]
    assert frame["e2e_s_p90"].tolist() == [1.1 * 5e-3] * 2
    assert frame["batch"].tolist() == [2, 2]
    assert frame["mine"].tolist()[1] == 3
    with pytest.raises(ValueError, match="missing"):
        latency_table.latency_record(SHAPE, ttft_s=1.0)


def test_tables_of_this_project_pass_unremarked():
    paths = sorted((RESULTS / "latency_study").glob("draw_*.csv"))
    assert len(paths) == 9
    for path in paths:
        frame = latency_table.read_latency(path)
        assert len(frame) >= 98
        assert latency_checks.remarks(frame, path.name) == []


def test_the_cases_from_the_field():
    tied = latency_table.read_latency(CASES / "latency_booleans_1.csv")
    assert accounting.count_parameters(shape_table.architectures_of(tied)[0]) == 5_768_448
    swapped = refusal(CASES / "latency_p10_p90_swapped.csv")
    assert "row 1, column e2e_s_p10: '0.00787732999998525' must be at most e2e_s, 0.00374362" in swapped
    (said,) = latency_checks.remarks(latency_table.read_latency(CASES / "latency_milliseconds.csv"), "t.csv")
    assert said.startswith("t.csv: row 1, and 12 of 12 rows: a step of 0.738 s, 1,567 times its floor_s")
    assert "are these milliseconds?" in said


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        *((word, True) for word in ("True", "TRUE", "true", " true ", "1", "1.0", "yes", "Y", "WAHR", "wahr", "vrai")),
        *((word, False) for word in ("False", "FALSE", "false", "0", "0.0", "no", "n", "FALSCH", "faux")),
    ],
)
def test_booleans_are_what_they_mean(tmp_path, given, expected):
    shape = Architecture.from_fields(SHAPE.to_fields() | {"tied_embeddings": expected})
    frame = latency_table.read_latency(write(tmp_path, record(shape, tied_embeddings=given)))
    assert shape_table.architectures_of(frame) == [shape]


@pytest.mark.parametrize("values", [[True, False], [1, 0], [1.0, 0.0], [np.int8(1), np.int8(0)]])
def test_booleans_of_parquet_too(tmp_path, values):
    tied = Architecture.from_fields(SHAPE.to_fields() | {"tied_embeddings": True})
    frame = pd.DataFrame([record(tied), record()]).assign(tied_embeddings=values)
    frame.to_parquet(tmp_path / "latency.parquet")
    assert shape_table.architectures_of(latency_table.read_latency(tmp_path / "latency.parquet")) == [tied, SHAPE]


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        *(("tied_embeddings", value, "must be true or false") for value in ("maybe", "2", "-1", "nan", "0,0", "1e0")),
        ("qk_norm", "", "must not be blank"),
        *(("e2e_s_p10", value, "must be a number") for value in ("fast", "0,9", "--", "1_0", "0x1p-2")),
        *(("e2e_s_p90", value, "must be finite") for value in ("inf", "1e400", "9" * 400)),
        ("e2e_s_p90", -1.0, "above zero"),
        ("tpot_s_p99", 0.0, "above zero"),
        ("ttft_s_p90", "nan", "must be a number"),
        ("e2e_s_p10", 5.1e-3, "must be at most e2e_s, 0.005"),
        ("e2e_s_p90", 4.9e-3, "must be at least e2e_s, 0.005"),
        ("e2e_s_p99", 5.2e-3, "must be at least e2e_s_p90, 0.0055"),
        ("tokens_per_s_p10", 1e6, "must be at most tokens_per_s"),
        ("batch", "9007199254740993", "must be below 2"),
        ("batch", "1.5", "must be a whole number"),
        ("batch", "", "must not be blank"),
        ("batch", "0", "above zero"),
        ("d_model", "1" * 310, "must be finite"),
        ("d_model", "34.5", "must be a whole number"),
        ("n_layers", "three", "must be a number"),
        ("count", "0", "above zero"),
        ("count", "2.5", "must be a whole number"),
        ("count", "-4", "above zero"),
        ("e2e_s", "", "must not be blank"),
        ("floor_s", "low", "must be a number"),
        ("floor_s", "0", "above zero"),
        ("compile_s", "-1", "must not be negative"),
        ("compile_s", "inf", "must be finite"),
        ("rope_base", "", "must not be blank"),
        ("rope_base", "big", "must be a number"),
        *((column, " ", "must not be blank") for column in ("architecture", "device_kind", "dtype", "mode")),
        ("architecture", "d34-n3-h6-k2-c10-f37-v54", f"must be {SHAPE.name}, as the columns say"),
        ("architecture", f"{SHAPE.name}-tied", f"must be {SHAPE.name}, as the columns say"),
        ("architecture", f"{SHAPE.name}-new", f"must be {SHAPE.name}, as the columns say"),
        ("e2e_s", 0.9e-3, ""),
        ("ttft_s", 5.1e-3, ""),
        ("tpot_s", 5e-7, ""),
        ("tokens_per_s", 9e9, ""),
    ],
)
def test_a_cell_that_cannot_be_is_named(tmp_path, column, value, words):
    message = refusal(write(tmp_path, record(), record(**{column: value})))
    assert f"{tmp_path / 'latency.csv'}: row 2, column " in message
    assert words in message
    if words:
        assert f"column {column}: " in message
        assert str(value)[:3] in message


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


def test_one_new_token_has_no_time_per_output_token(tmp_path):
    blank = dict.fromkeys(("tpot_s", "tpot_s_p10", "tpot_s_p90", "tpot_s_p99"), "")
    frame = latency_table.read_latency(write(tmp_path, record(new_tokens=1) | blank))
    assert frame["tpot_s"].isna().all()
    assert latency_checks.remarks(frame, "t.csv") == []
    assert "column tpot_s: 0.0005 must be blank" in refusal(write(tmp_path, record(new_tokens=1))).replace("'", "")


def test_a_name_of_the_users_own_is_read_but_not_of_two_shapes(tmp_path):
    assert len(latency_table.read_latency(write(tmp_path, record(architecture="mine")))) == 1
    path = write(tmp_path, record() | {"architecture": "mine"}, record(QK) | {"architecture": "mine"})
    assert "row 2, column architecture: 'mine' is another shape's name in a row above" in refusal(path)


def test_cells_that_make_no_shape_are_named_by_their_row(tmp_path):
    assert "row 2: n_heads=6, n_kv_heads=4: n_heads must be divisible" in refusal(
        write(tmp_path, record(), record(n_kv_heads=4))
    )


def test_blank_percentiles_are_read(tmp_path):
    blank = {f"{name}_p{tail}": "" for name in LatencyMetric for tail in (10, 90, 99)}
    frame = latency_table.read_latency(write(tmp_path, record() | blank | {"floor_s": "", "compile_s": ""}))
    assert frame[list(blank)].isna().all(axis=None)
    assert latency_checks.remarks(frame, "t.csv") == []


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


def test_a_table_without_its_columns_or_rows_is_refused(tmp_path):
    pd.DataFrame({"architecture": ["x"]}).to_csv(tmp_path / "latency.csv", index=False)
    assert "column d_model is missing" in refusal(tmp_path / "latency.csv")
    pd.DataFrame([record()]).iloc[:0].to_csv(tmp_path / "latency.csv", index=False)
    assert "has no rows" in refusal(tmp_path / "latency.csv")


def test_other_columns_are_numbers_where_they_can_be(tmp_path):
    rows = [record(session="1", x="2.5", y="", note="a"), record(session="2", x="3", y="7", note="4")]
    frame = latency_table.read_latency(write(tmp_path, *rows))
    assert frame["session"].astype(str).tolist() == ["1", "2"]
    assert frame["x"].tolist() == [2.5, 3.0]
    assert math.isnan(frame["y"][0])
    assert frame["y"][1] == 7
    assert frame["note"].tolist() == ["a", "4"]


def test_the_medians_of_two_very_different_requests_need_not_agree(tmp_path):
    """Of requests of 1 and 10 ms the median time is 5.5 ms, of the rates 1000 and 100 a second 550: thrice 1/5.5 ms."""
    e2e = {"e2e_s": 5.5e-3, "e2e_s_p10": 1.9e-3, "e2e_s_p90": 9.1e-3, "e2e_s_p99": 9.91e-3}
    rates = {"": 550, "_p10": 190, "_p90": 910, "_p99": 991}
    rates = {f"tokens_per_s{tail}": 18 * value for tail, value in rates.items()}
    latency_table.read_latency(write(tmp_path, record(**e2e, **rates, count=2)))
    with pytest.raises(InputError, match="tokens_per_s"):
        latency_table.read_latency(write(tmp_path, record(**e2e, **{k: 9 * v for k, v in rates.items()}, count=2)))
