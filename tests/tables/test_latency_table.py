"""The latency table: what is read back, and every cell checked or refused by file, row, column and text."""

import math
from pathlib import Path

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


def test_one_new_token_has_no_time_per_output_token(tmp_path):
    blank = dict.fromkeys(("tpot_s", "tpot_s_p10", "tpot_s_p90", "tpot_s_p99"), "")
    frame = latency_table.read_latency(write(tmp_path, record(new_tokens=1) | blank))
    assert frame["tpot_s"].isna().all()
    assert latency_checks.remarks(frame, "t.csv") == []
    assert "column tpot_s: 0.0005 must be blank" in refusal(write(tmp_path, record(new_tokens=1))).replace("'", "")


def test_blank_percentiles_are_read(tmp_path):
    blank = {f"{name}_p{tail}": "" for name in LatencyMetric for tail in (10, 90, 99)}
    frame = latency_table.read_latency(write(tmp_path, record() | blank | {"floor_s": "", "compile_s": ""}))
    assert frame[list(blank)].isna().all(axis=None)
    assert latency_checks.remarks(frame, "t.csv") == []


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
