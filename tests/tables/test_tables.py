"""The run and latency tables: what is read back, and errors that name the cell."""

import math
from pathlib import Path

import pytest

from ie_scaling import accounting
from ie_scaling.architecture import SHAPE_FIELDS, Architecture
from ie_scaling.laws.observations import Observations
from ie_scaling.tables import cells, run_table

DATA = Path(__file__).parent.parent.parent / "data"
SHAPE = Architecture(d_model=34, n_layers=3, n_heads=6, n_kv_heads=2, d_head=10, d_ff=37, vocab_size=53)
HEADER = "run_id,model_id,n_params_total,n_tokens,loss\n"


def row(run_id: str, loss: float) -> dict:
    return run_table.run_record(SHAPE, source="test", run_id=run_id, n_tokens=1000, loss=loss, loss_split="v", seed=7)


@pytest.mark.parametrize(
    ("name", "n_rows", "n_models"),
    [("bian2025", 76, 35), ("gemstones_cooldown", 199, 20), ("chinchilla", 245, 43), ("gadre2024_models", 832, 104)],
)
def test_public_tables_are_read_whole(name, n_rows, n_models):
    frame = run_table.read_runs(DATA / f"{name}.csv")
    assert len(frame) == n_rows
    assert frame["model_id"].nunique() == n_models
    assert (frame["loss"] > 0).all()


def test_published_parameter_counts_equal_ours():
    """All 76 rows of bian2025 give both counts and the shape they belong to."""
    for row in run_table.read_runs(DATA / "bian2025.csv").to_dict("records"):
        architecture = Architecture.from_fields({field: int(row[field]) for field in SHAPE_FIELDS})
        assert accounting.count_parameters(architecture) == row["n_params_total"]
        assert accounting.count_non_embedding_parameters(architecture) == row["n_params_non_embedding"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_run_table_round_trip_keeps_digits_and_extra_columns(tmp_path, ending):
    path = tmp_path / f"runs.{ending}"
    cells.write_table(path, [row("a", math.pi), row("b", 1 / 3)])
    frame = run_table.read_runs(path)
    assert frame["loss"].tolist() == [math.pi, 1 / 3]
    assert frame["seed"].astype(int).tolist() == [7, 7]
    assert frame["n_params_total"].tolist() == [accounting.count_parameters(SHAPE)] * 2


def test_several_tables_are_told_apart_by_source(tmp_path):
    for name, run_id in (("one", "a"), ("two", "b")):
        table = [row(run_id, 2.0) | {"source": "", "model_id": "same"}, row("other", 3.0) | {"source": ""}]
        cells.write_table(tmp_path / f"{name}.csv", table)
    frame = run_table.read_runs(f"{tmp_path}/one.csv,{tmp_path}/two.csv")
    assert frame["source"].tolist() == ["one", "one", "two", "two"]
    assert frame["model_id"].tolist() == ["one/same", "one/other", "two/same", "two/other"]
    assert frame["table_row"].tolist() == [1, 2, 1, 2]
    frame.loc[3, "n_params_non_embedding"] = 1e15
    with pytest.raises(ValueError, match=r"two\.csv: row 2, column n_params_non_embedding"):
        Observations.from_frame(frame)


def test_append_run_replaces_a_row_of_the_same_id(tmp_path):
    path = tmp_path / "runs.csv"
    for run_id, loss in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
        run_table.append_run(path, row(run_id, loss))
    frame = run_table.read_runs(path).set_index("run_id")
    assert frame["loss"].to_dict() == {"a": 3.0, "b": 2.0}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEADER + "a,a,100,1000,2.0\nb,b,100,1000,-1\n", ["row 2", "column loss", "'-1'", "above zero"]),
        (HEADER + "a,a,100,many,2.0\n", ["row 1", "column n_tokens", "'many'", "a number"]),
        (HEADER + "a,a,100,,2.0\n", ["row 1", "column n_tokens", "blank"]),
        (HEADER + "a,a,100,1000,nan\n", ["row 1", "column loss", "a number"]),
        (HEADER + "a,a,100,1000,inf\n", ["row 1", "column loss", "finite"]),
        (HEADER, ["no rows"]),
        ("run_id,loss\na,1\n", ["n_params_total", "missing"]),
        ("", ["cannot be read"]),
    ],
)
def test_a_bad_table_is_one_line_that_names_the_cell(tmp_path, text, words):
    path = tmp_path / "runs.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"runs\.csv") as caught:
        run_table.read_runs(path)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


def test_a_missing_table_and_a_bad_filter_are_named(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        run_table.read_runs(tmp_path / "nowhere.csv")
    with pytest.raises(ValueError, match="where='nonsense >'"):
        run_table.read_runs(DATA / "bian2025.csv", "nonsense >")
    with pytest.raises(ValueError, match="keeps no row"):
        run_table.read_runs(DATA / "bian2025.csv", "n_tokens > 1e30")


def test_where_keeps_the_rows_of_a_figure():
    assert len(run_table.read_runs(DATA / "bian2025.csv", "fit_set.str.contains('fig7')")) == 27
